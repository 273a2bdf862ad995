//! [`Background`]: work that goes on while nobody waits for it, and what has come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use orch_core::key::Key;
use orch_core::runtime::{ContainerId, PodUid};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// What a piece of work is for.
pub(super) trait Subject: Clone + Debug + Ord + Send + Sync + 'static {
    /// The attempt that it is about, be it one that is still to be started.
    fn container(&self) -> &ContainerId;
}

impl Subject for ContainerId {
    fn container(&self) -> &ContainerId {
        self
    }
}

/// Work that goes on while nobody waits for it, a task for each subject, and what has come of it so far. It is memory
/// that may be lost: then the work is begun again. Dropped, all of it ends.
#[derive(Debug)]
pub(super) struct Background<S: Subject, State> {
    table: Arc<Table<S, State>>,
}

#[derive(Debug)]
struct Table<S, State> {
    works: Mutex<BTreeMap<S, Work<State>>>,
    /// Pods about which there is news.
    news: Mutex<BTreeSet<Key>>,
    wake: Notify,
}

#[derive(Debug)]
struct Work<State> {
    state: State,
    task: AbortHandle,
}

/// By what a piece of work tells what has come of it.
#[derive(Debug)]
pub(super) struct Teller<S, State> {
    subject: S,
    /// The pod that is to be looked at then.
    key: Key,
    table: Arc<Table<S, State>>,
}

impl<S: Subject, State: Clone + Debug + Send + 'static> Background<S, State> {
    pub(super) fn new() -> Self {
        Self { table: Arc::new(Table { works: Mutex::default(), news: Mutex::default(), wake: Notify::new() }) }
    }

    /// What has come of everything about a pod that was begun and not dropped.
    pub(super) fn states(&self, pod: &PodUid) -> BTreeMap<S, State> {
        let works = lock(&self.table.works);
        let of_pod = works.iter().filter(|(subject, _)| subject.container().pod == *pod);
        of_pod.map(|(subject, work)| (subject.clone(), work.state.clone())).collect()
    }

    /// Ends and forgets everything about a pod that is not to be kept.
    pub(super) fn retain(&self, pod: &PodUid, keep: impl Fn(&S, &State) -> bool) {
        lock(&self.table.works).retain(|subject, work| {
            let goes_on = subject.container().pod != *pod || keep(subject, &work.state);
            if !goes_on {
                work.task.abort();
            }
            goes_on
        });
    }

    /// Begins something, unless it was begun before.
    pub(super) fn begin<Done>(&self, subject: &S, key: &Key, state: State, work: impl FnOnce(Teller<S, State>) -> Done)
    where
        Done: Future<Output = ()> + Send + 'static,
    {
        lock(&self.table.works).entry(subject.clone()).or_insert_with(|| {
            let teller = Teller { subject: subject.clone(), key: key.clone(), table: Arc::clone(&self.table) };
            Work { state, task: tokio::spawn(work(teller)).abort_handle() }
        });
    }

    /// The keys of pods about which there is news, for ever.
    pub(super) fn news(&self) -> BoxStream<'static, Key> {
        stream::unfold(Arc::clone(&self.table), |table| async move {
            loop {
                let key = lock(&table.news).pop_first();
                if let Some(key) = key {
                    return Some((key, table));
                }
                table.wake.notified().await;
            }
        })
        .boxed()
    }
}

impl<S: Subject, State> Drop for Background<S, State> {
    fn drop(&mut self) {
        for work in lock(&self.table.works).values() {
            work.task.abort();
        }
    }
}

impl<S: Subject, State> Teller<S, State> {
    /// From now on this is what has come of it, and whoever waits for news hears of it.
    pub(super) fn tell(&self, state: State) {
        self.note(state);
        lock(&self.table.news).insert(self.key.clone());
        self.table.wake.notify_one();
    }

    /// From now on this is what has come of it, for those who look anyway.
    pub(super) fn note(&self, state: State) {
        if let Some(work) = lock(&self.table.works).get_mut(&self.subject) {
            work.state = state;
        }
    }
}

/// A panic while a lock is held leaves nothing half done: every critical section is one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
