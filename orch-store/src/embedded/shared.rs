//! [`Shared`]: what the threads of a store and its handles have in common.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use orch_core::store::StoreError;
use tokio::sync::watch;

use super::EmbeddedStoreConfig;
use super::claims::Claims;
use super::staging::{Request, Staging};
use crate::mvcc::{Mvcc, State};

/// What the threads of a store and its handles have in common.
#[derive(Debug)]
pub(super) struct Shared {
    /// All that is durable. Nothing else can be read.
    pub(super) mvcc: Arc<Mvcc>,
    pub(super) claims: Claims,
    pub(super) config: EmbeddedStoreConfig,
    /// Common to all files.
    pub(super) store: u128,
    pub(super) desk: Mutex<Desk>,
    /// Wakes the thread that writes: there is something to write, a claim that ends, or nothing more to come.
    pub(super) wake: Condvar,
    /// Held while durable writes and their claims are made visible, so that who holds it sees both as of one revision.
    pub(super) publishing: Mutex<()>,
    /// How much was passed on to the publisher, that it is not done with.
    pub(super) unpublished: AtomicUsize,
    /// How long the last checkpoint is.
    pub(super) checkpoint_len: AtomicU64,
    /// A checkpoint is being written.
    pub(super) is_checkpointing: AtomicBool,
    pub(super) is_closed: AtomicBool,
    /// Whether the threads have ended and the folder is free.
    pub(super) ended: watch::Sender<bool>,
}

/// Where writes are handed in.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) staging: Staging,
    pub(super) mode: Mode,
}

/// Whether the desk takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Open,
    /// Not at this moment: a write failed, for that reason, and those that built on it are being taken back.
    Resetting(String),
    /// Never again: nobody knows what the disk has, for that reason.
    Broken(String),
    Closed,
}

impl Mode {
    /// That it is open.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Open => Ok(()),
            Self::Resetting(reason) | Self::Broken(reason) => Err(unavailable(reason, false)),
            Self::Closed => Err(StoreError::Closed),
        }
    }
}

/// That a write failed.
pub(super) fn unavailable(reason: &str, outcome_is_unknown: bool) -> StoreError {
    StoreError::Unavailable { message: reason.to_owned(), outcome_is_unknown, source: None }
}

impl Shared {
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin_closing(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.desk().mode = Mode::Closed;
        self.wake.notify_all();
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Ends watches, and tells those who wait for it that the folder is free.
    pub(super) fn end(&self) {
        self.mvcc.change(State::close);
        self.ended.send_replace(true);
    }

    /// Decides about a request of nobody who waits.
    pub(super) fn decide_unasked(&self, request: Request) {
        let mut desk = self.desk();
        if desk.mode == Mode::Open {
            let state = self.mvcc.read();
            // Who else would have to be told that it is refused looks again later by itself.
            let _ = desk.staging.decide(request, &state, false);
        }
    }

    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        if self.is_closing() { Err(StoreError::Closed) } else { Ok(()) }
    }
}
