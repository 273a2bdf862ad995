//! A2: offered to whom it may concern.

use orch_core::allocator::{
    Allocator, AllocatorChange, Capabilities, Framework, NodeSupply, Quantities, Reservation, Resource, Scalar,
    Subscription,
};

use super::market::{Market, for_all, resources, role};
use crate::strategy::allocator::{beginning, steps};

/// Offers are of active nodes, to active frameworks, in roles that they are in and have not suppressed.
pub async fn offers_concern_whom_they_are_made_to<A: Allocator>(new: impl Fn() -> A) {
    for_all((beginning(), steps(0..40)), |(beginning, steps)| {
        let mut market = Market::new(new());
        for step in beginning.iter().chain(&steps) {
            market.perform(step);
            // The market checks every offer.
            market.allocate();
            if steps.len() % 2 == 0 {
                market.decline_all(0.0);
            }
        }
        Ok(())
    });
}

/// What is reserved is offered to its role and to roles below it, and to nobody else.
pub async fn what_is_reserved_is_for_its_role_and_those_below<A: Allocator>(new: impl Fn() -> A) {
    for (in_role, expected) in [
        ("a", "cpus:1;cpus(a):2;mem:100"),
        ("a/x", "cpus:1;cpus(a):2;cpus(a/x):4;mem:100"),
        ("ab", "cpus:1;mem:100"),
        ("*", "cpus:1;mem:100"),
    ] {
        let node = "cpus:1;mem:100;cpus(a):2;cpus(a/x):4";
        let mut market = Market::new(new()).node("node", node).framework("web", in_role);
        assert_eq!(market.offer_to("web").resources.to_string(), expected, "to a framework in {in_role}");
        market.decline_all(60.0);
        assert_eq!(market.offered("web"), [], "what is left is for others");
    }
}

/// GPUs, revocable resources and refined reservations are for those who can deal with them.
pub async fn what_a_framework_cannot_deal_with_is_not_offered<A: Allocator>(new: impl Fn() -> A) {
    let mut revocable = Resource::scalar("cpus", Scalar::from_units(8));
    revocable.revocable = true;
    let mut refined = Resource::scalar("cpus", Scalar::from_units(4)).reserved(role("a"));
    refined.reservations.push(Reservation { role: role("a/x"), dynamic: true, principal: None, labels: Vec::new() });
    let able = |change: fn(&mut Capabilities)| {
        let mut capabilities = Capabilities::default();
        change(&mut capabilities);
        capabilities
    };
    for (capabilities, cpus, offers) in [
        (Capabilities::default(), 1, 1),
        (able(|can| can.revocable = true), 9, 1),
        (able(|can| can.refined_reservations = true), 5, 1),
        (able(|can| can.gpus = true), 1, 2),
    ] {
        let mut market = Market::new(new()).node("gpus", "cpus:1;mem:100;gpus:1");
        let mut total = resources("cpus:1;mem:100");
        total.add(revocable.clone());
        total.add(refined.clone());
        market.tell(AllocatorChange::NodePut(NodeSupply::new("node", total)));
        let framework = Framework { capabilities, ..Framework::new("web", [role("a/x")]) };
        market.tell(AllocatorChange::FrameworkPut(framework));
        let offered = market.offered("web");
        assert_eq!(offered.len(), offers, "to a framework that can deal with {capabilities:?}: {offered:?}");
        let of_node =
            offered.iter().find(|offer| offer.node.as_str() == "node").map(|offer| offer.resources.scalar("cpus"));
        assert_eq!(of_node, Some(Scalar::from_units(cpus)), "with {capabilities:?}");
    }
}

/// Less than the least amounts is not offered, and a framework may say what these are.
pub async fn too_little_is_not_offered<A: Allocator>(new: impl Fn() -> A) {
    for (node, offered) in [("cpus:0.009;mem:31;disk:999", 0), ("cpus:0.01", 1), ("mem:32", 1)] {
        let mut market = Market::new(new()).node("node", node).framework("web", "*");
        assert_eq!(market.offered("web").len(), offered, "{node}");
    }
    let mut framework = Framework::new("large", [role("*")]);
    let least = Some(vec![Quantities::from([("cpus".into(), Scalar::from_units(8))])]);
    framework.roles.insert(role("*"), Subscription { suppressed: false, min_allocatable: least });
    let mut market = Market::new(new()).node("small", "cpus:7;mem:7000").framework("any", "*");
    market.tell(AllocatorChange::FrameworkPut(framework));
    market = market.node("big", "cpus:8;mem:10");
    market.allocate();
    market.decline_all(60.0);
    market.allocate();
    let offered: Vec<&str> = market
        .round
        .iter()
        .filter(|offer| offer.framework.as_str() == "large")
        .map(|offer| offer.node.as_str())
        .collect();
    let before = market.allocator.counts();
    assert!(offered.iter().all(|node| *node == "big"), "{offered:?}, {before:?}");
    market.decline_all(60.0);
    market.allocate();
    assert!(market.why("large").contains("1 with less free than the least"), "{}", market.why("large"));
}
