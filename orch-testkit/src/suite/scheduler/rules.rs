//! S3: rules hold.

use orch_core::object::{ConditionStatus, Node, NodeCondition, Pod, TaintEffect, find_condition};
use orch_core::scheduler::{Scheduler, SupplyChange};
use proptest::prop_assert_eq;

use super::generated::{for_all, shown};
use super::objects::{node, node_of, placed_on, pod, put_node};
use crate::strategy::cluster::cluster;

/// Pods are placed only on known, ready, uncordoned nodes that they select and whose taints they tolerate.
pub async fn pods_go_only_where_node_and_pod_allow_it<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, pending) = shown(new(), &cluster);
        for (pod, decision) in pending.iter().zip(scheduler.schedule(&pending)) {
            let Some(name) = node_of(&decision) else { continue };
            let node = cluster.nodes.iter().find(|node| node.metadata.name == name);
            let broken = node.map_or(Some("it is not known"), |node| broken_rule(pod, node));
            prop_assert_eq!(broken, None, "{:?} must not be placed on {}", decision.pod, name);
        }
        Ok(())
    });
}

/// No pod is placed on a node that was removed.
pub async fn no_pod_goes_to_a_node_that_went<S: Scheduler>(new: impl Fn() -> S) {
    let mut scheduler = new();
    put_node(&mut scheduler, node("node-1", 4));
    put_node(&mut scheduler, node("node-2", 4));
    scheduler.observe(SupplyChange::NodeRemoved("node-1".to_owned()));
    for number in 0..8 {
        let place = placed_on(&mut scheduler, &pod(&format!("web-{number}"), 1));
        assert_eq!(place.as_deref(), Some("node-2"), "node-1 was removed");
    }
}

/// Which rule of the objects forbids the pod on the node. What the pod tolerates without naming it is not judged for
/// readiness and cordon: both can be seen as taints.
fn broken_rule(pod: &Pod, node: &Node) -> Option<&'static str> {
    let labels = &node.metadata.labels;
    let nodes = pod.spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = nodes.and_then(|nodes| nodes.required_during_scheduling_ignored_during_execution.as_ref());
    let ready = find_condition(&node.status.conditions, NodeCondition::READY).map(|condition| condition.status);
    let tolerates_all = pod.spec.tolerations.iter().any(|toleration| toleration.key.is_none());
    let mut hard_taints = node.spec.taints.iter().filter(|taint| taint.effect != TaintEffect::PreferNoSchedule);
    if pod.spec.node_selector.iter().any(|(key, value)| labels.get(key) != Some(value)) {
        Some("it lacks a label of the pod's nodeSelector")
    } else if required.is_some_and(|required| !required.matches(node)) {
        Some("it does not match the pod's required node affinity")
    } else if hard_taints.any(|taint| !pod.spec.tolerates(taint)) {
        Some("it has a taint that the pod does not tolerate")
    } else if node.spec.unschedulable && !tolerates_all {
        Some("it is cordoned")
    } else if ready.is_some_and(|ready| ready != ConditionStatus::True) && !tolerates_all {
        Some("it is not ready")
    } else {
        None
    }
}
