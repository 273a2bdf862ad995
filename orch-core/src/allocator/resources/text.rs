//! The text form of [`Resources`]: `cpus:4;mem(db):512;ports:[31000-32000];zones:{a,b}`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{Ranges, Resource, Resources, Scalar, Value};
use crate::allocator::{Role, RoleError};

/// Longer texts are refused before anything is read of them.
const LONGEST: usize = 1 << 20;

/// Why a text is no resources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourcesError {
    /// It is too long.
    #[error("the text has {length} bytes: give at most {LONGEST}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// A part has no colon.
    #[error("\"{part}\" is no resource: write name:value, such as cpus:4")]
    NoValue {
        /// The part.
        part: String,
    },
    /// A value is none.
    #[error("\"{value}\" is no value of {name}: write an amount (0.5), ranges ([1-5,9-9]) or a set ({{a,b}})")]
    BadValue {
        /// Of which resource.
        name: String,
        /// What was written.
        value: String,
    },
    /// A role is none.
    #[error("the resource \"{part}\" names no role: {source}")]
    BadRole {
        /// The part.
        part: String,
        /// What is wrong with it.
        source: RoleError,
    },
}

impl FromStr for Resources {
    type Err = ResourcesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LONGEST {
            return Err(ResourcesError::TooLong { length: text.len() });
        }
        text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(part).collect()
    }
}

fn part(text: &str) -> Result<Resource, ResourcesError> {
    let no_value = || ResourcesError::NoValue { part: text.to_owned() };
    let (name, value) = text.rsplit_once(':').ok_or_else(no_value)?;
    let (name, role) = match name.trim().strip_suffix(')').and_then(|name| name.split_once('(')) {
        Some((name, role)) => (name.trim(), Some(role.trim())),
        None => (name.trim(), None),
    };
    if name.is_empty() {
        return Err(no_value());
    }
    let bad_value = || ResourcesError::BadValue { name: name.to_owned(), value: value.trim().to_owned() };
    let resource = Resource::of(name, self::value(value.trim()).ok_or_else(bad_value)?);
    match role.filter(|role| *role != Role::DEFAULT) {
        None => Ok(resource),
        Some(role) => match role.parse() {
            Ok(role) => Ok(resource.reserved(role)),
            Err(source) => Err(ResourcesError::BadRole { part: text.to_owned(), source }),
        },
    }
}

fn value(text: &str) -> Option<Value> {
    if let Some(spans) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let span = |text: &str| {
            let (first, last) = text.split_once('-')?;
            let span: (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (span.0 <= span.1).then_some(span)
        };
        let spans: Option<Vec<_>> = spans.split(',').filter(|text| !text.trim().is_empty()).map(span).collect();
        return Some(Value::Ranges(Ranges::new(spans?)));
    }
    if let Some(words) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let words: BTreeSet<String> = words.split(',').map(|word| word.trim().to_owned()).collect();
        return Some(Value::Set(words.into_iter().filter(|word| !word.is_empty()).collect()));
    }
    Scalar::from_f64(text.parse().ok()?).map(Value::Scalar)
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, resource) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ";" };
            write!(f, "{separator}{resource}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(role) = self.owner() {
            write!(f, "({role})")?;
        }
        if let Some(volume) = self.disk.as_ref().and_then(|disk| disk.volume.as_ref()) {
            write!(f, "[{}:{}]", volume.id, volume.container_path)?;
        }
        if self.revocable {
            write!(f, "{{REV}}")?;
        }
        match &self.value {
            Value::Scalar(amount) => write!(f, ":{amount}"),
            Value::Ranges(ranges) => write!(f, ":{ranges}"),
            Value::Set(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                write!(f, ":{{{}}}", words.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["cpus:4;mem:1024", "cpus(a/b):0.25", "ports:[1-5,7-7]", "zones:{a,b}", ""] {
            assert_eq!(text.parse::<Resources>().map(|read| read.to_string()).as_deref(), Ok(text));
        }
        let twice: Resources = "cpus(*):1;cpus:1; mem : 3 ;".parse().expect("resources");
        assert_eq!(twice.to_string(), "cpus:2;mem:3");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("cpus", "\"cpus\" is no resource: write name:value, such as cpus:4"),
            (":4", "\":4\" is no resource: write name:value, such as cpus:4"),
            ("cpus:-1", "\"-1\" is no value of cpus: write an amount (0.5), ranges ([1-5,9-9]) or a set ({a,b})"),
            ("cpus:inf", "\"inf\" is no value of cpus: write an amount (0.5), ranges ([1-5,9-9]) or a set ({a,b})"),
            ("p:[5-1]", "\"[5-1]\" is no value of p: write an amount (0.5), ranges ([1-5,9-9]) or a set ({a,b})"),
            (
                "cpus(a//b):1",
                "the resource \"cpus(a//b):1\" names no role: a role \"a//b\" has an empty part: write it as a/b/c",
            ),
        ] {
            assert_eq!(text.parse::<Resources>().map_err(|error| error.to_string()), Err(expected.to_owned()));
        }
    }
}
