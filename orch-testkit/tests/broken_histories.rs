//! The check of histories catches every store that is wrong on purpose, within a few seeds.

use orch_core::store::{Compact, Transact};
use orch_testkit::broken::crashing_store::{CrashFlaw, CrashingStore};
use orch_testkit::broken::racing_store::{RaceFlaw, RacingStore};
use orch_testkit::broken::store::{Flaw, FlawedStore};
use orch_testkit::history::workload::Workload;
use orch_testkit::history::{DistantStore, Verdict, check};

const SEEDS: u64 = 10;

/// What a workload finds out about a store.
fn verdict<S: Transact + Compact>(store: S, seed: u64) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let history = runtime.expect("the operating system gives a runtime").block_on(async {
        let store = DistantStore::new(store, seed);
        Workload::new(seed).operations(1_000).with_transactions().with_compaction().run(store).await
    });
    check(&history)
}

/// Which seed caught it, and how it was explained.
fn caught<S: Transact + Compact>(fresh: impl Fn() -> S) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| Some((seed, verdict(fresh(), seed).violation()?.to_string())))
}

/// That all of them are caught; each prints its explanation.
fn all_are_caught<F: std::fmt::Debug + Copy, S: Transact + Compact>(flaws: &[F], fresh: impl Fn(F) -> S) {
    let mut missed = Vec::new();
    for flaw in flaws {
        match caught(|| fresh(*flaw)) {
            Some((seed, words)) => println!("{flaw:?}, seed {seed}: {words}\n"),
            None => missed.push(*flaw),
        }
    }
    assert!(missed.is_empty(), "not caught within {SEEDS} seeds: {missed:?}");
}

#[test]
fn stores_without_a_flaw_keep_their_promises_through_crashes_too() {
    for seed in 0..SEEDS {
        verdict(CrashingStore::new(None), seed).expect_kept();
        verdict(RacingStore::new(None), seed).expect_kept();
        verdict(FlawedStore::new(None), seed).expect_kept();
    }
}

#[test]
fn every_store_that_comes_back_wrong_from_a_crash_is_caught() {
    all_are_caught(&CrashFlaw::ALL, |flaw| CrashingStore::new(Some(flaw)));
}

#[test]
fn every_store_that_is_wrong_when_clients_meet_is_caught() {
    all_are_caught(&RaceFlaw::ALL, |flaw| RacingStore::new(Some(flaw)));
}

#[test]
fn the_wrong_stores_of_the_suites_are_caught_as_well() {
    let flaws = Flaw::ALL.into_iter().map(|(flaw, _)| flaw);
    // A history does not hold what stands inside of objects.
    let flaws: Vec<Flaw> = flaws.filter(|flaw| *flaw != Flaw::ForgetsToMarkObjects).collect();
    all_are_caught(&flaws, |flaw| FlawedStore::new(Some(flaw)));
}
