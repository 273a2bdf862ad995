//! S9: monotone.

use orch_core::object::Quantity;
use orch_core::scheduler::Scheduler;
use proptest::collection::vec;
use proptest::prelude::{Strategy as _, any};
use proptest::prop_assert;
use proptest::sample::{Index, select};

use super::generated::{for_all, shown};
use super::objects::{decide, node_of, placed_on, put_node};
use crate::strategy::cluster::{cluster, nodes};

/// One more node never makes a placeable pod unplaceable.
pub async fn another_node_makes_no_placeable_pod_unplaceable<S: Scheduler>(new: impl Fn() -> S) {
    for_all((cluster(), nodes(1..4)), |(cluster, more)| {
        for pod in &cluster.pending {
            let (mut scheduler, _) = shown(new(), &cluster);
            let before = placed_on(&mut scheduler, pod);
            for (number, mut node) in more.iter().cloned().enumerate() {
                node.metadata.name = format!("another-{number}");
                put_node(&mut scheduler, node);
                let after = decide(&mut scheduler, pod);
                let still = before.is_none() || node_of(&after).is_some();
                prop_assert!(still, "it could be placed before there was another node: {:?}", after.outcome);
            }
        }
        Ok(())
    });
}

/// More capacity on a node never makes a placeable pod unplaceable.
pub async fn more_capacity_makes_no_placeable_pod_unplaceable<S: Scheduler>(new: impl Fn() -> S) {
    let growth = vec((any::<Index>(), select(vec!["cpu", "memory", "pods", "example.org/gpu"])), 1..6);
    for_all(
        (cluster().prop_filter("nodes to grow", |cluster| !cluster.nodes.is_empty()), growth),
        |(cluster, growth)| {
            for pod in &cluster.pending {
                let (mut scheduler, _) = shown(new(), &cluster);
                let before = placed_on(&mut scheduler, pod);
                let mut nodes = cluster.nodes.clone();
                for (index, resource) in &growth {
                    let node = index.get_mut(&mut nodes);
                    let amount = node.status.allocatable.entry((*resource).to_owned()).or_default();
                    *amount = amount.saturating_add(Quantity::from_units(1 << 30));
                    put_node(&mut scheduler, node.clone());
                    let after = decide(&mut scheduler, pod);
                    let still = before.is_none() || node_of(&after).is_some();
                    prop_assert!(still, "it could be placed before a node had more {}: {:?}", resource, after.outcome);
                }
            }
            Ok(())
        },
    );
}
