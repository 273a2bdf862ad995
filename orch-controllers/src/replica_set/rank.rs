//! Which pods of a replica set go first when there are too many: Kubernetes' order (`ActivePodsWithRanks` in its
//! `controller_utils.go`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::object::{Pod, PodCondition, PodPhase, Time, find_condition};

/// The annotation by which users say which pods of a replica set go first: a whole number, the lowest first.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The pods, those first that are missed least: without a node, then pending, then not ready, then cheap to delete, then
/// on a node with many of the same kind, then ready for a short time, restarted often, young. Of pods that are equal
/// in all this, the last in `order` goes first, and then the last by name.
///
/// How many there are on a node is counted anew after each that goes. So the order of those that stay does not depend on
/// how many have gone already, and a decision that was interrupted is carried on as it was begun; Kubernetes counts
/// once.
pub(super) fn least_missed_first(pods: Vec<Arc<Pod>>, order: impl Fn(&str) -> usize) -> Vec<Arc<Pod>> {
    let keys = pods.iter().map(|pod| (class(pod), within_class(pod, order(&pod.metadata.name))));
    let mut ranked: Vec<_> = keys.zip(pods.iter()).collect();
    ranked.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut left_on_node: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut crowded = Vec::new();
    for ((class, within), pod) in ranked.into_iter().rev() {
        let left = left_on_node.entry(pod.spec.node_name.as_deref()).or_default();
        *left += 1;
        crowded.push(((class, Reverse(*left), within), pod));
    }
    crowded.sort_by(|(a, _), (b, _)| a.cmp(b));
    crowded.into_iter().map(|(_, pod)| pod.clone()).collect()
}

/// What counts more than how many there are on a node.
fn class(pod: &Pod) -> impl Ord + use<> {
    let assigned = pod.spec.node_name.is_some();
    (assigned, phase_rank(pod.status.phase()), pod.status.is_ready(), deletion_cost(pod))
}

/// What counts less.
fn within_class(pod: &Pod, order: usize) -> impl Ord + use<> {
    let name = pod.metadata.name.clone();
    let ready_since = pod.status.is_ready().then(|| Reverse(ready_since(pod)));
    let young = Reverse(pod.metadata.creation_timestamp);
    (ready_since, Reverse(restarts(pod)), young, Reverse(order), Reverse(name))
}

fn phase_rank(phase: PodPhase) -> u8 {
    match phase {
        PodPhase::Pending => 0,
        PodPhase::Unknown => 1,
        PodPhase::Running | PodPhase::Succeeded | PodPhase::Failed => 2,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    pod.metadata.annotations.get(DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

fn ready_since(pod: &Pod) -> Option<Time> {
    find_condition(&pod.status.conditions, PodCondition::READY)?.last_transition_time
}

fn restarts(pod: &Pod) -> i32 {
    pod.status.container_statuses.iter().map(|container| container.restart_count).max().unwrap_or(0)
}
