//! [`FencedStore`]: lets only the present leader write.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Check, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, Write};

use super::FencingToken;

/// Lets only the present leader write: every write depends on the fence being as this leader left it.
///
/// Once another leader has taken office, writes fail with [`StoreError::Fenced`], however long they were on their way.
/// Reading is open to all. A replacement costs one read more than without the fence.
///
/// A fence guards the shard that it is in. Of a store of several shards, a write into another one than that of the leader's
/// leases is refused as [`StoreError::SpansShards`]: route what a leader writes to where leases are, or say by
/// [`unfenced`](Self::unfenced) that a late write does no harm.
#[derive(Clone, Debug)]
pub struct FencedStore {
    inner: Arc<dyn Transact>,
    fence: Check,
    unfenced: Vec<Prefix>,
}

impl FencedStore {
    /// Writes to `inner` as the leader with this token.
    #[must_use]
    pub fn new(inner: Arc<dyn Transact>, token: &FencingToken) -> Self {
        let fence = Check { key: token.fence.clone(), expect: Expect::Revision(token.revision) };
        Self { inner, fence, unfenced: Vec::new() }
    }

    /// Lets through, whoever leads, what is written under `prefix` alone: Events, for example, which tell of what a former
    /// leader did and harm nobody when they are late, and which often live in a shard of their own.
    #[must_use]
    pub fn unfenced(mut self, prefix: Prefix) -> Self {
        self.unfenced.push(prefix);
        self
    }

    fn is_unfenced(&self, writes: &[Write]) -> bool {
        let open = |write: &Write| self.unfenced.iter().any(|prefix| prefix.contains(write.key()));
        !writes.is_empty() && writes.iter().all(open)
    }

    fn error(&self, error: StoreError) -> StoreError {
        let fence = &self.fence.key;
        match error {
            StoreError::Conflict { key, .. } if key == *fence => StoreError::Fenced { fence: key },
            StoreError::SpansShards { request, shards } => {
                let request = format!("{request}, the first of which is the leader's fence,");
                StoreError::SpansShards { request, shards }
            }
            error => error,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for FencedStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.inner.list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        // A write that succeeds replaces what is read here: whatever was written in between is a conflict.
        let created = match expect {
            Expect::Absent => None,
            Expect::Revision(_) => self.inner.get(key).await?.map(|entry| entry.created),
        };
        let write = Write::Put { key: key.clone(), value: value.clone(), expect };
        let revision = self.commit(&[], vec![write]).await?;
        Ok(Entry::new(key.clone(), revision, created.unwrap_or(revision), value))
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.commit(&[], vec![Write::Delete { key: key.clone(), expect }]).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.inner.watch(prefix, after).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for FencedStore {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        if self.is_unfenced(&writes) {
            return self.inner.commit(checks, writes).await;
        }
        let fenced: Vec<Check> = std::iter::once(&self.fence).chain(checks).cloned().collect();
        self.inner.commit(&fenced, writes).await.map_err(|error| self.error(error))
    }
}
