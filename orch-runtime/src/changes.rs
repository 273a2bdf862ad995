//! [`Changes`]: tells everyone who listens which pods changed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use orch_core::runtime::PodUid;
use tokio::sync::Notify;

/// Passes hints on to listeners. A listener that is slow costs at most one entry for each pod, and misses none: what
/// it has not taken yet is told once.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    listeners: Mutex<Vec<Weak<Listener>>>,
}

#[derive(Debug, Default)]
struct Listener {
    changed: Mutex<BTreeSet<PodUid>>,
    wake: Notify,
}

impl Changes {
    /// Tells every listener that the pod changed.
    pub(crate) fn tell(&self, pod: &PodUid) {
        lock(&self.listeners).retain(|listener| {
            let Some(listener) = listener.upgrade() else { return false };
            lock(&listener.changed).insert(pod.clone());
            listener.wake.notify_one();
            true
        });
    }

    /// The pods that change from now on, whether the stream is polled yet or not. It ends when `self` is dropped and
    /// everything was told.
    pub(crate) fn listen(self: &Arc<Self>) -> BoxStream<'static, PodUid> {
        let listener = Arc::new(Listener::default());
        lock(&self.listeners).push(Arc::downgrade(&listener));
        stream::unfold((listener, Arc::downgrade(self)), |(listener, source)| async move {
            loop {
                if let Some(pod) = lock(&listener.changed).pop_first() {
                    return Some((pod, (Arc::clone(&listener), source)));
                }
                if source.strong_count() == 0 {
                    return None;
                }
                listener.wake.notified().await;
            }
        })
        .boxed()
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        for listener in lock(&self.listeners).iter().filter_map(Weak::upgrade) {
            listener.wake.notify_one();
        }
    }
}

/// A panic while the lock is held leaves nothing half done: every critical section here is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> PodUid {
        name.parse().expect("a valid uid")
    }

    #[tokio::test]
    async fn a_listener_is_told_each_changed_pod_once_from_the_call_on() {
        let changes = Arc::new(Changes::default());
        changes.tell(&pod("before"));
        let listener = changes.listen();
        for name in ["b", "a", "b", "b"] {
            changes.tell(&pod(name));
        }
        drop(changes);
        assert_eq!(listener.collect::<Vec<_>>().await, [pod("a"), pod("b")]);
    }
}
