//! [`StoreError`].

use std::error::Error;

use crate::encoding::{DecodeError, EncodeError};
use crate::key::Key;
use crate::revision::Revision;

/// Why a store could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The object is not as expected. Read it again and decide anew.
    #[error("{key} is not as expected: {}", match found {
        Some(revision) => format!("its last write was at revision {revision}; read it again and decide anew"),
        None => "it does not exist".to_owned(),
    })]
    Conflict {
        /// Which object.
        key: Key,
        /// The revision that it has, `None` if it does not exist.
        found: Option<Revision>,
    },
    /// The revision is no longer kept. List again.
    #[error("revision {requested} is no longer kept, the oldest kept is {oldest}: list again")]
    Compacted {
        /// What was asked for.
        requested: Revision,
        /// The oldest revision that can be asked for.
        oldest: Revision,
    },
    /// The store has not reached that revision.
    #[error(
        "revision {requested} does not exist yet, the latest is {current}: it came from another store, or this one lost writes"
    )]
    FutureRevision {
        /// What was asked for.
        requested: Revision,
        /// The latest revision.
        current: Revision,
    },
    /// The object is larger than the store takes.
    #[error("{key} has {size} bytes, the store takes at most {limit}: make the object smaller")]
    TooLarge {
        /// Which object.
        key: Key,
        /// Its size in bytes.
        size: usize,
        /// The most the store takes, in bytes.
        limit: usize,
    },
    /// The transaction is larger than the store takes. Make several of it, where its writes need not happen together.
    #[error("the transaction has {size} {unit}, the store takes at most {limit}: make several smaller ones")]
    TransactionTooLarge {
        /// How large it is.
        size: usize,
        /// The most the store takes.
        limit: usize,
        /// What is counted: `bytes`, or `checks and writes`.
        unit: &'static str,
    },
    /// A transaction writes the same object twice.
    #[error("a transaction writes {key} twice: make one write of the two")]
    WrittenTwice {
        /// Which object.
        key: Key,
    },
    /// What stands in the store cannot be read.
    #[error("cannot read {key}")]
    Corrupt {
        /// Which object.
        key: Key,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// The object cannot be written as JSON.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The store does not answer, or not as it should. Try again later.
    #[error("the store is unavailable: {message}")]
    Unavailable {
        /// What happened, and what to look at.
        message: String,
        /// Whether the request may nevertheless have been, or still be, carried out.
        outcome_is_unknown: bool,
        /// The backend's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The store does not serve this client as it is set up: it does not know or trust it, does not permit what was asked
    /// for, or is not the store that it should be. Trying again does not help until somebody changes something.
    #[error("the store refuses: {message}")]
    Refused {
        /// What is refused, and what to look at.
        message: String,
        /// The backend's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The request reaches into several shards, whose revisions have nothing to do with each other. Make one request for
    /// each of them, or keep in one shard what belongs together.
    #[error(
        "{request} reaches into the shards {}, which have no revision in common: make a request for each, or route all of it to one shard",
        shards.join(" and ")
    )]
    SpansShards {
        /// What was asked for.
        request: String,
        /// The names of the shards.
        shards: Vec<String>,
    },
    /// The claim has ended. Stop what depends on it, and claim again.
    #[error("the claim of {key} has ended: stop what depends on it, and claim again")]
    ClaimLost {
        /// What was claimed.
        key: Key,
    },
    /// Another leader has taken over from the one that writes here, so this write did not happen and no later one will.
    #[error("another leader has taken over, as {fence} shows: stop, and stand for election again")]
    Fenced {
        /// The object by whose change the other one shut this one out.
        fence: Key,
    },
    /// The store was closed, and answers nothing any more.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same request may succeed later without anything being changed by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the write may nevertheless have been, or still be, carried out.
    #[must_use]
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::Unavailable { outcome_is_unknown: true, .. })
    }
}
