//! The suite of service proxies catches every proxy that is wrong on purpose.

use orch_testkit::broken::proxy::{Flaw, FlawedProxy};
use orch_testkit::suite::proxy::clauses;
use orch_testkit::suite::violated_in_no_time;

#[test]
fn the_proxy_without_a_flaw_violates_nothing() {
    assert_eq!(violated_in_no_time(clauses(), || FlawedProxy::fixture(None)), Vec::<String>::new());
}

#[test]
fn every_flaw_violates_a_clause_of_the_promise_that_it_breaks() {
    for (flaw, promise) in Flaw::ALL {
        let violated = violated_in_no_time(clauses(), || FlawedProxy::fixture(Some(flaw)));
        assert!(violated.iter().any(|clause| clause.starts_with(promise)), "{flaw:?} violates only {violated:?}");
    }
}
