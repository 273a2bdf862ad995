//! [`Hold`]: what a runtime has of its root folder until it is closed.

use std::future::Future;

use orch_core::runtime::RuntimeError;
use tokio::sync::{RwLock, RwLockReadGuard, watch};

use super::lock::RootLock;

/// The root folder's lock, and whether it is about to be given back.
#[derive(Debug)]
pub(super) struct Hold {
    /// Held for reading by whatever writes to the folder or starts something; `None` when it was given back.
    lock: RwLock<Option<RootLock>>,
    closing: watch::Sender<bool>,
}

impl Hold {
    pub(super) fn new(lock: RootLock) -> Self {
        Self { lock: RwLock::new(Some(lock)), closing: watch::Sender::new(false) }
    }

    /// Keeps the folder as long as the guard lives.
    pub(super) async fn keep(&self) -> Result<RwLockReadGuard<'_, Option<RootLock>>, RuntimeError> {
        self.check()?;
        let guard = self.lock.read().await;
        if guard.is_none() { Err(closed()) } else { Ok(guard) }
    }

    /// An error once it is about to be given back.
    pub(super) fn check(&self) -> Result<(), RuntimeError> {
        if *self.closing.borrow() { Err(closed()) } else { Ok(()) }
    }

    /// Does something that writes nothing and may take long: it is dropped when the folder is about to be given back.
    pub(super) async fn meanwhile<T>(
        &self,
        act: impl Future<Output = Result<T, RuntimeError>>,
    ) -> Result<T, RuntimeError> {
        tokio::select! {
            biased;
            () = self.closing() => Err(closed()),
            result = act => result,
        }
    }

    /// Returns when the folder is about to be given back, or `self` is gone.
    pub(super) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.subscribe();
        async move {
            // An error means that the sender is gone, and it with the folder.
            let _ = closing.wait_for(|closing| *closing).await;
        }
    }

    /// Lets nobody begin anything, waits for what was begun, does `last`, and gives the folder back.
    pub(super) async fn give_back(&self, last: impl Future<Output = ()>) {
        self.closing.send_replace(true);
        let mut lock = self.lock.write().await;
        last.await;
        *lock = None;
    }
}

fn closed() -> RuntimeError {
    let message = "this runtime was closed: open another one over its root folder".to_owned();
    RuntimeError::Unavailable { message, transient: false, source: None }
}
