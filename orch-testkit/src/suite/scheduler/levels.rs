//! S6: level-triggered.

use std::collections::BTreeMap;

use orch_core::kind::Object as _;
use orch_core::scheduler::{Scheduler, SupplyChange};
use proptest::prop_assert_eq;

use super::generated::{for_all, shown};
use super::objects::{key, node, on, placed_on, pod, put_node, put_pod};
use crate::strategy::cluster::{changes, cluster, pods};

/// Answers follow from the last state of each object, not from order or number of the changes.
pub async fn the_order_of_changes_of_different_objects_makes_no_difference<S: Scheduler>(new: impl Fn() -> S) {
    for_all((changes(0..30), pods(1..6)), |(changes, pending)| {
        let (mut one, mut other) = (new(), new());
        let mut last = BTreeMap::new();
        for change in changes {
            last.insert(object(&change), change.clone());
            one.observe(change);
        }
        // Only the last states, the other way round, each twice.
        for change in last.into_values().rev() {
            other.observe(change.clone());
            other.observe(change);
        }
        let pending: Vec<_> = pending.into_iter().map(Into::into).collect();
        let answers = (one.schedule(&pending), other.schedule(&pending));
        prop_assert_eq!(answers.0, answers.1, "the last state of each node and pod was the same");
        Ok(())
    });
}

/// A pod shown on a node that is not known yet counts when the node comes.
pub async fn a_pod_may_be_shown_before_its_node<S: Scheduler>(new: impl Fn() -> S) {
    let mut scheduler = new();
    put_pod(&mut scheduler, on("node-1", pod("early", 3)));
    put_pod(&mut scheduler, on("node-1", pod("gone", 1)));
    scheduler.observe(SupplyChange::PodRemoved(key(&pod("gone", 1))));
    put_node(&mut scheduler, node("node-1", 4));
    assert_eq!(
        placed_on(&mut scheduler, &pod("new", 2)),
        None,
        "3 of 4 cores are taken by a pod shown before its node"
    );
    assert!(placed_on(&mut scheduler, &pod("new", 1)).is_some(), "1 of 4 cores is free");
}

/// Removing what is not there is no error, and changes nothing.
pub async fn removing_what_is_not_there_is_no_error<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, pending) = shown(new(), &cluster);
        let before = scheduler.schedule(&pending);
        scheduler.observe(SupplyChange::NodeRemoved("never-was".to_owned()));
        scheduler.observe(SupplyChange::PodRemoved(key(&pod("never-was", 1))));
        for pending in &pending {
            scheduler.observe(SupplyChange::PodRemoved(key(pending)));
        }
        prop_assert_eq!(scheduler.schedule(&pending), before, "what was removed was not there");
        Ok(())
    });
}

/// Which object a change speaks of.
fn object(change: &SupplyChange) -> String {
    match change {
        SupplyChange::NodePut(node) => format!("nodes/{}", node.metadata.name),
        SupplyChange::NodeRemoved(name) => format!("nodes/{name}"),
        SupplyChange::PodPut(pod) => pod.key().map(|key| key.to_string()).unwrap_or_default(),
        SupplyChange::PodRemoved(key) => key.to_string(),
        other => unreachable!("changes() makes no {other:?}"),
    }
}
