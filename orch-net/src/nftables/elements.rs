//! [`elements`]: what the sets hold because of a service port. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{Affinity, Endpoint, ServicePort};

use super::family::Family;
use super::structure::{Set, Side, Way};

/// A set and a key in it; encoded as the registers have it.
pub(super) type Key = (Set, Vec<u8>);

/// What sets hold: a value for a key, which is empty in sets that are no maps.
pub(super) type Elements = BTreeMap<Key, Vec<u8>>;

/// Which endpoint has which number, of one service port in one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    /// Those that the service's addresses lead to.
    pub(super) service: Vec<SocketAddr>,
    /// Those that the port of the node leads to.
    pub(super) node: Vec<SocketAddr>,
}

impl Slots {
    /// The numbers after `self`, where the endpoints are those of `port`: as few as possible change.
    pub(super) fn next(&self, family: Family, port: &ServicePort) -> Self {
        let usable = |policy| {
            let of_family = |endpoint: &&Endpoint| family.has(endpoint.address.ip());
            port.usable_by(policy).filter(of_family).map(|endpoint| endpoint.address).collect()
        };
        let node = if port.node_port.is_some() { usable(port.external) } else { BTreeSet::new() };
        Self { service: renumber(&self.service, usable(port.internal)), node: renumber(&self.node, node) }
    }

    fn of(&self, side: Side) -> &[SocketAddr] {
        match side {
            Side::Service => &self.service,
            Side::Node => &self.node,
        }
    }
}

/// Those of `old` that are among `usable` keep their numbers, as far as there are so many; the others fill the gaps.
fn renumber(old: &[SocketAddr], mut usable: BTreeSet<SocketAddr>) -> Vec<SocketAddr> {
    let count = usable.len();
    let keep = |(number, address): (usize, &SocketAddr)| (number < count && usable.remove(address)).then_some(*address);
    let mut kept: Vec<Option<SocketAddr>> = old.iter().enumerate().map(keep).collect();
    kept.resize(count, None);
    let mut others = usable.into_iter();
    kept.into_iter().filter_map(|kept| kept.or_else(|| others.next())).collect()
}

/// Whether a service port is served in this family. One without addresses is, where its endpoints are.
fn is_served_in(family: Family, port: &ServicePort) -> bool {
    if port.addresses.is_empty() {
        return port.endpoints.iter().any(|endpoint| family.has(endpoint.address.ip()));
    }
    port.addresses.iter().any(|address| family.has(*address))
}

/// The number of a protocol in headers.
fn protocol_number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

/// A key or a value under way: each field is filled up to a multiple of four bytes.
#[derive(Clone, Debug, Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn address(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.0.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => self.0.extend_from_slice(&address.octets()),
        }
        self
    }

    fn protocol(mut self, protocol: Protocol) -> Self {
        self.0.extend_from_slice(&[protocol_number(protocol), 0, 0, 0]);
        self
    }

    fn port(mut self, port: u16) -> Self {
        let [high, low] = port.to_be_bytes();
        self.0.extend_from_slice(&[high, low, 0, 0]);
        self
    }

    fn number(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_ne_bytes());
        self
    }

    fn endpoint(self, endpoint: SocketAddr) -> Self {
        self.address(endpoint.ip()).port(endpoint.port())
    }
}

/// What the sets of a family hold because of this service port alone. `number` gives the number of a way.
pub(super) fn elements(
    family: Family,
    port: &ServicePort,
    slots: &Slots,
    mut number: impl FnMut(Way) -> u32,
) -> Elements {
    let mut elements = Elements::new();
    let keep = match port.affinity {
        Affinity::None => None,
        Affinity::ClientIp(time) => Some(time),
    };
    let mut lead = |side: Side, place: &Fields| {
        let endpoints = slots.of(side);
        // A way without endpoints refuses, whoever comes.
        let way = Way {
            endpoints: u32::try_from(endpoints.len()).unwrap_or(u32::MAX),
            keep: keep.filter(|_| !endpoints.is_empty()),
        };
        elements.insert((Set::Way(side), place.0.clone()), Fields::default().number(number(way)).0);
        for (index, endpoint) in (0..).zip(endpoints) {
            let key = place.clone().number(index).0;
            elements.insert((Set::Endpoint(side), key), Fields::default().endpoint(*endpoint).0);
            if way.keep.is_some() {
                elements.insert((Set::Usable(side), place.clone().endpoint(*endpoint).0), Vec::new());
            }
        }
    };
    for address in port.addresses.iter().filter(|address| family.has(**address)) {
        lead(Side::Service, &Fields::default().address(*address).protocol(port.protocol).port(port.port));
    }
    if let Some(node_port) = port.node_port.filter(|_| is_served_in(family, port)) {
        let place = Fields::default().protocol(port.protocol).port(node_port);
        lead(Side::Node, &place);
        if port.external == TrafficPolicy::Cluster {
            elements.insert((Set::Masqueraded, place.0), Vec::new());
        }
    }
    elements
}

/// The addresses of the endpoints that could reach themselves through this service port: those of the node.
pub(super) fn addresses_on_the_node(family: Family, port: &ServicePort) -> BTreeSet<IpAddr> {
    let on_the_node = port.endpoints.iter().filter(|endpoint| endpoint.is_local);
    on_the_node.map(|endpoint| endpoint.address.ip()).filter(|address| family.has(*address)).collect()
}

/// The element that has an endpoint of this address reached from itself.
pub(super) fn itself(address: IpAddr) -> Key {
    (Set::Itself, Fields::default().address(address).address(address).0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(number: u8) -> SocketAddr {
        ([10, 244, 0, number], 8080).into()
    }

    proptest! {
        #[test]
        fn endpoints_get_the_numbers_from_zero_and_keep_them_where_they_can(
            old in prop::collection::btree_set(0..20_u8, 0..10), new in prop::collection::btree_set(0..20_u8, 0..10)
        ) {
            let old: Vec<_> = old.into_iter().rev().map(address).collect();
            let new: BTreeSet<_> = new.into_iter().map(address).collect();
            let numbered = renumber(&old, new.clone());
            prop_assert_eq!(numbered.iter().copied().collect::<BTreeSet<_>>(), new.clone());
            prop_assert_eq!(numbered.len(), new.len());
            for (number, endpoint) in old.iter().enumerate() {
                if number < numbered.len() && new.contains(endpoint) {
                    prop_assert_eq!(numbered[number], *endpoint);
                }
            }
        }
    }

    #[test]
    fn one_endpoint_that_is_replaced_is_one_element() {
        let old = [1, 2, 3].map(address);
        let next = renumber(&old, BTreeSet::from([1, 9, 3].map(address)));
        assert_eq!(next, [1, 9, 3].map(address));
    }
}
