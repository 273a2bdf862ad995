//! Where a watch's progress marks come from: [`Marks`]. Shared by all watches of a store: [`Progress`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use orch_core::key::Prefix;
use orch_core::revision::Revision;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::tail::Tail;
use crate::etcd::Inner;

/// A watch is told of writes elsewhere this often: well within [`PROGRESS_WITHIN`](orch_core::store::PROGRESS_WITHIN), and
/// seldom enough to cost next to nothing.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// What all watches of a store share, for as long as there is one that needs it.
#[derive(Debug, Default)]
pub(in crate::etcd) struct Progress {
    /// Held by the task that keeps it up, which ends when nobody listens.
    pulse: Mutex<Weak<watch::Sender<Revision>>>,
    tail: Mutex<Weak<Tail>>,
}

impl Progress {
    pub(super) fn tail(&self) -> MutexGuard<'_, Weak<Tail>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the progress marks of one watch come from.
#[derive(Debug)]
pub(super) struct Marks {
    source: Source,
    not_before: Instant,
}

#[derive(Debug)]
enum Source {
    /// The watch's own member, which is asked when the latest revision shows that there is something to tell.
    Requests { latest: watch::Receiver<Revision> },
    /// A watch of everything.
    Tail { tail: Arc<Tail>, seen: watch::Receiver<Revision>, prefix: Prefix },
}

/// What to do about a mark that is due.
#[derive(Debug)]
pub(super) enum Due {
    /// Ask the member for it.
    Ask,
    /// It is this one.
    Mark(Revision),
}

impl Marks {
    /// From requests, if `by_requests`, or else from the tail, for a watch that has told everything up to `position`.
    pub(super) fn new(inner: &Arc<Inner>, by_requests: bool, prefix: &Prefix, position: Revision) -> Self {
        let source = if by_requests {
            Source::Requests { latest: latest(inner) }
        } else {
            let (tail, seen) = Tail::shared(inner, position);
            Source::Tail { tail, seen, prefix: prefix.clone() }
        };
        Self { source, not_before: Instant::now() + EVERY }
    }

    /// Waits until a mark is due on a watch that has told everything up to `position`. Loses nothing when it is dropped.
    pub(super) async fn due(&mut self, inner: &Arc<Inner>, position: Revision) -> Due {
        sleep_until(self.not_before).await;
        let due = match &mut self.source {
            Source::Requests { latest: known } => {
                while *known.borrow_and_update() <= position {
                    if known.changed().await.is_err() {
                        *known = latest(inner);
                    }
                }
                Due::Ask
            }
            Source::Tail { tail, seen, prefix } => loop {
                seen.borrow_and_update();
                if let Some(mark) = tail.mark(prefix, position) {
                    break Due::Mark(mark);
                }
                // Its sender is in the tail that is held here.
                let _ = seen.changed().await;
            },
        };
        self.not_before = Instant::now() + EVERY;
        due
    }
}

/// The latest revision that is known, from a task that asks for it as long as somebody listens.
fn latest(inner: &Arc<Inner>) -> watch::Receiver<Revision> {
    let mut shared = inner.progress.pulse.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = shared.upgrade() {
        return sender.subscribe();
    }
    let (sender, receiver) = watch::channel(Revision::ZERO);
    let sender = Arc::new(sender);
    *shared = Arc::downgrade(&sender);
    tokio::spawn(keep_asking(Arc::downgrade(inner), sender));
    receiver
}

async fn keep_asking(inner: Weak<Inner>, sender: Arc<watch::Sender<Revision>>) {
    loop {
        tokio::select! {
            biased;
            () = sender.closed() => return,
            () = sleep(EVERY) => {}
        }
        let Some(inner) = inner.upgrade() else { return };
        // When it fails the watches will notice by themselves; here it is tried again soon.
        if let Ok(revision) = inner.latest(true).await {
            sender.send_if_modified(|known| {
                let newer = revision > *known;
                *known = revision.max(*known);
                newer
            });
        }
    }
}
