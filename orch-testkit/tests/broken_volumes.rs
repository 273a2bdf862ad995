//! The suite of volumes catches all that are wrong on purpose.

#[path = "../../orch-runtime/tests/volumes/fake_place.rs"]
mod fake_place;

use fake_place::FakePlace;
use orch_testkit::broken::volumes::{Flaw, FlawedPlace};
use orch_testkit::suite::violated;
use orch_testkit::suite::volumes::clauses;

#[test]
fn volumes_without_a_flaw_violate_nothing() {
    assert_eq!(violated(clauses(), || FlawedPlace::new(None, FakePlace::new())), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    for (flaw, promise) in Flaw::ALL {
        let violated = violated(clauses(), || FlawedPlace::new(Some(flaw), FakePlace::new()));
        assert!(violated.iter().any(|clause| clause.starts_with(promise)), "{flaw:?} violates only {violated:?}");
    }
}
