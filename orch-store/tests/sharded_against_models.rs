//! Whatever is done to a [`ShardedStore`], each of its shards answers as a model of its own, and what reaches into two of
//! them is refused and changes nothing.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, Node, Pod};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact as _, Continue, Expect, ListFrom, ListOptions, Store, StoreError, Transact, Value, Watch,
    WatchEvent, Write,
};
use orch_store::MemoryStore;
use orch_store::sharded::{Route, ShardedStore};
use orch_testkit::model::ModelStore;
use proptest::prelude::*;

const SHARDS: [&str; 3] = ["one", "two", "three"];

/// Kinds with and without namespaces, and namespaces of which one's name begins like another's.
const KEYS: [&str; 8] = [
    "leases.coordination.k8s.io/a/x",
    "leases.coordination.k8s.io/a-b/x",
    "leases.coordination.k8s.io/b/x",
    "nodes/a",
    "nodes/b",
    "pods/a/x",
    "pods/a/y",
    "pods/b/x",
];

fn prefixes() -> Vec<Prefix> {
    let within = |kind, namespace| Prefix::namespace(kind, namespace).expect("a valid prefix");
    let collections = [&Lease::KIND, &Pod::KIND, &Node::KIND].map(Prefix::collection);
    let namespaces = ["a", "a-b", "b"].map(|namespace| within(&Lease::KIND, namespace));
    let of_pods = ["a", "b"].map(|namespace| within(&Pod::KIND, namespace));
    [Prefix::all()].into_iter().chain(collections).chain(namespaces).chain(of_pods).collect()
}

/// What is done. Numbers choose among what there is when it is done.
#[derive(Clone, Debug)]
enum Operation {
    Write(WriteOperation),
    Commit(Vec<(usize, Expected)>, Vec<WriteOperation>),
    Get(usize),
    List(usize, Past, usize),
    NextPage(usize, usize),
    Watch(usize, Past),
    Read(usize),
    Compact(usize, Past),
}

#[derive(Clone, Debug)]
struct WriteOperation {
    key: usize,
    delete: bool,
    expected: Expected,
}

#[derive(Clone, Debug)]
enum Expected {
    /// What the object is in truth.
    Truth,
    Absent,
    At(Past),
}

/// A revision so many before the latest of a shard; below zero, after it.
#[derive(Clone, Debug)]
struct Past(i64);

fn past() -> impl Strategy<Value = Past> {
    prop_oneof![4 => 0..4_i64, 2 => 0..20_i64, 1 => -3..0_i64].prop_map(Past)
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![8 => Just(Expected::Truth), 1 => Just(Expected::Absent), 1 => past().prop_map(Expected::At)]
}

fn write() -> impl Strategy<Value = WriteOperation> {
    let delete = prop::bool::weighted(0.3);
    (0..KEYS.len(), delete, expected()).prop_map(|(key, delete, expected)| WriteOperation { key, delete, expected })
}

fn operation() -> impl Strategy<Value = Operation> {
    let checks = prop::collection::vec((0..KEYS.len(), expected()), 0..2);
    let prefix = 0..prefixes().len();
    prop_oneof![
        12 => write().prop_map(Operation::Write),
        4 => (checks, prop::collection::vec(write(), 0..3)).prop_map(|(checks, writes)| Operation::Commit(checks, writes)),
        2 => (0..KEYS.len()).prop_map(Operation::Get),
        4 => (prefix.clone(), past(), 0..3_usize).prop_map(|(prefix, past, limit)| Operation::List(prefix, past, limit)),
        3 => (0..9_usize, 0..3_usize).prop_map(|(page, limit)| Operation::NextPage(page, limit)),
        4 => (prefix, past()).prop_map(|(prefix, past)| Operation::Watch(prefix, past)),
        3 => (0..9_usize).prop_map(Operation::Read),
        1 => (0..SHARDS.len(), past()).prop_map(|(shard, past)| Operation::Compact(shard, past)),
    ]
}

/// The shard of each prefix that has a route; that of everything has one.
fn routes() -> impl Strategy<Value = Vec<Option<usize>>> {
    let others = prop::collection::vec(prop::option::weighted(0.4, 0..SHARDS.len()), prefixes().len() - 1);
    (0..SHARDS.len(), others).prop_map(|(all, others)| [Some(all)].into_iter().chain(others).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_shard_answers_as_a_model_of_its_own_and_nothing_reaches_into_two(
        routes in routes(),
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        orch_testkit::suite::run(Pair::new(&routes).play(operations));
    }
}

/// The store, a model for each of its shards, and what was begun.
struct Pair {
    store: ShardedStore<MemoryStore>,
    models: [ModelStore; 3],
    routes: Vec<(Prefix, usize)>,
    /// How often something was written, to tell values apart.
    turn: usize,
    pages: Vec<(Prefix, Continue)>,
    watches: Vec<Watched>,
}

/// A watch of the store, and what it told. The model needs none: its history says what must be told.
struct Watched {
    watch: Watch,
    shard: usize,
    prefix: Prefix,
    after: Revision,
    told: Vec<String>,
    /// Whether it was told that something was compacted before it came.
    overtaken: bool,
}

impl Pair {
    fn new(routes: &[Option<usize>]) -> Self {
        let routes: Vec<(Prefix, usize)> =
            prefixes().into_iter().zip(routes).filter_map(|(prefix, shard)| Some((prefix, (*shard)?))).collect();
        let shards = SHARDS.map(|name| (name, Arc::new(MemoryStore::new())));
        let of_store: Vec<Route> =
            routes.iter().map(|(prefix, shard)| Route::new(prefix.clone(), SHARDS[*shard])).collect();
        let store = ShardedStore::new(shards, &of_store).expect("the routes fit together");
        let (models, pages, watches) = (Default::default(), Vec::new(), Vec::new());
        Self { store, models, routes, turn: 0, pages, watches }
    }

    async fn play(mut self, operations: Vec<Operation>) {
        for operation in operations {
            self.step(operation).await;
        }
        for number in 0..self.watches.len() {
            self.read(number);
        }
        for (model, (name, shard)) in self.models.iter().zip(self.store.shards()) {
            let all =
                |store: &dyn Store| format!("{:?}", store.list(&Prefix::all(), ListOptions::default()).now_or_never());
            assert_eq!(all(&**shard), all(model), "the latest state of the shard {name}");
        }
        assert_eq!(self.store.misplaced().await.expect("a store in memory"), [], "S1: objects in a wrong shard");
    }

    async fn step(&mut self, operation: Operation) {
        match operation {
            Operation::Write(write) => match self.write(&write) {
                Write::Put { key, value, expect } => {
                    let model = self.models[self.home(&key)].put(&key, value.clone(), expect).await;
                    same(self.store.put(&key, value, expect).await, model);
                }
                Write::Delete { key, expect } => {
                    let model = self.models[self.home(&key)].delete(&key, expect).await;
                    same(self.store.delete(&key, expect).await, model);
                }
            },
            Operation::Commit(checks, writes) => self.commit(checks, &writes).await,
            Operation::Get(key) => {
                let key = key_of(key);
                same(self.store.get(&key).await, self.models[self.home(&key)].get(&key).await);
            }
            Operation::List(prefix, past, limit) => {
                let prefix = prefixes().swap_remove(prefix);
                let from = if past.0 == 0 { ListFrom::Latest } else { ListFrom::At(self.revision_of(&prefix, &past)) };
                self.list(prefix, from, limit).await;
            }
            Operation::NextPage(number, limit) if !self.pages.is_empty() => {
                let (prefix, next) = self.pages.remove(number % self.pages.len());
                self.list(prefix, ListFrom::Continue(next), limit).await;
            }
            Operation::Watch(prefix, past) => {
                let prefix = prefixes().swap_remove(prefix);
                let after = self.revision_of(&prefix, &past);
                self.watch(prefix, after).await;
            }
            Operation::Read(number) if !self.watches.is_empty() => self.read(number % self.watches.len()),
            Operation::NextPage(..) | Operation::Read(_) => {}
            Operation::Compact(shard, past) => {
                let revision = self.revision(shard, &past);
                let store = self.store.shard(SHARDS[shard]).expect("it is one of the shards");
                same(store.compact(revision).await, self.models[shard].compact(revision).await);
            }
        }
    }

    async fn commit(&mut self, checks: Vec<(usize, Expected)>, writes: &[WriteOperation]) {
        let checks = checks.into_iter().map(|(key, expected)| {
            let key = key_of(key);
            Check { expect: self.expect(&key, &expected), key }
        });
        let checks: Vec<Check> = checks.collect();
        let writes: Vec<Write> = writes.iter().map(|write| self.write(write)).collect();
        let keys = checks.iter().map(|check| &check.key).chain(writes.iter().map(Write::key));
        let mut reached: BTreeSet<usize> = keys.map(|key| self.home(key)).collect();
        if reached.is_empty() {
            reached = self.reached(&Prefix::all());
        }
        let done = self.store.commit(&checks, writes.clone()).await;
        match reached.first() {
            Some(shard) if reached.len() == 1 => same(done, self.models[*shard].commit(&checks, writes).await),
            _ => {
                let mut written = BTreeSet::new();
                match writes.iter().all(|write| written.insert(write.key())) {
                    true => assert_spans(done, &reached),
                    false => assert!(matches!(done, Err(StoreError::WrittenTwice { .. })), "{done:?}"),
                }
            }
        }
    }

    async fn list(&mut self, prefix: Prefix, from: ListFrom, limit: usize) {
        let options = ListOptions { limit: std::num::NonZeroUsize::new(limit), from };
        let page = self.store.list(&prefix, options.clone()).await;
        let Some(shard) = self.one(&prefix) else { return assert_spans(page, &self.reached(&prefix)) };
        let model = self.models[shard].list(&prefix, options).await;
        if let Some(next) = page.as_ref().ok().and_then(|page| page.next.clone()) {
            self.pages.push((prefix, next));
        }
        same(page, model);
    }

    async fn watch(&mut self, prefix: Prefix, after: Revision) {
        let watch = self.store.watch(&prefix, after).await;
        let Some(shard) = self.one(&prefix) else { return assert_spans(watch, &self.reached(&prefix)) };
        match (watch, self.models[shard].watch(&prefix, after).await) {
            (Ok(watch), Ok(_)) => {
                self.watches.push(Watched { watch, shard, prefix, after, told: Vec::new(), overtaken: false });
            }
            (watch, model) => same(watch, model),
        }
    }

    /// Reads all that a watch has to tell now, and compares it with what happened in its shard.
    fn read(&mut self, number: usize) {
        let watched = &mut self.watches[number];
        while let Some(Some(item)) = watched.watch.next().now_or_never() {
            match item {
                Ok(WatchEvent::Progress(_)) => {}
                Ok(event) => watched.told.push(format!("{event:?}")),
                Err(StoreError::Compacted { .. }) => watched.overtaken = true,
                Err(other) => panic!("a watch ended with {other}"),
            }
        }
        let Watched { shard, prefix, after, told, overtaken, .. } = watched;
        let history = self.models[*shard].history();
        let of_watch = history.iter().filter(|change| change.revision > *after && prefix.contains(&change.key));
        let expected: Vec<String> = of_watch.map(|change| format!("{:?}", change.to_event())).collect();
        let due = if *overtaken { told.len().min(expected.len()) } else { expected.len() };
        assert_eq!(*told, expected[..due], "the changes under {prefix} in the shard {}", SHARDS[*shard]);
    }

    fn write(&mut self, write: &WriteOperation) -> Write {
        let key = key_of(write.key);
        match (self.expect(&key, &write.expected), write.delete) {
            (Expect::Revision(expect), true) => Write::Delete { key, expect },
            (expect, _) => {
                self.turn += 1;
                let mut lease = Lease::default();
                lease.spec.holder_identity = Some(self.turn.to_string());
                Write::Put { key, value: Value::new(lease), expect }
            }
        }
    }

    fn expect(&self, key: &Key, expected: &Expected) -> Expect {
        let shard = self.home(key);
        match expected {
            Expected::Absent => Expect::Absent,
            Expected::At(past) => Expect::Revision(self.revision(shard, past)),
            Expected::Truth => {
                let there = self.models[shard].snapshot().remove(key);
                there.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision))
            }
        }
    }

    fn revision(&self, shard: usize, past: &Past) -> Revision {
        Revision(self.models[shard].revision().0.saturating_add_signed(-past.0))
    }

    fn revision_of(&self, prefix: &Prefix, past: &Past) -> Revision {
        self.revision(self.one(prefix).unwrap_or_default(), past)
    }

    /// The longest route that is for all of what begins with `text`.
    fn route_of(&self, text: &str) -> usize {
        let fitting = self.routes.iter().filter(|(prefix, _)| text.starts_with(prefix.as_str()));
        fitting.max_by_key(|(prefix, _)| prefix.as_str().len()).expect("everything has a route").1
    }

    fn home(&self, key: &Key) -> usize {
        self.route_of(key.as_str())
    }

    /// The shards of the routes under a prefix, and that of what has no route there.
    fn reached(&self, prefix: &Prefix) -> BTreeSet<usize> {
        let under = self.routes.iter().filter(|(route, _)| route.as_str().starts_with(prefix.as_str()));
        under.map(|(_, shard)| *shard).chain([self.route_of(prefix.as_str())]).collect()
    }

    fn one(&self, prefix: &Prefix) -> Option<usize> {
        let reached = self.reached(prefix);
        reached.first().copied().filter(|_| reached.len() == 1)
    }
}

/// What the store and the model of the shard answer must be the same, to the letter. Only how much more than it had to a
/// store has forgotten may differ.
fn same<T: Debug>(store: Result<T, StoreError>, model: Result<T, StoreError>) {
    if let (Err(StoreError::Compacted { .. }), Err(StoreError::Compacted { .. })) = (&store, &model) {
        return;
    }
    assert_eq!(format!("{store:?}"), format!("{model:?}"));
}

/// That a request was refused because of the shards that it reaches.
fn assert_spans<T: Debug>(result: Result<T, StoreError>, reached: &BTreeSet<usize>) {
    match result {
        Err(StoreError::SpansShards { shards, .. }) => {
            let names: Vec<&str> = reached.iter().map(|shard| SHARDS[*shard]).collect();
            assert_eq!(shards, names, "S2: the shards that are reached");
        }
        other => panic!("S2: what reaches into {reached:?} gave {other:?}"),
    }
}

fn key_of(number: usize) -> Key {
    KEYS[number].parse().expect("a valid key")
}
