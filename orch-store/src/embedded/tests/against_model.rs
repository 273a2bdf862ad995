//! Whatever is done to a store in files, opened again every now and then, it answers as the model does; and nobody can see
//! that it was opened again.

use std::num::NonZeroUsize;
use std::sync::Arc;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact as _, Expect, ListFrom, ListOptions, Page, Store as _, StoreError, Transact as _, Write,
};
use orch_testkit::model::ModelStore;
use orch_testkit::suite;
use proptest::prelude::*;

use super::simulated_disk::SimulatedDisk;
use super::{Objects, config, describe, key, lease};
use crate::embedded::EmbeddedStoreConfig;
use crate::embedded::handle::Handle;
use crate::embedded::log::Durability;

const KEYS: usize = 5;

/// What is done. Revisions count back from the latest, or forward if negative.
#[derive(Clone, Debug)]
enum Operation {
    Commit { checks: Vec<(usize, Expected)>, writes: Vec<(usize, bool, Expected)> },
    Compact(i64),
    Reopen,
}

#[derive(Clone, Debug)]
enum Expected {
    Truth,
    Absent,
    Past(i64),
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![8 => Just(Expected::Truth), 1 => Just(Expected::Absent), 1 => (-2..8_i64).prop_map(Expected::Past)]
}

fn operation() -> impl Strategy<Value = Operation> {
    let checks = prop::collection::vec((0..KEYS, expected()), 0..2);
    let writes = prop::collection::vec((0..KEYS, prop::bool::weighted(0.3), expected()), 0..4);
    prop_oneof![
        12 => (checks, writes).prop_map(|(checks, writes)| Operation::Commit { checks, writes }),
        1 => (-1..12_i64).prop_map(Operation::Compact),
        2 => Just(Operation::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_files_answers_as_the_model_and_nobody_sees_that_it_was_opened_again(
        history in prop_oneof![Just(1_usize << 16), 1..12_usize],
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        suite::run(Pair::new(history).play(operations));
    }
}

/// The two stores.
struct Pair {
    disk: SimulatedDisk,
    config: EmbeddedStoreConfig,
    handle: Handle,
    model: ModelStore,
    /// How often something was written, to tell values apart.
    turn: usize,
}

impl Pair {
    fn new(history: usize) -> Self {
        let config = EmbeddedStoreConfig { history: NonZeroUsize::new(history).expect("not zero"), ..config() };
        let disk = SimulatedDisk::default();
        let handle = open(&disk, &config);
        Self { disk, config, handle, model: ModelStore::default(), turn: 0 }
    }

    async fn play(mut self, operations: Vec<Operation>) {
        for operation in operations.into_iter().chain([Operation::Reopen]) {
            match operation {
                Operation::Commit { checks, writes } => {
                    let checks = checks.iter().map(|(number, expected)| Check {
                        key: key_of(*number),
                        expect: self.expect(&key_of(*number), expected),
                    });
                    let checks: Vec<Check> = checks.collect();
                    let writes: Vec<Write> = writes.iter().map(|write| self.write(write)).collect();
                    let answer = self.handle.commit(&checks, writes.clone()).await;
                    same(&answer, &self.model.commit(&checks, writes).await);
                }
                Operation::Compact(past) => {
                    let answer = self.handle.compact(self.revision(past)).await;
                    same(&answer, &self.model.compact(self.revision(past)).await);
                }
                Operation::Reopen => self = self.reopen().await,
            }
            for number in 0..KEYS {
                let found = self.handle.get(&key_of(number)).expect("an open store").map(|entry| describe(&entry));
                let model = self.model.get(&key_of(number)).await.expect("a model");
                assert_eq!(found, model.map(|entry| describe(&entry)), "{}", key_of(number));
            }
        }
        self.handle.close().await;
    }

    async fn reopen(self) -> Self {
        let before = self.past();
        for (at, listed) in before.iter().enumerate() {
            if let Ok(objects) = listed {
                let revision = Revision(at as u64);
                let model = self.model.snapshot_at(revision);
                let model: Objects = model.iter().map(|(key, entry)| (key.clone(), describe(entry))).collect();
                assert_eq!(objects, &model, "the state at {revision}");
            }
        }
        self.handle.close().await;
        let again = Self { handle: open(&self.disk, &self.config), ..self };
        assert_eq!(again.past(), before, "the past changed when the store was opened again");
        again
    }

    /// What the store tells of every revision that there was, and the next one.
    fn past(&self) -> Vec<Result<Objects, String>> {
        let list = |at| {
            let options = ListOptions { from: ListFrom::At(Revision(at)), ..ListOptions::default() };
            let page = self.handle.list(&Prefix::all(), &options);
            page.map(|page: Page| page.entries.iter().map(|entry| (entry.key.clone(), describe(entry))).collect())
        };
        (0..=self.model.revision().0 + 1).map(|at| list(at).map_err(|error: StoreError| error.to_string())).collect()
    }

    fn write(&mut self, (number, is_deletion, expected): &(usize, bool, Expected)) -> Write {
        let key = key_of(*number);
        match (self.expect(&key, expected), is_deletion) {
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
            Expected::Past(past) => Expect::Revision(self.revision(*past)),
            Expected::Truth => {
                self.model.snapshot().get(key).map_or(Expect::Absent, |entry| Expect::Revision(entry.revision))
            }
        }
    }

    fn revision(&self, past: i64) -> Revision {
        Revision(self.model.revision().0.saturating_add_signed(-past))
    }
}

fn open(disk: &SimulatedDisk, config: &EmbeddedStoreConfig) -> Handle {
    Handle::open(Arc::new(disk.clone()), config.clone(), Durability::Synced).expect("nothing is wrong with the disk")
}

fn key_of(number: usize) -> Key {
    key(&format!("n{number}"))
}

/// What both answer must be the same, to the letter.
fn same<T: std::fmt::Debug>(store: &Result<T, StoreError>, model: &Result<T, StoreError>) {
    assert_eq!(format!("{store:?}"), format!("{model:?}"));
}
