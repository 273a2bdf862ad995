//! A3: nobody starves.

use std::collections::BTreeSet;

use orch_core::allocator::{Allocator, AllocatorChange, Filters};

use super::market::{Market, resources};

/// Every framework gets an offer in as many rounds as there are frameworks, if the others decline.
pub async fn nobody_starves<A: Allocator>(new: impl Fn() -> A) {
    let ids: Vec<String> = (0..7).map(|number| format!("framework-{number}")).collect();
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400");
    for (number, id) in ids.iter().enumerate() {
        market = market.framework(id, ["*", "a", "a/x"][number % 3]);
    }
    let mut seen = BTreeSet::new();
    for _ in &ids {
        seen.extend(market.allocate().into_iter().map(|offer| offer.framework.to_string()));
        market.decline_all(60.0);
    }
    assert_eq!(seen.len(), ids.len(), "only {seen:?} were offered anything");
}

/// What comes free is offered to a framework that has nothing.
pub async fn what_comes_free_goes_to_who_has_nothing<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).framework("rich", "*");
    for number in 0..4 {
        market = market.node(&format!("node-{number}"), "cpus:4;mem:400");
    }
    for offer in market.allocate() {
        market.accept(&offer, &resources("cpus:4;mem:400"), 0.0).expect("it was offered");
    }
    // Before the other one by name, and behind it.
    for poor in ["poor", "zpoor"] {
        market = market.framework(poor, "*");
        assert_eq!(market.allocate(), [], "nothing is free");
        let usage = market.used[0].clone();
        market.tell(AllocatorChange::Recovered(usage, Filters::NONE));
        let offer = market.offer_to(poor);
        market.accept(&offer, &resources("cpus:4;mem:400"), 0.0).expect("it was offered");
    }
}
