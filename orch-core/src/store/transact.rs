//! [`Transact`]: several writes at once.

use async_trait::async_trait;

use super::{Entry, Expect, Store, StoreError, Value};
use crate::key::Key;
use crate::revision::Revision;

/// A store that can make several writes at once, or make writes depend on objects that they do not change.
///
/// That second ability is what fences off a leader that was replaced: a write that depends on the leader's own
/// lease cannot happen once another holds it.
///
/// # What it promises
/// - **T1** All writes happen at one revision, or none happens. No read, list or watch sees some of them only.
/// - **T2** They happen only if every check holds at that moment, and every write's own expectation.
/// - **T3** The first check or write that does not hold, checks first, each in the order given, is the one reported.
/// - **T4** W1 to W4 of [`Store`] hold for the transaction as for a single write.
#[async_trait]
pub trait Transact: Store {
    /// Makes all of `writes`, if all of `checks` hold; returns the revision at which they happened.
    ///
    /// Without writes nothing happens, and if the checks hold the current revision is returned. An object may be
    /// checked and written in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the key whose expectation did not hold; [`StoreError::TooLarge`];
    /// [`StoreError::WrittenTwice`], whatever else does not hold.
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError>;
}

/// What must be true for a transaction to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The object that is looked at.
    pub key: Key,
    /// How it must be.
    pub expect: Expect,
}

/// One write of a transaction.
#[derive(Clone, Debug)]
pub enum Write {
    /// See [`Store::put`].
    Put {
        /// Where.
        key: Key,
        /// What.
        value: Value,
        /// How the object there must be.
        expect: Expect,
    },
    /// See [`Store::delete`].
    Delete {
        /// Which.
        key: Key,
        /// Its revision.
        expect: Revision,
    },
}

impl Write {
    /// The object that is written.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// How the object must be.
    #[must_use]
    pub fn expect(&self) -> Expect {
        match self {
            Self::Put { expect, .. } => *expect,
            Self::Delete { expect, .. } => Expect::Revision(*expect),
        }
    }

    /// What the write leaves behind when it happens at `revision` and finds `known`. `None` after a deletion.
    #[must_use]
    pub fn into_entry(self, revision: Revision, known: Option<&Entry>) -> Option<Entry> {
        match (self, known) {
            // One text of the key for all versions of an object, not one for each writer's copy.
            (Self::Put { value, .. }, Some(known)) => {
                Some(Entry::new(known.key.clone(), revision, known.created, value))
            }
            (Self::Put { key, value, .. }, None) => Some(Entry::new(key, revision, revision, value)),
            (Self::Delete { .. }, _) => None,
        }
    }
}
