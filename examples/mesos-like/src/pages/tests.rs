//! Whatever a text says, a page has the same tags.

use std::cell::RefCell;

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use orch_core::clock::Timestamp;
use proptest::prelude::*;

use super::*;

/// A page as a browser reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Its tags, with their attributes and classes.
    pub(crate) tags: Vec<String>,
    /// What is between them.
    pub(crate) text: String,
    /// Where its links lead.
    pub(crate) links: Vec<String>,
    /// What the page is wrong in.
    pub(crate) errors: Vec<String>,
}

impl Parsed {
    pub(crate) fn of(html: &str) -> Self {
        let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
        let input = BufferQueue::default();
        input.push_back(html.into());
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.take()
    }
}

#[derive(Default)]
struct Reader(RefCell<Parsed>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut parsed = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => {
                let attributes = tag.attrs.iter().map(|attribute| match &*attribute.name.local {
                    "class" | "data-heading" => format!("{}={}", attribute.name.local, attribute.value),
                    name => name.to_owned(),
                });
                parsed.tags.push(format!("{:?} {} {:?}", tag.kind, tag.name, attributes.collect::<Vec<_>>()));
                let hrefs = tag.attrs.iter().filter(|attribute| &*tag.name == "a" && &*attribute.name.local == "href");
                parsed.links.extend(hrefs.map(|attribute| attribute.value.to_string()));
                return after(&tag);
            }
            Token::CharacterTokens(text) => parsed.text.push_str(&text),
            Token::NullCharacterToken => parsed.errors.push("a NUL".to_owned()),
            Token::CommentToken(text) => parsed.tags.push(format!("a comment: {text}")),
            Token::ParseError(error) => parsed.errors.push(error.into_owned()),
            Token::DoctypeToken(_) | Token::EOFToken => {}
        }
        TokenSinkResult::Continue
    }
}

/// How a browser reads on behind a tag.
fn after(tag: &Tag) -> TokenSinkResult<()> {
    match (&tag.kind, &*tag.name) {
        (TagKind::StartTag, "title" | "textarea") => TokenSinkResult::RawData(RawKind::Rcdata),
        (TagKind::StartTag, "style") => TokenSinkResult::RawData(RawKind::Rawtext),
        (TagKind::StartTag, "script") => TokenSinkResult::RawData(RawKind::ScriptData),
        _ => TokenSinkResult::Continue,
    }
}

/// Texts that somebody chose to do harm, and any others.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("<script>alert(1)</script>"),
        Just("</title></style></pre></table>"),
        Just("\"><img src=x onerror=alert(1)>"),
        Just("' onmouseover='alert(1)"),
        Just("javascript:alert(1)"),
        Just("<!--"),
        Just("-->"),
        Just("]]>"),
        Just("&lt;b&gt;&#60;&amp"),
        Just("\0\u{1b}]0;x\u{7}\r\n"),
        Just("\u{202e}\u{2066}\u{feff}\u{85}"),
        Just("../../etc/passwd?x=y&path=/#"),
    ];
    let odd = proptest::collection::vec(pieces, 1..4).prop_map(|pieces| pieces.concat());
    prop_oneof![odd, any::<String>()].prop_map(|text| format!("x{text}"))
}

/// A page with everything on it that there is, all called by this name.
fn page(name: &str) -> String {
    let mut table = Table::new([Column::text("Name"), Column::number("Number")]);
    table.row([link(&Address::here("/x").with("id", name), name), id(name)]);
    let now = Timestamp::UNIX_EPOCH;
    Page::new(name, name)
        .menu([("Menu", Address::here("/pages").with("of", name))])
        .refreshing(&Address::here("/x").with("id", name), &Query::default())
        .part(section(name, table.or(name)))
        .part(Table::new([Column::text("None")]).or(name))
        .part(badge(Tone::Bad, name).and(muted(name)).and(note(name)).and(listing(name)).and(path_line(name)))
        .part(facts([(name, name.into())]).and(cards([(name, name.to_owned(), name.into())])).and(bullets([name])))
        .part(bar(name, 1.0, &[(Share::Good, 0.5)]).and(time(now, now)))
        .part(bars(&Amounts::from([(name.to_owned(), 2.0)]), &Amounts::from([(name.to_owned(), 1.0)]), &Amounts::new()))
        .text()
}

proptest! {
    #[test]
    fn a_page_has_the_same_tags_whatever_a_name_says(name in hostile()) {
        let (plain, odd) = (Parsed::of(&page("x")), Parsed::of(&page(&name)));
        prop_assert_eq!(&odd.tags, &plain.tags);
        prop_assert_eq!(&odd.errors, &Vec::<String>::new());
        prop_assert!(odd.links.iter().all(|link| link.starts_with('/')), "{:?}", odd.links);
        // What can be seen of it is seen as it is.
        if name.chars().all(|letter| letter.is_ascii_graphic()) {
            prop_assert!(odd.text.contains(&name));
        }
    }
}

#[test]
fn a_browser_may_do_nothing_with_a_page_but_show_it() {
    let html = page("x");
    let parsed = Parsed::of(&html);
    assert!(!parsed.tags.iter().any(|tag| ["script", "img", "iframe", "form"].iter().any(|no| tag.contains(no))));
    assert!(
        parsed.tags.iter().all(|tag| !tag.contains("\"style\"") && !tag.contains("\"on")),
        "no style but the sheet"
    );
    let answer = Page::new("x", "x").answer(StatusCode::OK);
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(!html.contains("http://") || html.matches("http://").count() == html.matches("http://www.w3.org").count());
}

#[test]
fn a_page_is_loaded_again_until_it_is_told_to_pause() {
    let refreshes = |query: &str| {
        let page = Page::new("x", "x").refreshing(&Address::here("/y").with("id", "z"), &Query::of(query)).text();
        (page.contains("http-equiv=\"refresh\""), Parsed::of(&page).links)
    };
    assert_eq!(refreshes("id=z"), (true, vec!["/y?id=z&refresh=off".to_owned()]));
    assert_eq!(refreshes("id=z&refresh=off"), (false, vec!["/y?id=z".to_owned()]));
}
