//! [`Problems`]: everything that is wrong with an object, found in one pass, each with the path of its field.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

/// One thing that is wrong with an object: where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, as a person would write it: `spec.template.spec.containers[0].name`.
    pub path: String,
    /// What is wrong and what would be right, in one sentence without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Collects every [`Problem`] of an object, so that a person can mend all of them at once.
///
/// ```
/// use orch_core::validation::Problems;
///
/// let mut problems = Problems::default();
/// problems.field("spec", |spec| {
///     spec.field("replicas", |replicas| replicas.report("must not be negative, got -1"));
///     spec.index(0, |item| item.report("must have a name"));
/// });
/// let text = problems.into_result().unwrap_err().to_string();
/// assert_eq!(text, "spec.replicas: must not be negative, got -1; spec[0]: must have a name");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Problems {
    path: String,
    found: Vec<Problem>,
}

impl Problems {
    /// Runs `check` with the path extended by a field's name, as JSON spells it.
    pub fn field<R>(&mut self, name: &str, check: impl FnOnce(&mut Self) -> R) -> R {
        let end = self.path.len();
        if end > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let result = check(self);
        self.path.truncate(end);
        result
    }

    /// Runs `check` with the path extended by an index of a list.
    pub fn index<R>(&mut self, index: usize, check: impl FnOnce(&mut Self) -> R) -> R {
        let end = self.path.len();
        self.path.push_str(&format!("[{index}]"));
        let result = check(self);
        self.path.truncate(end);
        result
    }

    /// Runs `check` with the path extended by a key of a map, quoted so that dots in it are not mistaken for fields.
    pub fn key<R>(&mut self, key: &str, check: impl FnOnce(&mut Self) -> R) -> R {
        let end = self.path.len();
        self.path.push_str(&format!("[{key:?}]"));
        let result = check(self);
        self.path.truncate(end);
        result
    }

    /// Runs `check` on each item of a list, with the path extended by the list's name and the item's index.
    pub fn each<'a, T>(&mut self, name: &str, items: &'a [T], mut check: impl FnMut(&mut Self, &'a T)) {
        self.field(name, |list| {
            for (index, item) in items.iter().enumerate() {
                list.index(index, |problems| check(problems, item));
            }
        });
    }

    /// Reports a field whose number, if there is one, is less than `least`.
    pub fn at_least(&mut self, name: &str, number: Option<impl Into<i64>>, least: i64) {
        let number = number.map(Into::into);
        if let Some(number) = number.filter(|number| *number < least) {
            self.field(name, |field| field.report(format!("must be at least {least}, got {number}")));
        }
    }

    /// Reports a field whose number, if there is one, is outside of `range`.
    pub fn within(&mut self, name: &str, number: Option<impl Into<i64>>, range: RangeInclusive<i64>) {
        let number = number.map(Into::into);
        if let Some(number) = number.filter(|number| !range.contains(number)) {
            let (least, most) = (range.start(), range.end());
            self.field(name, |field| field.report(format!("must be from {least} to {most}, got {number}")));
        }
    }

    /// Records a problem at the present path.
    pub fn report(&mut self, message: impl Into<String>) {
        self.found.push(Problem { path: self.path.clone(), message: message.into() });
    }

    /// Whether anything was found so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `Ok` when nothing was found.
    ///
    /// # Errors
    /// All problems found.
    pub fn into_result(self) -> Result<(), Invalid> {
        if self.found.is_empty() { Ok(()) } else { Err(Invalid { problems: self.found }) }
    }
}

/// An object that breaks rules: all of its problems.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Invalid {
    /// What is wrong, never empty, in the order of the fields.
    pub problems: Vec<Problem>,
}

/// Longest name of an object: a DNS-1123 subdomain.
pub const NAME_MAX: usize = 253;
/// Longest single label of a name.
pub const LABEL_MAX: usize = 63;

/// Whether `text` is a DNS-1123 label: at most 63 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
    text.len() <= LABEL_MAX && text.bytes().all(inner) && edge(text.as_bytes().first()) && edge(text.as_bytes().last())
}

/// Whether `text` is a DNS-1123 subdomain: labels joined by dots, at most 253 characters in all.
#[must_use]
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= NAME_MAX && text.split('.').all(is_dns_label)
}

/// Whether `text` is an IPv6 address as it is written everywhere, so that there is one text for each: `fd00::7`. It is
/// the only name of an object that is no DNS-1123 subdomain, and only objects that stand for addresses have such.
#[must_use]
pub fn is_canonical_ipv6(text: &str) -> bool {
    text.parse().is_ok_and(|address: Ipv6Addr| address.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_place_are_no_names() {
        for bad in ["", ".", "..", "a/b", "../a", "A", "a_b", "-a", "a-", "a..b", "a\0", "ä", "a b"] {
            assert!(!is_dns_subdomain(bad), "{bad:?}");
        }
        for good in ["a", "a-b", "0", "a.b-c.9"] {
            assert!(is_dns_subdomain(good), "{good:?}");
        }
        assert!(is_dns_label(&"a".repeat(63)) && !is_dns_label(&"a".repeat(64)));
    }
}
