//! A9: explained.

use std::collections::BTreeSet;

use orch_core::allocator::{Allocator, AllocatorChange, Obstacle};
use proptest::prop_assert_eq;

use super::market::{Market, for_all, resources};
use crate::strategy::allocator::{beginning, steps};

/// Why a framework has no offer counts each node once in each role.
pub async fn every_node_counts_once<A: Allocator>(new: impl Fn() -> A) {
    for_all((beginning(), steps(0..30)), |(beginning, steps)| {
        let mut market = Market::new(new());
        for step in beginning.iter().chain(&steps) {
            market.perform(step);
            market.allocate();
        }
        for (id, (framework, _)) in &market.frameworks {
            let why = market.allocator.why_no_offer(id).expect("it is known");
            let roles: BTreeSet<_> = why.roles.iter().map(|why| why.role.clone()).collect();
            prop_assert_eq!(roles, framework.roles.keys().cloned().collect::<BTreeSet<_>>());
            let outstanding = market.offers.values().filter(|offer| offer.framework == *id).count();
            prop_assert_eq!(why.outstanding, outstanding);
            for why in &why.roles {
                let sum: usize = why.obstacles.iter().map(|(_, nodes)| nodes).sum();
                prop_assert_eq!((why.nodes, sum), (market.nodes.len(), market.nodes.len()), "{:?}", why);
                let mine = market.offers.values().filter(|offer| offer.framework == *id && offer.role == why.role);
                let offered: BTreeSet<_> = mine.map(|offer| &offer.node).collect();
                let has = why.obstacles.iter().filter(|(obstacle, _)| *obstacle == Obstacle::HasOffer);
                prop_assert_eq!(has.map(|(_, nodes)| nodes).sum::<usize>(), offered.len(), "{:?}", why);
            }
        }
        Ok(())
    });
}

/// What stands in the way is named.
pub async fn the_obstacle_is_named<A: Allocator>(new: impl Fn() -> A) {
    let suppress = AllocatorChange::Suppressed("web".into(), BTreeSet::new());
    let disconnect = AllocatorChange::FrameworkActive("web".into(), false);
    let drain = AllocatorChange::NodeActive("node".into(), false);
    for (node, change, expected) in [
        ("cpus:4;mem:400", Some(suppress), Obstacle::Suppressed),
        ("cpus:4;mem:400", Some(disconnect), Obstacle::FrameworkInactive),
        ("cpus:4;mem:400", Some(drain), Obstacle::NodeInactive),
        ("cpus:4;mem:400", None, Obstacle::HasOffer),
        ("cpus(db):4", None, Obstacle::NotForIt),
        ("cpus:0.001", None, Obstacle::TooLittle),
        ("cpus:4;gpus:1", None, Obstacle::Incapable("gpus")),
    ] {
        let mut market = Market::new(new()).node("node", node).framework("web", "*");
        if let Some(change) = change {
            market.tell(change);
        }
        market.allocate();
        let why = market.allocator.why_no_offer(&"web".into()).expect("it is known");
        assert_eq!(why.roles[0].obstacles, [(expected, 1)], "{node}: {why}");
    }
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    market.pass(0);
    assert!(market.why("web").contains("1 due in the next round"), "{}", market.why("web"));
    let offer = market.offer_to("web");
    market.decline(&offer, 60.0);
    assert!(market.why("web").contains("1 refused by it until 2023-11-14T22:14:20Z"), "{}", market.why("web"));
    market.tell(AllocatorChange::Revived("web".into(), BTreeSet::new()));
    let offer = market.offer_to("web");
    market.accept(&offer, &resources("cpus:4;mem:400"), 0.0).expect("it was offered");
    market.allocate();
    assert!(market.why("web").contains("1 without anything free"), "{}", market.why("web"));
}
