//! [`Supply`]: the nodes and the pods on them, as last shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Node, Pod};
use orch_core::scheduler::SupplyChange;

use super::node_info::NodeInfo;
use super::pod_info::PodInfo;

/// The nodes and the pods on them, as last shown, and the pods that are assumed to be placed while a call decides.
#[derive(Debug, Default)]
pub(crate) struct Supply {
    nodes: BTreeMap<String, NodeInfo>,
    /// Pods on nodes that are not known, by the node's name: changes of a pod and of its node come in any order.
    strays: BTreeMap<String, BTreeMap<Key, Arc<PodInfo>>>,
    /// The name of each pod's node.
    places: BTreeMap<Key, String>,
    /// What was there before each assumption, in their order.
    assumed: Vec<(Key, Option<Arc<PodInfo>>)>,
}

impl Supply {
    pub(crate) fn observe(&mut self, change: SupplyChange) {
        match change {
            SupplyChange::NodePut(node) => self.put_node(node),
            SupplyChange::NodeRemoved(name) => self.remove_node(&name),
            SupplyChange::PodPut(pod) => {
                if let Ok(key) = pod.key() {
                    self.set_pod(&key, Some(Arc::new(PodInfo::new(pod))));
                }
            }
            SupplyChange::PodRemoved(key) => {
                self.set_pod(&key, None);
            }
            // A change that a later version knows of says nothing about nodes and pods as they are here.
            _ => {}
        }
    }

    /// The nodes, in the order of their names.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// The node of this name.
    pub(crate) fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name)
    }

    /// The pod at this key, if it has a node.
    pub(crate) fn pod(&self, key: &Key) -> Option<&Pod> {
        self.info(key).map(|pod| pod.pod())
    }

    /// The name of the node of the pod at this key, if it has one.
    pub(crate) fn place(&self, key: &Key) -> Option<&str> {
        self.places.get(key).map(String::as_str)
    }

    /// The pod at this key, if it has a node, to keep.
    pub(crate) fn pod_shared(&self, key: &Key) -> Option<Arc<Pod>> {
        self.info(key).map(|pod| pod.shared())
    }

    fn info(&self, key: &Key) -> Option<&Arc<PodInfo>> {
        let name = self.places.get(key)?;
        let stray = || self.strays.get(name)?.get(key);
        self.nodes.get(name).and_then(|node| node.pod(key)).or_else(stray)
    }

    /// Counts the pod as placed on the node until [`forget_assumed`](Self::forget_assumed): exactly as if it had been
    /// shown so.
    pub(crate) fn assume(&mut self, key: Key, pod: &Pod, node: &str) {
        let mut placed = pod.clone();
        placed.spec.node_name = Some(node.to_owned());
        let before = self.set_pod(&key, Some(Arc::new(PodInfo::new(Arc::new(placed)))));
        self.assumed.push((key, before));
    }

    /// Puts back what was there before the assumptions.
    pub(crate) fn forget_assumed(&mut self) {
        while let Some((key, before)) = self.assumed.pop() {
            self.set_pod(&key, before);
        }
    }

    fn put_node(&mut self, node: Arc<Node>) {
        let name = &node.metadata.name;
        match self.nodes.get_mut(name) {
            Some(known) => known.put_node(node),
            None => {
                let pods = self.strays.remove(name).unwrap_or_default();
                self.nodes.insert(name.clone(), NodeInfo::new(node, pods));
            }
        }
    }

    fn remove_node(&mut self, name: &str) {
        let pods = self.nodes.remove(name).map(NodeInfo::into_pods).unwrap_or_default();
        if !pods.is_empty() {
            self.strays.insert(name.to_owned(), pods);
        }
    }

    /// Makes `pod` the one at this key, and returns the one before. A pod that has ended or has no node uses nothing.
    fn set_pod(&mut self, key: &Key, pod: Option<Arc<PodInfo>>) -> Option<Arc<PodInfo>> {
        let before = self.places.remove(key).and_then(|name| self.take_pod(key, &name));
        if let Some(pod) = pod.filter(|pod| !pod.pod().status.phase().is_terminal())
            && let Some(name) = node_of(pod.pod()).map(str::to_owned)
        {
            match self.nodes.get_mut(&name) {
                Some(node) => node.put_pod(key.clone(), pod),
                None => {
                    self.strays.entry(name.clone()).or_default().insert(key.clone(), pod);
                }
            }
            self.places.insert(key.clone(), name);
        }
        before
    }

    fn take_pod(&mut self, key: &Key, name: &str) -> Option<Arc<PodInfo>> {
        if let Some(node) = self.nodes.get_mut(name) {
            return node.remove_pod(key);
        }
        let pods = self.strays.get_mut(name)?;
        let removed = pods.remove(key);
        if pods.is_empty() {
            self.strays.remove(name);
        }
        removed
    }
}

/// The node that the pod was given; an empty name is none, as in Kubernetes.
pub(crate) fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.node_name.as_deref().filter(|name| !name.is_empty())
}
