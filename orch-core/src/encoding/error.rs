//! [`DecodeError`] and [`EncodeError`]: what went wrong with an object's text, and where.

use std::fmt;

/// Why an object could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the object as JSON")]
pub struct EncodeError(#[from] pub(super) serde_json::Error);

/// Where in a text something is wrong. Displayed as `line 7, column 9: spec.template.spec.containers[0].imagee`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The field, as a person would write it: `spec.containers[0].image`. Empty at the top.
    pub path: String,
    /// The line, from 1; 0 when it is not known.
    pub line: usize,
    /// The column, from 1; 0 when it is not known.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str("somewhere")?,
            (line, 0) => write!(f, "line {line}")?,
            (line, column) => write!(f, "line {line}, column {column}")?,
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

/// Why text is no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Text that breaks the rules of its format.
    #[error("{place}: not valid {format}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// `JSON` or `YAML`.
        format: &'static str,
        /// What the parser stumbled over.
        message: String,
    },
    /// A field that the kind does not have; it is the end of the path.
    #[error("{place}: unknown field{}", hint(suggestion.as_deref(), "fields here", allowed))]
    UnknownField {
        /// Where.
        place: Place,
        /// The known field that looks most like it.
        suggestion: Option<Box<str>>,
        /// The fields that are known there.
        allowed: Box<[String]>,
    },
    /// A missing field, a wrong type, a value out of range, a key given twice.
    #[error("{place}: {message}")]
    Invalid {
        /// Where.
        place: Place,
        /// What was expected and what was found.
        message: String,
    },
    /// An object of a kind that the reader was not told of.
    #[error("{place}: unknown kind {found}{}", hint(suggestion.as_deref(), "kinds here", known))]
    UnknownKind {
        /// Where.
        place: Place,
        /// The kind as written, with its `apiVersion`.
        found: Box<str>,
        /// The known kind that looks most like it.
        suggestion: Option<Box<str>>,
        /// The kinds that are known.
        known: Box<[String]>,
    },
    /// Text longer than the reader allows.
    #[error("too large: {bytes} bytes, at most {limit} are allowed; split it")]
    TooLarge {
        /// Length of the text.
        bytes: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// Lists and objects nested too deep.
    #[error("{place}: nested too deep: at most {limit} levels are allowed")]
    TooDeep {
        /// Where.
        place: Place,
        /// The most that is allowed.
        limit: usize,
    },
    /// YAML that is short as text and long when its aliases are replaced, or has more parts than any object needs.
    #[error("{place}: refused to protect the reader: {message}")]
    TooMuch {
        /// Where.
        place: Place,
        /// Which limit was reached.
        message: String,
    },
    /// An object in memory that was wanted as another type and cannot be written as JSON on the way.
    #[error("cannot write the object as JSON: {message}")]
    NotWritable {
        /// What the type's own `Serialize` said.
        message: String,
    },
    /// A collection that the reader was not told of.
    #[error("unknown collection {collection:?}")]
    UnknownCollection {
        /// The collection as given.
        collection: String,
    },
}

impl From<EncodeError> for DecodeError {
    fn from(EncodeError(error): EncodeError) -> Self {
        Self::NotWritable { message: error.to_string() }
    }
}

impl DecodeError {
    /// Where in the text, if the error is about one place.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Syntax { place, .. }
            | Self::UnknownField { place, .. }
            | Self::Invalid { place, .. }
            | Self::UnknownKind { place, .. }
            | Self::TooDeep { place, .. }
            | Self::TooMuch { place, .. } => Some(place),
            Self::TooLarge { .. } | Self::NotWritable { .. } | Self::UnknownCollection { .. } => None,
        }
    }

    /// The same error for a text that begins `lines` lines into a longer one, with nothing in it before `first_line`.
    pub(super) fn after_lines(mut self, lines: usize, first_line: usize) -> Self {
        match &mut self {
            Self::Syntax { place, .. }
            | Self::UnknownField { place, .. }
            | Self::Invalid { place, .. }
            | Self::UnknownKind { place, .. }
            | Self::TooDeep { place, .. }
            | Self::TooMuch { place, .. } => {
                place.line = (place.line + lines).max(first_line);
            }
            Self::TooLarge { .. } | Self::NotWritable { .. } | Self::UnknownCollection { .. } => {}
        }
        self
    }
}

/// Longer lists of names help nobody.
const NAMES_SHOWN_MAX: usize = 12;

fn hint(suggestion: Option<&str>, what: &str, names: &[String]) -> String {
    let suggestion = suggestion.map_or(String::new(), |name| format!(", did you mean {name:?}?"));
    match names.len() {
        1..=NAMES_SHOWN_MAX => format!("{suggestion} ({what}: {})", names.join(", ")),
        _ => suggestion,
    }
}
