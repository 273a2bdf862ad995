//! What each error of etcd and gRPC means: [`TABLE`], and [`Failure`], an error on its way to a [`StoreError`].

use std::error::Error;

use orch_core::store::StoreError;
use tonic::{Code, Status};

/// What an error means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The revision is no longer kept.
    Compacted,
    /// The server has not reached the revision.
    Future,
    /// The request has too many bytes.
    TooManyBytes,
    /// The transaction has too many operations.
    TooManyOperations,
    /// The claim's lease has ended.
    LeaseEnded,
    /// The token is no longer known: another one has to be asked for.
    TokenEnded,
    /// The user may not do it; or else the token is no longer known, since some versions say so of a watch.
    Denied,
    /// The cluster has passwords turned off, so it gives no token.
    NoTokenNeeded,
    /// This member cannot do it now, and has not: another one may.
    AskAnother,
    /// Nothing happened, and nothing will before somebody makes room or relieves the cluster.
    NotNow,
    /// No answer, or none that tells. It may have happened.
    Unknown,
    /// Somebody has to change something.
    Refused,
}

/// Every error of etcd that a request made here can meet: its code, what its message contains, what it means, and what to
/// do, if etcd's own words do not say. The first line that fits counts.
///
/// Which errors come before anything was proposed to the cluster, so that nothing can have happened, was read in the
/// source of etcd 3.4 to 3.6. Where that is not certain, the line says [`Meaning::Unknown`].
const TABLE: &[(Code, &str, Meaning, &str)] = &[
    (Code::OutOfRange, "has been compacted", Meaning::Compacted, ""),
    (Code::OutOfRange, "future revision", Meaning::Future, ""),
    (Code::OutOfRange, "too large lease TTL", Meaning::Refused, "ask for a shorter time to live"),
    (Code::OutOfRange, "message length too large", Meaning::Refused, "ask for less at once"),
    (Code::InvalidArgument, "request is too large", Meaning::TooManyBytes, ""),
    (Code::InvalidArgument, "too many operations", Meaning::TooManyOperations, ""),
    (Code::InvalidArgument, "revision of auth store is old", Meaning::TokenEnded, ""),
    (Code::InvalidArgument, "user name is empty", Meaning::Refused, "the cluster asks for a user and a password"),
    (Code::InvalidArgument, "authentication failed", Meaning::Refused, "check user and password"),
    (Code::InvalidArgument, "", Meaning::Refused, ""),
    (Code::Unauthenticated, "", Meaning::TokenEnded, ""),
    (Code::PermissionDenied, "", Meaning::Refused, "grant the user's role read and write on the store's prefix"),
    (Code::FailedPrecondition, "authentication is not enabled", Meaning::NoTokenNeeded, ""),
    (Code::FailedPrecondition, "not leader", Meaning::AskAnother, ""),
    (Code::FailedPrecondition, "not supported for learner", Meaning::AskAnother, ""),
    (Code::FailedPrecondition, "", Meaning::Refused, ""),
    (Code::NotFound, "lease not found", Meaning::LeaseEnded, ""),
    (Code::ResourceExhausted, "database space exceeded", Meaning::NotNow, NO_SPACE),
    (Code::ResourceExhausted, "too many requests", Meaning::NotNow, "the cluster is overloaded"),
    (Code::ResourceExhausted, "received message larger", Meaning::TooManyBytes, ""),
    (
        Code::Unavailable,
        "no leader",
        Meaning::AskAnother,
        "most of the cluster's members must run and reach one another",
    ),
    (Code::Unavailable, "not supported for learner", Meaning::AskAnother, ""),
    (Code::Unavailable, "", Meaning::Unknown, ""),
    (Code::Unknown, "raft proposal dropped", Meaning::AskAnother, ""),
    (Code::DataLoss, "", Meaning::Refused, "the members' data differ: see etcd's guide on data corruption"),
    (Code::Unimplemented, "", Meaning::Refused, "is it etcd, of version 3.4 or later?"),
];

const NO_SPACE: &str = "the space quota is used up: compact and defragment it, or raise --quota-backend-bytes, then \
                        disarm the alarm with `etcdctl alarm disarm`";

/// An error on its way to a [`StoreError`].
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

    /// What the server answered, or what the connection broke with.
    pub(super) fn of(endpoint: &str, status: Status) -> Self {
        let (meaning, advice) = meaning(&status);
        let mut message = format!("{endpoint}: {}", words(&status));
        if !advice.is_empty() {
            message.push_str(": ");
            message.push_str(advice);
        }
        Self { meaning, message, source: Some(Box::new(status)) }
    }

    /// One that says why a watch was cancelled. Such a reason is a message without a code.
    pub(super) fn of_cancelled_watch(endpoint: &str, reason: &str) -> Self {
        let known = TABLE.iter().find(|(_, says, ..)| !says.is_empty() && reason.contains(says));
        let (meaning, advice) = match known {
            Some((.., meaning, advice)) => (*meaning, *advice),
            None if reason.contains("permission denied") => {
                (Meaning::Denied, "the user may not read the store's prefix")
            }
            None if reason.contains("invalid auth token") => (Meaning::TokenEnded, ""),
            None => (Meaning::Unknown, ""),
        };
        let reason = if reason.is_empty() { "the server cancelled the watch without a reason" } else { reason };
        let separator = if advice.is_empty() { "" } else { ": " };
        Self::new(meaning, format!("{endpoint}: {reason}{separator}{advice}"))
    }

    /// The same, meaning something else after all.
    pub(super) fn meaning(self, meaning: Meaning) -> Self {
        Self { meaning, ..self }
    }

    /// Whether the same request may be made at another member: nothing happened here.
    pub(super) fn may_ask_another(&self) -> bool {
        self.meaning == Meaning::AskAnother
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        use Meaning::{AskAnother, LeaseEnded, NotNow, TokenEnded, Unknown};
        matches!(self.meaning, AskAnother | LeaseEnded | NotNow | TokenEnded | Unknown)
    }

    /// As an error of a request of which a part may have happened.
    pub(super) fn of_write(self) -> StoreError {
        let outcome_is_unknown = self.meaning == Meaning::Unknown;
        self.into_error(outcome_is_unknown)
    }

    /// As an error of a request that changes nothing.
    pub(super) fn of_read(self) -> StoreError {
        self.into_error(false)
    }

    /// What only the caller could tell more exactly, such as a compacted revision, is refused here.
    fn into_error(self, outcome_is_unknown: bool) -> StoreError {
        let (transient, Self { message, source, .. }) = (self.is_transient(), self);
        if transient {
            StoreError::Unavailable { message, outcome_is_unknown, source }
        } else {
            StoreError::Refused { message, source }
        }
    }
}

fn meaning(status: &Status) -> (Meaning, &'static str) {
    if let Some(broken) = broken(status) {
        return broken;
    }
    let fits =
        |(code, says, ..): &&(Code, &str, Meaning, &str)| *code == status.code() && status.message().contains(says);
    match TABLE.iter().find(fits) {
        Some((.., meaning, advice)) => (*meaning, advice),
        None => (Meaning::Unknown, ""),
    }
}

/// What it means that the connection broke, if that is what happened rather than that the server answered.
fn broken(status: &Status) -> Option<(Meaning, &'static str)> {
    let mut cause = status.source()?;
    loop {
        if let Some(NotSent) = cause.downcast_ref() {
            return Some((Meaning::AskAnother, ""));
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return Some((Meaning::Unknown, "")),
        }
    }
}

/// The status and all its causes in a line.
fn words(status: &Status) -> String {
    let head = match status.message() {
        "" => status.code().to_string(),
        message => message.to_owned(),
    };
    with_causes(head, status.source())
}

/// An error and all its causes in a line.
pub(super) fn in_words(error: &dyn Error) -> String {
    with_causes(error.to_string(), error.source())
}

fn with_causes(mut words: String, mut cause: Option<&(dyn Error + 'static)>) -> String {
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
