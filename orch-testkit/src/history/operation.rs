//! [`Operation`]: what one client asked of a store, when, and what came of it.

use std::fmt;
use std::num::NonZeroUsize;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Check, Continue, Entry, Expect, ListFrom, StoreError};

use super::fingerprint::{Fingerprint, Fingerprints};

/// A moment of a recording: a counter that every invocation, answer and watch event takes a step of, so that what ended
/// before something else began has the smaller number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who asks: every [`RecordingStore`](super::RecordingStore) is a client of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

/// What one client asked of a store, when, and what came of it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who asked.
    pub client: ClientId,
    /// When.
    pub invoked: Tick,
    /// When the answer came; `None` when none did.
    pub returned: Option<Tick>,
    /// What was asked.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
}

/// What was asked.
#[derive(Clone, Debug)]
pub enum Request {
    /// [`Store::get`](orch_core::store::Store::get).
    Get {
        /// Where.
        key: Key,
    },
    /// [`Store::list`](orch_core::store::Store::list).
    List {
        /// Under what.
        prefix: Prefix,
        /// At which revision, and from where.
        from: ListFrom,
        /// The most entries asked for.
        limit: Option<NonZeroUsize>,
    },
    /// [`Store::put`](orch_core::store::Store::put).
    Put {
        /// Where.
        key: Key,
        /// What.
        value: Fingerprint,
        /// How the object there must be.
        expect: Expect,
    },
    /// [`Store::delete`](orch_core::store::Store::delete).
    Delete {
        /// Where.
        key: Key,
        /// The revision of the object there.
        expect: Revision,
    },
    /// [`Transact::commit`](orch_core::store::Transact::commit).
    Commit {
        /// What must hold.
        checks: Vec<Check>,
        /// What is written if it does.
        writes: Vec<Intent>,
    },
    /// [`Compact::compact`](orch_core::store::Compact::compact).
    Compact {
        /// Before which revision.
        revision: Revision,
    },
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Where.
    pub key: Key,
    /// How the object there must be.
    pub expect: Expect,
    /// What is to be there; `None` for a deletion.
    pub value: Option<Fingerprint>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was answered.
    Answered(Answer),
    /// It was refused, and so did not happen and never will.
    Refused(Refusal),
    /// Nobody knows: the answer timed out or was not awaited. A write may have happened, may happen later, or never.
    Unknown,
}

/// What was answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To a [`Request::Get`].
    Found(Option<Seen>),
    /// To a [`Request::List`].
    Page {
        /// What is there.
        entries: Vec<Seen>,
        /// The revision of the listing.
        revision: Revision,
        /// Where to go on.
        next: Option<Continue>,
    },
    /// To a [`Request::Put`]: what is there now.
    Put(Seen),
    /// To a [`Request::Delete`] and a [`Request::Commit`]: the revision at which it happened.
    Done(Revision),
    /// To a [`Request::Compact`].
    Compacted,
}

/// Why it was refused, as far as that says something about the store's state.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// [`StoreError::Conflict`].
    Conflict {
        /// Which object was not as expected.
        key: Key,
        /// The revision that it had.
        found: Option<Revision>,
    },
    /// [`StoreError::Compacted`].
    Compacted {
        /// What was asked for.
        requested: Revision,
        /// The oldest revision that is kept.
        oldest: Revision,
    },
    /// [`StoreError::FutureRevision`].
    FutureRevision {
        /// What was asked for.
        requested: Revision,
        /// The latest revision.
        current: Revision,
    },
    /// Another error, in its own words.
    Other(String),
}

impl Refusal {
    /// What an error says; the caller has made sure that the outcome is known.
    #[must_use]
    pub fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict { key, found } => Self::Conflict { key: key.clone(), found: *found },
            StoreError::Compacted { requested, oldest } => Self::Compacted { requested: *requested, oldest: *oldest },
            StoreError::FutureRevision { requested, current } => {
                Self::FutureRevision { requested: *requested, current: *current }
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// An entry as a client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where.
    pub key: Key,
    /// Its last write.
    pub revision: Revision,
    /// The write that created it.
    pub created: Revision,
    /// The object.
    pub value: Fingerprint,
}

impl Seen {
    /// The entry, with its object by fingerprint.
    pub(super) fn of(entry: &Entry, fingerprints: &Fingerprints) -> Self {
        Self {
            key: entry.key.clone(),
            revision: entry.revision,
            created: entry.created,
            value: fingerprints.of(&entry.value),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at revision {} created at {} {}", self.key, self.revision, self.created, self.value)
    }
}

/// `None` for "there is none".
pub(super) fn expected(expect: Expect) -> Option<Revision> {
    match expect {
        Expect::Absent => None,
        Expect::Revision(revision) => Some(revision),
    }
}

struct Expected(Option<Revision>);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("absent"),
            Some(revision) => write!(f, "at revision {revision}"),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get { key } => write!(f, "get {key}"),
            Self::List { prefix, from, limit } => {
                write!(f, "list {prefix}")?;
                match from {
                    ListFrom::Latest => {}
                    ListFrom::At(revision) => write!(f, " at revision {revision}")?,
                    ListFrom::Continue(next) => write!(f, " at revision {} after {}", next.revision, next.after)?,
                }
                limit.map_or(Ok(()), |limit| write!(f, ", at most {limit}"))
            }
            Self::Put { key, value, expect } => write!(f, "put {key} {value} if {}", Expected(expected(*expect))),
            Self::Delete { key, expect } => write!(f, "delete {key} if at revision {expect}"),
            Self::Commit { checks, writes } => {
                f.write_str("commit")?;
                for check in checks {
                    write!(f, " [if {} is {}]", check.key, Expected(expected(check.expect)))?;
                }
                for Intent { key, expect, value } in writes {
                    match value {
                        Some(value) => write!(f, " [put {key} {value}")?,
                        None => write!(f, " [delete {key}")?,
                    }
                    write!(f, " if {}]", Expected(expected(*expect)))?;
                }
                Ok(())
            }
            Self::Compact { revision } => write!(f, "compact before {revision}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("outcome unknown"),
            Self::Refused(Refusal::Conflict { key, found }) => {
                write!(f, "conflict: {key} is {}", Expected(*found))
            }
            Self::Refused(Refusal::Compacted { requested, oldest }) => {
                write!(f, "refused: {requested} is compacted, the oldest kept is {oldest}")
            }
            Self::Refused(Refusal::FutureRevision { requested, current }) => {
                write!(f, "refused: {requested} is in the future, the latest is {current}")
            }
            Self::Refused(Refusal::Other(words)) => write!(f, "failed: {words}"),
            Self::Answered(Answer::Found(None)) => f.write_str("absent"),
            Self::Answered(Answer::Found(Some(seen)) | Answer::Put(seen)) => seen.fmt(f),
            Self::Answered(Answer::Page { entries, revision, next }) => {
                write!(f, "revision {revision}:")?;
                for Seen { key, revision, .. } in entries {
                    write!(f, " {key}@{revision}")?;
                }
                f.write_str(if next.is_some() { " and more" } else { "" })
            }
            Self::Answered(Answer::Done(revision)) => write!(f, "done at revision {revision}"),
            Self::Answered(Answer::Compacted) => f.write_str("done"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, invoked, returned, request, outcome } = self;
        match returned {
            Some(returned) => write!(f, "[{invoked}, {returned}] {client}: {request} → {outcome}"),
            None => write!(f, "[{invoked}, …) {client}: {request} → {outcome}"),
        }
    }
}
