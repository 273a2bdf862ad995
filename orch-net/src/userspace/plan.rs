//! [`Moves`]: which sockets a sync opens, hands over and closes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use orch_core::object::Protocol;
use orch_core::proxy::{ProxyError, ServicePort, ServicePortName};

use crate::served::PortChange;

/// Which sockets a sync opens, hands over and closes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Addresses to listen at that nobody listened at before, and for whom.
    pub(super) bind: Vec<(SocketAddr, ServicePortName)>,
    /// Addresses that pass from one service port to another. They are never closed in between, so they cannot be lost.
    pub(super) hand_over: Vec<(SocketAddr, ServicePortName)>,
    /// Addresses that are not served any more.
    pub(super) close: Vec<SocketAddr>,
}

impl Moves {
    /// What `changes` need. `owner` tells which service port has an address before the sync.
    pub(super) fn plan(
        changes: &[PortChange],
        node_addresses: &BTreeSet<IpAddr>,
        owner: impl Fn(SocketAddr) -> Option<ServicePortName>,
    ) -> Result<Self, ProxyError> {
        let old = changes.iter().filter_map(|change| change.old.as_ref());
        let released: BTreeSet<SocketAddr> = old.flat_map(|port| addresses(port, node_addresses)).collect();
        let mut wanted: BTreeMap<SocketAddr, &ServicePortName> = BTreeMap::new();
        for PortChange { name, new, .. } in changes {
            let Some(port) = new else { continue };
            supported(name, port)?;
            for address in addresses(port, node_addresses) {
                let kept_by = owner(address).filter(|_| !released.contains(&address));
                if let Some(other) = kept_by.or(wanted.insert(address, name).cloned()) {
                    let message = format!("{address}, an address of this node, belongs to {other} already");
                    return Err(ProxyError::InvalidTable { name: name.clone(), message });
                }
            }
        }
        let mut moves = Self {
            close: released.difference(&wanted.keys().copied().collect()).copied().collect(),
            ..Self::default()
        };
        for (address, name) in wanted {
            match owner(address) {
                None => moves.bind.push((address, name.clone())),
                Some(before) if before != *name => moves.hand_over.push((address, name.clone())),
                Some(_) => {}
            }
        }
        Ok(moves)
    }
}

/// The addresses at which a service port is listened for, each once.
fn addresses(port: &ServicePort, node_addresses: &BTreeSet<IpAddr>) -> BTreeSet<SocketAddr> {
    let at = |place: orch_core::proxy::Place| {
        let every = place.address.is_none().then_some(node_addresses).into_iter().flatten().copied();
        place.address.into_iter().chain(every).map(move |address| SocketAddr::new(address, place.port))
    };
    port.places().flat_map(at).collect()
}

fn supported(name: &ServicePortName, port: &ServicePort) -> Result<(), ProxyError> {
    let message = if port.protocol != Protocol::Tcp {
        format!("it relays TCP only, not {:?}: serve it with a proxy of the kernel", port.protocol)
    } else if port.node_port.is_some() && port.internal != port.external {
        "its addresses and its port of the node lead to the same endpoints: give it one policy for both".to_owned()
    } else {
        return Ok(());
    };
    Err(ProxyError::Unsupported { name: name.clone(), message })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::object::TrafficPolicy;
    use orch_core::proxy::Affinity;

    use super::*;

    fn name(service: &str) -> ServicePortName {
        ServicePortName { service: format!("services/shop/{service}").parse().expect("a key"), port: String::new() }
    }

    fn port(address: &str, node_port: Option<u16>) -> Arc<ServicePort> {
        let address: SocketAddr = address.parse().expect("an address");
        Arc::new(ServicePort {
            protocol: Protocol::Tcp,
            addresses: BTreeSet::from([address.ip()]),
            port: address.port(),
            node_port,
            affinity: Affinity::None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: Vec::new(),
        })
    }

    fn change(service: &str, old: Option<Arc<ServicePort>>, new: Option<Arc<ServicePort>>) -> PortChange {
        PortChange { name: name(service), old, new }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn plan(changes: &[PortChange], served: &[(&str, &str)]) -> Result<Moves, String> {
        let owners: BTreeMap<_, _> = served.iter().map(|(at, service)| (address(at), name(service))).collect();
        let nodes = BTreeSet::from(["127.0.0.1".parse().expect("an address")]);
        Moves::plan(changes, &nodes, |address| owners.get(&address).cloned()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_bound_handed_over_and_closed_as_the_changes_need() {
        let (a, b) = (port("127.1.0.1:80", Some(30080)), port("127.1.0.1:81", None));
        let added = plan(&[change("a", None, Some(a.clone()))], &[]).expect("a plan");
        let bind = vec![(address("127.0.0.1:30080"), name("a")), (address("127.1.0.1:80"), name("a"))];
        assert_eq!(added, Moves { bind, ..Moves::default() });

        let served = [("127.1.0.1:80", "a"), ("127.0.0.1:30080", "a")];
        let changed = plan(&[change("a", Some(a.clone()), Some(b))], &served).expect("a plan");
        let close = vec![address("127.0.0.1:30080"), address("127.1.0.1:80")];
        assert_eq!(
            changed,
            Moves { bind: vec![(address("127.1.0.1:81"), name("a"))], close: close.clone(), ..Moves::default() }
        );

        let passed = [change("a", Some(a.clone()), None), change("b", None, Some(port("127.1.0.1:80", None)))];
        let hand_over = vec![(address("127.1.0.1:80"), name("b"))];
        let close = vec![address("127.0.0.1:30080")];
        assert_eq!(plan(&passed, &served).expect("a plan"), Moves { hand_over, close, ..Moves::default() });
    }

    #[test]
    fn a_service_address_that_is_a_node_port_too_is_refused_whichever_came_first() {
        let (by_node, by_address) = (port("127.1.0.1:80", Some(30080)), port("127.0.0.1:30080", None));
        let both = [change("a", None, Some(by_node)), change("b", None, Some(by_address.clone()))];
        let error = plan(&both, &[]).expect_err("twice the same");
        assert!(error.contains("shop/b") && error.contains("belongs to shop/a"), "{error}");
        let later = [change("b", None, Some(by_address))];
        let error = plan(&later, &[("127.0.0.1:30080", "a")]).expect_err("taken");
        assert!(error.contains("shop/b") && error.contains("belongs to shop/a"), "{error}");
    }

    #[test]
    fn other_protocols_than_tcp_are_refused() {
        let udp = ServicePort { protocol: Protocol::Udp, ..(*port("127.1.0.1:53", None)).clone() };
        let error = plan(&[change("dns", None, Some(Arc::new(udp)))], &[]).expect_err("UDP");
        assert_eq!(
            error,
            "service port shop/dns cannot be served by this proxy: it relays TCP only, not Udp: serve it with a proxy \
             of the kernel"
        );
    }
}
