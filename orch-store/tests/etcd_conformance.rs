//! `EtcdStore` runs the suites of all contracts that it implements, on a real etcd.

use async_trait::async_trait;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Compact, Entry, Expect, ListOptions, Page, Store, StoreError, Value, Watch};
use orch_store::etcd::{EtcdConfig, EtcdStore};
use orch_testkit::daemon::Etcd;

fn store_in(etcd: &Etcd) -> EtcdStore {
    let config = EtcdConfig { endpoints: etcd.endpoints(), prefix: etcd.unique_prefix(), ..EtcdConfig::default() };
    EtcdStore::new(config).expect("the endpoints of an etcd that runs")
}

/// In a part of its own of the etcd that all clauses share.
async fn store() -> EtcdStore {
    store_in(Etcd::shared().await)
}

/// In an etcd of its own: compaction shortens the history of everybody who uses it.
async fn alone() -> Alone {
    let etcd = Etcd::start().await;
    Alone { store: store_in(&etcd), _etcd: etcd }
}

#[derive(Debug)]
struct Alone {
    store: EtcdStore,
    /// Ends when it is dropped.
    _etcd: Etcd,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Alone {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.store.list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.store.put(key, value, expect).await
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.store.delete(key, expect).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.store.watch(prefix, after).await
    }
}

#[async_trait]
impl Compact for Alone {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.store.compact(revision).await
    }
}

mod etcd {
    use super::{alone, store};

    orch_testkit::store_suite!(store().await);
    orch_testkit::transact_suite!(store().await);
    orch_testkit::claim_suite!(store().await);
    orch_testkit::compact_suite!(alone().await);
}
