//! [`FaultyStore`]: a model store whose watches can be held up, and whose answers can be spoilt.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Compact as _, Entry, Expect, ListOptions, Page, Store, StoreError, Value, Watch, WatchEvent};
use orch_testkit::model::ModelStore;
use tokio::sync::watch;

/// A model store whose watches can be held up, and whose answers can be spoilt.
#[derive(Debug, Default)]
pub(crate) struct FaultyStore {
    pub(crate) inner: ModelStore,
    /// The prefixes whose watches and listings are held up.
    held: watch::Sender<BTreeSet<String>>,
    /// Whether puts are held up.
    pub(crate) puts_held: watch::Sender<bool>,
    /// Ends every watch with this error each time it grows.
    cuts: watch::Sender<usize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lists: usize,
    failing_lists: usize,
    puts: VecDeque<PutFault>,
}

/// What happens to a put.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PutFault {
    /// It happens, and the answer is lost.
    AnswerLost,
    /// It does not happen.
    Refused,
}

fn unavailable(outcome_is_unknown: bool) -> StoreError {
    StoreError::Unavailable { message: "a test's fault".to_owned(), outcome_is_unknown, source: None }
}

impl FaultyStore {
    pub(crate) fn hold(&self, prefix: &Prefix) {
        self.held.send_modify(|held| {
            held.insert(prefix.to_string());
        });
    }

    pub(crate) fn release(&self, prefix: &Prefix) {
        self.held.send_modify(|held| {
            held.remove(&prefix.to_string());
        });
    }

    /// Forgets all history, and ends every watch as one that fell behind.
    pub(crate) async fn compact_under_watches(&self) {
        self.inner.compact(self.inner.revision()).await.expect("the revision exists");
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(crate) fn spoil_put(&self, fault: PutFault) {
        self.state().puts.push_back(fault);
    }

    pub(crate) fn fail_lists(&self, times: usize) {
        self.state().failing_lists = times;
    }

    pub(crate) fn lists(&self) -> usize {
        self.state().lists
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(held: &mut watch::Receiver<BTreeSet<String>>, prefix: &Prefix) {
        let free = |held: &BTreeSet<String>| !held.contains(&prefix.to_string());
        held.wait_for(free).await.expect("the store lives as long as its test");
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.state().lists += 1;
        Self::pass(&mut self.held.subscribe(), prefix).await;
        {
            let mut state = self.state();
            if state.failing_lists > 0 {
                state.failing_lists -= 1;
                return Err(unavailable(false));
            }
        }
        self.inner.list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.puts_held.subscribe().wait_for(|held| !held).await.expect("the sender is here");
        let fault = self.state().puts.pop_front();
        match fault {
            None => self.inner.put(key, value, expect).await,
            Some(PutFault::AnswerLost) => {
                self.inner.put(key, value, expect).await?;
                Err(unavailable(true))
            }
            Some(PutFault::Refused) => Err(unavailable(false)),
        }
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.inner.delete(key, expect).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let state = Some((self.inner.watch(prefix, after).await?, self.held.subscribe(), self.cuts.subscribe()));
        let prefix = prefix.clone();
        Ok(Watch::new(stream::unfold(state, move |state| {
            let prefix = prefix.clone();
            async move {
                let (mut inner, mut held, mut cuts) = state?;
                let next = async {
                    let event = inner.next().await;
                    Self::pass(&mut held, &prefix).await;
                    event
                };
                let event: Option<Result<WatchEvent, StoreError>> = tokio::select! {
                    biased;
                    _ = cuts.changed() => {
                        let error = StoreError::Compacted { requested: Revision::ZERO, oldest: Revision::ZERO };
                        return Some((Err(error), None));
                    }
                    event = next => event,
                };
                Some((event?, Some((inner, held, cuts))))
            }
        })))
    }
}
