//! The suite of controllers catches every controller that is wrong on purpose.

use std::sync::Arc;

use orch_testkit::broken::controller::{Flaw, FlawedController};
use orch_testkit::fault::{Scenario, stories};
use orch_testkit::suite::controller::clauses;
use orch_testkit::suite::violated;

fn subject(flaw: Option<Flaw>) -> Vec<Scenario> {
    let mut stories = stories::replica_set(move || Arc::new(FlawedController::new(flaw)));
    stories.truncate(2);
    stories
}

#[test]
fn the_controller_without_a_flaw_violates_nothing() {
    assert_eq!(violated(clauses(), || subject(None)), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    for (flaw, promise) in Flaw::ALL {
        let violated = violated(clauses(), || subject(Some(flaw)));
        println!("{flaw:?}: {violated:?}");
        assert!(violated.iter().any(|clause| clause.starts_with(promise)), "{flaw:?} violates only {violated:?}");
    }
}

#[test]
fn a_controller_that_never_has_done_enough_violates_c2() {
    let violated = violated(clauses(), || subject(Some(Flaw::FlapsStatus)));
    assert!(violated.iter().any(|clause| clause.starts_with("C2")), "{violated:?}");
}
