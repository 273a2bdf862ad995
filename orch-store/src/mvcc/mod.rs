//! [`Mvcc`]: objects in the memory of this process in all their latest versions, with watches: what the stores that
//! live in this process have in common (multi-version concurrency control).
//!
//! How it works, room by room:
//! - `state`: the objects and the history. A write looks up its key, checks the expectation, and adds one change to the
//!   history.
//! - `index`: the objects by look-up.
//! - `order`: the objects in order, in chunks. A listing shares the chunks in which nothing was written since the one before
//!   it, so that it costs what has changed.
//! - `history`: the latest changes in order, at most so many as configured. Each knows what it replaced and where the
//!   change of the same key before it is. So a past state needs no copies: it is the present one, with the changes since
//!   undone on those keys that are asked for, and a page at a past revision costs what it returns.
//! - `watch`: a watch is a place in that history, not a queue. Writers do not know how many watches there are.
//!
//! One lock protects both. It is held for the time of a look-up, a page or a batch of events; never while anything
//! waits, and neither while objects are copied or freed.

mod bell;
mod claims;
mod history;
mod index;
mod order;
#[cfg(feature = "embedded")]
pub(crate) mod snapshot;
mod state;
mod watch;

use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{StoreError, Watch};
use tokio::time::Instant;

pub(crate) use self::state::{Aftermath, State, check_unique};
use self::watch::Reader;

/// The objects of a store in all their latest versions, behind one lock.
#[derive(Debug)]
pub(crate) struct Mvcc {
    state: RwLock<State>,
    progress_every: Duration,
}

impl Mvcc {
    /// No objects. Keeps that many of the latest changes; watches that have caught up wait so long before they
    /// acknowledge writes elsewhere.
    pub(crate) fn new(history: NonZeroUsize, progress_every: Duration) -> Self {
        Self { state: RwLock::new(State::new(history.get())), progress_every }
    }

    /// The state, in which no claim has outlived its end.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        let state = self.lock();
        if !is_due(&state) {
            return state;
        }
        drop(state);
        self.change(|_, _| ());
        self.lock()
    }

    /// A panic under the lock can only come from an object's own `metadata_mut`, which runs before anything is
    /// changed. So the state is whole even then.
    fn lock(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state under the lock, after the claims that are due were ended; then tells who waits for it and frees
    /// what was forgotten, without the lock.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, &mut Aftermath) -> T) -> T {
        let mut after = Aftermath::default();
        let mut state = self.write();
        if is_due(&state) {
            for deletion in state.due(Instant::now()) {
                state.write(deletion, &mut after).expect("what is claimed is there");
            }
        }
        let result = change(&mut state, &mut after);
        drop(state);
        after.bells.iter().for_each(|bell| bell.ring());
        result
    }

    /// Every change under `prefix` after `after`.
    pub(crate) fn watch(self: &Arc<Self>, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        Reader::subscribe(Arc::clone(self), prefix.clone(), after).map(Watch::new)
    }
}

/// Whether a claim is to be ended. Does not ask for the time where nothing is claimed.
fn is_due(state: &State) -> bool {
    state.next_end().is_some_and(|end| end <= Instant::now())
}
