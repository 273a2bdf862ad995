//! [`Html`]: a piece of a page, in which nothing from outside can be anything but text.

/// A piece of a page. Out of here it is made of texts and of what this module offers, never of tags: `From` a text is that
/// text, with all that a browser would take for something else replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

/// A tag with what is in it.
#[derive(Clone, Debug)]
#[must_use]
pub(super) struct Element {
    name: &'static str,
    attributes: String,
    inner: Html,
}

impl Html {
    /// What stands in the program, as it stands there.
    pub(super) fn of_program(html: &'static str) -> Self {
        Self(html.to_owned())
    }

    /// Puts another piece behind this one.
    #[must_use]
    pub fn and(mut self, next: impl Into<Self>) -> Self {
        self.0.push_str(&next.into().0);
        self
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tag of this name. It is none that a browser reads in its own way, such as `script` and `style`.
pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: String::new(), inner: Html::default() }
}

impl Element {
    pub(super) fn class(self, class: &'static str) -> Self {
        self.attribute("class", class)
    }

    /// An attribute that is no address.
    pub(super) fn attribute(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.attributes.push(' ');
        self.attributes.push_str(name);
        self.attributes.push_str("=\"");
        escape(value.as_ref(), &mut self.attributes);
        self.attributes.push('"');
        self
    }

    /// Where it leads.
    pub(super) fn href(self, address: &super::Address) -> Self {
        self.attribute("href", address.as_str())
    }

    pub(super) fn add(mut self, inner: impl Into<Html>) -> Self {
        self.inner.0.push_str(&inner.into().0);
        self
    }

    /// A tag that has nothing in it and no end.
    pub(super) fn alone(self) -> Html {
        Html(format!("<{}{}>", self.name, self.attributes))
    }
}

impl From<Element> for Html {
    fn from(Element { name, attributes, inner: Html(inner) }: Element) -> Self {
        Self(format!("<{name}{attributes}>{inner}</{name}>"))
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        escape(text, &mut html);
        Self(html)
    }
}

impl From<&String> for Html {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl<T: Into<Html>> FromIterator<T> for Html {
    fn from_iter<I: IntoIterator<Item = T>>(pieces: I) -> Self {
        pieces.into_iter().fold(Self::default(), Self::and)
    }
}

/// Writes a text so that a browser shows it, within a tag and within the quotes of an attribute. What cannot be seen, or
/// turns around the order of what can, is shown by a sign of its own: a name is to be taken for no other.
fn escape(text: &str, html: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(letter),
            // Unicode has a picture of each.
            '\0'..='\u{1f}' => html.extend(char::from_u32(0x2400 + u32::from(letter))),
            '\u{7f}' => html.push('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => {
                html.push(char::REPLACEMENT_CHARACTER);
            }
            '\u{2066}'..='\u{2069}' => html.push(char::REPLACEMENT_CHARACTER),
            letter => html.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text_and_shows_what_is_hidden_in_it() {
        let html = Html::from("<a href='x'>\"&amp;\"\0\u{1b}[31m\r\n\u{202e}txt.exe\u{7f}");
        let expected =
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;&quot;\u{2400}\u{241b}[31m\u{240d}\n\u{fffd}txt.exe\u{2421}";
        assert_eq!(html.as_str(), expected);
        let quoted = element("p").attribute("title", "\"><script>").add("x");
        assert_eq!(Html::from(quoted).as_str(), "<p title=\"&quot;&gt;&lt;script&gt;\">x</p>");
    }
}
