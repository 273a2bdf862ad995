//! [`Dispatch`]: finds what happens to a packet by its protocol, address and port. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use orch_core::object::Protocol;

use super::name::ChainName;
use super::rule::{Block, Destination, Refusal, Rule, Target};
use crate::family::Family;

/// How many places a chain has at most before it is divided.
const PLACES_MAX: usize = 16;

/// A tree of chains that leads from a packet's protocol, address and port to what happens to it.
///
/// The places are the leaves of a tree of prefixes of their bits: protocol, then address, then port. A chain that has more
/// than [`PLACES_MAX`] places below it is divided at the first bits in which they differ, and four bits are looked at in a
/// chain, so that a packet passes a few dozen rules whatever the number of places. What a chain says follows from the places
/// below it alone. So a place that comes or goes changes the few chains on the way to it, and what was before makes no
/// difference.
#[derive(Debug)]
pub(super) struct Dispatch {
    family: Family,
    shape: &'static Shape,
    root: ChainName,
    places: BTreeMap<Bits, Outcome>,
}

/// Where the tree may be divided, in bits from the first.
///
/// Linux follows at most 15 jumps, four of which lie before and behind the tree. So where addresses of services hardly differ
/// (the first half of an IPv6 address, say) many bits are looked at in one chain.
#[derive(Debug)]
struct Shape {
    /// Tells the trees of one table apart.
    role: &'static str,
    address_bits: usize,
    cuts: &'static [usize],
}

const V4: Shape = Shape { role: "ADDRESSES", address_bits: 32, cuts: &[0, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56] };
const V6: Shape =
    Shape { role: "ADDRESSES", address_bits: 128, cuts: &[0, 72, 104, 120, 124, 128, 132, 136, 140, 144, 148, 152] };
const NODE_PORTS: Shape = Shape { role: "NODE-PORTS", address_bits: 0, cuts: &[0, 12, 16, 20, 24] };

/// The bits of a protocol.
const PROTOCOL: usize = 8;

/// A place, or the prefix of places: protocol, address, port, then zeros.
type Bits = [u8; 19];

/// What happens at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is led on, and before that marked by a chain.
    Serve { mark: Option<ChainName>, service: ChainName },
    /// It is refused.
    Refuse,
}

/// What changes in a tree: the places that go, then those that come.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) remove: BTreeSet<Spot>,
    pub(super) insert: BTreeMap<Spot, Outcome>,
}

/// One place of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) protocol: Protocol,
    /// `None` in a tree of ports of the node.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

/// A chain of the tree: all places that begin with these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    prefix: Bits,
    length: usize,
}

/// What is below a chain.
enum Below {
    Places,
    Nodes(Vec<Node>),
}

impl Dispatch {
    /// The tree of the services' addresses.
    pub(super) fn of_addresses(family: Family) -> Self {
        Self::new(family, if family == Family::V4 { &V4 } else { &V6 })
    }

    /// The tree of the ports of the node.
    pub(super) fn of_node_ports(family: Family) -> Self {
        Self::new(family, &NODE_PORTS)
    }

    fn new(family: Family, shape: &'static Shape) -> Self {
        Self { family, shape, root: ChainName::fixed(shape.role), places: BTreeMap::new() }
    }

    /// Where packets enter it.
    pub(super) fn root(&self) -> &ChainName {
        &self.root
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Makes the change, and returns the chains that may be otherwise than before: `None` for those that are gone.
    pub(super) fn change(&mut self, change: &Change) -> BTreeMap<ChainName, Option<Vec<Rule>>> {
        let removed = change.remove.iter().map(|spot| self.bits(spot));
        let inserted: Vec<_> = change.insert.iter().map(|(spot, outcome)| (self.bits(spot), outcome)).collect();
        let changed: BTreeSet<Bits> = removed.chain(inserted.iter().map(|(bits, _)| *bits)).collect();
        let mut touched: BTreeSet<Node> = changed.iter().flat_map(|bits| self.around(bits)).collect();
        for spot in &change.remove {
            let bits = self.bits(spot);
            self.places.remove(&bits);
        }
        for (bits, outcome) in inserted {
            self.places.insert(bits, outcome.clone());
        }
        let now: BTreeSet<Node> = changed.iter().flat_map(|bits| self.around(bits)).collect();
        touched.extend(&now);
        let chain = |node: &Node| (self.name(node), now.contains(node).then(|| self.rules(node)));
        touched.iter().map(chain).collect()
    }

    /// All chains of the tree.
    pub(super) fn chains(&self) -> BTreeMap<ChainName, Vec<Rule>> {
        let (mut chains, mut open) = (BTreeMap::new(), vec![Node::ROOT]);
        while let Some(node) = open.pop() {
            chains.insert(self.name(&node), self.rules(&node));
            open.extend(self.nodes_below(&node));
        }
        chains
    }

    /// The chains on the way to a place, and those right below them. Only those depend on whether it is there: what lies
    /// beside the way has the same places below it, though it may hang at another chain.
    fn around(&self, bits: &Bits) -> Vec<Node> {
        let (mut nodes, mut next) = (vec![Node::ROOT], Some(Node::ROOT));
        while let Some(node) = next {
            let below = self.nodes_below(&node);
            next = below.iter().find(|node| node.has(bits)).copied();
            nodes.extend(below);
        }
        nodes
    }

    /// The chains that a chain leads to: a single place needs none.
    fn nodes_below(&self, node: &Node) -> Vec<Node> {
        match self.below(node) {
            Below::Places => Vec::new(),
            Below::Nodes(nodes) => nodes.into_iter().filter(|node| self.range(node).nth(1).is_some()).collect(),
        }
    }

    fn range(&self, node: &Node) -> impl DoubleEndedIterator<Item = (&Bits, &Outcome)> {
        self.places.range(node.prefix..=node.last())
    }

    fn below(&self, node: &Node) -> Below {
        let mut places = self.range(node);
        if places.nth(PLACES_MAX).is_none() {
            return Below::Places;
        }
        let ends = (self.range(node).next(), self.range(node).next_back());
        let (Some((first, _)), Some((last, _))) = ends else { return Below::Places };
        let length = self.cut_after(common(first, last));
        let (mut nodes, mut from) = (Vec::new(), *first);
        while let Some((bits, _)) = self.places.range(from..=node.last()).next() {
            let child = Node::new(bits, length);
            nodes.push(child);
            match successor(&child.last()).filter(|next| *next <= node.last()) {
                Some(next) => from = next,
                None => break,
            }
        }
        Below::Nodes(nodes)
    }

    /// How many bits tell the parts apart that have so many in common.
    fn cut_after(&self, common: usize) -> usize {
        let end = PROTOCOL + self.shape.address_bits + 16;
        self.shape.cuts.iter().copied().find(|cut| *cut > common).unwrap_or(end)
    }

    fn rules(&self, node: &Node) -> Vec<Rule> {
        match self.below(node) {
            Below::Places => self.range(node).flat_map(|(bits, outcome)| self.at_place(node, bits, outcome)).collect(),
            Below::Nodes(nodes) => nodes.iter().flat_map(|child| self.at_node(node, child)).collect(),
        }
    }

    fn at_node(&self, node: &Node, child: &Node) -> Vec<Rule> {
        let mut places = self.range(child);
        match (places.next(), places.next()) {
            (Some((bits, outcome)), None) => self.at_place(node, bits, outcome),
            _ => vec![Rule { then: Target::Goto(self.name(child)), ..self.condition(node, child) }],
        }
    }

    fn at_place(&self, node: &Node, bits: &Bits, outcome: &Outcome) -> Vec<Rule> {
        let place = Node::new(bits, PROTOCOL + self.shape.address_bits + 16);
        let condition = self.condition(node, &place);
        let targets = match outcome {
            Outcome::Serve { mark, service } => {
                mark.iter().cloned().map(Target::Jump).chain([Target::Goto(service.clone())]).collect()
            }
            Outcome::Refuse if condition.protocol == Some(Protocol::Tcp) => vec![Target::Reject(Refusal::Reset)],
            Outcome::Refuse => vec![Target::Reject(Refusal::Unreachable(self.family))],
        };
        targets.into_iter().map(|then| Rule { then, ..condition.clone() }).collect()
    }

    /// When a packet that is in the chain of `node` is one of `child`: what is known of it is not asked again.
    fn condition(&self, node: &Node, child: &Node) -> Rule {
        let with_address = PROTOCOL + self.shape.address_bits;
        let address = |length: usize| length.clamp(PROTOCOL, with_address) - PROTOCOL;
        let mut rule = Rule::always(Target::Return);
        if address(child.length) > address(node.length) {
            let length = u8::try_from(address(child.length)).unwrap_or(u8::MAX);
            rule.destination = Some(Destination::In(Block::new(self.address(child), length)));
        }
        if child.length > with_address {
            let port = &child.prefix[with_address / 8..];
            let first = u16::from_be_bytes([port[0], port[1]]);
            let unknown = u16::MAX.checked_shr(u32::try_from(child.length - with_address).unwrap_or(16)).unwrap_or(0);
            rule.ports = Some((first, first | unknown));
        }
        if rule.ports.is_some() || node.length < PROTOCOL {
            rule.protocol = Some(protocol(child.prefix[0]));
        }
        rule
    }

    fn address(&self, node: &Node) -> IpAddr {
        if self.shape.address_bits == 128 {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&node.prefix[1..17]);
            Ipv6Addr::from(bytes).into()
        } else {
            let [_, a, b, c, d, ..] = node.prefix;
            Ipv4Addr::new(a, b, c, d).into()
        }
    }

    fn bits(&self, spot: &Spot) -> Bits {
        let mut bits = [0; 19];
        bits[0] = number(spot.protocol);
        match spot.address.filter(|_| self.shape.address_bits > 0) {
            Some(IpAddr::V4(address)) => bits[1..5].copy_from_slice(&address.octets()),
            Some(IpAddr::V6(address)) => bits[1..17].copy_from_slice(&address.octets()),
            None => {}
        }
        let port = 1 + self.shape.address_bits / 8;
        bits[port..port + 2].copy_from_slice(&spot.port.to_be_bytes());
        bits
    }

    fn name(&self, node: &Node) -> ChainName {
        if *node == Node::ROOT {
            return self.root.clone();
        }
        ChainName::of_dispatch(self.shape.role, node.length, &node.prefix)
    }
}

impl Node {
    const ROOT: Self = Self { prefix: [0; 19], length: 0 };

    fn new(bits: &Bits, length: usize) -> Self {
        Self { prefix: with_rest(bits, length, 0), length }
    }

    fn last(&self) -> Bits {
        with_rest(&self.prefix, self.length, 0xFF)
    }

    fn has(&self, bits: &Bits) -> bool {
        with_rest(bits, self.length, 0) == self.prefix
    }
}

/// The first bits, and then those of `fill`.
fn with_rest(bits: &Bits, length: usize, fill: u8) -> Bits {
    let mut result = *bits;
    for (index, byte) in result.iter_mut().enumerate() {
        let kept = length.saturating_sub(index * 8).min(8);
        let mask = 0xFF_u8.checked_shr(u32::try_from(kept).unwrap_or(8)).unwrap_or(0);
        *byte = (*byte & !mask) | (fill & mask);
    }
    result
}

/// How many bits two places have in common.
fn common(a: &Bits, b: &Bits) -> usize {
    match a.iter().zip(b).position(|(a, b)| a != b) {
        Some(index) => index * 8 + usize::try_from((a[index] ^ b[index]).leading_zeros()).unwrap_or(0),
        None => a.len() * 8,
    }
}

fn successor(bits: &Bits) -> Option<Bits> {
    let mut next = *bits;
    let index = next.iter().rposition(|byte| *byte != 0xFF)?;
    next[index] += 1;
    next[index + 1..].fill(0);
    Some(next)
}

/// As IP numbers them.
fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

fn protocol(number: u8) -> Protocol {
    match number {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        _ => Protocol::Sctp,
    }
}
