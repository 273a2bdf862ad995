//! [`Address`]: where a link leads.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// A path of the server that shows the page.
    #[must_use]
    pub fn here(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// A path of another server.
    #[must_use]
    pub fn at(server: SocketAddr, path: &'static str) -> Self {
        Self(format!("http://{server}{path}"))
    }

    /// An address of the web, as somebody wrote it; none if it is anything else.
    #[must_use]
    pub fn web(text: &str) -> Option<Self> {
        let scheme = text.split_once("://")?.0;
        ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then(|| Self(text.to_owned()))
    }

    /// The same with a name and a value behind the question mark.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    self.0.push(char::from(byte));
                }
                // A string takes all that is written to it.
                _ => drop(write!(self.0, "%{byte:02X}")),
            }
        }
        self
    }

    /// As it is written into a page.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its path, without what is behind the question mark.
    pub(super) fn path(&self) -> &str {
        self.0.split_once('?').map_or(&self.0, |(path, _)| path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::Query;

    proptest! {
        #[test]
        fn a_value_is_read_as_it_was_written(value in any::<String>()) {
            let address = Address::here("/pages/task").with("id", &value).with("from", "0");
            let query = address.as_str().split_once('?').expect("a question mark").1;
            prop_assert!(query.chars().all(|letter| letter.is_ascii_graphic()));
            let query = Query::of(query);
            prop_assert_eq!((query.get("id"), query.get("from")), (Some(value.as_str()), Some("0")));
        }
    }

    #[test]
    fn only_the_web_is_linked_to() {
        for text in ["javascript:alert(1)", "JavaScript://%0aalert(1)", "data:text/html,x", "//evil", " http://x", ""] {
            assert_eq!(Address::web(text), None, "{text}");
        }
        assert!(Address::web("http://marathon:8080/?x=y").is_some() && Address::web("HTTPS://x").is_some());
        let server = "[::1]:5051".parse().expect("an address");
        assert_eq!(Address::at(server, "/pages").with("a", "b c").as_str(), "http://[::1]:5051/pages?a=b%20c");
    }
}
