//! What one service asks a proxy for. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use orch_core::key::Key;
use orch_core::object::{
    self, EndpointConditions, EndpointSlice, Service, ServiceType, SessionAffinity, TrafficPolicy,
};
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort, ServicePortName};

/// What each port of a service asks for, or why it cannot be served.
pub(super) type Wanted = BTreeMap<ServicePortName, Result<ServicePort, String>>;

/// What the ports of `service` ask for, with the endpoints in `slices`, on `node`. A headless service, and one that was
/// not given an address yet, asks for nothing.
///
/// Endpoints that take no connections are left out: that a pod is about to become ready is no news for a proxy. A slice
/// that an earlier service of the same name owns does not count.
pub(super) fn wanted<'a>(
    key: &Key,
    service: &Service,
    slices: impl Iterator<Item = &'a Arc<EndpointSlice>>,
    node: Option<&str>,
) -> Wanted {
    let spec = &service.spec;
    if spec.is_headless() {
        return Wanted::new();
    }
    let addresses: BTreeSet<&str> = spec.cluster_ips.iter().chain(&spec.cluster_ip).map(String::as_str).collect();
    let addresses: Vec<&str> = addresses.into_iter().filter(|address| !address.is_empty()).collect();
    let slices: Vec<_> = slices.filter(|slice| belongs_to(slice, service)).collect();
    let mut wanted = Wanted::new();
    for port in &spec.ports {
        let node_port = port.node_port.filter(|_| spec.service_type() == ServiceType::NodePort);
        if addresses.is_empty() && node_port.is_none() {
            continue;
        }
        let endpoints = endpoints(&slices, port, only_on(service, node_port.is_some(), node));
        let name = ServicePortName { service: key.clone(), port: port.name.clone().unwrap_or_default() };
        wanted.insert(name, service_port(service, port, &addresses, node_port, endpoints));
    }
    wanted
}

fn service_port(
    service: &Service,
    port: &object::ServicePort,
    addresses: &[&str],
    node_port: Option<i32>,
    endpoints: Vec<Endpoint>,
) -> Result<ServicePort, String> {
    Ok(ServicePort {
        protocol: port.protocol(),
        addresses: addresses.iter().map(|text| address(text)).collect::<Result<_, _>>()?,
        port: number(port.port)?,
        node_port: node_port.map(number).transpose()?,
        affinity: match service.spec.session_affinity() {
            SessionAffinity::None => Affinity::None,
            SessionAffinity::ClientIp => Affinity::ClientIp(service.spec.session_affinity_timeout()),
        },
        endpoints,
    })
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("clusterIP {text:?} is no IP address"))
}

fn number(number: i32) -> Result<u16, String> {
    let valid = u16::try_from(number).ok().filter(|number| *number > 0);
    valid.ok_or_else(|| format!("port {number} cannot be served: choose one from 1 to 65535"))
}

fn belongs_to(slice: &EndpointSlice, service: &Service) -> bool {
    slice.metadata.controller().is_none_or(|owner| Some(&owner.uid) == service.metadata.uid.as_ref())
}

/// The node whose endpoints alone are wanted, if every way to the service asks for `Local`. A table has one list of
/// endpoints a service port, so where the policies for inside and outside differ, all endpoints are led to.
fn only_on<'a>(service: &Service, from_outside: bool, node: Option<&'a str>) -> Option<&'a str> {
    let inside = service.spec.internal_traffic_policy() == TrafficPolicy::Local;
    let outside = !from_outside || service.spec.external_traffic_policy() == TrafficPolicy::Local;
    node.filter(|_| inside && outside)
}

/// Each address once, in order. While an endpoint moves from one slice to another it may be in both: if it is ready in
/// one, it is ready.
fn endpoints(slices: &[&Arc<EndpointSlice>], port: &object::ServicePort, only_on: Option<&str>) -> Vec<Endpoint> {
    let mut found: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
    for slice in slices {
        let Some(number) = endpoint_port(slice, port) else { continue };
        for endpoint in &slice.endpoints {
            // What is no address is a host name; a proxy leads to addresses.
            let address = endpoint.addresses.first().and_then(|text| text.parse::<IpAddr>().ok());
            let (Some(address), Some(state)) = (address, state(&endpoint.conditions)) else { continue };
            if only_on.is_some_and(|node| endpoint.node_name.as_deref() != Some(node)) {
                continue;
            }
            let address = SocketAddr::new(address, number);
            let new = Endpoint { address, node: endpoint.node_name.clone(), state };
            let known = found.entry(address).or_insert_with(|| new.clone());
            if state == EndpointState::Ready && known.state != EndpointState::Ready {
                *known = new;
            }
        }
    }
    found.into_values().collect()
}

/// The number that a service's port has at the endpoints of a slice.
fn endpoint_port(slice: &EndpointSlice, port: &object::ServicePort) -> Option<u16> {
    let name = port.name.as_deref().unwrap_or_default();
    let mut same = slice.ports.iter().filter(|candidate| candidate.name.as_deref().unwrap_or_default() == name);
    let same = same.find(|candidate| candidate.protocol() == port.protocol())?;
    u16::try_from(same.port?).ok()
}

fn state(conditions: &EndpointConditions) -> Option<EndpointState> {
    if conditions.ready() {
        return Some(EndpointState::Ready);
    }
    (conditions.serving() && conditions.terminating()).then_some(EndpointState::ServingTerminating)
}
