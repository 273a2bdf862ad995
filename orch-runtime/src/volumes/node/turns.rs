//! [`Turns`]: one thing at a time is done to the volumes of a pod.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::runtime::PodUid;

/// A lock for each pod that something is done to.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<PodUid, Arc<Mutex<()>>>>);

impl Turns {
    /// Does something when it is the pod's turn. A panic in between leaves what a crash would.
    pub(super) fn take<T>(&self, pod: &PodUid, act: impl FnOnce() -> T) -> T {
        let turn = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(pod.clone()).or_default());
        let result = {
            let _guard = turn.lock().unwrap_or_else(PoisonError::into_inner);
            act()
        };
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own and this one: nobody waits.
        if Arc::strong_count(&turn) == 2 {
            turns.remove(pod);
        }
        result
    }
}
