//! Stores whose shards are wrong on purpose.

use async_trait::async_trait;
use futures::stream;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Check, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, Write};

use crate::model::ModelStore;

/// What is wrong with a store of two shards: what is tempting where a request reaches into both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardFlaw {
    /// Lists both and states the greater revision, after which a watch of the other shard misses changes.
    MergesListings,
    /// Lists the shard of the first key, and what is in the other does not exist.
    ListsOneShard,
    /// Tells the changes of both as they come, so no event is a place to resume after.
    MergesWatches,
    /// Commits in one shard after the other, each at a revision of its own.
    CommitsShardByShard,
    /// Commits what is in the first shard, then notices that there is more and refuses.
    CommitsInOneShardAndRefuses,
    /// Looks only at those checks that are in the shard of the writes: a fence elsewhere keeps nobody out.
    IgnoresChecksElsewhere,
}

impl ShardFlaw {
    /// Every flaw, each of which breaks S2.
    pub const ALL: [Self; 6] = [
        Self::MergesListings,
        Self::ListsOneShard,
        Self::MergesWatches,
        Self::CommitsShardByShard,
        Self::CommitsInOneShardAndRefuses,
        Self::IgnoresChecksElsewhere,
    ];
}

/// Two model stores, one for namespaces and one for everything else, and one flaw in how they are one.
#[derive(Clone, Debug)]
pub struct FlawedShards {
    namespaces: ModelStore,
    others: ModelStore,
    flaw: Option<ShardFlaw>,
}

impl FlawedShards {
    /// A new, empty store with this flaw.
    #[must_use]
    pub fn new(flaw: Option<ShardFlaw>) -> Self {
        Self { namespaces: ModelStore::default(), others: ModelStore::default(), flaw }
    }

    fn home(&self, key: &Key) -> &ModelStore {
        if is_namespace(key) { &self.namespaces } else { &self.others }
    }

    fn within(&self, prefix: &Prefix) -> Result<&ModelStore, StoreError> {
        match prefix.as_str() {
            "" => Err(spans(prefix)),
            "namespaces/" => Ok(&self.namespaces),
            _ => Ok(&self.others),
        }
    }
}

fn is_namespace(key: &Key) -> bool {
    key.collection() == "namespaces"
}

fn spans(request: impl std::fmt::Display) -> StoreError {
    let shards = ["namespaces", "others"].map(str::to_owned).into();
    StoreError::SpansShards { request: request.to_string(), shards }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for FlawedShards {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.home(key).get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        match (self.within(prefix), self.flaw) {
            (Err(_), Some(ShardFlaw::MergesListings)) => {
                let mut page = self.others.list(prefix, options.clone()).await?;
                let rest = self.namespaces.list(prefix, options).await?;
                page.entries = page.entries.into_iter().chain(rest.entries).collect();
                page.revision = page.revision.max(rest.revision);
                Ok(page)
            }
            (Err(_), Some(ShardFlaw::ListsOneShard)) => self.others.list(prefix, options).await,
            (shard, _) => shard?.list(prefix, options).await,
        }
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.home(key).put(key, value, expect).await
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.home(key).delete(key, expect).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        match (self.within(prefix), self.flaw) {
            (Err(_), Some(ShardFlaw::MergesWatches)) => {
                let both = [self.others.watch(prefix, after).await?, self.namespaces.watch(prefix, after).await?];
                Ok(Watch::new(stream::select_all(both)))
            }
            (shard, _) => shard?.watch(prefix, after).await,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for FlawedShards {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        let (checks, checks_elsewhere): (Vec<Check>, Vec<Check>) =
            checks.iter().cloned().partition(|check| !is_namespace(&check.key));
        let (writes, writes_elsewhere): (Vec<Write>, Vec<Write>) =
            writes.into_iter().partition(|write| !is_namespace(write.key()));
        let here = !checks.is_empty() || !writes.is_empty();
        let elsewhere = !checks_elsewhere.is_empty() || !writes_elsewhere.is_empty();
        match self.flaw {
            _ if !elsewhere => self.others.commit(&checks, writes).await,
            _ if !here => self.namespaces.commit(&checks_elsewhere, writes_elsewhere).await,
            Some(ShardFlaw::CommitsShardByShard) => {
                self.namespaces.commit(&checks_elsewhere, writes_elsewhere).await?;
                self.others.commit(&checks, writes).await
            }
            Some(ShardFlaw::CommitsInOneShardAndRefuses) => {
                self.others.commit(&checks, writes).await?;
                Err(spans("a transaction"))
            }
            Some(ShardFlaw::IgnoresChecksElsewhere) if writes_elsewhere.is_empty() => {
                self.others.commit(&checks, writes).await
            }
            _ => Err(spans("a transaction")),
        }
    }
}
