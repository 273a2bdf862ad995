//! [`AppId`]: where an app or a group is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an app or a group is: `/` is the root, `/shop/web` an app or a group in the group `/shop`. It is always absolute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AppId(String);

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no id: it is one or more names between slashes, each of a-z, 0-9 and '-', beginning and ending with a \
     letter or a digit"
)]
pub struct AppIdError {
    text: String,
}

/// The longest name between two slashes, as DNS has it.
const LONGEST_NAME: usize = 63;

/// The longest id: it is part of ids of tasks and of names in stores.
const LONGEST: usize = 1_000;

impl AppId {
    /// The group in which all others are.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// An id as it was written in a group: absolute if it begins with a slash, otherwise relative to the group, where `..` is
    /// the group around and `.` the group itself. Slashes too many are left out.
    ///
    /// # Errors
    /// [`AppIdError`]
    pub fn within(group: &Self, text: &str) -> Result<Self, AppIdError> {
        let wrong = || AppIdError { text: text.to_owned() };
        let mut names: Vec<&str> = if text.starts_with('/') { Vec::new() } else { group.names().collect() };
        for name in text.split('/').filter(|name| !name.is_empty()) {
            match name {
                "." => {}
                ".." => drop(names.pop().ok_or_else(wrong)?),
                name if is_name(name) => names.push(name),
                _ => return Err(wrong()),
            }
        }
        let id = format!("/{}", names.join("/"));
        if id.len() > LONGEST { Err(wrong()) } else { Ok(Self(id)) }
    }

    /// The id, beginning with a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the group in which all others are.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The names between the slashes.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// The group that it is in; the root is in none.
    #[must_use]
    pub fn group(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.rfind('/').unwrap_or(0);
        Some(Self(if end == 0 { "/".to_owned() } else { self.0[..end].to_owned() }))
    }

    /// Whether it is in this group, or in one that is, or is the group itself.
    #[must_use]
    pub fn is_within(&self, group: &Self) -> bool {
        group.is_root() || self == group || self.0.strip_prefix(&group.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The names with something else than slashes between them, as ids of tasks have them: `shop_web`.
    #[must_use]
    pub fn joined(&self, with: &str) -> String {
        self.names().collect::<Vec<_>>().join(with)
    }
}

fn is_name(name: &str) -> bool {
    let ends_well = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_label = |label: &str| {
        label.len() <= LONGEST_NAME
            && ends_well(label.bytes().next())
            && ends_well(label.bytes().next_back())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.split('.').all(is_label)
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> Self {
        id.0
    }
}

impl TryFrom<String> for AppId {
    type Error = AppIdError;

    fn try_from(text: String) -> Result<Self, AppIdError> {
        text.parse()
    }
}

/// As seen from the root.
impl FromStr for AppId {
    type Err = AppIdError;

    fn from_str(text: &str) -> Result<Self, AppIdError> {
        Self::within(&Self::root(), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AppId {
        text.parse().expect(text)
    }

    #[test]
    fn it_is_absolute_or_relative_to_a_group() {
        let shop = id("/shop");
        for (text, expected) in
            [("web", "/shop/web"), ("/web", "/web"), ("../db", "/db"), ("./a//b/", "/shop/a/b"), ("", "/shop")]
        {
            assert_eq!(AppId::within(&shop, text).map(String::from), Ok(expected.to_owned()), "{text}");
        }
        assert_eq!(id("//web").as_str(), "/web");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let long = "a".repeat(64);
        for text in ["/Web", "/we b", "/-web", "/web-", "/we_b", "../..", "/a/../..", "/ä", "/a\u{0}", &long] {
            assert!(text.parse::<AppId>().is_err(), "{text}");
        }
    }

    #[test]
    fn groups_contain_what_is_below_them() {
        assert_eq!((id("/shop/web").group(), id("/shop").group()), (Some(id("/shop")), Some(AppId::root())));
        assert_eq!(AppId::root().group(), None);
        assert!(id("/shop/web").is_within(&id("/shop")) && id("/shop").is_within(&id("/shop")));
        assert!(!id("/shopping").is_within(&id("/shop")) && id("/shopping").is_within(&AppId::root()));
        assert_eq!(id("/shop/web").joined("_"), "shop_web");
    }
}
