//! [`SETS`], [`base_chains`] and [`way_rules`]: what a table is made of, apart from its elements.
//!
//! There is no chain for a service and no rule for an endpoint. A new connection is looked up by where it goes to, in a map
//! that tells by which *way* its endpoint is chosen: among how many, and whether the client is remembered. A way is a chain
//! that draws a number and looks up the endpoint of that number. So a change of endpoints is a change of elements of plain
//! maps, which costs the same however many services there are. (Elements that name chains, or rules, would have the kernel
//! look through the whole table at each change.)
//!
//! Of one connection only the first packet comes here; the others follow what the kernel remembers.

use std::time::Duration;

use super::expression::{Expression, Register};
use super::family::Family;

/// A set or map of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    /// From a place to the number of its way.
    Way(Side),
    /// From a place and a number to the endpoint.
    Endpoint(Side),
    /// Places with their usable endpoints, where clients are remembered.
    Usable(Side),
    /// From a client and a place to the endpoint that the client was led to. Packets write into it.
    Kept(Side),
    /// From the number of a way to its chain.
    Chain(Side),
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

/// Every set, in the order in which they are made.
pub(super) const SETS: [Set; 12] = [
    Set::Way(Side::Service),
    Set::Way(Side::Node),
    Set::Endpoint(Side::Service),
    Set::Endpoint(Side::Node),
    Set::Usable(Side::Service),
    Set::Usable(Side::Node),
    Set::Kept(Side::Service),
    Set::Kept(Side::Node),
    Set::Chain(Side::Service),
    Set::Chain(Side::Node),
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
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Way(Side::Service) => "services",
            Self::Way(Side::Node) => "node-ports",
            Self::Endpoint(Side::Service) => "endpoints",
            Self::Endpoint(Side::Node) => "node-endpoints",
            Self::Usable(Side::Service) => "usable",
            Self::Usable(Side::Node) => "node-usable",
            Self::Kept(Side::Service) => "clients",
            Self::Kept(Side::Node) => "node-clients",
            Self::Chain(Side::Service) => "ways",
            Self::Chain(Side::Node) => "node-ways",
            Self::Itself => "itself",
            Self::Masqueraded => "masqueraded",
        }
    }

    pub(super) fn key(self) -> &'static [Field] {
        match self {
            Self::Way(Side::Service) => &[Address, Protocol, Port],
            Self::Way(Side::Node) | Self::Masqueraded => &[Protocol, Port],
            Self::Endpoint(Side::Service) => &[Address, Protocol, Port, Number],
            Self::Endpoint(Side::Node) => &[Protocol, Port, Number],
            Self::Usable(Side::Service) => &[Address, Protocol, Port, Address, Port],
            Self::Usable(Side::Node) => &[Protocol, Port, Address, Port],
            Self::Kept(Side::Service) => &[Address, Address, Protocol, Port],
            Self::Kept(Side::Node) => &[Address, Protocol, Port],
            Self::Chain(_) => &[Number],
            Self::Itself => &[Address, Address],
        }
    }

    /// What a map has for a key, apart from verdicts.
    pub(super) fn value(self) -> &'static [Field] {
        match self {
            Self::Way(_) => &[Number],
            Self::Endpoint(_) | Self::Kept(_) => &[Address, Port],
            Self::Usable(_) | Self::Chain(_) | Self::Itself | Self::Masqueraded => &[],
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

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    /// Among how many.
    pub(super) endpoints: u32,
    /// How long a client keeps its own.
    pub(super) keep: Option<Duration>,
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

/// The chain that leads connections to endpoints.
pub(super) const LEAD: &str = "lead";

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
/// piece: (source, destination, protocol, port) or (destination, protocol, port, endpoint), or the same of a node's port,
/// which has no destination.
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
        Register(if self.side == Side::Service { 0 } else { self.address() })
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

    fn load_source(self) -> Expression {
        let len = self.family.address_len();
        Expression::Network { to: self.source(), offset: self.family.address_offsets().0, len }
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

    fn draw(self, among: u32) -> [Expression; 2] {
        [
            Expression::Random { to: self.endpoint(), below: among },
            Expression::Load { map: Set::Endpoint(self.side).name(), key: self.place(), to: self.endpoint() },
        ]
    }

    fn translate(self) -> Expression {
        let (address, port) = (self.endpoint(), self.endpoint_port());
        Expression::TranslateDestination { family: self.family, address, port }
    }
}

/// The rules of the chain that leads connections to endpoints.
pub(super) fn lead_rules(family: Family) -> [Vec<Expression>; 2] {
    Side::ALL.map(|side| {
        let registers = Registers { family, side };
        let way = Register(0);
        let mut rule = Vec::new();
        if side == Side::Node {
            rule.extend(at_the_node(family));
        }
        rule.extend(registers.load_place());
        rule.push(Expression::Load { map: Set::Way(side).name(), key: registers.place(), to: way });
        rule.push(Expression::GoBy { map: Set::Chain(side).name(), key: way });
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

/// The rules of a way's chain.
pub(super) fn way_rules(family: Family, side: Side, way: Way) -> Vec<Vec<Expression>> {
    let registers = Registers { family, side };
    if way.endpoints == 0 {
        return refusal_rules(family);
    }
    let plain = || {
        let mut rule = registers.load_place();
        rule.extend(registers.draw(way.endpoints));
        rule
    };
    let mut last = plain();
    last.push(registers.translate());
    let Some(keep) = way.keep else { return vec![last] };
    let milliseconds = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, KEPT_AT_MOST);
    let (map, key, value) = (Set::Kept(side).name(), registers.source(), registers.endpoint());
    let remember = Expression::Remember { map, key, value, milliseconds };

    let mut known = vec![registers.load_source()];
    known.extend(registers.load_place());
    known.extend([
        Expression::Load { map, key, to: value },
        Expression::IsIn { set: Set::Usable(side).name(), key: registers.place() },
        remember.clone(),
        registers.translate(),
    ]);
    // Its endpoint is gone, or it is new.
    let mut anew = vec![registers.load_source()];
    anew.extend(plain());
    anew.extend([Expression::Forget { map, key, value }, remember, registers.translate()]);
    // When no more clients can be remembered, `anew` ends early.
    vec![known, anew, last]
}

/// The longest that a client can be remembered: ten years, which the kernel's clock can still count.
const KEPT_AT_MOST: u64 = 10 * 365 * 24 * 3_600 * 1_000;

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
        Expression::Load { map: Set::Way(Side::Service).name(), key: service.place(), to: Register(0) },
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

/// The name of a way's chain.
pub(super) fn way_chain(side: Side, number: u32) -> String {
    match side {
        Side::Service => format!("way-{number}"),
        Side::Node => format!("node-way-{number}"),
    }
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
