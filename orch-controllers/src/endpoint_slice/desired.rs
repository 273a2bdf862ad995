//! Which endpoints a service has, grouped as slices need them. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use orch_core::kind::Object as _;
use orch_core::object::{
    AddressType, ContainerPort, Endpoint, EndpointConditions, EndpointPort, IntOrString, ObjectReference, Pod, Service,
    ServicePort, ServiceSpec, Uid,
};

/// What all endpoints of a slice have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) address_type: AddressType,
    pub(super) ports: Vec<EndpointPort>,
}

/// The endpoints of one shape, by the pod's uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) shape: Shape,
    pub(super) endpoints: BTreeMap<Uid, Endpoint>,
}

/// The endpoints of `service` among `pods`, each group of one shape. Groups come in an order that follows from the
/// service and the pods, whatever order the pods are in.
pub(super) fn groups(service: &Service, pods: &[Arc<Pod>]) -> Vec<Group> {
    let mut pods: Vec<&Pod> = pods.iter().map(|pod| &**pod).filter(|pod| is_endpoint(service, pod)).collect();
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let mut groups: Vec<Group> = Vec::new();
    for address_type in address_types(&service.spec) {
        for pod in &pods {
            let (Some(uid), Some(address)) = (&pod.metadata.uid, address(pod, address_type)) else { continue };
            let ports = ports(service, pod);
            if ports.is_empty() && !service.spec.ports.is_empty() {
                continue;
            }
            let shape = Shape { address_type, ports };
            let index = groups.iter().position(|group| group.shape == shape).unwrap_or_else(|| {
                groups.push(Group { shape, endpoints: BTreeMap::new() });
                groups.len() - 1
            });
            groups[index].endpoints.insert(uid.clone(), endpoint(service, pod, address));
        }
    }
    groups
}

/// Whether a service leads to a pod with these labels. A service without a selector leads to none by itself.
pub(super) fn selects(service: &Service, labels: &BTreeMap<String, String>) -> bool {
    let selector = &service.spec.selector;
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn is_endpoint(service: &Service, pod: &Pod) -> bool {
    selects(service, &pod.metadata.labels) && !pod.status.phase().is_terminal()
}

/// The kinds of addresses that the service itself has; both kinds if it has none.
fn address_types(spec: &ServiceSpec) -> Vec<AddressType> {
    let own = spec.cluster_ips.iter().chain(&spec.cluster_ip).filter_map(|text| text.parse::<IpAddr>().ok());
    let mut types: Vec<_> = own.map(|address| type_of(&address)).collect();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() { vec![AddressType::Ipv4, AddressType::Ipv6] } else { types }
}

fn type_of(address: &IpAddr) -> AddressType {
    if address.is_ipv4() { AddressType::Ipv4 } else { AddressType::Ipv6 }
}

fn address(pod: &Pod, wanted: AddressType) -> Option<IpAddr> {
    let all = pod.status.pod_ip.iter().chain(pod.status.pod_ips.iter().map(|address| &address.ip));
    all.filter_map(|text| text.parse().ok()).find(|address| type_of(address) == wanted)
}

/// The service's ports as this pod has them. A port that the pod does not name is left out.
fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let port = |port: &ServicePort| {
        let number = match port.target_port() {
            IntOrString::Int(number) => number,
            IntOrString::String(name) => named(pod, &name, port)?.container_port,
        };
        Some(EndpointPort { name: port.name.clone(), protocol: Some(port.protocol()), port: Some(number) })
    };
    service.spec.ports.iter().filter_map(port).collect()
}

fn named<'a>(pod: &'a Pod, name: &str, port: &ServicePort) -> Option<&'a ContainerPort> {
    let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    let mut matching = ports.filter(|candidate| candidate.name.as_deref() == Some(name));
    matching.find(|candidate| candidate.protocol() == port.protocol())
}

fn endpoint(service: &Service, pod: &Pod, address: IpAddr) -> Endpoint {
    let (serving, terminating) = (pod.status.is_ready(), pod.metadata.is_deleting());
    let ready = service.spec.publish_not_ready_addresses || (serving && !terminating);
    Endpoint {
        addresses: vec![address.to_string()],
        conditions: EndpointConditions { ready: Some(ready), serving: Some(serving), terminating: Some(terminating) },
        hostname: hostname(service, pod),
        node_name: pod.spec.node_name.clone(),
        // Without the revision: not every write of a pod is news for those who connect to it.
        target_ref: Some(ObjectReference { revision: None, ..ObjectReference::to(pod) }),
    }
}

/// The name that the pod has in the service's domain: that of its host, if it asks for one in this domain. As in
/// Kubernetes, where it does not, it is found by its address alone.
fn hostname(service: &Service, pod: &Pod) -> Option<String> {
    let is_asked_for = pod.spec.subdomain() == Some(service.metadata.name.as_str());
    pod.spec.hostname.clone().filter(|name| is_asked_for && !name.is_empty())
}

/// The key by which the endpoints of a slice are ordered.
pub(super) fn order(endpoint: &Endpoint) -> (Option<&str>, Option<&Uid>) {
    let target = endpoint.target_ref.as_ref();
    (target.and_then(|target| target.name.as_deref()), target.and_then(|target| target.uid.as_ref()))
}

/// The pod that an endpoint stands for.
pub(super) fn pod_of(endpoint: &Endpoint) -> Option<&Uid> {
    endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some(Pod::KIND.name))?.uid.as_ref()
}
