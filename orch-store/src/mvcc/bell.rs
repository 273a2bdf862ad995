//! [`Bell`]: wakes those who wait, and costs one look when nobody does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Wakes those who wait, and costs a writer one look when nobody does.
///
/// [`Listener::want`] is called under the state's read lock and `wanted` under its write lock. So whoever found nothing
/// under the lock and then wanted the bell is rung for by the very next writer, and the flag needs no ordering of its
/// own.
#[derive(Debug, Default)]
pub(super) struct Bell {
    wanted: AtomicBool,
    notify: Arc<Notify>,
}

impl Bell {
    /// Whether to ring; takes all requests as heard.
    pub(super) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) && self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Wakes all who listen. To be called without the lock.
    pub(super) fn ring(&self) {
        self.notify.notify_waiters();
    }
}

/// One who waits for a bell, again and again.
#[derive(Debug)]
pub(super) struct Listener {
    bell: Arc<Bell>,
    ring: Pin<Box<OwnedNotified>>,
    listening: bool,
}

impl Listener {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        let ring = Box::pin(Arc::clone(&bell.notify).notified_owned());
        Self { bell, ring, listening: false }
    }

    /// Asks for the next ring; hears every one from now on.
    pub(super) fn want(&mut self) {
        if !self.listening {
            self.listening = true;
            self.ring.as_mut().enable();
        }
        self.bell.wanted.store(true, Ordering::Relaxed);
    }

    /// Takes a ring that came since it was wanted as heard: for who is about to look anyway.
    pub(super) fn hear(&mut self) {
        if self.listening && self.ring.as_mut().enable() {
            self.forget();
        }
    }

    /// Waits for a ring, after it was wanted.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let rung = self.ring.as_mut().poll(context);
        if rung.is_ready() {
            self.forget();
        }
        rung
    }

    fn forget(&mut self) {
        self.listening = false;
        self.ring.set(Arc::clone(&self.bell.notify).notified_owned());
    }
}
