//! [`PodSource`]: where the pods of a node are asked for, outside the store.

use std::fmt::Debug;

use async_trait::async_trait;
use orch_core::encoding::ManifestErrors;
use orch_core::object::Pod;

/// Where the pods of a node are asked for, outside the store: [`PodFolder`](super::PodFolder), or a test's own.
#[async_trait]
pub trait PodSource: Debug + Send + Sync + 'static {
    /// All files that there are now, in the order of their names. May be dropped at any point.
    ///
    /// # Errors
    /// [`PodSourceError`] when it is not known which there are. That is not the same as none: nothing is stopped for it.
    async fn files(&self) -> Result<Vec<PodFile>, PodSourceError>;
}

/// A file, and what it asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct PodFile {
    /// Its name, as a person knows it.
    pub name: String,
    /// Its pods, or why it cannot be taken for any.
    pub pods: Result<Vec<FilePod>, PodSourceError>,
}

/// A pod as a file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FilePod {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The pod.
    pub pod: Pod,
}

/// Why a folder or a file cannot be taken for what somebody asks for. The name stands before it where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PodSourceError {
    /// The operating system says no.
    #[error("cannot read it: {message}")]
    Unreadable {
        /// What it said.
        message: String,
    },
    /// More files than anybody writes by hand.
    #[error("more than {limit} manifests: merge some, a file may hold several pods, or move them elsewhere")]
    TooManyFiles {
        /// The most that is allowed.
        limit: usize,
    },
    /// A long file.
    #[error("it is longer than {limit} bytes: split it")]
    TooLarge {
        /// The most that is allowed.
        limit: usize,
    },
    /// A folder, a pipe, a device.
    #[error("it is no regular file: move it elsewhere")]
    NotAFile,
    /// A link to something that is not in the folder.
    #[error("it is a link that leads out of the folder: copy the file itself into it")]
    LeadsOut,
    /// No text.
    #[error("byte {valid_up_to} is not UTF-8 text: save it as UTF-8")]
    NotText {
        /// How much of it is text.
        valid_up_to: usize,
    },
    /// Nothing stands in it. It may be about to be written.
    #[error("it holds no pod: write one into it, or remove the file to stop its pods")]
    Empty,
    /// What stands in it.
    #[error("{}", errors.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// All that is wrong.
        errors: ManifestErrors,
    },
}
