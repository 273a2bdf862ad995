//! Workloads on the model are linearizable, and the same seed gives the same history.

use orch_core::key::Prefix;
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_testkit::history::workload::Workload;
use orch_testkit::history::{DistantStore, History, check};
use orch_testkit::model::ModelStore;

/// A workload on a store far away.
type Distant = Workload<DistantStore<ModelStore>>;

fn record(seed: u64, operations: usize) -> History {
    record_with(seed, operations, Workload::with_transactions)
}

fn record_with(seed: u64, operations: usize, with: fn(Distant) -> Distant) -> History {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("the operating system gives a runtime").block_on(async {
        let store = DistantStore::new(ModelStore::default(), seed);
        with(Workload::new(seed).operations(operations)).with_compaction().run(store).await
    })
}

#[test]
fn workloads_on_the_model_are_linearizable() {
    for seed in 0..20 {
        let history = record(seed, 1_000);
        let checked = check(&history).expect_kept();
        println!("{checked}");
        assert!(checked.recovered > 5, "no answer was lost: {checked}");
    }
}

#[test]
fn a_part_of_a_history_about_some_keys_only_is_linearizable_by_itself() {
    let history = record_with(3, 1_000, |workload| workload);
    let prefix = Prefix::namespace(&Lease::KIND, "a").expect("a valid prefix");
    let part = history.clone().restricted_to(&prefix);
    assert!(part.len() > 200 && part.len() < history.len());
    check(&part).expect_kept();
}

#[test]
fn a_seed_repeats_its_history_to_the_letter() {
    let (one, other) = (format!("{:?}", record(7, 500)), format!("{:?}", record(7, 500)));
    assert!(one == other, "two recordings with one seed differ");
    assert_ne!(one, format!("{:?}", record(8, 500)));
}
