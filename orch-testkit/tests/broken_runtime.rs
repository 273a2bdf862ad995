//! The suite of runtimes catches every runtime that is wrong on purpose.

#[path = "../../orch-runtime/tests/fake/place.rs"]
mod place;

use orch_testkit::broken::runtime::{Flaw, FlawedPlace};
use orch_testkit::suite::runtime::clauses;
use orch_testkit::suite::{violated, violated_in_no_time};
use place::Place;

#[test]
fn the_runtime_without_a_flaw_violates_nothing() {
    assert_eq!(violated(clauses(), || FlawedPlace::new(None, Place::default())), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    for (flaw, promise) in Flaw::ALL {
        let fresh = || FlawedPlace::new(Some(flaw), Place::default());
        let mut of_promise = clauses().iter().filter(|clause| clause.id == promise);
        let violated = of_promise.find_map(|clause| violated_in_no_time(std::slice::from_ref(clause), fresh).pop());
        println!("{flaw:?}: {violated:?}");
        assert!(violated.is_some(), "{flaw:?} violates no clause of {promise}");
    }
}
