//! The store of a leader is a store.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use orch_controllers::engine::{ElectionTiming, FencedStore, LeaderElection};
use orch_core::client::Client;
use orch_core::clock::SystemClock;
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, WatchEvent, Write,
};
use orch_store::memory::{MemoryStore, MemoryStoreConfig};

/// A leader's store without the two leases of the office, for clauses that begin with a store without objects.
#[derive(Debug)]
struct WithoutOffice(FencedStore);

fn is_of_office(key: &Key) -> bool {
    key.namespace() == Some("system")
}

#[async_trait]
impl Store for WithoutOffice {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.0.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let mut page = self.0.list(prefix, options).await?;
        page.entries = page.entries.into_iter().filter(|entry| !is_of_office(&entry.key)).collect();
        Ok(page)
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.0.put(key, value, expect).await
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.0.delete(key, expect).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let events = self.0.watch(prefix, after).await?;
        let seen = |event: &Result<WatchEvent, StoreError>| match event {
            Ok(WatchEvent::Put { entry, .. }) => !is_of_office(&entry.key),
            Ok(WatchEvent::Delete { key, .. }) => !is_of_office(key),
            Ok(WatchEvent::Progress(_)) | Err(_) => true,
        };
        Ok(Watch::new(events.filter(move |event| ready(seen(event)))))
    }
}

#[async_trait]
impl Transact for WithoutOffice {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        self.0.commit(checks, writes).await
    }
}

/// The store of a leader who was elected just now.
async fn fenced() -> WithoutOffice {
    let progress_every = Duration::from_millis(20);
    let store = MemoryStore::with_config(MemoryStoreConfig { progress_every, ..MemoryStoreConfig::default() });
    let entropy = Arc::new(SeededEntropy::new(1));
    let election = LeaderElection {
        client: Client::new(Arc::new(store.clone()), Arc::new(SystemClock), entropy.clone()),
        entropy,
        namespace: "system".to_owned(),
        name: "manager".to_owned(),
        identity: "leader".to_owned(),
        timing: ElectionTiming::default(),
    };
    let token = election.stand().expect("the names are names").elected().await;
    WithoutOffice(FencedStore::new(Arc::new(store), &token))
}

orch_testkit::store_suite!(fenced().await);
orch_testkit::transact_suite!(fenced().await);
