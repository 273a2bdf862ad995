//! [`DistantStore`]: a store at the other end of a network.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, Write,
};
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// The most turns of the executor that a request or an answer takes.
const TURNS: u64 = 6;
/// Of so many answers to a write, one is lost.
const ONE_IS_LOST_OF: u64 = 50;

/// A store at the other end of a network: every request and every answer takes a few turns of the executor, by a seed,
/// so that the requests of several clients overtake one another; and the answer to a write is lost now and then.
///
/// A write that was sent happens, even if its future is dropped. It needs a tokio runtime. Clones are the same store.
#[derive(Debug)]
pub struct DistantStore<S: ?Sized> {
    chance: Arc<SeededEntropy>,
    store: Arc<S>,
}

impl<S: ?Sized> Clone for DistantStore<S> {
    fn clone(&self) -> Self {
        Self { chance: Arc::clone(&self.chance), store: Arc::clone(&self.store) }
    }
}

impl<S> DistantStore<S> {
    /// The store, far away.
    #[must_use]
    pub fn new(store: S, seed: u64) -> Self {
        Self { chance: Arc::new(SeededEntropy::new(seed)), store: Arc::new(store) }
    }
}

impl<S: Store + ?Sized> DistantStore<S> {
    /// What a request or an answer does on its way.
    async fn travel(chance: &SeededEntropy) {
        for _ in 0..chance.next_u64() % TURNS {
            yield_now().await;
        }
    }

    /// Sends a write, and waits for the answer, which may be lost.
    async fn send<T, F>(&self, write: impl FnOnce(Arc<S>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (chance, work) = (Arc::clone(&self.chance), write(Arc::clone(&self.store)));
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            Self::travel(&chance).await;
            let result = work.await;
            Self::travel(&chance).await;
            // Whoever asked may have given up.
            drop(answer.send(result));
        });
        let lost = self.chance.next_u64().is_multiple_of(ONE_IS_LOST_OF);
        match answered.await {
            Ok(result) if !lost => result,
            _ => Err(StoreError::Unavailable {
                message: "the answer was lost".to_owned(),
                outcome_is_unknown: true,
                source: None,
            }),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for DistantStore<S> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Self::travel(&self.chance).await;
        let found = self.store.get(key).await;
        Self::travel(&self.chance).await;
        found
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        Self::travel(&self.chance).await;
        let page = self.store.list(prefix, options).await;
        Self::travel(&self.chance).await;
        page
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let key = key.clone();
        self.send(|store| async move { store.put(&key, value, expect).await }).await
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let key = key.clone();
        self.send(move |store| async move { store.delete(&key, expect).await }).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        Self::travel(&self.chance).await;
        self.store.watch(prefix, after).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Transact + ?Sized> Transact for DistantStore<S> {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        let checks = checks.to_vec();
        self.send(|store| async move { store.commit(&checks, writes).await }).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Compact + ?Sized> Compact for DistantStore<S> {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        Self::travel(&self.chance).await;
        self.store.compact(revision).await
    }
}
