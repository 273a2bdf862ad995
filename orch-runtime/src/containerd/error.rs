//! [`Failure`]: what an error of containerd means, on its way to a [`RuntimeError`] or an [`ImageError`].

use std::error::Error;
use std::io;
use std::path::Path;

use orch_core::runtime::{ImageError, RuntimeError};
use tonic::{Code, Status};

/// What an error means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There is no such thing.
    NotFound,
    /// There is such a thing already.
    Exists,
    /// It is not in the state for that: a process that has ended cannot be killed.
    WrongState,
    /// It may be otherwise later, without anyone changing anything.
    Transient,
    /// Somebody has to change something.
    Refused,
}

/// An error of containerd, or of the way to it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) meaning: Meaning,
    pub(super) message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// One that the adapter found out itself.
    pub(super) fn new(meaning: Meaning, message: impl Into<String>) -> Self {
        Self { meaning, message: message.into(), source: None }
    }

    /// What the operating system says: `doing` is like `cannot write`.
    pub(super) fn io(doing: &str, path: &Path, error: io::Error) -> Self {
        let message = format!("{doing} {}: {error}", path.display());
        let lasting =
            [io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory, io::ErrorKind::ReadOnlyFilesystem];
        let meaning = if lasting.contains(&error.kind()) { Meaning::Refused } else { Meaning::Transient };
        Self { meaning, message, source: Some(Box::new(error)) }
    }

    /// What containerd answered, or what the connection broke with.
    pub(super) fn of(status: Status) -> Self {
        let text = status.message();
        let meaning = match status.code() {
            Code::NotFound => Meaning::NotFound,
            Code::AlreadyExists => Meaning::Exists,
            Code::FailedPrecondition => Meaning::WrongState,
            // What its shims answer has lost its code on the way.
            Code::Unknown if text.contains("process already finished") => Meaning::NotFound,
            Code::Unimplemented | Code::InvalidArgument | Code::PermissionDenied => Meaning::Refused,
            _ => Meaning::Transient,
        };
        let message = format!("containerd: {}", words(&status));
        Self { meaning, message, source: Some(Box::new(status)) }
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.meaning == Meaning::NotFound
    }
}

/// What one does who does not mind that there is none of it, or that there is one already.
pub(super) trait Unless<T> {
    /// `None` for what is not there.
    fn unless_missing(self) -> Result<Option<T>, Failure>;
    /// `None` for what was there already.
    fn unless_exists(self) -> Result<Option<T>, Failure>;
}

impl<T> Unless<T> for Result<T, Failure> {
    fn unless_missing(self) -> Result<Option<T>, Failure> {
        unless(self, Meaning::NotFound)
    }

    fn unless_exists(self) -> Result<Option<T>, Failure> {
        unless(self, Meaning::Exists)
    }
}

fn unless<T>(result: Result<T, Failure>, meaning: Meaning) -> Result<Option<T>, Failure> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.meaning == meaning => Ok(None),
        Err(failure) => Err(failure),
    }
}

impl From<Failure> for RuntimeError {
    fn from(failure: Failure) -> Self {
        let transient = failure.meaning != Meaning::Refused;
        Self::Unavailable { message: failure.message, transient, source: failure.source }
    }
}

impl From<Failure> for ImageError {
    fn from(failure: Failure) -> Self {
        let transient = failure.meaning != Meaning::Refused;
        Self::Unavailable { message: failure.message, transient, source: failure.source }
    }
}

/// The status and all its causes in a line.
fn words(status: &Status) -> String {
    let mut words = match status.message() {
        "" => status.code().to_string(),
        message => message.to_owned(),
    };
    let mut cause = status.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}

/// A cause that says: the request never left this process.
#[derive(Debug, thiserror::Error)]
#[error("the request was not sent")]
pub(super) struct NotSent;

/// Whether the request never left this process, so that it can be made again on another connection.
pub(super) fn was_not_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<NotSent>() {
            return true;
        }
        cause = error.source();
    }
    false
}
