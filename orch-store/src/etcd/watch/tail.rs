//! [`Tail`]: what old servers cannot be asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use orch_core::key::Prefix;
use orch_core::revision::Revision;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::stream::{EventStream, Watched};
use crate::etcd::Inner;
use crate::etcd::read::from_wire;
use crate::etcd::wire::WatchResponse;

const PAUSE: Duration = Duration::from_millis(500);

/// One watch of everything in the store, by which is known at which revision something under a prefix changed last.
///
/// The events of one watch come in order, so when it has told revision R it has told all up to R. A watch of a prefix is
/// then up to R if it has told the last change under its prefix up to R: nothing else could be missing. What one server
/// tells its watches at different times, as servers do, makes no difference.
#[derive(Debug)]
pub(super) struct Tail {
    known: Mutex<Known>,
    seen: watch::Sender<Revision>,
    rewound: Notify,
}

/// What the tail has told.
#[derive(Debug, Default)]
struct Known {
    /// All after this revision, …
    base: Revision,
    /// … and up to this one.
    seen: Revision,
    /// The last change under each prefix there was one under since the base. Collections and namespaces are few.
    last: HashMap<Box<str>, Revision>,
}

impl Tail {
    /// The store's, begun if there is none, that knows everything after `position`. It is kept up as long as there is a
    /// receiver, which is told when there is more to know.
    pub(super) fn shared(inner: &Arc<Inner>, position: Revision) -> (Arc<Self>, watch::Receiver<Revision>) {
        let mut shared = inner.progress.tail();
        if let Some(tail) = shared.upgrade() {
            tail.rewind(position);
            let seen = tail.seen.subscribe();
            return (tail, seen);
        }
        let known = Known { base: position, seen: position, last: HashMap::new() };
        let (sender, seen) = watch::channel(position);
        let tail = Arc::new(Self { known: Mutex::new(known), seen: sender, rewound: Notify::new() });
        *shared = Arc::downgrade(&tail);
        tokio::spawn(follow(Arc::downgrade(inner), Arc::downgrade(&tail)));
        (tail, seen)
    }

    /// Whether nobody listens, and nobody will: whoever comes next begins another one.
    fn is_over(&self, inner: &Inner) -> bool {
        let mut shared = inner.progress.tail();
        let over = self.seen.receiver_count() == 0;
        if over {
            *shared = Weak::new();
        }
        over
    }

    /// Up to where a watch of `prefix`, that has told everything up to `position`, has told everything; if that is more.
    pub(super) fn mark(&self, prefix: &Prefix, position: Revision) -> Option<Revision> {
        self.known().mark(prefix, position)
    }

    /// Makes sure that everything after `position` is known.
    fn rewind(&self, position: Revision) {
        let mut known = self.known();
        if position < known.base {
            known.base = position;
            known.seen = position;
            self.rewound.notify_one();
        }
    }

    fn take(&self, answer: &WatchResponse, inner: &Inner) {
        let mut known = self.known();
        for kv in answer.events.iter().filter_map(|event| event.kv.as_ref()) {
            let revision = from_wire(kv.mod_revision);
            if let Some(key) = inner.key(&kv.key) {
                known.tell(key.as_str(), revision);
            }
            known.seen = known.seen.max(revision);
        }
        self.seen.send_replace(known.seen);
    }

    /// What happened before `oldest` will never be known.
    fn forget_before(&self, oldest: Revision) {
        let mut known = self.known();
        *known = Known { base: oldest, seen: oldest, last: HashMap::new() };
        self.seen.send_replace(oldest);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn mark(&self, prefix: &Prefix, position: Revision) -> Option<Revision> {
        let last = self.last.get(prefix.as_str()).copied().unwrap_or_default();
        (self.base <= position && last <= position && position < self.seen).then_some(self.seen)
    }

    fn tell(&mut self, key: &str, revision: Revision) {
        let ends = key.match_indices('/').map(|(slash, _)| slash + 1);
        for end in std::iter::once(0).chain(ends) {
            let prefix = &key[..end];
            match self.last.get_mut(prefix) {
                Some(last) => *last = revision.max(*last),
                None => drop(self.last.insert(prefix.into(), revision)),
            }
        }
    }
}

/// Keeps the tail up as long as somebody holds it.
async fn follow(inner: Weak<Inner>, tail: Weak<Tail>) {
    loop {
        let (Some(inner), Some(tail)) = (inner.upgrade(), tail.upgrade()) else { return };
        let position = tail.known().seen;
        let watched = Watched { range: inner.names.range(&Prefix::all()), previous: false };
        match EventStream::open(&inner, &watched, position).await {
            Ok(stream) => {
                if follow_one(inner, tail, stream).await {
                    return;
                }
            }
            // The watches that need it find out by themselves what is wrong.
            Err(failure) => {
                drop((inner, tail));
                tracing::debug!(message = failure.message, "the watch for progress marks could not be opened");
            }
        }
        sleep(PAUSE).await;
    }
}

/// Follows one stream until it breaks. Returns whether nobody holds the tail any more.
async fn follow_one(inner: Arc<Inner>, tail: Arc<Tail>, mut stream: EventStream) -> bool {
    loop {
        tokio::select! {
            biased;
            () = tail.seen.closed() => if tail.is_over(&inner) { return true },
            () = tail.rewound.notified() => return false,
            answer = stream.next() => match answer {
                Ok(answer) if answer.compact_revision > 0 => {
                    tail.forget_before(from_wire(answer.compact_revision));
                    return false;
                }
                Ok(answer) => tail.take(&answer, &inner),
                Err(_) => {
                    inner.members.leave(stream.line());
                    return false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_core::kind::Object as _;
    use orch_core::object::Lease;

    use super::*;

    fn leases_in(namespace: &str) -> Prefix {
        Prefix::namespace(&Lease::KIND, namespace).expect("a prefix")
    }

    /// Knows all after 10 and up to 20; in it are a change of a lease at 15, and of a node at 20.
    fn known() -> Known {
        let mut known = Known { base: Revision(10), seen: Revision(20), last: HashMap::new() };
        known.tell("leases.coordination.k8s.io/a/one", Revision(15));
        known.tell("nodes/one", Revision(20));
        known
    }

    #[test]
    fn a_watch_is_up_to_where_the_tail_is_if_it_has_told_the_last_change_under_its_prefix() {
        let known = known();
        let mark = |prefix: &Prefix, position| known.mark(prefix, Revision(position));
        for prefix in [leases_in("a"), Prefix::collection(&Lease::KIND)] {
            assert_eq!(mark(&prefix, 14), None, "the change at 15 under {prefix} is still to be told");
            assert_eq!(mark(&prefix, 15), Some(Revision(20)), "{prefix}");
        }
        assert_eq!(mark(&leases_in("b"), 10), Some(Revision(20)), "nothing changed there");
        assert_eq!(mark(&Prefix::all(), 19), None);
    }

    #[test]
    fn no_mark_is_concluded_from_what_is_not_known() {
        assert_eq!(known().mark(&leases_in("b"), Revision(9)), None, "what happened at 10 is not known");
        assert_eq!(known().mark(&leases_in("b"), Revision(20)), None, "the watch is further than the tail");
    }
}
