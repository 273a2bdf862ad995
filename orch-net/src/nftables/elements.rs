//! [`elements`]: what the sets hold because of a service port. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{Affinity, Endpoint, ServicePort};

use super::structure::{Chain, Set, Side};
use crate::family::Family;

/// A set and a key in it; encoded as the registers have it.
pub(super) type Key = (Set, Vec<u8>);

/// What sets hold, by key.
pub(super) type Elements = BTreeMap<Key, Value>;

/// What a set holds for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing but the key.
    None,
    /// Encoded as the registers have it.
    Data(Vec<u8>),
    /// Where to go.
    Chain(Chain),
}

/// Which endpoint has which number, of one service port in one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    /// Those that the service's addresses lead to.
    pub(super) service: Vec<SocketAddr>,
    /// Those that the port of the node leads to.
    pub(super) node: Vec<SocketAddr>,
    /// The number by which clients are remembered, with affinity.
    pub(super) kept: Option<u32>,
}

impl Slots {
    /// The numbers after `self`, where the endpoints are those of `port`: as few as possible change. With affinity, `kept` is
    /// the number for clients, if there was none.
    pub(super) fn next(&self, family: Family, port: &ServicePort, kept: u32) -> Self {
        let usable = |policy| {
            let of_family = |endpoint: &&Endpoint| family.has(endpoint.address.ip());
            port.usable_by(policy).filter(of_family).map(|endpoint| endpoint.address).collect()
        };
        let node = if port.node_port.is_some() { usable(port.external) } else { BTreeSet::new() };
        let kept = (port.affinity != Affinity::None).then(|| self.kept.unwrap_or(kept));
        Self { service: renumber(&self.service, usable(port.internal)), node: renumber(&self.node, node), kept }
    }

    pub(super) fn of(&self, side: Side) -> &[SocketAddr] {
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

/// What the sets of a family hold because of this service port alone.
pub(super) fn elements(family: Family, port: &ServicePort, slots: &Slots) -> Elements {
    let mut elements = Elements::new();
    let mut lead = |side: Side, place: &Fields| {
        elements.insert((Set::Place(side), place.0.clone()), Value::None);
        let endpoints = slots.of(side);
        match slots.kept {
            // Whoever comes is refused.
            _ if endpoints.is_empty() => {}
            Some(number) => {
                let chain = Value::Chain(Chain::Kept(side, number));
                elements.insert((Set::Keeper(side), place.0.clone()), chain);
            }
            None => {
                let size = u32::try_from(endpoints.len()).unwrap_or(u32::MAX);
                elements.insert((Set::Size(side, size), place.0.clone()), Value::None);
                for (number, endpoint) in (0..).zip(endpoints) {
                    let key = (Set::Endpoint(side), place.clone().number(number).0);
                    elements.insert(key, Value::Data(Fields::default().endpoint(*endpoint).0));
                }
            }
        }
    };
    for address in port.addresses.iter().filter(|address| family.has(**address)) {
        lead(Side::Service, &Fields::default().address(*address).protocol(port.protocol).port(port.port));
    }
    let node_port = port.node_port.filter(|_| is_served_in(family, port));
    let at_the_node = node_port.map(|node_port| Fields::default().protocol(port.protocol).port(node_port));
    if let Some(place) = &at_the_node {
        lead(Side::Node, place);
    }
    let masqueraded = at_the_node.filter(|_| port.external == TrafficPolicy::Cluster);
    elements.extend(masqueraded.map(|place| ((Set::Masqueraded, place.0), Value::None)));
    elements
}

/// The chains that these elements lead to.
pub(super) fn chains(elements: &Elements) -> BTreeSet<Chain> {
    let chain = |((set, _), value): (&Key, &Value)| match (*set, value) {
        (Set::Size(side, endpoints), _) => Some(Chain::Way(side, endpoints)),
        (_, Value::Chain(chain)) => Some(*chain),
        _ => None,
    };
    elements.iter().filter_map(chain).collect()
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
