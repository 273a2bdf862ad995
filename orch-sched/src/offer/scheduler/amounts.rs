//! The amounts of nodes and pods, as resources of an allocator.

use std::sync::Arc;

use orch_core::allocator::{Resource, Resources, Scalar};
use orch_core::object::{Node, Quantity};

use crate::filter_score::{NodeInfo, PodInfo};

/// What of a node is for pods.
pub(super) fn of_node(node: &NodeInfo) -> Resources {
    let resource = |name: &str| Resource::scalar(name, Scalar::from_millis(node.allocatable(name).millis()));
    names(node.node()).map(|name| resource(name)).collect()
}

/// What a pod asks for. Rounded down, where what nodes have is rounded up: so rounding alone leaves no pod without its
/// place, and that a node is not over-committed is for the framework's own scheduler to see to, by the exact amounts.
pub(super) fn of_pod(pod: &PodInfo) -> Resources {
    let down = |amount: Quantity| match amount.millis() {
        up if Quantity::from_millis(up) > amount => up - 1,
        exact => exact,
    };
    pod.requests().iter().map(|(name, amount)| Resource::scalar(name, Scalar::from_millis(down(*amount)))).collect()
}

/// The node as it is offered: with no more free than the offer holds.
pub(super) fn narrowed(node: &NodeInfo, offered: &Resources) -> Arc<Node> {
    let mut narrowed = node.shared();
    for name in names(node.node()) {
        let most = Quantity::from_millis(offered.scalar(name).millis());
        if most < node.free(name) {
            let allocatable = node.requested(name).saturating_add(most);
            Arc::make_mut(&mut narrowed).status.allocatable.insert(name.clone(), allocatable);
        }
    }
    narrowed
}

fn names(node: &Node) -> impl Iterator<Item = &String> {
    let status = &node.status;
    let in_capacity_alone = status.capacity.keys().filter(|name| !status.allocatable.contains_key(*name));
    status.allocatable.keys().chain(in_capacity_alone)
}
