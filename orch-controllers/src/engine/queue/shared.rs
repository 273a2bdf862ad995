//! [`SharedQueue`]: a work queue for several workers to wait at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::controller::Priority;
use orch_core::key::Key;
use orch_core::revision::Revision;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Awaited, Outcome, Ticket, WorkQueue};

/// A work queue for several workers to wait at.
#[derive(Debug)]
pub(crate) struct SharedQueue {
    queue: Mutex<WorkQueue>,
    /// Something may be ready, or have another time.
    news: Notify,
}

impl SharedQueue {
    pub(crate) fn new(queue: WorkQueue) -> Self {
        Self { queue: Mutex::new(queue), news: Notify::new() }
    }

    pub(crate) fn add(&self, key: &Key, priority: Priority) {
        self.lock().add(key, priority, Instant::now());
        self.news.notify_one();
    }

    /// The next key to be worked on. Dropped while it waits, it has taken nothing.
    pub(crate) async fn take(&self) -> Ticket {
        loop {
            let news = self.news.notified();
            let timer = {
                let mut queue = self.lock();
                if let Some(ticket) = queue.take(Instant::now()) {
                    if queue.depth() > 0 || queue.next_timer().is_some() {
                        self.news.notify_one();
                    }
                    return ticket;
                }
                queue.next_timer()
            };
            match timer {
                Some(time) => drop(tokio::time::timeout_at(time, news).await),
                None => news.await,
            }
        }
    }

    pub(crate) fn done(&self, ticket: Ticket, outcome: Outcome, awaited: &[Awaited]) {
        self.lock().done(ticket, outcome, awaited, Instant::now());
        self.news.notify_one();
    }

    pub(crate) fn reached(&self, view: usize, revision: Revision) {
        self.lock().reached(view, revision, Instant::now());
        self.news.notify_one();
    }

    pub(crate) fn depth(&self) -> usize {
        self.lock().depth()
    }

    pub(crate) fn failures(&self, ticket: &Ticket) -> u32 {
        self.lock().failures(ticket)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    fn lock(&self) -> MutexGuard<'_, WorkQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
