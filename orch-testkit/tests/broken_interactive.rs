//! The suite of interactive runtimes catches every one that is wrong on purpose.

#[path = "../../orch-runtime/tests/fake/place.rs"]
mod place;

use std::collections::BTreeSet;

use orch_testkit::broken::interactive::{Flaw, FlawedPlace};
use orch_testkit::suite::interactive::clauses;
use orch_testkit::suite::violated_in_no_time as violated;
use place::Place;

#[test]
fn the_runtime_without_a_flaw_violates_nothing() {
    assert_eq!(violated(clauses(), || FlawedPlace::new(None, Place::default())), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks_and_no_clause_is_idle() {
    let mut idle: BTreeSet<String> =
        clauses::<FlawedPlace<Place>>().iter().map(|clause| format!("{clause:?}")).collect();
    for (flaw, promise) in Flaw::ALL {
        let violated = violated(clauses(), || FlawedPlace::new(Some(flaw), Place::default()));
        assert!(violated.iter().any(|clause| clause.starts_with(promise)), "{flaw:?} violates only {violated:?}");
        idle.retain(|clause| !violated.contains(clause));
    }
    assert_eq!(idle, BTreeSet::new(), "these catch nothing");
}
