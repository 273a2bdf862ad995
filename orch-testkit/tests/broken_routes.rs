//! The suite of pod routes catches all that are wrong on purpose.

use orch_testkit::broken::routes::{Flaw, FlawedRoutes};
use orch_testkit::suite::routes::clauses;
use orch_testkit::suite::violated_in_no_time;

#[test]
fn the_routes_without_a_flaw_violate_nothing() {
    assert_eq!(violated_in_no_time(clauses(), || FlawedRoutes::fixture(None)), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    for (flaw, promise) in Flaw::ALL {
        let violated = violated_in_no_time(clauses(), || FlawedRoutes::fixture(Some(flaw)));
        assert!(violated.iter().any(|clause| clause.starts_with(promise)), "{flaw:?} violates only {violated:?}");
    }
}
