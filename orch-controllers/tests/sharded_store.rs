//! Controllers and leaders on a store that keeps kinds in shards of their own.

use std::sync::Arc;
use std::time::Duration;

use orch_controllers::deployment::DeploymentController;
use orch_controllers::engine::{Candidacy, ElectionTiming, Engine, FencedStore, LeaderElection};
use orch_controllers::garbage::GarbageController;
use orch_controllers::namespace::NamespaceController;
use orch_controllers::replica_set::ReplicaSetController;
use orch_core::client::{Client, Grace};
use orch_core::clock::SystemClock;
use orch_core::encoding::from_yaml;
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Deployment, Event, Namespace, Pod, ReplicaSet};
use orch_core::store::{Expect, Store, StoreError, StoreExt as _, Value};
use orch_store::sharded::{Route, ShardedStore};
use orch_testkit::model::ModelStore;

const WEB: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {
    replicas: 3, selector: {matchLabels: {app: web}}, template: {
        metadata: {labels: {app: web}}, spec: {containers: [{name: web, command: [web]}]}}}}";

/// ReplicaSets, pods and events in shards of their own, each at another place of its history.
async fn store() -> Arc<ShardedStore<ModelStore>> {
    let names = ["main", "replica-sets", "pods", "events"];
    let shards = names.map(|name| (name, Arc::new(ModelStore::default())));
    let routes = [
        Route::new(Prefix::all(), "main"),
        Route::new(Prefix::collection(&ReplicaSet::KIND), "replica-sets"),
        Route::new(Prefix::collection(&Pod::KIND), "pods"),
        Route::new(Prefix::collection(&Event::KIND), "events"),
    ];
    let before: Key = "elsewhere/before".parse().expect("a key");
    for (writes, (_, shard)) in [0, 1_000, 100, 10].into_iter().zip(&shards) {
        for _ in 0..writes {
            let made =
                shard.put(&before, Value::new(Namespace::default()), Expect::Absent).await.expect("nothing is there");
            shard.delete(&before, made.revision).await.expect("it is there");
        }
    }
    Arc::new(ShardedStore::new(shards, &routes).expect("the routes fit together"))
}

fn client(store: Arc<dyn Store>) -> Client {
    Client::new(store, Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)))
}

fn candidate(store: &Arc<ShardedStore<ModelStore>>, identity: &str) -> Candidacy {
    let election = LeaderElection {
        client: client(store.clone()),
        entropy: Arc::new(SeededEntropy::new(1)),
        namespace: "system".to_owned(),
        name: "manager".to_owned(),
        identity: identity.to_owned(),
        timing: ElectionTiming::default(),
    };
    election.stand().expect("the names are names")
}

async fn count<T: orch_core::kind::Object>(store: &dyn Store) -> usize {
    store.list_as::<T>(&Prefix::collection(&T::KIND)).await.expect("a collection is in one shard").0.len()
}

/// Lets everybody do all that can be done within a minute, in which a controller that waits for what never comes would
/// have given nothing.
async fn pass() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn controllers_need_no_revision_that_kinds_have_in_common() {
    let store = store().await;
    let client = client(store.clone());
    let engine = Engine::builder(client.clone())
        .entropy(Arc::new(SeededEntropy::new(2)))
        .controller(Arc::new(DeploymentController))
        .controller(Arc::new(ReplicaSetController))
        .controller(Arc::new(GarbageController::new(store.clone())))
        .controller(Arc::new(NamespaceController::new(store.clone())))
        .start()
        .expect("the controllers fit together");
    client
        .create(
            from_yaml::<Namespace>("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}").expect("a namespace"),
        )
        .await
        .expect("it is new");
    let web = client.create(from_yaml::<Deployment>(WEB).expect("a deployment")).await.expect("it is new");
    pass().await;
    assert_eq!((count::<ReplicaSet>(&*store).await, count::<Pod>(&*store).await), (1, 3));

    let web = store.get_as::<Deployment>(&web.key().expect("a key")).await.expect("a model").expect("it is there");
    client.delete(&*web, Grace::Now).await.expect("nobody changes it");
    pass().await;
    assert_eq!(count::<ReplicaSet>(&*store).await, 0, "garbage in another shard");

    client.create(from_yaml::<Deployment>(WEB).expect("a deployment")).await.expect("it is new");
    let shop: Key = "namespaces/shop".parse().expect("a key");
    let shop = store.get_as::<Namespace>(&shop).await.expect("a model").expect("it is there");
    client.delete(&*shop, Grace::Now).await.expect("nobody changes it");
    pass().await;
    let left =
        (count::<Namespace>(&*store).await, count::<Deployment>(&*store).await, count::<ReplicaSet>(&*store).await);
    assert_eq!(left, (0, 0, 0), "what was in a namespace that is deleted");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_cannot_write_where_its_fence_guards_nothing() {
    let store = store().await;
    let leader = candidate(&store, "leader");
    let fenced = FencedStore::new(store.clone(), &leader.elected().await);
    let fenced = fenced.unfenced(Prefix::collection(&Event::KIND));
    let put = async |key: &str| {
        let key: Key = key.parse().expect("a key");
        fenced.put(&key, Value::new(Namespace::default()), Expect::Absent).await
    };
    put("services/shop/web").await.expect("it is in the shard of the fence");
    put("events/shop/web").await.expect("it needs no fence");
    let refused = put("pods/shop/web").await.expect_err("it is in another shard than the fence");
    assert!(!refused.is_transient(), "trying again does not help");
    assert_eq!(
        refused.to_string(),
        "a transaction over leases.coordination.k8s.io/system/manager-fence, pods/shop/web, the first of which is the \
         leader's fence, reaches into the shards main and pods, which have no revision in common: make a request for \
         each, or route all of it to one shard"
    );
    assert_eq!(count::<Pod>(&*store).await, 0, "a write that no fence guards happened");

    leader.resign().await;
    let successor = candidate(&store, "successor");
    successor.elected().await;
    let late = put("services/shop/late").await.expect_err("another one leads");
    assert!(matches!(late, StoreError::Fenced { .. }), "{late}");
    put("events/shop/late").await.expect("it needs no fence");
}
