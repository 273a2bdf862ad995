//! [`Puller`]: fetches images in the background, and keeps what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use orch_core::key::Key;
use orch_core::runtime::{ContainerId, ImageError, ImageName, Images, PodUid, PullProgress};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How far a pull is that was asked for by an attempt of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pull {
    /// It is under way, and was so often before without success.
    Pulling { progress: PullProgress, failures: u32 },
    /// The image is there.
    Done { took: Duration },
    /// It did not succeed, so many times by now, the last time so long ago.
    Failed { message: String, times: u32, ago: Duration },
}

/// Fetches images in the background. What many ask for at the same time is fetched once. Dropped, it fetches no more.
pub(super) struct Puller {
    images: Arc<dyn Images>,
    table: Arc<Table>,
    /// So many at a time: more would only share the line.
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct Table {
    state: Mutex<State>,
    /// Pods whose pulls got on.
    changed: Mutex<BTreeSet<Key>>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    /// Each with when it became so.
    pulls: BTreeMap<ContainerId, (Pull, Instant)>,
    under_way: BTreeMap<ImageName, UnderWay>,
}

struct UnderWay {
    task: AbortHandle,
    waiting: BTreeMap<ContainerId, Key>,
}

/// How many images are fetched at the same time.
const AT_ONCE: usize = 3;

impl Puller {
    pub(super) fn new(images: Arc<dyn Images>) -> Self {
        Self { images, table: Arc::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// What became of the pulls that the pod's containers asked for.
    pub(super) fn of(&self, pod: &PodUid) -> BTreeMap<ContainerId, Pull> {
        let state = lock(&self.table.state);
        let of_pod = state.pulls.iter().filter(|(id, _)| id.pod == *pod);
        let told = |(pull, since): &(Pull, Instant)| match pull.clone() {
            Pull::Failed { message, times, .. } => Pull::Failed { message, times, ago: since.elapsed() },
            other => other,
        };
        of_pod.map(|(id, pull)| (id.clone(), told(pull))).collect()
    }

    /// Fetches an image for an attempt, unless that is under way. A pull that failed is tried again.
    pub(super) fn pull(&self, id: &ContainerId, key: &Key, image: &ImageName) {
        let mut state = lock(&self.table.state);
        let failures = match state.pulls.get(id) {
            Some((Pull::Pulling { .. } | Pull::Done { .. }, _)) => return,
            Some((Pull::Failed { times, .. }, _)) => *times,
            None => 0,
        };
        let State { pulls, under_way } = &mut *state;
        let under_way = under_way.entry(image.clone()).or_insert_with(|| {
            let task = pull(Arc::clone(&self.images), image.clone(), Arc::clone(&self.table), Arc::clone(&self.places));
            UnderWay { task: tokio::spawn(task).abort_handle(), waiting: BTreeMap::new() }
        });
        under_way.waiting.insert(id.clone(), key.clone());
        let pulling = Pull::Pulling { progress: PullProgress::default(), failures };
        pulls.insert(id.clone(), (pulling, Instant::now()));
    }

    /// Nothing more is known of what the pod's containers asked for. What is under way goes on: others may ask for it.
    pub(super) fn forget(&self, pod: &PodUid) {
        lock(&self.table.state).pulls.retain(|id, _| id.pod != *pod);
    }

    /// The keys of pods whose pulls ended, for ever.
    pub(super) fn changes(&self) -> BoxStream<'static, Key> {
        stream::unfold(Arc::clone(&self.table), |table| async move {
            loop {
                if let Some(key) = lock(&table.changed).pop_first() {
                    return Some((key, Arc::clone(&table)));
                }
                table.wake.notified().await;
            }
        })
        .boxed()
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        for under_way in lock(&self.table.state).under_way.values() {
            under_way.task.abort();
        }
    }
}

impl fmt::Debug for Puller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Puller")
    }
}

async fn pull(images: Arc<dyn Images>, image: ImageName, table: Arc<Table>, places: Arc<Semaphore>) {
    // It is never closed.
    let _place = places.acquire().await;
    let began = Instant::now();
    let progress = |now: PullProgress| {
        let mut state = lock(&table.state);
        let waiting: Vec<ContainerId> =
            state.under_way.get(&image).into_iter().flat_map(|pull| pull.waiting.keys().cloned()).collect();
        for id in waiting {
            if let Some((Pull::Pulling { progress, .. }, _)) = state.pulls.get_mut(&id) {
                *progress = now;
            }
        }
    };
    let pulled = images.pull(&image, None, &progress).await;
    end(&table, &image, pulled.map(|_| began.elapsed()));
}

/// Tells everybody who waits for an image what became of it.
fn end(table: &Table, image: &ImageName, result: Result<Duration, ImageError>) {
    let mut state = lock(&table.state);
    let Some(under_way) = state.under_way.remove(image) else { return };
    for (id, key) in under_way.waiting {
        // Of a pod that was forgotten meanwhile nothing is kept.
        let Some((pull, since)) = state.pulls.get_mut(&id) else { continue };
        let failures = if let Pull::Pulling { failures, .. } = pull { *failures } else { 0 };
        *since = Instant::now();
        *pull = match &result {
            Ok(took) => Pull::Done { took: *took },
            Err(error) => {
                Pull::Failed { message: error.to_string(), times: failures.saturating_add(1), ago: Duration::ZERO }
            }
        };
        lock(&table.changed).insert(key);
    }
    drop(state);
    table.wake.notify_one();
}

/// A panic while a lock is held leaves nothing half done: every critical section is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
