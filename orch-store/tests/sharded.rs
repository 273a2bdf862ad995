//! What a [`ShardedStore`] promises across its shards, and what it does not let happen there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::{Kind, Object};
use orch_core::object::{Event, Lease, Namespace, Node, Pod, Service};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Claim, Compact as _, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch,
    WatchEvent, Write,
};
use orch_store::MemoryStore;
use orch_store::sharded::{Route, ShardedStore};
use orch_testkit::history::workload::Workload;
use orch_testkit::history::{DistantStore, check};
use orch_testkit::model::ModelStore;
use orch_testkit::suite::store::shards as clauses;

fn all_of(kind: &Kind) -> Prefix {
    Prefix::collection(kind)
}

fn within(kind: &Kind, namespace: &str) -> Prefix {
    Prefix::namespace(kind, namespace).expect("a valid prefix")
}

fn key(text: &str) -> Key {
    text.parse().expect("a valid key")
}

fn value() -> Value {
    Value::new(Lease::default())
}

fn sharded<S: Store>(new: impl Fn() -> S, routes: &[(Prefix, &str)]) -> ShardedStore<S> {
    let shards = ["main", "pods", "shop"].map(|name| (name, Arc::new(new())));
    let routes: Vec<Route> = routes.iter().map(|(prefix, shard)| Route::new(prefix.clone(), *shard)).collect();
    ShardedStore::new(shards, &routes).expect("the routes fit together")
}

/// Pods in a shard of their own, those of the namespace `shop` in another one.
fn cut<S: Store>(new: impl Fn() -> S) -> ShardedStore<S> {
    let routes = [(Prefix::all(), "main"), (all_of(&Pod::KIND), "pods"), (within(&Pod::KIND, "shop"), "shop")];
    sharded(new, &routes)
}

/// The shards in which something was written, and how often.
fn writes(store: &ShardedStore<ModelStore>) -> Vec<(&str, usize)> {
    store.shards().map(|(name, shard)| (name, shard.history().len())).collect()
}

fn spans<T: std::fmt::Debug>(result: Result<T, StoreError>) -> (String, Vec<String>) {
    match result {
        Err(StoreError::SpansShards { request, shards }) => (request, shards),
        other => panic!("S2: a request into two shards gave {other:?}"),
    }
}

#[tokio::test]
async fn an_object_is_in_the_shard_of_its_collection_and_namespace() {
    let store = cut(ModelStore::default);
    for (text, home) in
        [("nodes/shop", "main"), ("pods/depot/web", "pods"), ("pods/shop/web", "shop"), ("services/shop/web", "main")]
    {
        let key = key(text);
        assert_eq!(store.home(&key), home);
        let written = store.put(&key, value(), Expect::Absent).await.expect("there is none");
        let there = store.shard(home).expect("a shard").get(&key).await.expect("a model");
        assert_eq!(there.map(|entry| entry.revision), Some(written.revision), "{key} is not in {home}");
        assert_eq!(store.get(&key).await.expect("a model").map(|entry| entry.revision), Some(written.revision));
    }
    assert_eq!(writes(&store), [("main", 2), ("pods", 1), ("shop", 1)]);
    store.delete(&key("pods/shop/web"), Revision(1)).await.expect("it is there, as the first of its shard");
    assert_eq!(writes(&store), [("main", 2), ("pods", 1), ("shop", 2)]);
}

#[tokio::test]
async fn what_reaches_into_two_shards_is_refused_and_nothing_of_it_happens() {
    let store = cut(ModelStore::default);
    let list = |prefix: Prefix| {
        let store = &store;
        async move { spans(store.list(&prefix, ListOptions::default()).await) }
    };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let (request, shards) = list(all_of(&Pod::KIND)).await;
    assert_eq!((&*request, shards), ("a listing of pods/*", names(&["pods", "shop"])));
    assert_eq!(list(Prefix::all()).await.1, names(&["main", "pods", "shop"]));
    let (request, shards) = spans(store.watch(&all_of(&Pod::KIND), Revision::ZERO).await);
    assert_eq!((&*request, shards), ("a watch of pods/*", names(&["pods", "shop"])));

    let put = |text: &str| Write::Put { key: key(text), value: value(), expect: Expect::Absent };
    let check = Check { key: key("leases/system/fence"), expect: Expect::Absent };
    let fenced = spans(store.commit(std::slice::from_ref(&check), vec![put("pods/shop/web")]).await);
    assert_eq!(fenced, ("a transaction over leases/system/fence, pods/shop/web".to_owned(), names(&["main", "shop"])));
    spans(store.commit(&[], vec![put("pods/shop/web"), put("pods/depot/web")]).await);
    spans(store.commit(&[], Vec::new()).await);
    let twice = store.commit(&[check], vec![put("pods/shop/web"), put("pods/shop/web")]).await;
    assert!(matches!(twice, Err(StoreError::WrittenTwice { .. })), "T1: whatever else does not hold, not {twice:?}");
    assert_eq!(writes(&store), [("main", 0), ("pods", 0), ("shop", 0)], "S2: what was refused happened");

    let services = store.list(&all_of(&Service::KIND), ListOptions::default()).await;
    services.expect("what is in one shard is served");
    store.list(&within(&Pod::KIND, "shop"), ListOptions::default()).await.expect("a namespace is in one shard");
    let together = store.commit(&[], vec![put("pods/shop/web"), put("pods/shop/db")]).await;
    assert_eq!(together.expect("both are in one shard"), Revision(1));
}

#[test]
fn the_clauses_of_shards_hold_where_leases_and_namespaces_are_apart() {
    let apart = || sharded(ModelStore::default, &[(Prefix::all(), "main"), (all_of(&Namespace::KIND), "shop")]);
    orch_testkit::suite::run(async {
        clauses::a_listing_of_everything_is_whole_or_refused(apart()).await;
        clauses::a_watch_of_everything_is_whole_or_refused(apart()).await;
        clauses::a_transaction_of_several_kinds_is_whole_or_refused(apart()).await;
        clauses::a_check_of_another_kind_decides_or_is_refused(apart()).await;
    });
}

#[tokio::test]
async fn everything_is_served_where_all_routes_lead_to_one_shard() {
    let store = sharded(ModelStore::default, &[(Prefix::all(), "pods"), (all_of(&Pod::KIND), "pods")]);
    let made = store.put(&key("pods/shop/web"), value(), Expect::Absent).await.expect("there is none");
    let listed = store.list(&Prefix::all(), ListOptions::default()).await.expect("one shard is reached");
    assert_eq!((listed.entries.len(), listed.revision), (1, made.revision));
    assert_eq!(store.commit(&[], Vec::new()).await.expect("one shard is reached"), made.revision);
}

/// Many clients do anything at the same time, on a store that cuts through what they do it to.
#[tokio::test(start_paused = true)]
async fn each_shard_has_one_order_of_writes_that_explains_what_its_clients_saw() {
    let parts = [
        ("a", within(&Lease::KIND, "a")),
        ("a-b", within(&Lease::KIND, "a-b")),
        ("b", within(&Lease::KIND, "b")),
        ("namespaces", all_of(&Namespace::KIND)),
    ];
    let routes: Vec<Route> = parts.iter().map(|(name, prefix)| Route::new(prefix.clone(), *name)).collect();
    let routes = [routes, vec![Route::new(Prefix::all(), "a")]].concat();
    for seed in 0..8 {
        let shards = parts.each_ref().map(|(name, _)| (*name, Arc::new(MemoryStore::new())));
        let store = ShardedStore::new(shards, &routes).expect("the routes fit together");
        let workload = Workload::new(seed).operations(600).with_transactions();
        let history = workload.run(DistantStore::new(store, seed)).await;
        for (_, part) in &parts {
            let checked = check(&history.clone().restricted_to(part)).expect_kept();
            assert!(checked.writes > 5 && checked.operations > 20, "{part}: {checked:?}");
        }
    }
}

#[tokio::test]
async fn a_claim_lives_in_the_shard_of_its_key() {
    let store = cut(ModelStore::default);
    let minute = std::time::Duration::from_secs(60);
    let claimed = store.claim(&key("pods/shop/office"), value(), minute).await.expect("nobody has it");
    assert_eq!(writes(&store), [("main", 0), ("pods", 0), ("shop", 1)]);
    store.renew(&claimed).await.expect("it has not ended");
    let check = claimed.check();
    let write = Write::Put { key: key("pods/shop/web"), value: value(), expect: Expect::Absent };
    store.commit(std::slice::from_ref(&check), vec![write]).await.expect("what it fences is in its shard");
    let write = Write::Put { key: key("pods/depot/web"), value: value(), expect: Expect::Absent };
    spans(store.commit(&[check], vec![write]).await);
    store.release(&claimed).await.expect("it has not ended");
}

#[tokio::test]
async fn each_shard_counts_and_forgets_by_itself() {
    let store = cut(MemoryStore::new);
    let mut latest = Revision::ZERO;
    for number in 0..10 {
        let made = store.put(&key(&format!("pods/depot/n{number}")), value(), Expect::Absent).await;
        latest = made.expect("there is none").revision;
    }
    let in_shop = store.put(&key("pods/shop/web"), value(), Expect::Absent).await.expect("there is none");
    assert!(in_shop.revision < latest, "a shard went on counting where another one is");
    let foreign = store.watch(&within(&Pod::KIND, "shop"), latest).await;
    assert!(matches!(foreign, Err(StoreError::FutureRevision { .. })), "R3: a revision of another shard: {foreign:?}");
    store.shard("pods").expect("a shard").compact(latest).await.expect("it has that revision");
    let forgotten = store.watch(&within(&Pod::KIND, "depot"), Revision::ZERO).await;
    assert!(matches!(forgotten, Err(StoreError::Compacted { .. })), "C1: {forgotten:?}");
    store.watch(&within(&Pod::KIND, "shop"), Revision::ZERO).await.expect("another shard keeps its history");
}

#[tokio::test]
async fn a_shard_that_is_away_disturbs_no_other() {
    let store = cut(Intermittent::default);
    let mut watch = store.watch(&within(&Pod::KIND, "depot"), Revision::ZERO).await.expect("the shard is there");
    let mut lost = store.watch(&within(&Pod::KIND, "shop"), Revision::ZERO).await.expect("the shard is there");
    store.shard("shop").expect("a shard").away.store(true, Ordering::Relaxed);

    let refused = store.put(&key("pods/shop/web"), value(), Expect::Absent).await.expect_err("its shard is away");
    assert!(refused.is_transient() && !refused.outcome_is_unknown(), "{refused}");
    assert_eq!(refused.to_string(), "the store is unavailable: shard shop: nobody answers");
    let item = lost.next().await.expect("E7: a watch says why it ends").expect_err("its shard is away");
    assert_eq!(item.to_string(), "the store is unavailable: shard shop: nobody answers");
    assert!(lost.next().await.is_none(), "E7: the error is the last item");

    let made = store.put(&key("pods/depot/web"), value(), Expect::Absent).await.expect("its shard is there");
    let told = watch.next().await.expect("a watch has no end").expect("its shard is there");
    assert!(matches!(told, WatchEvent::Put { entry, .. } if entry.revision == made.revision));
    store.list(&all_of(&Node::KIND), ListOptions::default()).await.expect("its shard is there");
}

#[tokio::test]
async fn objects_where_nobody_looks_for_them_are_found() {
    let (main, events) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let store = |routes: &[(Prefix, &str)]| {
        let shards = [("main", Arc::clone(&main)), ("events", Arc::clone(&events))];
        let routes: Vec<Route> = routes.iter().map(|(prefix, shard)| Route::new(prefix.clone(), *shard)).collect();
        ShardedStore::new(shards, &routes).expect("the routes fit together")
    };
    let before = store(&[(Prefix::all(), "main")]);
    for text in ["events/a/one", "events/a/two", "events/b/one", "events.other/a/one", "nodes/n", "pods/a/x"] {
        before.put(&key(text), value(), Expect::Absent).await.expect("there is none");
    }
    assert_eq!(before.misplaced().await.expect("both answer"), []);

    let by_kind = store(&[(Prefix::all(), "main"), (all_of(&Event::KIND), "events")]);
    let misplaced = by_kind.misplaced().await.expect("both answer");
    assert_eq!(misplaced.len(), 1, "{misplaced:?}");
    assert_eq!(
        misplaced[0].to_string(),
        "events/a/one is in the shard main and is looked for in events: move it there, or change its route"
    );
    let by_namespace = store(&[(Prefix::all(), "main"), (within(&Event::KIND, "b"), "events")]);
    let keys: Vec<Key> = by_namespace.misplaced().await.expect("both answer").into_iter().map(|it| it.key).collect();
    assert_eq!(keys, [key("events/b/one")]);

    for text in ["events/a/one", "events/a/two", "events/b/one"] {
        let entry = main.get(&key(text)).await.expect("it answers").expect("it is there");
        events.put(&entry.key, entry.value.clone(), Expect::Absent).await.expect("there is none");
        main.delete(&entry.key, entry.revision).await.expect("nobody changed it");
    }
    assert_eq!(by_kind.misplaced().await.expect("both answer"), [], "all was moved");
    let back = before.misplaced().await.expect("both answer");
    assert_eq!((back.len(), &*back[0].found_in, &*back[0].home), (1, "events", "main"), "a route was taken away");
}

/// The model, and nothing while it is away.
#[derive(Debug, Default)]
struct Intermittent {
    model: ModelStore,
    away: Arc<AtomicBool>,
}

impl Intermittent {
    fn reach(&self) -> Result<&ModelStore, StoreError> {
        if self.away.load(Ordering::Relaxed) { Err(nobody_answers()) } else { Ok(&self.model) }
    }
}

fn nobody_answers() -> StoreError {
    StoreError::Unavailable { message: "nobody answers".to_owned(), outcome_is_unknown: false, source: None }
}

#[async_trait]
impl Store for Intermittent {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.reach()?.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.reach()?.list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.reach()?.put(key, value, expect).await
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.reach()?.delete(key, expect).await
    }

    /// Once the store is away, the watch's next item is that, and its last.
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let (watch, away) = (self.reach()?.watch(prefix, after).await?, Arc::clone(&self.away));
        Ok(Watch::new(futures::stream::unfold(Some(watch), move |watch| {
            let away = Arc::clone(&away);
            async move {
                let mut watch = watch?;
                if away.load(Ordering::Relaxed) {
                    return Some((Err(nobody_answers()), None));
                }
                let item = watch.next().await?;
                Some((item, Some(watch)))
            }
        })))
    }
}
