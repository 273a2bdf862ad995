//! Work queues: a key is added, taken, and done.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use kube::runtime::scheduler::{ScheduleRequest, scheduler};
use orch_controllers::engine::queue::{Outcome, Pauses, WorkQueue};
use orch_core::controller::Priority;
use orch_core::entropy::SeededEntropy;
use orch_core::key::Key;
use orch_core::kind::Object as _;
use tokio::time::Instant;

use crate::measure::{Cost, block_on, cost, cost_async};
use crate::objects::pod;
use crate::row::Row;

const KEYS: usize = 10_000;
const ROUNDS: usize = 20;

pub fn rows() -> Vec<Row> {
    let keys: Vec<Key> = (0..KEYS).map(|index| pod(&format!("pod-{index}")).key().expect("a key")).collect();
    let what = format!("queue cycle: {KEYS} keys added, then each taken and done");
    vec![
        Row::pair(&*what, "kube_runtime::scheduler (adds and takes)", || ours(&keys), || kube_scheduler(&keys)),
        Row::pair(&*what, "client-go's three collections and no more", || ours(&keys), || floor(&keys)),
    ]
}

/// Asks for the time at every step, as the engine does.
fn ours(keys: &[Key]) -> Cost {
    let mut queue = WorkQueue::new(1, Pauses::default(), Arc::new(SeededEntropy::new(7)));
    cost(KEYS * ROUNDS, || {
        for _ in 0..ROUNDS {
            keys.iter().for_each(|key| queue.add(key, Priority::Normal, Instant::now()));
            let mut taken = 0;
            while let Some(ticket) = queue.take(Instant::now()) {
                taken += 1;
                queue.done(ticket, Outcome::Success(None), &[], Instant::now());
            }
            assert_eq!(taken, KEYS);
        }
        queue
    })
}

/// What kube-runtime keeps keys in until a reconcile can begin. That a key in work is not handed out is another part's
/// business there.
fn kube_scheduler(keys: &[Key]) -> Cost {
    block_on(async {
        let run = async {
            for _ in 0..ROUNDS {
                let requests = keys.iter().map(|key| ScheduleRequest { message: key.clone(), run_at: Instant::now() });
                // It ends with its requests, whatever it still holds.
                let mut queue = Box::pin(scheduler(stream::iter(requests).chain(stream::pending())));
                for _ in 0..KEYS {
                    assert!(queue.next().await.is_some());
                }
            }
        };
        cost_async(KEYS * ROUNDS, run).await
    })
}

/// The queue, the keys in it, and those in work: without priorities, pauses, or anything to wait for.
fn floor(keys: &[Key]) -> Cost {
    let (mut queue, mut waiting, mut working) = (VecDeque::new(), HashSet::new(), HashSet::new());
    cost(KEYS * ROUNDS, || {
        for _ in 0..ROUNDS {
            for key in keys {
                if waiting.insert(key.clone()) && !working.contains(key) {
                    queue.push_back(key.clone());
                }
            }
            while let Some(key) = queue.pop_front() {
                waiting.remove(&key);
                working.insert(key.clone());
                // Work would be done here.
                working.remove(&key);
                if waiting.contains(&key) {
                    queue.push_back(key);
                }
            }
        }
        (queue, waiting, working)
    })
}
