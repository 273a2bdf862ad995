//! [`NodeInfo`]: a node, the pods on it, and what they use.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::key::Key;
use orch_core::object::{Node, Quantity, Uid};

use super::host_port::HostPort;
use super::pod_info::{PodInfo, add};

/// A node, the pods on it that have not ended, and what they use.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    node: Arc<Node>,
    pods: BTreeMap<Key, Arc<PodInfo>>,
    usage: Usage,
}

/// What pods use. Always computed anew from all of a node's pods, in the order of their keys: so it cannot drift, and
/// how it came about leaves no trace in it.
#[derive(Clone, Debug, Default)]
struct Usage {
    requests: BTreeMap<String, Quantity>,
    host_ports: Vec<HostPort>,
    pods_by_owner: BTreeMap<Uid, usize>,
}

impl NodeInfo {
    pub(super) fn new(node: Arc<Node>, pods: BTreeMap<Key, Arc<PodInfo>>) -> Self {
        let usage = Usage::of(&pods);
        Self { node, pods, usage }
    }

    pub(super) fn put_node(&mut self, node: Arc<Node>) {
        self.node = node;
    }

    pub(super) fn put_pod(&mut self, key: Key, pod: Arc<PodInfo>) {
        self.pods.insert(key, pod);
        self.usage = Usage::of(&self.pods);
    }

    pub(super) fn remove_pod(&mut self, key: &Key) -> Option<Arc<PodInfo>> {
        let removed = self.pods.remove(key)?;
        self.usage = Usage::of(&self.pods);
        Some(removed)
    }

    pub(super) fn into_pods(self) -> BTreeMap<Key, Arc<PodInfo>> {
        self.pods
    }

    pub(super) fn pod(&self, key: &Key) -> Option<&Arc<PodInfo>> {
        self.pods.get(key)
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn shared(&self) -> Arc<Node> {
        Arc::clone(&self.node)
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.node.metadata.name
    }

    /// The pods on the node that have not ended, and those placed there earlier in the same call.
    pub fn pods(&self) -> impl Iterator<Item = &PodInfo> {
        self.pods.values().map(AsRef::as_ref)
    }

    /// How much of a resource is for pods. As in Kubernetes, a node has none of what it does not report: no
    /// [`PODS`](super::PODS), no pods.
    #[must_use]
    pub fn allocatable(&self, resource: &str) -> Quantity {
        self.node.status.allocatable(resource).copied().unwrap_or_default()
    }

    /// How much of a resource is set aside for the pods on the node.
    #[must_use]
    pub fn requested(&self, resource: &str) -> Quantity {
        self.usage.requests.get(resource).copied().unwrap_or_default()
    }

    /// How much of a resource is left; none if the node holds more than it should, or the number is out of range.
    #[must_use]
    pub fn free(&self, resource: &str) -> Quantity {
        let free = self.allocatable(resource).checked_sub(self.requested(resource));
        free.filter(|free| !free.is_negative()).unwrap_or_default()
    }

    /// The ports that are taken.
    #[must_use]
    pub fn host_ports(&self) -> &[HostPort] {
        &self.usage.host_ports
    }

    /// How many pods on the node this owner manages, without those that are being deleted.
    #[must_use]
    pub fn pods_managed_by(&self, owner: &Uid) -> usize {
        self.usage.pods_by_owner.get(owner).copied().unwrap_or(0)
    }
}

impl Usage {
    fn of(pods: &BTreeMap<Key, Arc<PodInfo>>) -> Self {
        let mut usage = Self::default();
        for pod in pods.values() {
            for (resource, amount) in pod.requests() {
                add(&mut usage.requests, resource, *amount);
            }
            usage.host_ports.extend_from_slice(pod.host_ports());
            let metadata = &pod.pod().metadata;
            if let Some(owner) = metadata.controller().filter(|_| !metadata.is_deleting()) {
                *usage.pods_by_owner.entry(owner.uid.clone()).or_default() += 1;
            }
        }
        usage
    }
}
