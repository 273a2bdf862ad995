//! [`Ledger`]: what an allocator is told of the nodes.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::allocator::{AllocatorChange, FrameworkId, NodeName, NodeSupply, Resources, Role, Usage};
use orch_core::object::Pod;

use super::amounts;
use crate::filter_score::NodeInfo;
use crate::filter_score::supply::Supply;

/// What an allocator is told of the nodes and of what is used on them. It is kept from call to call, and written anew for
/// the nodes that changed: what stands here of a node follows from the node and its pods alone.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    nodes: BTreeMap<String, Vec<AllocatorChange>>,
    changed: BTreeSet<String>,
}

impl Ledger {
    /// The node of this name, or what is on it, is other than before.
    pub(super) fn mark(&mut self, node: &str) {
        if !self.changed.contains(node) {
            self.changed.insert(node.to_owned());
        }
    }

    /// All that is to be told, node by node.
    pub(super) fn changes(
        &mut self,
        supply: &Supply,
        role_of: &dyn Fn(&Pod) -> Role,
    ) -> impl Iterator<Item = &AllocatorChange> {
        for name in std::mem::take(&mut self.changed) {
            match supply.node(&name) {
                Some(node) => self.nodes.insert(name, entry(node, role_of)),
                None => self.nodes.remove(&name),
            };
        }
        self.nodes.values().flatten()
    }
}

/// The node, and in one sum what each role uses of it.
fn entry(node: &NodeInfo, role_of: &dyn Fn(&Pod) -> Role) -> Vec<AllocatorChange> {
    let name = NodeName::new(node.name());
    let mut used: BTreeMap<Role, Resources> = BTreeMap::new();
    for pod in node.pods() {
        let sum = used.entry(role_of(pod.pod())).or_default();
        *sum = sum.plus(&amounts::of_pod(pod));
    }
    let adopted = |(role, resources): (Role, Resources)| {
        let framework = FrameworkId::new(role.as_str());
        AllocatorChange::Adopted(Usage { framework, role, node: name.clone(), resources })
    };
    let put = AllocatorChange::NodePut(NodeSupply::new(name.clone(), amounts::of_node(node)));
    std::iter::once(put).chain(used.into_iter().map(adopted)).collect()
}
