//! [`ManifestErrors`]: everything that is wrong with a manifest, to be mended in one go.

use std::fmt;

use crate::encoding::error::DecodeError;
use crate::key::{Key, KeyError};
use crate::validation::Problem;

/// Everything that is wrong with a manifest, never empty, in the order of its documents. Displayed one to a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ManifestErrors {
    /// Each error.
    pub errors: Vec<ManifestError>,
}

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The number of the document, from 1.
    pub document: usize,
    /// The line, from 1: of the problem when it is known, else of the document.
    pub line: usize,
    /// The object, `Pod web`, when the text could be read so far.
    pub object: Option<String>,
    /// What is wrong.
    pub problem: ManifestProblem,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            // It tells its place by itself.
            ManifestProblem::Decode(error) if error.place().is_some() => return write!(f, "{error}"),
            _ => write!(f, "line {}: ", self.line)?,
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

/// What can be wrong with an object of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestProblem {
    /// Text that is no object of a known kind.
    #[error(transparent)]
    Decode(DecodeError),
    /// A name or namespace that is missing or wrong.
    #[error("metadata: {0}")]
    Key(KeyError),
    /// A value that the kind's rules forbid.
    #[error("{0}")]
    Invalid(Problem),
    /// A second object with the same address.
    #[error("already given at line {first_line}: remove one of the two, or rename it")]
    Duplicate {
        /// The address of both.
        key: Key,
        /// Where the first one stands.
        first_line: usize,
    },
    /// More documents than one manifest may have.
    #[error("more than {limit} documents: split the manifest")]
    TooManyDocuments {
        /// The most that is allowed.
        limit: usize,
    },
    /// More errors than one answer shows.
    #[error("more errors follow that are not shown")]
    MoreErrors,
}
