//! [`Stale`]: which flows of datagrams are led where they should not be any more. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use orch_core::object::Protocol;
use orch_core::proxy::ServicePort;

use super::Flow;
use crate::served::PortChange;

/// Which flows are led where they should not be any more, after a change of services of UDP.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale {
    /// Where flows to services' addresses may be led.
    addresses: BTreeMap<SocketAddr, Allowed>,
    /// Where flows to ports of the node may be led.
    node_ports: BTreeMap<u16, Allowed>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Allowed {
    now: BTreeSet<SocketAddr>,
    before: BTreeSet<SocketAddr>,
}

impl Allowed {
    /// Whether flows may be led to what is allowed no more; where nothing is known, or led nowhere, they may.
    fn takes_away(&self) -> bool {
        self.before.is_empty() || !self.before.is_subset(&self.now)
    }
}

impl Stale {
    pub(crate) fn after(changes: &[PortChange]) -> Self {
        let mut stale = Self::default();
        for port in changes.iter().filter_map(|change| change.old.as_ref()) {
            stale.each(port, |allowed, endpoints| allowed.before.extend(endpoints));
        }
        for port in changes.iter().filter_map(|change| change.new.as_ref()) {
            stale.each(port, |allowed, endpoints| allowed.now.extend(endpoints));
        }
        stale.addresses.retain(|_, allowed| allowed.takes_away());
        stale.node_ports.retain(|_, allowed| allowed.takes_away());
        stale
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.node_ports.is_empty()
    }

    pub(crate) fn has(&self, flow: &Flow) -> bool {
        let is_translated = flow.answered_by != flow.to;
        let is_stale =
            |allowed: &Allowed| !allowed.now.contains(&flow.answered_by) && (is_translated || !allowed.now.is_empty());
        if let Some(allowed) = self.addresses.get(&flow.to) {
            return is_stale(allowed);
        }
        let Some(allowed) = self.node_ports.get(&flow.to.port()) else { return false };
        // Others send datagrams to this port of other hosts. One that is led elsewhere by others is led there again; of one
        // that is not led nothing is lost, unless its client is hidden.
        is_stale(allowed) && (is_translated || flow.answered_to == flow.from)
    }

    /// Calls `note` for each of the service port's places, with the endpoints that flows to it may go on to: those that
    /// answer, even if new flows go to others.
    fn each(&mut self, port: &ServicePort, note: impl Fn(&mut Allowed, Vec<SocketAddr>)) {
        if port.protocol != Protocol::Udp {
            return;
        }
        let answering = |policy| port.answering_by(policy).map(|endpoint| endpoint.address).collect();
        for address in &port.addresses {
            note(self.addresses.entry((*address, port.port).into()).or_default(), answering(port.internal));
        }
        if let Some(number) = port.node_port {
            note(self.node_ports.entry(number).or_default(), answering(port.external));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::object::TrafficPolicy;
    use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePortName};

    use super::*;

    fn endpoint(number: u8) -> SocketAddr {
        ([10, 244, 0, number], 5353).into()
    }

    fn flow(to: SocketAddr, answered_by: SocketAddr) -> Flow {
        let client = ([10, 0, 0, 9], 4000).into();
        Flow { from: client, to, answered_by, answered_to: client }
    }

    fn dns(endpoints: &[(u8, EndpointState)]) -> Option<Arc<ServicePort>> {
        let of = |(number, state): &(u8, EndpointState)| Endpoint {
            address: endpoint(*number),
            is_local: false,
            state: *state,
        };
        Some(Arc::new(ServicePort {
            protocol: Protocol::Udp,
            addresses: BTreeSet::from([[10, 96, 0, 1].into()]),
            port: 53,
            node_port: Some(30_053),
            affinity: Affinity::None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: endpoints.iter().map(of).collect(),
        }))
    }

    fn stale(old: Option<Arc<ServicePort>>, new: Option<Arc<ServicePort>>) -> Stale {
        let name = ServicePortName { service: "services/shop/dns".parse().expect("a key"), port: String::new() };
        Stale::after(&[PortChange { name, old, new }])
    }

    #[test]
    fn flows_to_endpoints_that_are_gone_are_stale_and_those_to_endpoints_that_end_are_not() {
        use EndpointState::{NotReady, Ready, ServingTerminating};
        let stale = stale(
            dns(&[(1, Ready), (2, Ready), (3, Ready), (4, Ready)]),
            dns(&[(1, Ready), (2, ServingTerminating), (3, NotReady)]),
        );
        for to in [([10, 96, 0, 1], 53), ([192, 0, 2, 1], 30_053)] {
            let is_stale = |number| stale.has(&flow(to.into(), endpoint(number)));
            assert_eq!([1, 2, 3, 4].map(is_stale), [false, false, true, true], "to {to:?}");
        }
        assert!(!stale.has(&flow(([192, 0, 2, 1], 53).into(), endpoint(4))), "somebody else's");
    }

    #[test]
    fn a_change_that_takes_no_endpoint_away_makes_nothing_stale() {
        use EndpointState::{Ready, ServingTerminating};
        assert!(stale(dns(&[(1, Ready)]), dns(&[(1, ServingTerminating), (2, Ready)])).is_empty());
        assert!(!stale(dns(&[(1, Ready), (2, Ready)]), dns(&[(1, Ready)])).is_empty());
        assert!(!stale(dns(&[(1, Ready)]), None).is_empty());
    }

    #[test]
    fn a_flow_that_began_before_its_service_is_stale_once_that_leads_somewhere() {
        let to: SocketAddr = ([10, 96, 0, 1], 53).into();
        let flow = flow(to, to);
        assert!(stale(None, dns(&[(1, EndpointState::Ready)])).has(&flow));
        assert!(!stale(None, dns(&[])).has(&flow));
        assert!(!stale(dns(&[(1, EndpointState::Ready)]), None).has(&flow));
    }

    #[test]
    fn a_flow_through_the_node_whose_client_is_hidden_is_left_alone() {
        let stale = stale(None, dns(&[(1, EndpointState::Ready)]));
        let through = flow(([192, 0, 2, 1], 30_053).into(), ([192, 0, 2, 1], 30_053).into());
        assert!(stale.has(&through), "nothing is lost");
        let hidden = Flow { answered_to: ([198, 51, 100, 1], 4000).into(), ..through };
        assert!(!stale.has(&hidden));
    }
}
