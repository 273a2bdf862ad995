//! A1: never over-committed.

use orch_core::allocator::{Allocator, AllocatorChange, Usage};

use super::market::{Market, for_all, resources, role};
use crate::strategy::allocator::{beginning, steps};

/// What is used on a node, with what is offered exclusively, is never more than the node has.
pub async fn nothing_is_given_twice<A: Allocator>(new: impl Fn() -> A) {
    for_all((beginning(), steps(0..40)), |(beginning, steps)| {
        let mut market = Market::new(new());
        for step in beginning.iter().chain(&steps) {
            // The market checks capacity after every step.
            market.perform(step);
            market.allocate();
        }
        Ok(())
    });
}

/// What ran before the allocator was there is not offered, whoever it belongs to.
pub async fn what_is_adopted_counts<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    let stranger = |text: &str| Usage {
        framework: "old".into(),
        role: role("db"),
        node: "node".into(),
        resources: resources(text),
    };
    market.tell(AllocatorChange::Adopted(stranger("cpus:3")));
    let offer = market.offer_to("web");
    assert_eq!(offer.resources.to_string(), "cpus:1;mem:400", "3 of 4 are used");
    let rescinded = market.tell(AllocatorChange::Adopted(stranger("cpus:2")));
    if market.allocator.is_exclusive() {
        assert_eq!(rescinded.len(), 1, "what was offered is used");
    }
    market.allocate();
    market.decline_all(0.0);
    market.tell(AllocatorChange::Recovered(stranger("cpus:1"), orch_core::allocator::Filters::NONE));
    let offer = market.offer_to("web");
    assert_eq!(offer.resources.to_string(), "mem:400", "4 of 4 are used: the fifth is made up for first");
    assert!(market.accept(&offer, &resources("cpus:1"), 0.0).is_err(), "it is not there");
}
