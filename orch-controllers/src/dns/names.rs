//! Where the names of one service lead. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use orch_core::dns::{PortNames, ServiceNames, Target};
use orch_core::object::{Endpoint, EndpointSlice, Protocol, Service};
use orch_core::validation::is_dns_label;

/// Where the ports lead, by their names.
type Ports = BTreeMap<(String, Protocol), BTreeSet<Target>>;

/// Where the names of `service` lead, with the endpoints in `slices`. Nowhere as long as it has no address, or if it is
/// headless, no endpoint. What is not spelled as names are has none: nobody could ask for it.
pub(super) fn names<'a>(service: &Service, slices: impl Iterator<Item = &'a EndpointSlice>) -> ServiceNames {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    if !is_dns_label(&service.metadata.name) || !is_dns_label(namespace) {
        ServiceNames::default()
    } else if service.spec.is_headless() {
        of_endpoints(slices, service.spec.publish_not_ready_addresses)
    } else {
        of_addresses(service)
    }
}

fn of_addresses(service: &Service) -> ServiceNames {
    let own = service.spec.cluster_ips.iter().chain(&service.spec.cluster_ip);
    let addresses: BTreeSet<IpAddr> = own.filter_map(|text| text.parse().ok()).collect();
    let mut ports = Ports::new();
    for port in &service.spec.ports {
        let Ok(number) = u16::try_from(port.port) else { continue };
        let name = (name_of(port.name.as_deref()), port.protocol());
        ports.entry(name).or_default().insert(Target { host: None, port: number });
    }
    ServiceNames { addresses: addresses.into_iter().collect(), hosts: BTreeMap::new(), ports: listed(ports) }
}

fn of_endpoints<'a>(slices: impl Iterator<Item = &'a EndpointSlice>, all: bool) -> ServiceNames {
    let (mut hosts, mut ports) = (BTreeMap::<String, BTreeSet<IpAddr>>::new(), Ports::new());
    for slice in slices {
        for endpoint in slice.endpoints.iter().filter(|endpoint| all || endpoint.conditions.ready()) {
            // What is no address is a name of somewhere else.
            for address in endpoint.addresses.iter().filter_map(|text| text.parse().ok()) {
                let host = host_of(endpoint, address);
                for port in &slice.ports {
                    let Some(number) = port.port.and_then(|number| u16::try_from(number).ok()) else { continue };
                    let name = (name_of(port.name.as_deref()), port.protocol());
                    ports.entry(name).or_default().insert(Target { host: Some(host.clone()), port: number });
                }
                hosts.entry(host).or_default().insert(address);
            }
        }
    }
    let addresses: BTreeSet<IpAddr> = hosts.values().flatten().copied().collect();
    ServiceNames {
        addresses: addresses.into_iter().collect(),
        hosts: hosts.into_iter().map(|(host, addresses)| (host, addresses.into_iter().collect())).collect(),
        ports: listed(ports),
    }
}

/// The endpoint's host name, or else its address, which tells it from the others of its service.
fn host_of(endpoint: &Endpoint, address: IpAddr) -> String {
    let name = endpoint.hostname.as_deref().map(str::to_ascii_lowercase).filter(|name| is_dns_label(name));
    name.unwrap_or_else(|| address.to_string().replace(['.', ':'], "-"))
}

fn name_of(name: Option<&str>) -> String {
    name.filter(|name| is_dns_label(name)).unwrap_or_default().to_owned()
}

fn listed(ports: Ports) -> Vec<PortNames> {
    let listed = |((name, protocol), targets): (_, BTreeSet<Target>)| PortNames {
        name,
        protocol,
        targets: targets.into_iter().collect(),
    };
    ports.into_iter().map(listed).collect()
}
