//! The kinds that can be asked for, and what people call them.

use orch_core::kind::{Kind, Object as _};
use orch_core::object::{
    ConfigMap, Deployment, EndpointSlice, Event, IpAddress, Lease, Namespace, Node, NodeMetrics, Pod, ReplicaSet,
    Secret, Service, ServiceNodePort,
};

const KINDS: [(&[&str], &Kind); 14] = [
    (&["pods", "pod", "po"], &Pod::KIND),
    (&["nodes", "node", "no"], &Node::KIND),
    (&["deployments", "deployment", "deploy"], &Deployment::KIND),
    (&["replicasets", "replicaset", "rs"], &ReplicaSet::KIND),
    (&["services", "service", "svc"], &Service::KIND),
    (&["endpointslices", "endpointslice"], &EndpointSlice::KIND),
    (&["events", "event", "ev"], &Event::KIND),
    (&["configmaps", "configmap", "cm"], &ConfigMap::KIND),
    (&["secrets", "secret"], &Secret::KIND),
    (&["namespaces", "namespace", "ns"], &Namespace::KIND),
    (&["leases", "lease"], &Lease::KIND),
    (&["ipaddresses", "ipaddress", "ip"], &IpAddress::KIND),
    (&["servicenodeports", "servicenodeport"], &ServiceNodePort::KIND),
    (&["nodemetrics"], &NodeMetrics::KIND),
];

/// The kind that people call so.
pub(super) fn find(word: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|(words, _)| words.contains(&word)).map(|(_, kind)| *kind)
}

/// What each kind is called.
pub(super) fn names() -> Vec<&'static str> {
    KINDS.iter().filter_map(|(words, _)| words.first().copied()).collect()
}
