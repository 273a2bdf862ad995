//! What one service asks a proxy for. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use orch_core::key::Key;
use orch_core::object::{self, EndpointConditions, EndpointSlice, Service, ServiceType, SessionAffinity};
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort, ServicePortName};

/// What each port of a service asks for, or why it cannot be served.
pub(super) type Wanted = BTreeMap<ServicePortName, Result<ServicePort, String>>;

/// What the ports of `service` ask for, with the endpoints in `slices`, on `node`. A headless service, and one that was
/// not given an address yet, asks for nothing.
///
/// Endpoints that take no connections are left out: that a pod is about to become ready is no news for a proxy.
pub(super) fn wanted<'a>(
    key: &Key,
    service: &Service,
    slices: impl Iterator<Item = &'a EndpointSlice>,
    node: Option<&str>,
) -> Wanted {
    let spec = &service.spec;
    if spec.is_headless() {
        return Wanted::new();
    }
    let addresses: BTreeSet<&str> = spec.cluster_ips.iter().chain(&spec.cluster_ip).map(String::as_str).collect();
    let addresses: Vec<&str> = addresses.into_iter().filter(|address| !address.is_empty()).collect();
    let slices: Vec<_> = slices.collect();
    let mut wanted = Wanted::new();
    for port in &spec.ports {
        let node_port = port.node_port.filter(|_| spec.service_type() == ServiceType::NodePort);
        if addresses.is_empty() && node_port.is_none() {
            continue;
        }
        let endpoints = endpoints(&slices, port, node);
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
        internal: service.spec.internal_traffic_policy(),
        external: service.spec.external_traffic_policy(),
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

/// Each address once, in order. While an endpoint moves from one slice to another it may be in both: if it is ready in
/// one, it is ready.
fn endpoints(slices: &[&EndpointSlice], port: &object::ServicePort, node: Option<&str>) -> Vec<Endpoint> {
    let mut found: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
    for slice in slices {
        let Some(number) = endpoint_port(slice, port) else { continue };
        for endpoint in &slice.endpoints {
            // What is no address is a host name; a proxy leads to addresses.
            let address = endpoint.addresses.first().and_then(|text| text.parse::<IpAddr>().ok());
            let (Some(address), Some(state)) = (address, state(&endpoint.conditions)) else { continue };
            let address = SocketAddr::new(address, number);
            let is_local = node.is_none_or(|node| endpoint.node_name.as_deref() == Some(node));
            let new = Endpoint { address, is_local, state };
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
