//! [`Findings`]: what is wrong with a body, all of it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

use super::ReadError;

/// What is wrong with a body. In JSON it is as Marathon has it: `{"message":…,"details":[{"path":…,"errors":[…]}]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// All of it.
    pub details: Vec<Detail>,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Which, as in `/healthChecks(0)/portIndex`.
    pub path: String,
    /// What is wrong with it.
    pub errors: Vec<String>,
}

/// What was found so far, in a body or in a part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// Where the part is.
    at: String,
    details: Vec<Detail>,
    /// The fields of the part that could not be read: nothing more is said of them.
    unread: BTreeSet<String>,
}

impl Findings {
    /// For a part of this part.
    pub(super) fn within(&self, path: &str) -> Self {
        Self { at: format!("{}{path}", self.at), ..Self::default() }
    }

    /// Something is wrong at a path of the part.
    pub(super) fn add(&mut self, path: &str, error: impl Into<String>) {
        let part = if path == "/" && !self.at.is_empty() { "" } else { path };
        let (path, error) = (format!("{}{part}", self.at), error.into());
        match self.details.iter_mut().find(|detail| detail.path == path) {
            Some(detail) => detail.errors.push(error),
            None => self.details.push(Detail { path, errors: vec![error] }),
        }
    }

    /// A field of the part could not be read.
    pub(super) fn unread(&mut self, field: &str) {
        self.unread.insert(field.to_owned());
    }

    /// Whether all of these fields could be read, if they were there.
    pub(super) fn have_read(&self, fields: &[&str]) -> bool {
        !fields.iter().any(|&field| self.unread.contains(field))
    }

    /// Whether all could be read that decides in which network instances are.
    pub(super) fn know_networks(&self) -> bool {
        self.have_read(&["networks", "ipAddress", "container"])
    }

    /// Whether all could be read that decides which ports instances have.
    pub(super) fn know_ports(&self) -> bool {
        self.know_networks() && self.have_read(&["portDefinitions", "ports"])
    }

    /// What was found in a part.
    pub(super) fn take(&mut self, part: Self) {
        self.details.extend(part.details);
    }

    /// Whether anything was found.
    pub(super) fn is_empty(&self) -> bool {
        self.details.is_empty()
    }

    /// What was read, if nothing is wrong with it.
    pub(super) fn end<T>(self, read: Option<T>) -> Result<T, ReadError> {
        match read {
            Some(read) if self.is_empty() => Ok(read),
            _ => Err(ReadError::Invalid(Invalid { details: self.details })),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object is not valid")?;
        for Detail { path, errors } in &self.details {
            write!(f, "; {path}: {}", errors.join(", "))?;
        }
        Ok(())
    }
}

impl Serialize for Invalid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            message: &'static str,
            details: &'a [Detail],
        }
        Written { message: "Object is not valid", details: &self.details }.serialize(serializer)
    }
}
