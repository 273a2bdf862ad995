//! The suite of schedulers catches every scheduler that is wrong on purpose.

use orch_testkit::broken::scheduler::{Flaw, FlawedScheduler};
use orch_testkit::suite::scheduler::clauses;
use orch_testkit::suite::violated;

#[test]
fn the_scheduler_without_a_flaw_violates_nothing() {
    assert_eq!(violated(clauses(), || || FlawedScheduler::new(None)), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    for (flaw, promise) in Flaw::ALL {
        let mut of_promise = clauses().iter().filter(|clause| clause.id == promise);
        let fresh = || move || FlawedScheduler::new(Some(flaw));
        let caught = of_promise.any(|clause| !violated(std::slice::from_ref(clause), fresh).is_empty());
        assert!(caught, "{flaw:?} violates no clause of {promise}");
    }
}
