//! [`Role`]: whom resources are divided among.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Whom resources are divided among: a team, a department and, below it, its teams: `eng/search`. Frameworks are in
/// roles; weights, quotas and reservations are roles'.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(Arc<str>);

impl Role {
    /// The name of the role of those who name none.
    pub const DEFAULT: &str = "*";

    /// Longest path that is accepted.
    const LONGEST: usize = 4_096;

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts of the path, the first above all others.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The first part of the path: what has a quota.
    #[must_use]
    pub fn top(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    /// Whether it has a quota of its own.
    #[must_use]
    pub fn is_top(&self) -> bool {
        !self.0.contains('/')
    }

    /// Whether it is `other` or below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Default for Role {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let role = || text.chars().take(100).collect::<String>();
        if text == Self::DEFAULT {
            return Ok(Self::default());
        }
        if text.is_empty() || text.len() > Self::LONGEST {
            return Err(RoleError::Length { length: text.len() });
        }
        for part in text.split('/') {
            if part.is_empty() {
                return Err(RoleError::EmptyPart { role: role() });
            }
            if matches!(part, "." | ".." | "*") || part.starts_with('-') {
                return Err(RoleError::Part { role: role(), part: part.chars().take(100).collect() });
            }
            if part.contains(|c: char| c.is_whitespace() || c == '\u{8}' || c == '\u{7f}') {
                return Err(RoleError::Space { role: role() });
            }
        }
        Ok(Self(text.into()))
    }
}

/// Why a text is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// There is nothing, or too much.
    #[error("a role has 1 to {} characters, this has {length}", Role::LONGEST)]
    Length {
        /// How long it is.
        length: usize,
    },
    /// Nothing stands before, between or after slashes.
    #[error("a role \"{role}\" has an empty part: write it as a/b/c")]
    EmptyPart {
        /// The text.
        role: String,
    },
    /// A part is none.
    #[error("a role \"{role}\" has the part \"{part}\": no part may be \".\", \"..\" or \"*\", or begin with \"-\"")]
    Part {
        /// The text.
        role: String,
        /// The part.
        part: String,
    },
    /// There is space in it.
    #[error("a role {role:?} has space or a control character in it: leave it out")]
    Space {
        /// The text.
        role: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_names_hold() {
        for good in ["*", "eng", "eng/search", "a.b", "a-"] {
            assert!(good.parse::<Role>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", ".", "a/..", "*/a", "a/*", "-a", "a/-b", "a b", "a\tb", "a\u{8}"] {
            assert!(bad.parse::<Role>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_role_is_within_those_above_it() {
        let role = |text: &str| text.parse::<Role>().expect("a role");
        assert!(role("a/b").is_within(&role("a")) && role("a").is_within(&role("a")));
        assert!(!role("ab").is_within(&role("a")) && !role("a").is_within(&role("a/b")));
    }
}
