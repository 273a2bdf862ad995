//! `ShardedStore` over real etcds: the suites, and two clusters of which one dies.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, Pod};
use orch_core::store::{Expect, ListOptions, Store as _, Value, WatchEvent};
use orch_store::etcd::{EtcdConfig, EtcdStore};
use orch_store::sharded::{Route, ShardedStore};
use orch_testkit::daemon::Etcd;

fn store_in(etcd: &Etcd) -> Arc<EtcdStore> {
    let timeout = Duration::from_secs(2);
    let config =
        EtcdConfig { endpoints: etcd.endpoints(), prefix: etcd.unique_prefix(), timeout, ..EtcdConfig::default() };
    Arc::new(EtcdStore::new(config).expect("the endpoints of an etcd that runs"))
}

/// Pods in the second shard, and everything else, of which the suites consist, in the first one.
fn sharded(main: Arc<EtcdStore>, pods: Arc<EtcdStore>) -> ShardedStore<EtcdStore> {
    let routes = [Route::new(Prefix::all(), "main"), Route::new(Prefix::collection(&Pod::KIND), "pods")];
    ShardedStore::new([("main", main), ("pods", pods)], &routes).expect("the routes fit together")
}

/// Two parts of the etcd that all clauses share.
async fn store() -> ShardedStore<EtcdStore> {
    let etcd = Etcd::shared().await;
    sharded(store_in(etcd), store_in(etcd))
}

orch_testkit::store_suite!(store().await);
orch_testkit::transact_suite!(store().await);
orch_testkit::claim_suite!(store().await);

fn key(text: &str) -> Key {
    text.parse().expect("a valid key")
}

fn value() -> Value {
    Value::new(Lease::default())
}

#[tokio::test]
async fn a_cluster_that_dies_takes_down_its_own_shard_only() {
    let (first, second) = tokio::join!(Etcd::start(), Etcd::start());
    let store = sharded(store_in(&first), store_in(&second));
    let pods = Prefix::collection(&Pod::KIND);
    let start = store.list(&pods, ListOptions::default()).await.expect("the second cluster runs").revision;
    let mut watch = store.watch(&pods, start).await.expect("the second cluster runs");
    first.kill();

    let refused = store.put(&key("services/shop/web"), value(), Expect::Absent).await.expect_err("its cluster is dead");
    assert!(refused.is_transient() && refused.to_string().contains("shard main: "), "{refused}");
    let made = store.put(&key("pods/shop/web"), value(), Expect::Absent).await.expect("its cluster runs");
    let told = loop {
        let event = watch.next().await.expect("a watch has no end").expect("its cluster runs");
        if let WatchEvent::Put { entry, .. } = event {
            break entry;
        }
    };
    assert_eq!((&told.key, told.revision), (&made.key, made.revision));

    first.restart().await;
    let made = store.put(&key("services/shop/db"), value(), Expect::Absent).await;
    made.expect("a shard is back when its cluster is");
}

#[tokio::test]
async fn objects_where_nobody_looks_for_them_are_found() {
    let etcd = Etcd::shared().await;
    let (main, pods) = (store_in(etcd), store_in(etcd));
    for text in ["nodes/n", "pods/a/one", "pods/a/two", "pods/b/one", "services/a/one"] {
        main.put(&key(text), value(), Expect::Absent).await.expect("nothing is there");
    }
    let store = sharded(Arc::clone(&main), Arc::clone(&pods));
    let misplaced = store.misplaced().await.expect("both answer");
    assert_eq!(misplaced.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["pods/a/one"]);
    for text in ["pods/a/one", "pods/a/two", "pods/b/one"] {
        let entry = main.get(&key(text)).await.expect("it answers").expect("it is there");
        pods.put(&entry.key, entry.value.clone(), Expect::Absent).await.expect("nothing is there");
        main.delete(&entry.key, entry.revision).await.expect("nobody changed it");
    }
    assert_eq!(store.misplaced().await.expect("both answer"), []);
    // The addresses of the two confused.
    let confused = sharded(pods, main).misplaced().await.expect("both answer");
    assert_eq!(
        confused.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(),
        ["pods/a/one", "nodes/n", "services/a/one"]
    );
}
