//! [`DeviceName`]: what a network device is called.

use std::fmt;
use std::str::FromStr;

/// The name of a network device: at most 15 letters, digits, `-` and `_`, beginning with a letter. Linux takes others, too,
/// which would be something else in a path or on a command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceName(String);

impl DeviceName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = InvalidDeviceName;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if begins && text.len() <= 15 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDeviceName { text: text.to_owned() })
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is no [`DeviceName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot be the name of a network device: use at most 15 letters, digits, '-' and '_', beginning with a letter"
)]
pub struct InvalidDeviceName {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain() {
        for good in ["orch-vxlan", "a", "k12ab34cdn1", "B_2"] {
            assert_eq!(good.parse::<DeviceName>().expect("a name").to_string(), good);
        }
        for bad in ["", "2", "0a", "-a", "..", "a.b", "a/b", "a b", "a\0", "ä", &"a".repeat(16)] {
            let error = bad.parse::<DeviceName>().expect_err(bad);
            assert!(error.to_string().contains("beginning with a letter"), "{error}");
        }
    }
}
