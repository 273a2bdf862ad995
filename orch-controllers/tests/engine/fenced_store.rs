//! The store of a leader is a store.

use std::sync::Arc;
use std::time::Duration;

use orch_controllers::engine::{ElectionTiming, FencedStore, LeaderElection};
use orch_core::client::Client;
use orch_core::clock::SystemClock;
use orch_core::entropy::SeededEntropy;
use orch_store::memory::{MemoryStore, MemoryStoreConfig};

/// The store of a leader who was elected just now.
async fn fenced() -> FencedStore {
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
    FencedStore::new(Arc::new(store), &token)
}

orch_testkit::store_suite!(fenced().await);
orch_testkit::transact_suite!(fenced().await);
