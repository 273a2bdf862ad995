//! A store's share of the operations that a test run checks: recorded and checked history by history.

use std::sync::Arc;

use orch_core::store::Store;

use super::Workload;
use crate::history::distant_store::DistantStore;
use crate::history::verdict::Checked;
use crate::history::{Recorder, check};

/// How many operations one history holds, about: enough for the past to be long and for keys to be fought over.
const OF_A_HISTORY: usize = 2_000;

/// Records histories by the seeds 0, 1, 2 and so on until they hold `operations` operations, each on a new store, and
/// checks them. For stores that need nothing but this process: it is one thread with paused time, a
/// [`DistantStore`] lets requests overtake one another, and the seed that a violation names repeats it to the letter.
///
/// # Panics
/// With the explanation, when a promise is broken.
pub fn check_by_turns<S: Store>(
    operations: usize,
    workload: impl Fn(Workload<DistantStore<S>>) -> Workload<DistantStore<S>>,
    new: impl AsyncFn() -> S,
) -> Checked {
    let mut checked = Checked::default();
    for seed in 0.. {
        if checked.operations >= operations {
            break;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let history = runtime.expect("the operating system gives a runtime").block_on(async {
            let store = DistantStore::new(new().await, seed);
            workload(Workload::new(seed).operations(OF_A_HISTORY)).run(store).await
        });
        checked = checked.and(check(&history).expect_kept());
    }
    checked
}

/// As [`check_by_turns`], with every client in a thread of its own and in real time: for stores far away, or that have
/// threads of their own. A seed repeats what the clients ask, not how they meet.
///
/// # Panics
/// With the explanation, when a promise is broken.
pub fn check_in_threads<S: Store>(
    operations: usize,
    workload: impl Fn(Workload<S>) -> Workload<S>,
    new: impl AsyncFn() -> S,
) -> Checked {
    let mut checked = Checked::default();
    for seed in 0.. {
        if checked.operations >= operations {
            break;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let history = runtime.expect("the operating system gives a runtime").block_on(async {
            let recorder = Recorder::new();
            recorder.note_seed(seed);
            let store = Arc::new(new().await);
            workload(Workload::new(seed).operations(OF_A_HISTORY)).record_in_threads(&recorder, store).await
        });
        checked = checked.and(check(&history).expect_kept());
    }
    checked
}
