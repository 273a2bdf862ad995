//! [`Failure`]: why the daemon did not do something, on its way to an error of a contract.

use std::error::Error;
use std::io;
use std::path::Path;

use http::StatusCode;
use orch_core::runtime::{ImageError, RuntimeError};

/// Why the daemon did not do something.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the daemon answered, if it did.
    pub(super) status: Option<StatusCode>,
    /// What happened, and what to do.
    pub(super) message: String,
    transient: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// The socket takes no connection.
    pub(super) fn of_connect(socket: &Path, error: io::Error) -> Self {
        let socket = socket.display();
        let (message, transient) = match error.kind() {
            io::ErrorKind::NotFound => (
                format!(
                    "Docker's socket {socket} does not exist: start the daemon, or name the socket that it listens on"
                ),
                true,
            ),
            io::ErrorKind::PermissionDenied => (
                format!("this user may not use Docker's socket {socket}: run as root, or join the group that owns it"),
                false,
            ),
            io::ErrorKind::ConnectionRefused => {
                (format!("no Docker daemon answers at {socket}: it is down or starting; see its log"), true)
            }
            _ => (format!("cannot connect to Docker's socket {socket}: {error}"), true),
        };
        Self { status: None, message, transient, source: Some(Box::new(error)) }
    }

    /// The connection broke.
    pub(super) fn of_connection(doing: &str, error: impl Error + Send + Sync + 'static) -> Self {
        let message = format!("Docker's connection broke during {doing}: {}: see the daemon's log", in_words(&error));
        Self { status: None, message, transient: true, source: Some(Box::new(error)) }
    }

    /// No answer came in time.
    pub(super) fn of_silence(doing: &str, waited: std::time::Duration) -> Self {
        let message = format!("Docker has not answered {doing} within {waited:?}: it may be overloaded; see its log");
        Self { status: None, message, transient: true, source: None }
    }

    /// The daemon answered, and not what it should.
    pub(super) fn of_answer(doing: &str, why: impl std::fmt::Display) -> Self {
        let message = format!("Docker's answer to {doing} cannot be used: {why}");
        Self { status: None, message, transient: false, source: None }
    }

    /// Something on this side.
    pub(super) fn of_own(message: impl Into<String>) -> Self {
        Self { status: None, message: message.into(), transient: false, source: None }
    }

    /// The daemon refused.
    pub(super) fn of_status(status: StatusCode, message: String) -> Self {
        Self { status: Some(status), message, transient: status.is_server_error(), source: None }
    }

    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.status == Some(status)
    }

    /// Whether there is no such container, exec or image.
    pub(super) fn is_not_found(&self) -> bool {
        self.is(StatusCode::NOT_FOUND)
    }

    /// Whether the state of something forbids it.
    pub(super) fn is_conflict(&self) -> bool {
        self.is(StatusCode::CONFLICT)
    }

    /// Whether it was the container that could not be created as it was asked for.
    pub(super) fn is_of_the_request(&self) -> bool {
        self.is(StatusCode::BAD_REQUEST)
    }

    /// Whether it was the program that could not be started, rather than Docker that could not do its work.
    pub(super) fn is_of_the_program(&self) -> bool {
        // Which status comes with it depends on the words.
        let says = |words: &str| self.message.contains(words);
        self.status.is_some_and(|status| status == StatusCode::BAD_REQUEST || status.is_server_error())
            && ["OCI runtime create failed", "OCI runtime exec failed", "unable to start container process"]
                .into_iter()
                .any(says)
            && !says("unable to retrieve OCI runtime error")
    }
}

impl From<Failure> for RuntimeError {
    fn from(failure: Failure) -> Self {
        if failure.message.contains("no available IPv4 addresses") {
            let message = "Docker's network is full: remove pods, or name a network with more addresses".to_owned();
            return Self::Exhausted { what: "pod address", message };
        }
        let Failure { message, transient, source, .. } = failure;
        Self::Unavailable { message, transient, source }
    }
}

impl From<Failure> for ImageError {
    fn from(failure: Failure) -> Self {
        let Failure { message, transient, source, .. } = failure;
        Self::Unavailable { message, transient, source }
    }
}

/// An error and all its causes in a line.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
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

/// A task of ours panicked or was given up with its executor.
pub(super) fn panicked(error: tokio::task::JoinError) -> RuntimeError {
    let message = "a task of the Docker runtime did not end as it should: please report it".to_owned();
    RuntimeError::Unavailable { message, transient: false, source: Some(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_socket_says_what_to_do() {
        for (kind, words, transient) in [
            (io::ErrorKind::NotFound, "start the daemon", true),
            (io::ErrorKind::ConnectionRefused, "is down", true),
            (io::ErrorKind::PermissionDenied, "run as root, or join the group", false),
        ] {
            let failure = Failure::of_connect(Path::new("/run/d.sock"), kind.into());
            assert!(failure.message.contains(words) && failure.message.contains("/run/d.sock"), "{}", failure.message);
            assert_eq!(RuntimeError::from(failure).is_transient(), transient, "{kind}");
        }
    }

    #[test]
    fn a_program_that_cannot_be_started_is_told_from_a_daemon_in_trouble() {
        let failure = |status, message: &str| Failure::of_status(status, message.to_owned());
        let missing = "failed to create shim task: OCI runtime create failed: exec: \"x\": not found: unknown";
        assert!(failure(StatusCode::BAD_REQUEST, missing).is_of_the_program());
        assert!(failure(StatusCode::INTERNAL_SERVER_ERROR, missing).is_of_the_program());
        assert!(!failure(StatusCode::CONFLICT, missing).is_of_the_program());
        for of_docker in [
            "no space left on device",
            "OCI runtime start failed: exec: \"runc\": executable file not found in $PATH: <nil>: unknown",
            "failed to start shim: start failed: fork/exec /usr/bin/containerd-shim-runc-v2: no such file or directory",
        ] {
            assert!(!failure(StatusCode::BAD_REQUEST, of_docker).is_of_the_program(), "{of_docker}");
        }
        let full = failure(StatusCode::FORBIDDEN, "no available IPv4 addresses on this network's address pools: b");
        assert!(matches!(full.into(), RuntimeError::Exhausted { .. }));
    }
}
