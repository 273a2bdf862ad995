//! Shares are those of dominant-resource fairness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, Filters, Framework, FrameworkId, NodeSupply, Resources, Role,
};
use orch_sched::offer::{AllocatorOptions, DrfAllocator};
use orch_testkit::strategy::allocator::{Step, beginning, steps};
use orch_testkit::suite::allocator::market::{Market, resources, role};
use proptest::prelude::*;

fn tell(allocator: &mut DrfAllocator, change: AllocatorChange) {
    allocator.observe(change).expect("a change that can be");
}

/// Lets every framework start one task after the other on what it is offered, as long as there is room, and counts them.
fn filled(allocator: &mut DrfAllocator, tasks: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let tasks: BTreeMap<&str, Resources> = tasks.iter().map(|(id, task)| (*id, resources(task))).collect();
    let mut counts = BTreeMap::new();
    loop {
        let offers = allocator.allocate().offers;
        if offers.is_empty() {
            return counts;
        }
        for offer in offers {
            let task = &tasks[offer.framework.as_str()];
            if offer.resources.contains(task) {
                let acceptance = Acceptance { used: task.clone(), filters: Filters::NONE, ..Acceptance::default() };
                allocator.accept(&[offer.id], acceptance).expect("it was offered");
                *counts.entry(offer.framework.to_string()).or_default() += 1;
            } else {
                allocator.decline(offer.id, Filters::default()).expect("it was offered");
            }
        }
    }
}

#[test]
fn the_example_of_the_paper_gives_three_tasks_and_two() {
    let mut allocator = DrfAllocator::default();
    tell(&mut allocator, AllocatorChange::NodePut(NodeSupply::new("node", resources("cpus:9;mem:18000"))));
    for id in ["a", "b"] {
        tell(&mut allocator, AllocatorChange::FrameworkPut(Framework::new(id, [role("*")])));
    }
    let counts = filled(&mut allocator, &[("a", "cpus:1;mem:4000"), ("b", "cpus:3;mem:1000")]);
    assert_eq!(counts, BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 2)]));
}

#[test]
fn twice_the_weight_is_twice_the_share() {
    let mut allocator = DrfAllocator::default();
    tell(&mut allocator, AllocatorChange::NodePut(NodeSupply::new("node", resources("cpus:30;mem:30000"))));
    tell(&mut allocator, AllocatorChange::Weight(role("heavy"), 2.0));
    for id in ["heavy", "light"] {
        tell(&mut allocator, AllocatorChange::FrameworkPut(Framework::new(id, [role(id)])));
    }
    let counts = filled(&mut allocator, &[("heavy", "cpus:1;mem:100"), ("light", "cpus:1;mem:100")]);
    assert_eq!(counts, BTreeMap::from([("heavy".to_owned(), 20), ("light".to_owned(), 10)]));
}

#[test]
fn siblings_share_what_the_role_above_them_has() {
    let mut allocator = DrfAllocator::new(AllocatorOptions { seed: 3, ..AllocatorOptions::default() });
    tell(&mut allocator, AllocatorChange::NodePut(NodeSupply::new("node", resources("cpus:24;mem:24000"))));
    for id in ["eng/a", "eng/b", "ops"] {
        tell(&mut allocator, AllocatorChange::FrameworkPut(Framework::new(id, [role(id)])));
    }
    let task = "cpus:1;mem:100";
    let counts = filled(&mut allocator, &[("eng/a", task), ("eng/b", task), ("ops", task)]);
    let expected = [("eng/a", 6), ("eng/b", 6), ("ops", 12)];
    assert_eq!(counts, expected.into_iter().map(|(id, count)| (id.to_owned(), count)).collect());
}

#[test]
fn an_offer_that_is_not_answered_in_time_is_rescinded_and_made_to_the_next() {
    let offer_timeout = Some(Duration::from_secs(30));
    let options = AllocatorOptions { offer_timeout, ..AllocatorOptions::default() };
    let mut market = Market::new(DrfAllocator::new(options)).node("node", "cpus:4;mem:400");
    market = market.framework("a", "*").framework("b", "*");
    market.pass(0);
    let (first, second) = (market.offer_to("a"), market.pass(29));
    assert_eq!(second, [], "its time is not over");
    let rescinded: Vec<_> = market.pass(1).into_iter().map(|rescinded| rescinded.offer).collect();
    assert_eq!(rescinded, [first.id]);
    // It was given something once more than the other.
    let offer = market.offer_to("b");
    market.decline(&offer, 0.0);
    assert_eq!(market.pass(60), [], "what was answered is not rescinded");
}

#[test]
fn nodes_of_another_region_are_for_those_who_can_deal_with_them() {
    let options = AllocatorOptions { region: Some("here".to_owned()), ..AllocatorOptions::default() };
    let mut market = Market::new(DrfAllocator::new(options)).framework("home", "*");
    let mut far = NodeSupply::new("far", resources("cpus:4;mem:400"));
    far.region = Some("there".to_owned());
    market.tell(AllocatorChange::NodePut(far));
    assert_eq!(market.allocate(), []);
    let mut traveller = Framework::new("traveller", [role("*")]);
    traveller.capabilities.other_regions = true;
    market.tell(AllocatorChange::FrameworkPut(traveller));
    assert_eq!(market.offer_to("traveller").node.as_str(), "far");
}

/// What a framework has in a role: used, and offered.
fn held(market: &Market<DrfAllocator>, within: &Role, framework: Option<&FrameworkId>) -> Resources {
    let concerns = |role: &Role, id: &FrameworkId| match framework {
        Some(framework) => role == within && id == framework,
        None => role.is_within(within),
    };
    let used = market.used.iter().filter(|usage| concerns(&usage.role, &usage.framework));
    let offers = market.offers.values().filter(|offer| concerns(&offer.role, &offer.framework));
    let used = used.map(|usage| usage.resources.clone()).fold(Resources::new(), |sum, more| sum.plus(&more));
    offers.fold(used, |sum, offer| sum.plus(&offer.resources))
}

/// The dominant share, by the definition.
fn share(market: &Market<DrfAllocator>, held: &Resources) -> f64 {
    let mut totals: BTreeMap<Arc<str>, f64> = BTreeMap::new();
    for (supply, _) in market.nodes.values() {
        for (name, amount) in supply.total.quantities() {
            *totals.entry(name).or_default() += amount.millis() as f64;
        }
    }
    let shares = held.quantities().into_iter().map(|(name, amount)| amount.millis() as f64 / totals[&name]);
    shares.fold(0.0, f64::max)
}

/// The weighted shares of those whose order decides between two roles: where their paths part.
fn parted(
    market: &Market<DrfAllocator>,
    weights: &BTreeMap<Role, f64>,
    one: &Role,
    other: &Role,
) -> Option<(f64, f64)> {
    let parts = |role: &Role| -> Vec<String> {
        let ends = role.as_str().match_indices('/').map(|(end, _)| end).chain([role.as_str().len()]);
        ends.map(|end| role.as_str()[..end].to_owned()).collect()
    };
    let (ones, others) = (parts(one), parts(other));
    let depth = ones.iter().zip(&others).take_while(|(one, other)| one == other).count();
    let weighted = |parts: &[String], role: &Role| match parts.get(depth) {
        Some(path) => {
            let path: Role = path.parse().expect("a part of a role");
            share(market, &held(market, &path, None)) / weights.get(&path).copied().unwrap_or(1.0)
        }
        // It is above the other: what it has by itself counts.
        None => {
            let ids = market.frameworks.keys();
            let own = ids.fold(Resources::new(), |sum, id| sum.plus(&held(market, role, Some(id))));
            share(market, &own)
        }
    };
    (one != other).then(|| (weighted(&ones, one), weighted(&others, other)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_every_event_the_order_is_that_of_shares_computed_anew(beginning in beginning(), steps in steps(0..40)) {
        let mut market = Market::new(DrfAllocator::default());
        let mut weights = BTreeMap::new();
        for step in beginning.iter().chain(&steps) {
            market.perform(step);
            if let Step::Weight(role, weight) = step {
                weights.insert(role.clone(), f64::from(*weight));
            }
            market.allocate();
            let standings = market.allocator.standings();
            for standing in &standings {
                let expected = share(&market, &held(&market, &standing.role, Some(&standing.framework)));
                prop_assert_eq!(standing.share, expected, "{:?} after {:?}", standing, step);
            }
            for pair in standings.windows(2) {
                let by_role = parted(&market, &weights, &pair[0].role, &pair[1].role);
                let (before, after) = by_role.unwrap_or((pair[0].share, pair[1].share));
                prop_assert!(before <= after, "{:?}: {} and {} after {:?}", pair, before, after, step);
            }
            let wanting = market.frameworks.values().filter(|(_, active)| *active);
            let wanting = wanting.flat_map(|(framework, _)| framework.roles.values());
            prop_assert_eq!(wanting.filter(|subscription| !subscription.suppressed).count(), standings.len());
        }
    }

    #[test]
    fn the_next_offer_goes_to_whoever_is_first(
        roles in prop::collection::vec(prop::sample::select(vec!["*", "a", "a/x", "a/y", "b"]), 1..9),
        tasks in prop::collection::vec((1_u32..5, 1_u32..5), 1..60),
        weight in 1_u8..4,
    ) {
        let mut market = Market::new(DrfAllocator::default()).node("node", "cpus:100;mem:10000");
        market.tell(AllocatorChange::Weight(role("a"), f64::from(weight)));
        for (number, role) in roles.iter().enumerate() {
            // Names come in no order.
            market = market.framework(&format!("framework-{}", number * 5 % 9), role);
        }
        for (cpus, mem) in tasks {
            let first = market.allocator.standings().remove(0);
            let Some(offer) = market.allocate().pop() else { break };
            prop_assert_eq!((&offer.framework, &offer.role), (&first.framework, &first.role));
            let task = resources(&format!("cpus:{cpus};mem:{}", mem * 100)).within(&offer.resources);
            market.accept(&offer, &task, 0.0).expect("it was offered");
        }
    }
}
