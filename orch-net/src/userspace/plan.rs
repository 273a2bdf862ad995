//! [`Moves`]: which sockets a sync opens, hands over and closes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use orch_core::object::Protocol;
use orch_core::proxy::{ProxyError, ServicePort, ServicePortName};

use crate::served::PortChange;

/// Which sockets a sync opens, hands over and closes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Where there was no socket before, and for whom.
    pub(super) bind: Vec<(Entrance, Owner)>,
    /// Sockets that pass from one owner to another. They are never closed in between, so they cannot be lost.
    pub(super) hand_over: Vec<(Entrance, Owner)>,
    /// Sockets that are not needed any more.
    pub(super) close: Vec<Entrance>,
}

/// Where a socket is, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entrance {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
}

/// Whom a socket is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: ServicePortName,
    pub(super) side: Side,
}

/// Which policy of a service port holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// That of the service's addresses.
    Inside,
    /// That of the port of the node.
    Outside,
}

impl Moves {
    /// What `changes` need. `owner` tells whom a socket is for before the sync.
    pub(super) fn plan(
        changes: &[PortChange],
        node_addresses: &BTreeSet<IpAddr>,
        owner: impl Fn(Entrance) -> Option<Owner>,
    ) -> Result<Self, ProxyError> {
        let old = changes.iter().filter_map(|change| change.old.as_ref());
        let released: BTreeSet<Entrance> = old.flat_map(|port| entrances(port, node_addresses).into_keys()).collect();
        let mut wanted: BTreeMap<Entrance, Owner> = BTreeMap::new();
        for PortChange { name, new, .. } in changes {
            let Some(port) = new else { continue };
            for (entrance, side) in entrances(port, node_addresses) {
                supported(name, entrance)?;
                let kept_by = owner(entrance).filter(|_| !released.contains(&entrance));
                let new = Owner { name: name.clone(), side };
                if let Some(other) = kept_by.or(wanted.insert(entrance, new)) {
                    let message = format!("{entrance}, an address of this node, belongs to {} already", other.name);
                    return Err(ProxyError::InvalidTable { name: name.clone(), message });
                }
            }
        }
        let mut moves = Self {
            close: released.into_iter().filter(|entrance| !wanted.contains_key(entrance)).collect(),
            ..Self::default()
        };
        for (entrance, new) in wanted {
            match owner(entrance) {
                None => moves.bind.push((entrance, new)),
                Some(before) if before != new => moves.hand_over.push((entrance, new)),
                Some(_) => {}
            }
        }
        Ok(moves)
    }
}

impl fmt::Display for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

/// Where a service port has sockets, and which policy holds there.
pub(super) fn entrances(port: &ServicePort, node_addresses: &BTreeSet<IpAddr>) -> BTreeMap<Entrance, Side> {
    let at = |address: IpAddr, number| Entrance { protocol: port.protocol, address: SocketAddr::new(address, number) };
    let of_node = port
        .node_port
        .into_iter()
        .flat_map(|number| node_addresses.iter().map(move |address| (at(*address, number), Side::Outside)));
    // Where both are the same, it is the service's address.
    of_node.chain(port.addresses.iter().map(|address| (at(*address, port.port), Side::Inside))).collect()
}

fn supported(name: &ServicePortName, entrance: Entrance) -> Result<(), ProxyError> {
    let Entrance { protocol, address } = entrance;
    let message = match protocol {
        Protocol::Tcp => return Ok(()),
        Protocol::Udp if !address.ip().is_unspecified() => return Ok(()),
        Protocol::Udp => format!(
            "datagrams that come in at {address} would be answered from another address; name the addresses of the node \
             one by one"
        ),
        Protocol::Sctp => "it relays TCP and UDP only, not SCTP: serve it with a proxy of the kernel".to_owned(),
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

    fn tcp(text: &str) -> Entrance {
        Entrance { protocol: Protocol::Tcp, address: text.parse().expect("an address") }
    }

    fn inside(service: &str) -> Owner {
        Owner { name: name(service), side: Side::Inside }
    }

    fn outside(service: &str) -> Owner {
        Owner { name: name(service), side: Side::Outside }
    }

    fn plan(changes: &[PortChange], served: &[(&str, Owner)]) -> Result<Moves, String> {
        let owners: BTreeMap<_, _> = served.iter().map(|(at, owner)| (tcp(at), owner.clone())).collect();
        let nodes = BTreeSet::from(["127.0.0.1".parse().expect("an address")]);
        Moves::plan(changes, &nodes, |entrance| owners.get(&entrance).cloned()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_bound_handed_over_and_closed_as_the_changes_need() {
        let (a, b) = (port("127.1.0.1:80", Some(30080)), port("127.1.0.1:81", None));
        let added = plan(&[change("a", None, Some(a.clone()))], &[]).expect("a plan");
        let bind = vec![(tcp("127.0.0.1:30080"), outside("a")), (tcp("127.1.0.1:80"), inside("a"))];
        assert_eq!(added, Moves { bind, ..Moves::default() });

        let served = [("127.1.0.1:80", inside("a")), ("127.0.0.1:30080", outside("a"))];
        let changed = plan(&[change("a", Some(a.clone()), Some(b))], &served).expect("a plan");
        let close = vec![tcp("127.0.0.1:30080"), tcp("127.1.0.1:80")];
        let bind = vec![(tcp("127.1.0.1:81"), inside("a"))];
        assert_eq!(changed, Moves { bind, close, ..Moves::default() });

        let passed = [change("a", Some(a.clone()), None), change("b", None, Some(port("127.1.0.1:80", None)))];
        let hand_over = vec![(tcp("127.1.0.1:80"), inside("b"))];
        let close = vec![tcp("127.0.0.1:30080")];
        assert_eq!(plan(&passed, &served).expect("a plan"), Moves { hand_over, close, ..Moves::default() });
    }

    #[test]
    fn a_port_of_the_node_that_becomes_the_services_address_is_handed_over() {
        let served = [("127.1.0.1:80", inside("a")), ("127.0.0.1:30080", outside("a"))];
        let (old, new) = (port("127.1.0.1:80", Some(30080)), port("127.0.0.1:30080", None));
        let changed = plan(&[change("a", Some(old), Some(new))], &served).expect("a plan");
        let hand_over = vec![(tcp("127.0.0.1:30080"), inside("a"))];
        assert_eq!(changed, Moves { hand_over, close: vec![tcp("127.1.0.1:80")], ..Moves::default() });
    }

    #[test]
    fn one_address_is_bound_for_each_protocol() {
        let of = |protocol| Some(Arc::new(ServicePort { protocol, ..(*port("127.1.0.1:53", None)).clone() }));
        let both = [change("dns", None, of(Protocol::Udp)), change("dns-tcp", None, of(Protocol::Tcp))];
        let bound: Vec<_> = plan(&both, &[]).expect("a plan").bind.into_iter().map(|(entrance, _)| entrance).collect();
        let udp = Entrance { protocol: Protocol::Udp, ..tcp("127.1.0.1:53") };
        assert_eq!(bound, [tcp("127.1.0.1:53"), udp]);
    }

    #[test]
    fn a_service_address_that_is_a_node_port_too_is_refused_whichever_came_first() {
        let (by_node, by_address) = (port("127.1.0.1:80", Some(30080)), port("127.0.0.1:30080", None));
        let both = [change("a", None, Some(by_node)), change("b", None, Some(by_address.clone()))];
        let error = plan(&both, &[]).expect_err("twice the same");
        assert!(error.contains("shop/b") && error.contains("belongs to shop/a"), "{error}");
        let later = [change("b", None, Some(by_address))];
        let error = plan(&later, &[("127.0.0.1:30080", outside("a"))]).expect_err("taken");
        assert!(error.contains("shop/b") && error.contains("belongs to shop/a"), "{error}");
    }

    #[test]
    fn what_cannot_be_carried_is_refused_with_a_reason() {
        let of = |protocol, at| Some(Arc::new(ServicePort { protocol, ..(*port(at, None)).clone() }));
        let error = plan(&[change("a", None, of(Protocol::Sctp, "127.1.0.1:53"))], &[]).expect_err("SCTP");
        let served = "service port shop/a cannot be served by this proxy:";
        let reason = "it relays TCP and UDP only, not SCTP: serve it with a proxy of the kernel";
        assert_eq!(error, format!("{served} {reason}"));
        let error = plan(&[change("a", None, of(Protocol::Udp, "0.0.0.0:53"))], &[]).expect_err("any address");
        let reason = "datagrams that come in at 0.0.0.0:53 would be answered from another address; name the addresses of \
                      the node one by one";
        assert_eq!(error, format!("{served} {reason}"));
        plan(&[change("a", None, of(Protocol::Tcp, "0.0.0.0:53"))], &[]).expect("connections know their addresses");
    }
}
