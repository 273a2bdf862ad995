//! [`Bell`]: wakes those who wait, and costs one look when nobody does.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Wakes those who wait, and costs a writer one look when nobody does.
///
/// `want` is called under the state's read lock and `wanted` under its write lock. So whoever found nothing under the
/// lock and then wanted the bell is rung for by the very next writer, and the flag needs no ordering of its own.
#[derive(Debug, Default)]
pub(super) struct Bell {
    wanted: AtomicBool,
    notify: Notify,
}

impl Bell {
    /// What to await. It hears every ring after it was enabled, which is the caller's to do before it looks.
    pub(super) fn listen(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Asks for the next ring.
    pub(super) fn want(&self, listener: Pin<&mut Notified<'_>>) {
        listener.enable();
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether to ring; takes all requests as heard.
    pub(super) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) && self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Wakes all who listen. To be called without the lock.
    pub(super) fn ring(&self) {
        self.notify.notify_waiters();
    }
}
