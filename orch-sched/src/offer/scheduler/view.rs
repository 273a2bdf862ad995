//! [`View`]: a scheduler that sees a part of the nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Node, Pod};
use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};

use crate::filter_score::NodeInfo;
use crate::filter_score::supply::Supply;

/// A scheduler that sees a part of the nodes with the pods on them, and no other pods.
///
/// Its answers follow from what it was last shown (S6), and not from what it saw before. So one serves all frameworks, from
/// call to call: whoever's turn it is shows it the difference alone.
pub(super) struct View {
    scheduler: Box<dyn Scheduler>,
    /// The nodes that it sees, as they were shown.
    nodes: BTreeMap<String, Arc<Node>>,
}

impl View {
    /// A view of nothing.
    pub(super) fn new(scheduler: Box<dyn Scheduler>) -> Self {
        Self { scheduler, nodes: BTreeMap::new() }
    }

    /// The names of the nodes that it sees.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &String> {
        self.nodes.keys()
    }

    pub(super) fn schedule(&mut self, pod: &Arc<Pod>) -> Option<Outcome> {
        self.scheduler.schedule(std::slice::from_ref(pod)).pop().map(|decision| decision.outcome)
    }

    /// Shows a node, looking like `node`.
    pub(super) fn show(&mut self, info: &NodeInfo, node: Arc<Node>) {
        match self.nodes.get(info.name()) {
            Some(shown) if Arc::ptr_eq(shown, &node) => return,
            Some(_) => {}
            // The pods first: what they use is then added up once, when the node comes.
            None => info.pods().for_each(|pod| self.scheduler.observe(SupplyChange::PodPut(pod.shared()))),
        }
        self.scheduler.observe(SupplyChange::NodePut(Arc::clone(&node)));
        self.nodes.insert(info.name().to_owned(), node);
    }

    /// Hides a node, with the pods on it.
    pub(super) fn hide(&mut self, name: &str, supply: &Supply) {
        if self.nodes.remove(name).is_none() {
            return;
        }
        self.scheduler.observe(SupplyChange::NodeRemoved(name.to_owned()));
        let keys = supply.node(name).into_iter().flat_map(NodeInfo::pods).filter_map(|pod| pod.pod().key().ok());
        keys.for_each(|key| self.scheduler.observe(SupplyChange::PodRemoved(key)));
    }

    /// The pod at this key changed, and was on that node before.
    pub(super) fn follow(&mut self, key: &Key, before: Option<&str>, supply: &Supply) {
        let sees = |node: Option<&str>| node.is_some_and(|node| self.nodes.contains_key(node));
        if sees(supply.place(key)) {
            supply.pod_shared(key).into_iter().for_each(|pod| self.scheduler.observe(SupplyChange::PodPut(pod)));
        } else if sees(before) {
            self.scheduler.observe(SupplyChange::PodRemoved(key.clone()));
        }
    }
}
