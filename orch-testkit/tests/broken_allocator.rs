//! The suite of allocators catches every allocator that is wrong on purpose.

use orch_sched::offer::DrfAllocator;
use orch_testkit::broken::allocator::{Flaw, FlawedAllocator};
use orch_testkit::suite::allocator::clauses;
use orch_testkit::suite::violated;

#[test]
fn the_allocator_without_a_flaw_violates_nothing() {
    let fresh = || || FlawedAllocator::new(DrfAllocator::default(), None);
    assert_eq!(violated(clauses(), fresh), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    for (flaw, promise) in Flaw::ALL {
        let mut of_promise = clauses().iter().filter(|clause| clause.id == promise);
        let fresh = || move || FlawedAllocator::new(DrfAllocator::default(), Some(flaw));
        let caught = of_promise.any(|clause| !violated(std::slice::from_ref(clause), fresh).is_empty());
        assert!(caught, "{flaw:?} violates no clause of {promise}");
    }
}
