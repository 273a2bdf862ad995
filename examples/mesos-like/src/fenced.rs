//! [`FencedWriter`]: writes to a store as long as a claim holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Check, Expect, StoreError, Transact, Value, Write};
use tokio::time::sleep;

/// How many records are written at once, and so wholly or not at all: etcd takes 128 checks and writes.
pub const MOST_AT_ONCE: usize = 100;

/// Before a write is tried again that the store did not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// Which records there are, and when each was written last.
pub type Known = BTreeMap<Key, Revision>;

/// What is to stand at a key; nothing if it is to be deleted.
pub type Wanted = BTreeMap<Key, Option<Value>>;

/// Writes records to a store, all of them its own, as long as a claim holds: whoever leads no longer changes nothing.
#[derive(Debug)]
pub struct FencedWriter {
    store: Arc<dyn Transact>,
    claim: Check,
    known: Known,
}

/// Why something is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Another one may lead by now: nothing more is written by this one.
    #[error("this one leads no longer")]
    Lost,
    /// The store's own error.
    #[error("{reason}")]
    Store {
        /// What it says.
        reason: String,
    },
}

impl FencedWriter {
    /// Writes as long as `claim` holds; it begins with the records that there are.
    pub fn new(store: Arc<dyn Transact>, claim: Check, known: Known) -> Self {
        Self { store, claim, known }
    }

    /// The records that there are.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Makes it so, and waits for a store that is away. More than [`MOST_AT_ONCE`] records are written in
    /// several parts, in the order of their keys.
    ///
    /// # Errors
    /// [`WriteError::Lost`] if the claim does not hold any more; otherwise what the store says. Some parts may be written.
    pub async fn write(&mut self, mut wanted: Wanted) -> Result<(), WriteError> {
        while !wanted.is_empty() {
            let rest = match wanted.keys().nth(MOST_AT_ONCE).cloned() {
                Some(from) => wanted.split_off(&from),
                None => Wanted::new(),
            };
            self.write_at_once(&wanted).await?;
            wanted = rest;
        }
        Ok(())
    }

    async fn write_at_once(&mut self, wanted: &Wanted) -> Result<(), WriteError> {
        loop {
            let writes = writes(wanted, &self.known);
            if writes.is_empty() {
                return Ok(());
            }
            match self.store.commit(std::slice::from_ref(&self.claim), writes).await {
                Ok(revision) => {
                    for (key, value) in wanted {
                        match value {
                            Some(_) => drop(self.known.insert(key.clone(), revision)),
                            None => drop(self.known.remove(key)),
                        }
                    }
                    return Ok(());
                }
                Err(StoreError::Conflict { key, .. }) if key == self.claim.key => return Err(WriteError::Lost),
                // A write whose answer was lost has happened after all.
                Err(StoreError::Conflict { .. }) => self.look_again(wanted).await,
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "what is to be recorded cannot be written yet");
                    sleep(PAUSE).await;
                    self.look_again(wanted).await;
                }
                Err(error) => return Err(WriteError::of(error)),
            }
        }
    }

    /// When the records were really written.
    async fn look_again(&mut self, wanted: &Wanted) {
        for key in wanted.keys() {
            match self.store.get(key).await {
                Ok(Some(entry)) => drop(self.known.insert(key.clone(), entry.revision)),
                Ok(None) => drop(self.known.remove(key)),
                // The write that follows says what is wrong.
                Err(error) => return tracing::debug!(%error, %key, "cannot be read"),
            }
        }
    }
}

impl WriteError {
    fn of(error: StoreError) -> Self {
        match error {
            StoreError::Fenced { .. } => Self::Lost,
            error => Self::Store { reason: error.to_string() },
        }
    }
}

/// The writes that make it so. What is to be deleted and is not there needs none.
pub(crate) fn writes(wanted: &Wanted, known: &Known) -> Vec<Write> {
    let write = |(key, value): (&Key, &Option<Value>)| match (value, known.get(key)) {
        (Some(value), found) => {
            let expect = found.map_or(Expect::Absent, |revision| Expect::Revision(*revision));
            Some(Write::Put { key: key.clone(), value: value.clone(), expect })
        }
        (None, Some(revision)) => Some(Write::Delete { key: key.clone(), expect: *revision }),
        (None, None) => None,
    };
    wanted.iter().filter_map(write).collect()
}
