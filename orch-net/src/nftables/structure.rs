//! [`SETS`], [`base_chains`], [`chains`] and [`Chain`]: what a table is made of, apart from its elements.
//!
//! There is no chain for a service and no rule for an endpoint. A new connection is looked up by where it goes to: is that a
//! place at all, and in which of the sets of places with one endpoint, with two, with three? From there a chain for so many
//! draws a number, and looks up the endpoint of that number. So any change of endpoints is a change of a few elements of
//! plain sets, which costs the same however many services there are: elements that name chains, and rules, have the kernel
//! look through the whole table at each change. The price is a look into each set up to the right one, of which there are as
//! many as there are numbers of endpoints.
//!
//! Only service ports with affinity have chains of their own, with rules for each endpoint.
//!
//! Of one connection only the first packet comes here; the others follow what the kernel remembers.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::expression::{Expression, Register};
use crate::family::Family;

/// A set or map of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    /// Every place.
    Place(Side),
    /// Places with so many endpoints, unless clients are remembered.
    Size(Side, u32),
    /// From a place and a number to the endpoint.
    Endpoint(Side),
    /// From a place where clients are remembered to its chain.
    Keeper(Side),
    /// Clients with the endpoints that they were led to. Packets write into it.
    Kept,
    /// Addresses of endpoints that may reach themselves, each twice.
    Itself,
    /// Ports of the node whose connections are masqueraded.
    Masqueraded,
}

/// Where a service port is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// At addresses of its own.
    Service,
    /// At a port of the node.
    Node,
}

impl Side {
    pub(super) const ALL: [Self; 2] = [Self::Service, Self::Node];
}

/// Every set but those of sizes, which are made when they are needed.
pub(super) const SETS: [Set; 9] = [
    Set::Place(Side::Service),
    Set::Place(Side::Node),
    Set::Endpoint(Side::Service),
    Set::Endpoint(Side::Node),
    Set::Keeper(Side::Service),
    Set::Keeper(Side::Node),
    Set::Kept,
    Set::Itself,
    Set::Masqueraded,
];

/// A part of a key or a value, each beginning in a register of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Address,
    Protocol,
    Port,
    Number,
}

use Field::{Address, Number, Port, Protocol};

impl Set {
    pub(super) fn name(self) -> Cow<'static, str> {
        let name = match self {
            Self::Place(Side::Service) => "services",
            Self::Place(Side::Node) => "node-ports",
            Self::Size(Side::Service, endpoints) => return format!("services-{endpoints}").into(),
            Self::Size(Side::Node, endpoints) => return format!("node-ports-{endpoints}").into(),
            Self::Endpoint(Side::Service) => "endpoints",
            Self::Endpoint(Side::Node) => "node-endpoints",
            Self::Keeper(Side::Service) => "keepers",
            Self::Keeper(Side::Node) => "node-keepers",
            Self::Kept => "clients",
            Self::Itself => "itself",
            Self::Masqueraded => "masqueraded",
        };
        name.into()
    }

    pub(super) fn key(self) -> &'static [Field] {
        match self {
            Self::Place(Side::Service) | Self::Size(Side::Service, _) | Self::Keeper(Side::Service) => {
                &[Address, Protocol, Port]
            }
            Self::Place(Side::Node) | Self::Size(Side::Node, _) | Self::Keeper(Side::Node) | Self::Masqueraded => {
                &[Protocol, Port]
            }
            Self::Endpoint(Side::Service) => &[Address, Protocol, Port, Number],
            Self::Endpoint(Side::Node) => &[Protocol, Port, Number],
            Self::Kept => &[Address, Number, Address, Port],
            Self::Itself => &[Address, Address],
        }
    }

    /// What a map has for a key, apart from chains.
    pub(super) fn value(self) -> &'static [Field] {
        match self {
            Self::Endpoint(_) => &[Address, Port],
            _ => &[],
        }
    }
}

impl Field {
    pub(super) fn len(self, family: Family) -> u32 {
        if self == Address { family.address_len() } else { 4 }
    }

    /// What the program `nft` calls its type.
    pub(super) fn type_number(self, family: Family) -> u32 {
        match self {
            Address => family.address_type(),
            Protocol => 12,
            Port => 13,
            Number => 19,
        }
    }
}

/// A chain that chooses an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Chain {
    /// Among so many, by chance.
    Way(Side, u32),
    /// The one that the client had, of the service port with this number.
    Kept(Side, u32),
}

impl Chain {
    pub(super) fn name(self) -> String {
        match self {
            Self::Way(Side::Service, endpoints) => format!("way-{endpoints}"),
            Self::Way(Side::Node, endpoints) => format!("node-way-{endpoints}"),
            Self::Kept(Side::Service, number) => format!("keep-{number}"),
            Self::Kept(Side::Node, number) => format!("node-keep-{number}"),
        }
    }
}

/// A chain that the kernel calls for the first packet of a connection.
#[derive(Clone, Debug)]
pub(super) struct BaseChain {
    pub(super) name: &'static str,
    /// The kernel's number of the moment.
    pub(super) hook: u32,
    pub(super) priority: i32,
    pub(super) rules: Vec<Vec<Expression>>,
}

/// The chain that finds out where a connection goes to.
const LEAD: &str = "lead";

/// The chain of a service's places, or of the node's ports.
fn side_chain(side: Side) -> &'static str {
    match side {
        Side::Service => "service",
        Side::Node => "node-port",
    }
}

/// The chain that finds out how many endpoints a place has. It has a rule for each size.
pub(super) fn size_chain(side: Side) -> &'static str {
    match side {
        Side::Service => "size",
        Side::Node => "node-size",
    }
}

/// The chains of every table that the kernel does not call itself, with their rules.
pub(super) fn chains(family: Family) -> Vec<(&'static str, Vec<Vec<Expression>>)> {
    let mut chains = vec![(LEAD, lead_rules(family).to_vec())];
    for side in Side::ALL {
        let registers = Registers { family, side };
        let mut kept = registers.load_place();
        kept.push(Expression::GoBy { map: Set::Keeper(side).name(), key: registers.place() });
        let mut rules = vec![kept, vec![Expression::Jump { chain: size_chain(side) }]];
        // It has no endpoint.
        rules.extend(refusal_rules(family));
        chains.extend([(side_chain(side), rules), (size_chain(side), Vec::new())]);
    }
    chains
}

/// The rule for places with so many endpoints, in the chain of sizes.
pub(super) fn size_rule(family: Family, side: Side, endpoints: u32) -> Vec<Expression> {
    let registers = Registers { family, side };
    let mut rule = registers.load_place();
    rule.push(Expression::IsIn { set: Set::Size(side, endpoints).name(), key: registers.place() });
    rule.push(Expression::GoTo { chain: Chain::Way(side, endpoints).name().into() });
    rule
}

/// The chains that the kernel calls: for what comes to the node, what it sends itself, and what leaves it.
pub(super) fn base_chains(family: Family) -> [BaseChain; 3] {
    let lead = || vec![vec![Expression::Jump { chain: LEAD }]];
    [
        BaseChain { name: "prerouting", hook: 0, priority: -100, rules: lead() },
        BaseChain { name: "output", hook: 3, priority: -100, rules: lead() },
        BaseChain { name: "postrouting", hook: 4, priority: 100, rules: masquerade_rules(family) },
    ]
}

/// Where everything is loaded into; addresses take several registers in IPv6. Fields stand so that each key is in one
/// piece: (source, destination) or (destination, protocol, port, endpoint), or the same of a node's port, which has no
/// destination.
#[derive(Clone, Copy, Debug)]
struct Registers {
    family: Family,
    side: Side,
}

impl Registers {
    fn address(self) -> u32 {
        self.family.address_len() / 4
    }

    fn source(self) -> Register {
        Register(0)
    }

    fn destination(self) -> Register {
        Register(self.address())
    }

    fn protocol(self) -> Register {
        Register(2 * self.address())
    }

    fn port(self) -> Register {
        Register(2 * self.address() + 1)
    }

    /// The endpoint's number, and then the endpoint's address.
    fn endpoint(self) -> Register {
        Register(2 * self.address() + 2)
    }

    fn endpoint_port(self) -> Register {
        Register(3 * self.address() + 2)
    }

    /// The first of the place.
    fn place(self) -> Register {
        if self.side == Side::Service { self.destination() } else { self.protocol() }
    }

    fn load_place(self) -> Vec<Expression> {
        let mut load = Vec::new();
        if self.side == Side::Service {
            let (offset, len) = (self.family.address_offsets().1, self.family.address_len());
            load.push(Expression::Network { to: self.destination(), offset, len });
        }
        load.push(Expression::Protocol { to: self.protocol() });
        load.push(Expression::DestinationPort { to: self.port() });
        load
    }
}

fn lead_rules(family: Family) -> [Vec<Expression>; 2] {
    Side::ALL.map(|side| {
        let registers = Registers { family, side };
        let mut rule = Vec::new();
        if side == Side::Node {
            rule.extend(at_the_node(family));
        }
        rule.extend(registers.load_place());
        rule.push(Expression::IsIn { set: Set::Place(side).name(), key: registers.place() });
        rule.push(Expression::GoTo { chain: side_chain(side).into() });
        rule
    })
}

/// Ends the rule unless the destination is an address of the node, and not a loopback address: what comes from there could
/// not be answered from elsewhere without opening loopback to others.
fn at_the_node(family: Family) -> Vec<Expression> {
    /// The kernel's number of an address of the node.
    const LOCAL: u32 = 2;
    let (register, offset) = (Register(0), family.address_offsets().1);
    let (len, loopback) = match family {
        Family::V4 => (1, vec![127]),
        Family::V6 => (16, std::net::Ipv6Addr::LOCALHOST.octets().to_vec()),
    };
    vec![
        Expression::DestinationKind { to: register },
        Expression::Is { register, value: LOCAL.to_ne_bytes().to_vec() },
        Expression::Network { to: register, offset, len },
        Expression::IsNot { register, value: loopback },
    ]
}

/// The rules of the chain that chooses among so many by chance, at least one.
pub(super) fn way_rules(family: Family, side: Side, endpoints: u32) -> Vec<Vec<Expression>> {
    let registers = Registers { family, side };
    let (address, port) = (registers.endpoint(), registers.endpoint_port());
    let mut rule = registers.load_place();
    rule.extend([
        Expression::Random { to: registers.endpoint(), below: endpoints },
        Expression::Load { map: Set::Endpoint(side).name(), key: registers.place(), to: registers.endpoint() },
        Expression::TranslateDestination { family, address, port },
    ]);
    vec![rule]
}

/// The longest that a client can be remembered: ten years, which the kernel's clock can still count.
const KEPT_AT_MOST: u64 = 10 * 365 * 24 * 3_600 * 1_000;

/// The rules of the chain that leads a client to the endpoint that it had, of the service port with this number. A client
/// that had none of these gets one by chance.
pub(super) fn keep_rules(
    family: Family,
    number: u32,
    keep: Duration,
    endpoints: &[SocketAddr],
) -> Vec<Vec<Expression>> {
    let milliseconds = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, KEPT_AT_MOST);
    let words = family.address_len() / 4;
    let (client, address, port) = (Register(0), Register(words + 1), Register(2 * words + 1));
    let set = || Set::Kept.name();
    let key = |endpoint: &SocketAddr| {
        let offset = family.address_offsets().0;
        let value = match endpoint.ip() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        vec![
            Expression::Network { to: client, offset, len: family.address_len() },
            Expression::Set { to: Register(words), value: number.to_ne_bytes().to_vec() },
            Expression::Set { to: address, value },
            Expression::Set { to: port, value: endpoint.port().to_be_bytes().to_vec() },
        ]
    };
    let lead = Expression::TranslateDestination { family, address, port };
    let remember = Expression::Remember { set: set(), key: client, milliseconds };
    let known = endpoints.iter().map(|endpoint| {
        let is_kept = [Expression::IsIn { set: set(), key: client }, remember.clone(), lead.clone()];
        key(endpoint).into_iter().chain(is_kept).collect()
    });
    // One in so many as are left: each has the same chance. When no more clients can be remembered, these rules end early,
    // and the last ones lead all the same.
    let left = || (1..=u32::try_from(endpoints.len()).unwrap_or(u32::MAX)).rev();
    let chosen =
        |below: u32| [Expression::Random { to: client, below }, Expression::Is { register: client, value: vec![0; 4] }];
    let anew = endpoints.iter().zip(left()).map(|(endpoint, below)| {
        let rest = [remember.clone(), lead.clone()];
        chosen(below).into_iter().chain(key(endpoint)).chain(rest).collect()
    });
    let unremembered = endpoints
        .iter()
        .zip(left())
        .map(|(endpoint, below)| chosen(below).into_iter().chain(key(endpoint)).chain([lead.clone()]).collect());
    known.chain(anew).chain(unremembered).collect()
}

fn refusal_rules(family: Family) -> Vec<Vec<Expression>> {
    const TCP: u8 = 6;
    let protocol = Register(0);
    vec![
        vec![
            Expression::Protocol { to: protocol },
            Expression::Is { register: protocol, value: vec![TCP] },
            Expression::Reset,
        ],
        vec![Expression::Unreachable { family }],
    ]
}

/// The rules that have answers come back by way of the node, where they would not otherwise. Nothing is marked for that:
/// the kernel still knows where the connection was made to.
fn masquerade_rules(family: Family) -> Vec<Vec<Expression>> {
    let (service, node) = (Registers { family, side: Side::Service }, Registers { family, side: Side::Node });
    let len = family.address_len();
    let (source, destination) = family.address_offsets();
    let is_translated = Expression::IsTranslated { with: Register(0) };
    let itself = vec![
        is_translated.clone(),
        Expression::Network { to: service.source(), offset: source, len },
        Expression::Network { to: service.destination(), offset: destination, len },
        Expression::IsIn { set: Set::Itself.name(), key: service.source() },
        Expression::Masquerade,
    ];
    let not_by_the_node = vec![
        is_translated.clone(),
        Expression::OriginalDestination { to: service.destination(), family },
        Expression::Protocol { to: service.protocol() },
        Expression::OriginalPort { to: service.port() },
        Expression::IsIn { set: Set::Place(Side::Service).name(), key: service.place() },
        Expression::Return,
    ];
    let by_the_node = vec![
        is_translated,
        Expression::Protocol { to: node.protocol() },
        Expression::OriginalPort { to: node.port() },
        Expression::IsIn { set: Set::Masqueraded.name(), key: node.place() },
        Expression::Masquerade,
    ];
    vec![itself, not_by_the_node, by_the_node]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_fits_into_the_registers() {
        for family in Family::ALL {
            for set in SETS {
                let len: u32 = set.key().iter().chain(set.value()).map(|field| field.len(family)).sum();
                assert!(len <= 64, "{} of {family:?} takes {len} bytes", set.name());
            }
            for side in Side::ALL {
                let registers = Registers { family, side };
                assert!(registers.endpoint_port().0 < 16, "{family:?} {side:?}");
            }
        }
    }

    #[test]
    fn the_name_of_a_set_is_its_own() {
        let names: std::collections::BTreeSet<_> = SETS.map(Set::name).into();
        assert_eq!(names.len(), SETS.len());
    }
}
