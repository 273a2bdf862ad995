//! [`Turns`]: one thing at a time is done to the volumes of a pod, in the order in which it was asked for. Otherwise an
//! update that nobody waits for any more could come after a later one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::runtime::PodUid;
use tokio::sync::OwnedMutexGuard;

type Pods = BTreeMap<PodUid, Arc<tokio::sync::Mutex<()>>>;

/// A lock for each pod that something is done to.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<Pods>>);

/// As long as it lives, it is this one's turn.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    pod: PodUid,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the pod's turn.
    pub(super) async fn take(&self, pod: &PodUid) -> Turn {
        let lock = Arc::clone(self.pods().entry(pod.clone()).or_default());
        // Made before it waits, so that a caller who gives up leaves no lock behind.
        let mut turn = Turn { turns: self.clone(), pod: pod.clone(), guard: None };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }

    fn pods(&self) -> MutexGuard<'_, Pods> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut pods = self.turns.pods();
        // Nobody but the map has it, so nobody waits.
        if pods.get(&self.pod).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            pods.remove(&self.pod);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn whoever_asks_first_is_first_and_nothing_is_left() {
        let (turns, pod): (_, PodUid) = (Turns::default(), "a".parse().expect("valid"));
        let first = turns.take(&pod).await;
        let mut second = Box::pin(turns.take(&pod));
        let mut third = Box::pin(turns.take(&pod));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        assert!(turns.take(&"b".parse().expect("valid")).now_or_never().is_some(), "other pods do not wait");
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let second = (&mut second).now_or_never().expect("its turn");
        drop(third);
        drop(second);
        assert!(turns.pods().is_empty());
    }
}
