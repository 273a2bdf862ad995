//! Whatever is done to a [`MemoryStore`], it answers as the model does.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Claim as _, Claimed, Compact as _, Continue, Expect, ListFrom, ListOptions, Page, Store, StoreError,
    Transact as _, Value, Watch, WatchEvent, Write,
};
use orch_store::memory::{MemoryStore, MemoryStoreConfig};
use orch_testkit::model::ModelStore;
use proptest::prelude::*;

/// A few keys, so that operations meet; in namespaces of which one's name begins like another's.
const KEYS: [&str; 6] = ["a/x", "a/y", "a-b/x", "ab/x", "b/x", "b/x-y"];

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
    Drop(usize),
    Compact(Past),
    /// For so many seconds.
    Claim(usize, u64),
    Renew(usize),
    Release(usize),
    /// Lets so many seconds pass.
    Pass(u64),
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

/// A revision so many before the latest; below zero, after it.
#[derive(Clone, Debug)]
struct Past(i64);

fn past() -> impl Strategy<Value = Past> {
    prop_oneof![4 => 0..6_i64, 2 => 0..40_i64, 1 => -3..0_i64].prop_map(Past)
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![8 => Just(Expected::Truth), 1 => Just(Expected::Absent), 2 => past().prop_map(Expected::At)]
}

fn write() -> impl Strategy<Value = WriteOperation> {
    let delete = prop::bool::weighted(0.3);
    (0..KEYS.len(), delete, expected()).prop_map(|(key, delete, expected)| WriteOperation { key, delete, expected })
}

fn operation() -> impl Strategy<Value = Operation> {
    let checks = prop::collection::vec((0..KEYS.len(), expected()), 0..2);
    prop_oneof![
        12 => write().prop_map(Operation::Write),
        4 => (checks, prop::collection::vec(write(), 0..4)).prop_map(|(checks, writes)| Operation::Commit(checks, writes)),
        1 => (0..KEYS.len()).prop_map(Operation::Get),
        4 => (0..9_usize, past(), 0..4_usize).prop_map(|(prefix, past, limit)| Operation::List(prefix, past, limit)),
        4 => (0..9_usize, 0..4_usize).prop_map(|(page, limit)| Operation::NextPage(page, limit)),
        3 => (0..9_usize, past()).prop_map(|(prefix, past)| Operation::Watch(prefix, past)),
        4 => (0..9_usize).prop_map(Operation::Read),
        1 => (0..9_usize).prop_map(Operation::Drop),
        1 => past().prop_map(Operation::Compact),
        4 => (0..KEYS.len(), 0..6_u64).prop_map(|(key, seconds)| Operation::Claim(key, seconds)),
        2 => (0..9_usize).prop_map(Operation::Renew),
        1 => (0..9_usize).prop_map(Operation::Release),
        3 => (1..4_u64).prop_map(Operation::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_memory_store_with_all_its_history_answers_as_the_model(operations in prop::collection::vec(operation(), 1..60)) {
        run(Pair::new(1 << 16).play(operations));
    }

    #[test]
    fn a_memory_store_with_little_history_answers_as_the_model_or_says_that_it_forgot(
        history in 1..12_usize,
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        run(Pair::new(history).play(operations));
    }
}

/// Runs on a clock that goes only when told to.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("the operating system gives a runtime").block_on(test);
}

/// The two stores, and what was begun on them.
struct Pair {
    model: ModelStore,
    memory: MemoryStore,
    history: usize,
    /// How often something was written, to tell values apart.
    turn: usize,
    pages: Vec<(Prefix, Continue)>,
    watches: Vec<Watched>,
    /// The same claims of both.
    claims: Vec<(Claimed, Claimed)>,
    compacted: Revision,
}

/// A watch of the memory store, and what it told. The model needs none: its history says what must be told.
struct Watched {
    watch: Watch,
    prefix: Prefix,
    after: Revision,
    told: Vec<String>,
    ended: bool,
}

impl Pair {
    fn new(history: usize) -> Self {
        let history_limit = NonZeroUsize::new(history).expect("not zero");
        let config = MemoryStoreConfig { history: history_limit, ..MemoryStoreConfig::default() };
        let memory = MemoryStore::with_config(config);
        let (pages, watches, claims) = (Vec::new(), Vec::new(), Vec::new());
        let (model, compacted) = (ModelStore::default(), Revision::ZERO);
        Self { model, memory, history, turn: 0, pages, watches, claims, compacted }
    }

    async fn play(mut self, operations: Vec<Operation>) {
        for operation in operations {
            self.step(operation).await;
        }
        for number in 0..self.watches.len() {
            self.read(number);
        }
        let all =
            |store: &dyn Store| format!("{:?}", store.list(&Prefix::all(), ListOptions::default()).now_or_never());
        assert_eq!(all(&self.memory), all(&self.model), "the latest state");
    }

    async fn step(&mut self, operation: Operation) {
        match operation {
            Operation::Write(write) => match self.write(&write) {
                Write::Put { key, value, expect } => {
                    let memory = self.memory.put(&key, value.clone(), expect).await;
                    self.same(memory, self.model.put(&key, value, expect).await);
                }
                Write::Delete { key, expect } => {
                    self.same(self.memory.delete(&key, expect).await, self.model.delete(&key, expect).await);
                }
            },
            Operation::Commit(checks, writes) => {
                let checks = checks.into_iter().map(|(key, expected)| {
                    let key = key_of(key);
                    Check { expect: self.expect(&key, &expected), key }
                });
                let checks: Vec<Check> = checks.collect();
                let writes: Vec<Write> = writes.iter().map(|write| self.write(write)).collect();
                let memory = self.memory.commit(&checks, writes.clone()).await;
                self.same(memory, self.model.commit(&checks, writes).await);
            }
            Operation::Get(key) => {
                let key = key_of(key);
                self.same(self.memory.get(&key).await, self.model.get(&key).await);
            }
            Operation::List(prefix, past, limit) => {
                let from = if past.0 == 0 { ListFrom::Latest } else { ListFrom::At(self.revision(&past)) };
                self.list(prefix_of(prefix), from, limit).await;
            }
            Operation::NextPage(number, limit) if !self.pages.is_empty() => {
                let (prefix, next) = self.pages.remove(number % self.pages.len());
                self.list(prefix, ListFrom::Continue(next), limit).await;
            }
            Operation::Watch(prefix, past) => self.watch(prefix_of(prefix), self.revision(&past)).await,
            Operation::Read(number) if !self.watches.is_empty() => self.read(number % self.watches.len()),
            Operation::Drop(number) if !self.watches.is_empty() => {
                drop(self.watches.remove(number % self.watches.len()));
            }
            Operation::Renew(number) if !self.claims.is_empty() => {
                let (memory, model) = &self.claims[number % self.claims.len()];
                self.same(self.memory.renew(memory).await, self.model.renew(model).await);
            }
            Operation::Release(number) if !self.claims.is_empty() => {
                let (memory, model) = &self.claims[number % self.claims.len()];
                self.same(self.memory.release(memory).await, self.model.release(model).await);
            }
            Operation::NextPage(..)
            | Operation::Read(_)
            | Operation::Drop(_)
            | Operation::Renew(_)
            | Operation::Release(_) => {}
            Operation::Claim(key, seconds) => self.claim(key_of(key), Duration::from_secs(seconds)).await,
            Operation::Pass(seconds) => self.pass(seconds).await,
            Operation::Compact(past) => {
                let revision = self.revision(&past);
                let result = self.model.compact(revision).await;
                if result.is_ok() {
                    self.compacted = self.compacted.max(revision);
                }
                self.same(self.memory.compact(revision).await, result);
            }
        }
    }

    async fn claim(&mut self, key: Key, ttl: Duration) {
        self.turn += 1;
        let value = lease(self.turn);
        let memory = self.memory.claim(&key, value.clone(), ttl).await;
        let model = self.model.claim(&key, value, ttl).await;
        if let (Ok(memory), Ok(model)) = (&memory, &model) {
            self.claims.push((memory.clone(), model.clone()));
        }
        self.same(memory, model);
    }

    /// Each second is noticed, by whatever uses a store: so what ends at different times ends in this order in both.
    async fn pass(&mut self, seconds: u64) {
        for second in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            if second % 2 == 0 {
                (0..self.watches.len()).for_each(|number| self.read(number));
            }
            let key = key_of(0);
            self.same(self.memory.get(&key).await, self.model.get(&key).await);
        }
    }

    /// What both answer must be the same, to the letter.
    fn same<T: std::fmt::Debug>(&self, memory: Result<T, StoreError>, model: Result<T, StoreError>) {
        assert_eq!(format!("{memory:?}"), format!("{model:?}"));
    }

    /// Whether the memory store may have forgotten the changes of a revision, because there were enough since.
    fn may_have_forgotten(&self, revision: Revision) -> bool {
        self.model.history().iter().filter(|change| change.revision >= revision).count() > self.history
    }

    async fn list(&mut self, prefix: Prefix, from: ListFrom, limit: usize) {
        let options = ListOptions { limit: NonZeroUsize::new(limit), from };
        let memory = self.memory.list(&prefix, options.clone()).await;
        let model: Result<Page, StoreError> = self.model.list(&prefix, options).await;
        if let (Err(StoreError::Compacted { requested, .. }), Ok(_)) = (&memory, &model) {
            assert!(self.may_have_forgotten(*requested), "revision {requested} was forgotten too early");
            return;
        }
        if let (Err(StoreError::Compacted { .. }), Err(StoreError::Compacted { .. })) = (&memory, &model) {
            return;
        }
        if let Ok(Page { next: Some(next), .. }) = &memory {
            self.pages.push((prefix, next.clone()));
        }
        self.same(memory, model);
    }

    async fn watch(&mut self, prefix: Prefix, after: Revision) {
        let memory = self.memory.watch(&prefix, after).await;
        match (memory, self.model.watch(&prefix, after).await) {
            (Ok(watch), Ok(_)) => {
                self.watches.push(Watched { watch, prefix, after, told: Vec::new(), ended: false });
            }
            (Err(StoreError::Compacted { .. }), Ok(_)) => {
                assert!(self.may_have_forgotten(after.next()), "what comes after {after} was forgotten too early");
            }
            (Err(StoreError::Compacted { .. }), Err(StoreError::Compacted { .. })) => {}
            (memory, model) => self.same(memory, model),
        }
    }

    /// Reads all that a watch has to tell now, and compares it with what happened.
    fn read(&mut self, number: usize) {
        let watched = &mut self.watches[number];
        while let Some(item) = watched.watch.next().now_or_never() {
            match item {
                Some(Ok(WatchEvent::Progress(_))) => {}
                Some(Ok(event)) => watched.told.push(format!("{event:?}")),
                Some(Err(StoreError::Compacted { .. })) => watched.ended = true,
                Some(Err(other)) => panic!("a watch ended with {other}"),
                None => {
                    assert!(watched.ended, "E7: a watch ended without a word");
                    break;
                }
            }
        }
        let watched = &self.watches[number];
        let history = self.model.history();
        let of_watch =
            history.iter().filter(|change| change.revision > watched.after && watched.prefix.contains(&change.key));
        let expected: Vec<_> = of_watch.collect();
        let texts: Vec<String> = expected.iter().map(|change| format!("{:?}", change.to_event())).collect();
        assert_eq!(watched.told, texts[..watched.told.len().min(texts.len())], "the changes under {}", watched.prefix);
        match expected.get(watched.told.len()) {
            None => {}
            Some(missing) => {
                assert!(watched.ended, "E4: a watch did not tell of {missing:?}");
                let compacted = missing.revision < self.compacted;
                let forgotten = self.may_have_forgotten(missing.revision);
                assert!(compacted || forgotten, "E7: a watch ended, though {missing:?} is kept");
            }
        }
    }

    fn write(&mut self, write: &WriteOperation) -> Write {
        let key = key_of(write.key);
        match (self.expect(&key, &write.expected), write.delete) {
            (Expect::Revision(expect), true) => Write::Delete { key, expect },
            (expect, _) => {
                self.turn += 1;
                Write::Put { key, value: lease(self.turn), expect }
            }
        }
    }

    fn expect(&self, key: &Key, expected: &Expected) -> Expect {
        match expected {
            Expected::Absent => Expect::Absent,
            Expected::At(past) => Expect::Revision(self.revision(past)),
            Expected::Truth => {
                self.model.snapshot().get(key).map_or(Expect::Absent, |entry| Expect::Revision(entry.revision))
            }
        }
    }

    fn revision(&self, past: &Past) -> Revision {
        Revision(self.model.revision().0.saturating_add_signed(-past.0))
    }
}

fn lease(turn: usize) -> Value {
    let mut lease = Lease::default();
    lease.spec.holder_identity = Some(turn.to_string());
    Value::new(lease)
}

fn key_of(number: usize) -> Key {
    let text = format!("{}/{}", Lease::KIND.collection, KEYS[number]);
    text.parse().expect("a valid key")
}

fn prefix_of(number: usize) -> Prefix {
    let namespaces = ["a", "a-b", "ab", "b"];
    match namespaces.get(number) {
        Some(namespace) => Prefix::namespace(&Lease::KIND, namespace).expect("a valid prefix"),
        None if number.is_multiple_of(2) => Prefix::collection(&Lease::KIND),
        None => Prefix::all(),
    }
}
