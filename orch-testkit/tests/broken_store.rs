//! The suites of stores catch every store that is wrong on purpose.

use orch_testkit::broken::claim::{ClaimFlaw, FlawedClaimStore};
use orch_testkit::broken::shards::{FlawedShards, ShardFlaw};
use orch_testkit::broken::store::{Flaw, FlawedStore};
use orch_testkit::suite::store::{claim_clauses, clauses, compact_clauses, transact_clauses};
use orch_testkit::suite::violated;

#[test]
fn the_store_without_a_flaw_violates_nothing() {
    let fresh = || FlawedStore::new(None);
    assert_eq!(violated(clauses(), fresh), Vec::<String>::new());
    assert_eq!(violated(compact_clauses(), fresh), Vec::<String>::new());
    assert_eq!(violated(transact_clauses(), fresh), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    let caught = |(flaw, promise): (Flaw, &'static str)| {
        let fresh = move || FlawedStore::new(Some(flaw));
        let lists = [clauses(), compact_clauses(), transact_clauses()];
        let of_promise = lists.into_iter().flatten().filter(|clause| clause.id == promise);
        of_promise.flat_map(|clause| violated(std::slice::from_ref(clause), fresh)).next()
    };
    // Some flaws show only in that an event never comes: each waits in a thread of its own.
    let threads = Flaw::ALL.map(|flaw| (flaw, std::thread::spawn(move || caught(flaw))));
    for (flaw, thread) in threads {
        let violated = thread.join().expect("a violated clause is counted, it ends no thread");
        println!("{flaw:?}: {violated:?}");
        assert!(violated.is_some(), "{flaw:?} violates no clause of its promise");
    }
}

#[test]
fn the_claims_without_a_flaw_violate_nothing() {
    assert_eq!(violated(claim_clauses(), || FlawedClaimStore::new(None)), Vec::<String>::new());
}

#[test]
fn every_flaw_of_claims_violates_a_clause_of_the_promise_that_it_breaks() {
    let caught = |(flaw, promise): (ClaimFlaw, &'static str)| {
        let of_promise = claim_clauses().iter().filter(|clause| clause.id == promise);
        let fresh = move || FlawedClaimStore::new(Some(flaw));
        of_promise.flat_map(|clause| violated(std::slice::from_ref(clause), fresh)).next()
    };
    let threads = ClaimFlaw::ALL.map(|flaw| (flaw, std::thread::spawn(move || caught(flaw))));
    for (flaw, thread) in threads {
        let violated = thread.join().expect("a violated clause is counted, it ends no thread");
        println!("{flaw:?}: {violated:?}");
        assert!(violated.is_some(), "{flaw:?} violates no clause of its promise");
    }
}

/// The words of the clauses of S2 that a store of two shards breaks. Other clauses are for the objects of one shard.
fn violated_of_shards(flaw: Option<ShardFlaw>) -> Vec<String> {
    let lists = [clauses(), transact_clauses()];
    let of_shards = lists.into_iter().flatten().filter(|clause| clause.id == "S2");
    of_shards.flat_map(|clause| violated(std::slice::from_ref(clause), || FlawedShards::new(flaw))).collect()
}

#[test]
fn the_shards_without_a_flaw_violate_nothing() {
    assert_eq!(violated_of_shards(None), Vec::<String>::new());
}

#[test]
fn every_flaw_of_shards_violates_a_clause() {
    for flaw in ShardFlaw::ALL {
        let violated = violated_of_shards(Some(flaw));
        println!("{flaw:?}: {violated:?}");
        assert!(!violated.is_empty(), "{flaw:?} violates no clause of S2");
    }
}
