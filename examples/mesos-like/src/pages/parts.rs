//! What pages are made of: sections, links, badges, lists of facts.

use orch_core::clock::Timestamp;

use super::Address;
use super::html::{Html, element};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// On its way.
    Busy,
    /// Wrong.
    Bad,
    /// Over, or of no matter.
    Quiet,
}

/// A part of a page under a heading.
#[must_use]
pub fn section(heading: &str, inner: impl Into<Html>) -> Html {
    element("section").add(element("h2").add(heading)).add(inner).into()
}

/// A link.
#[must_use]
pub fn link(address: &Address, words: impl Into<Html>) -> Html {
    element("a").href(address).add(words).into()
}

/// A word in a colour.
#[must_use]
pub fn badge(tone: Tone, word: &str) -> Html {
    let class = match tone {
        Tone::Good => "badge good",
        Tone::Busy => "badge busy",
        Tone::Bad => "badge bad",
        Tone::Quiet => "badge quiet",
    };
    element("span").class(class).add(word).into()
}

/// What is less important; nothing if there are no words.
#[must_use]
pub fn muted(words: impl Into<Html>) -> Html {
    let words = words.into();
    if words.is_empty() { words } else { element("span").class("muted").add(words).into() }
}

/// A sentence in a box.
#[must_use]
pub fn note(words: impl Into<Html>) -> Html {
    element("p").class("note").add(words).into()
}

/// Where somebody is in a tree of folders.
#[must_use]
pub fn path_line(parts: impl Into<Html>) -> Html {
    element("p").add(element("code").add(parts)).into()
}

/// A long name made by a program, of which each letter counts.
#[must_use]
pub fn id(id: &str) -> Html {
    element("code").add(id).into()
}

/// Names, and what is said of each.
#[must_use]
pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Html)>) -> Html {
    let fact = |(name, value): (&str, Html)| {
        Html::from(element("div").add(element("dt").add(name)).add(element("dd").add(value)))
    };
    element("dl").class("facts").add(facts.into_iter().map(fact).collect::<Html>()).into()
}

/// Numbers that are seen at once, each with its name and a word on it.
#[must_use]
pub fn cards<'a>(cards: impl IntoIterator<Item = (&'a str, String, Html)>) -> Html {
    let card = |(name, number, word): (&str, String, Html)| {
        let number = element("span").class("number").add(number);
        Html::from(element("li").add(element("span").class("name").add(name)).add(number).add(muted(word)))
    };
    element("ul").class("cards").add(cards.into_iter().map(card).collect::<Html>()).into()
}

/// Sentences below one another.
#[must_use]
pub fn bullets(items: impl IntoIterator<Item = impl Into<Html>>) -> Html {
    let items: Html = items.into_iter().map(|item| element("li").add(item)).collect();
    element("ul").class("bullets").add(items).into()
}

/// A text with its own lines, such as a log.
#[must_use]
pub fn listing(text: &str) -> Html {
    // A browser leaves out a line end that comes first.
    element("pre").add("\n").add(text).into()
}

/// A point in time, as it is from now.
#[must_use]
pub fn time(at: Timestamp, now: Timestamp) -> Html {
    let seconds = now.duration_since(at).as_secs();
    let (ago, is_to_come) = (seconds.unsigned_abs(), seconds < 0);
    let length = match ago {
        0..60 => format!("{ago} s"),
        60..3600 => format!("{} min", ago / 60),
        3600..172_800 => format!("{} h", ago / 3600),
        _ => format!("{} days", ago / 86_400),
    };
    let words = if is_to_come { format!("in {length}") } else { format!("{length} ago") };
    let exact = format!("{at:.0}");
    element("time").attribute("datetime", &exact).attribute("title", &exact).add(words).into()
}

/// The same of a point in seconds since 1970; nothing if it is none.
#[must_use]
pub fn time_of(seconds: f64, now: Timestamp) -> Html {
    // Whole seconds are all that is shown; what is out of range is no time of ours.
    let at = Timestamp::from_second(seconds as i64).ok().filter(|_| seconds > 0.0);
    at.map_or_else(Html::default, |at| time(at, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_from_now_and_to_the_second_on_request() {
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let said = |ago: i64| time(Timestamp::from_second(1_000_000 - ago).expect("a time"), now);
        for (ago, words) in [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (-5, "in 5 s")] {
            assert!(said(ago).as_str().contains(&format!(">{words}<")), "{}", said(ago).as_str());
        }
        assert!(said(864_000).as_str().contains("10 days") && said(0).as_str().contains("1970-01-12T13:46:40Z"));
        assert!(time_of(f64::NAN, now).is_empty() && time_of(0.0, now).is_empty() && time_of(1e300, now).is_empty());
        assert_eq!(time_of(1_000_000.7, now), said(0));
    }
}
