//! A4: refused is refused.

use std::collections::BTreeSet;

use orch_core::allocator::{Allocator, AllocatorChange, Filters, Framework, NodeSupply};

use super::market::{Market, resources, role};

/// What was refused is not offered again, nor less of it, until the time is over.
pub async fn what_is_refused_is_not_offered_until_its_time_is_over<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    market.pass(0);
    let offer = market.offer_to("web");
    market.decline(&offer, 10.0);
    market.pass(9);
    assert_eq!(market.offered("web"), [], "refused for 10 s, 9 s ago");
    market.tell(AllocatorChange::NodePut(NodeSupply::new("node", resources("cpus:3;mem:400"))));
    assert_eq!(market.offered("web"), [], "this is less than was refused");
    market.pass(1);
    let offer = market.offer_to("web");
    market.decline(&offer, 0.0);
    let offer = market.offer_to("web");
    market.accept(&offer, &resources("cpus:1"), 20.0).expect("it was offered");
    market.pass(19);
    assert_eq!(market.offered("web"), [], "the rest was refused for 20 s, 19 s ago");
    market.pass(1);
    assert_eq!(market.offer_to("web").resources.to_string(), "cpus:2;mem:400");
}

/// More than was refused of a node is offered.
pub async fn more_than_was_refused_is_offered<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    let offer = market.offer_to("web");
    market.accept(&offer, &resources("cpus:3"), 60.0).expect("it was offered");
    assert_eq!(market.offered("web"), [], "what is left was refused");
    let mut usage = market.used[0].clone();
    usage.resources = resources("cpus:1");
    market.tell(AllocatorChange::Recovered(usage, Filters::NONE));
    let offer = market.offer_to("web");
    assert_eq!(offer.resources.to_string(), "cpus:2;mem:400", "a task ended");
    market.decline(&offer, 60.0);
    market.tell(AllocatorChange::NodePut(NodeSupply::new("node", resources("cpus:4;mem:401"))));
    assert_eq!(market.offer_to("web").resources.to_string(), "cpus:2;mem:401", "the node has grown");
}

/// A refusal ends when the framework revives or is disconnected, or the node gets other attributes.
pub async fn a_refusal_ends_with_revival_disconnection_and_other_attributes<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    let mut supply = NodeSupply::new("node", resources("cpus:4;mem:400"));
    supply.attributes.insert("rack".to_owned(), "a".to_owned());
    let web = || "web".into();
    for changes in [
        vec![AllocatorChange::Revived(web(), BTreeSet::new())],
        vec![AllocatorChange::Revived(web(), [role("*")].into())],
        vec![AllocatorChange::Suppressed(web(), BTreeSet::new()), AllocatorChange::Revived(web(), BTreeSet::new())],
        vec![AllocatorChange::FrameworkActive(web(), false), AllocatorChange::FrameworkActive(web(), true)],
        vec![AllocatorChange::NodePut(supply)],
    ] {
        market.allocate();
        market.decline_all(60.0);
        market.decline_all(60.0);
        assert_eq!(market.offered("web"), [], "it was refused");
        for change in &changes {
            market.tell(change.clone());
        }
        assert_eq!(market.offered("web").len(), 1, "what was refused is offered after {changes:?}");
    }
}

/// What one framework refused in a role is offered to others, and to it in another role.
pub async fn a_refusal_is_for_one_framework_in_one_role<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400");
    market.tell(AllocatorChange::FrameworkPut(Framework::new("both", [role("a"), role("b")])));
    market = market.framework("other", "a");
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        seen.extend(market.allocate().into_iter().map(|offer| (offer.framework.to_string(), offer.role.to_string())));
        market.decline_all(60.0);
    }
    let expected = [("both", "a"), ("both", "b"), ("other", "a")];
    assert_eq!(seen, expected.map(|(id, role)| (id.to_owned(), role.to_owned())).into());
    assert_eq!(market.allocate(), [], "all have refused");
}
