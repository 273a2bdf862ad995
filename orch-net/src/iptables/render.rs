//! What a service port is in rules. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use orch_core::object::TrafficPolicy;
use orch_core::proxy::{Affinity, Endpoint, ProxyError, ServicePort, ServicePortName};

use super::config::{IptablesConfig, NodeAddresses};
use super::dispatch::{Outcome, Spot};
use super::name::{ChainName, list_of_clients};
use super::rule::{Block, Destination, Match, Rule, Target};
use crate::family::Family;

/// Linux counts this time in an unsigned number of ticks of 32 bits, with up to a thousand ticks a second.
const AFFINITY_MAX: Duration = Duration::from_secs(4_000_000);

/// A service port in the rules of one family.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    /// Its own chains, in the table `nat`.
    pub(super) chains: BTreeMap<ChainName, Vec<Rule>>,
    /// What happens at its addresses.
    pub(super) addresses: BTreeMap<Spot, Outcome>,
    /// What happens at its port of the node.
    pub(super) node_port: BTreeMap<Spot, Outcome>,
}

/// Chains that do not depend on the table.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) services: ChainName,
    pub(super) addresses: ChainName,
    pub(super) node_ports: ChainName,
    pub(super) mark: ChainName,
    pub(super) mark_outside: ChainName,
    pub(super) postrouting: ChainName,
}

impl Default for Fixed {
    fn default() -> Self {
        Self {
            services: ChainName::fixed("SERVICES"),
            addresses: ChainName::fixed("ADDRESSES"),
            node_ports: ChainName::fixed("NODE-PORTS"),
            mark: ChainName::fixed("MARK"),
            mark_outside: ChainName::fixed("MARK-OUTSIDE"),
            postrouting: ChainName::fixed("POSTROUTING"),
        }
    }
}

/// The chains of the table `nat` that do not depend on the table of services.
pub(super) fn fixed_nat(family: Family, config: &IptablesConfig) -> BTreeMap<ChainName, Vec<Rule>> {
    let (fixed, mark) = (Fixed::default(), config.masquerade_mark);
    let mut outside: Vec<Rule> = pod_networks(family, config)
        .map(|block| Rule { source: Some(block), ..Rule::always(Target::Return) })
        .collect();
    outside.push(Rule::always(Target::Jump(fixed.mark.clone())));
    let postrouting = vec![
        Rule::always(Target::Return).when(Match::NotMarked(mark)),
        // So that what is encapsulated and comes by again is not taken for marked.
        Rule::always(Target::Unmark(mark)),
        Rule::always(Target::Masquerade),
    ];
    BTreeMap::from([
        (fixed.mark.clone(), vec![Rule::always(Target::Mark(mark))]),
        (fixed.mark_outside.clone(), outside),
        (fixed.postrouting.clone(), postrouting),
        (fixed.services.clone(), entrance(family, config, &fixed)),
    ])
}

/// The same for the table `filter`.
pub(super) fn fixed_filter(family: Family, config: &IptablesConfig) -> BTreeMap<ChainName, Vec<Rule>> {
    let fixed = Fixed::default();
    // What `nat` has led somewhere is not refused. So it does no harm when a refusal comes too early or goes too late.
    let mut rules = vec![Rule::always(Target::Return).when(Match::Translated)];
    rules.extend(entrance(family, config, &fixed));
    BTreeMap::from([(fixed.services, rules)])
}

fn entrance(family: Family, config: &IptablesConfig, fixed: &Fixed) -> Vec<Rule> {
    let to_node_ports = || Rule::always(Target::Jump(fixed.node_ports.clone()));
    let mut rules = vec![Rule::always(Target::Jump(fixed.addresses.clone()))];
    match &config.node_addresses {
        NodeAddresses::All => {
            // Linux leads nothing from there elsewhere, unless `route_localnet` opens the node's loopback to its
            // neighbours (CVE-2020-8558).
            let loopback = match family {
                Family::V4 => Block::new([127, 0, 0, 0].into(), 8),
                Family::V6 => Block::only(std::net::Ipv6Addr::LOCALHOST.into()),
            };
            let rule = Rule { destination: Some(Destination::NotIn(loopback)), ..to_node_ports() };
            rules.push(rule.when(Match::ToThisNode));
        }
        NodeAddresses::These(addresses) => {
            for address in addresses.iter().filter(|address| family.has(**address)) {
                rules.push(Rule { destination: Some(Destination::In(Block::only(*address))), ..to_node_ports() });
            }
        }
    }
    rules
}

fn pod_networks(family: Family, config: &IptablesConfig) -> impl Iterator<Item = Block> {
    let blocks: BTreeSet<Block> = config
        .pod_networks
        .iter()
        .filter(|(address, _)| family.has(*address))
        .map(|(address, length)| Block::new(*address, *length))
        .collect();
    blocks.into_iter()
}

/// A service port in the rules of one family.
pub(super) fn render(name: &ServicePortName, port: &ServicePort, family: Family, config: &IptablesConfig) -> Rendered {
    let mut rendered = Rendered::default();
    let fixed = Fixed::default();
    let addresses = port.addresses.iter().filter(|address| family.has(**address));
    let spots: Vec<Spot> =
        addresses.map(|address| Spot { protocol: port.protocol, address: Some(*address), port: port.port }).collect();
    let of_family = |endpoint: &Endpoint| family.has(endpoint.address.ip());
    // A port of the node is one of the families that the service is of.
    let is_served = !spots.is_empty() || port.endpoints.iter().any(of_family);
    let node_port = port.node_port.filter(|_| is_served);

    if !spots.is_empty() {
        let mark = pod_networks(family, config).next().map(|_| fixed.mark_outside);
        let outcome = rendered.lead(name, port, port.internal, family, mark);
        rendered.addresses = spots.into_iter().map(|spot| (spot, outcome.clone())).collect();
    }
    if let Some(number) = node_port {
        // An endpoint on another node answers this one, not the client. One on this node is to see the client's address.
        let mark = (port.external == TrafficPolicy::Cluster).then_some(fixed.mark);
        let outcome = rendered.lead(name, port, port.external, family, mark);
        let spot = Spot { protocol: port.protocol, address: None, port: number };
        rendered.node_port = BTreeMap::from([(spot, outcome)]);
    }
    rendered
}

impl Rendered {
    /// Makes the chains by which connections come to what `policy` allows.
    fn lead(
        &mut self,
        name: &ServicePortName,
        port: &ServicePort,
        policy: TrafficPolicy,
        family: Family,
        mark: Option<ChainName>,
    ) -> Outcome {
        let usable: Vec<&Endpoint> =
            port.usable_by(policy).filter(|endpoint| family.has(endpoint.address.ip())).collect();
        if usable.is_empty() {
            return Outcome::Refuse;
        }
        let service = ChainName::of_service(name, policy);
        let (mut kept, mut chosen) = (Vec::new(), Vec::new());
        for (index, endpoint) in usable.iter().enumerate() {
            let to = endpoint.address;
            let then = if endpoint.is_local { self.own_chain(name, port, to) } else { Target::Translate(to) };
            // To translate to a port, iptables wants to know the protocol.
            let rule = Rule { protocol: Some(port.protocol), ..Rule::always(then) };
            let mut choice = rule.clone();
            if let Some(left) = u32::try_from(usable.len() - index).ok().filter(|left| *left > 1) {
                choice = choice.when(Match::Chance(((1 << 31) + left / 2) / left));
            }
            if let Affinity::ClientIp(timeout) = port.affinity {
                let list = list_of_clients(name, to);
                let seconds = u32::try_from(timeout.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
                kept.push(rule.when(Match::Remembered { list: list.clone(), seconds, family }));
                choice = choice.when(Match::Remember { list, family });
            }
            chosen.push(choice);
        }
        kept.append(&mut chosen);
        self.chains.insert(service.clone(), kept);
        Outcome::Serve { mark, service }
    }

    /// An endpoint on this node may be its own client: it would answer itself, past the translation. So then it sees an
    /// address of the node in place of its own. Clients of endpoints on other nodes are not those endpoints.
    fn own_chain(&mut self, name: &ServicePortName, port: &ServicePort, to: SocketAddr) -> Target {
        let chain = ChainName::of_endpoint(name, to);
        let itself =
            Rule { source: Some(Block::only(to.ip())), ..Rule::always(Target::Jump(ChainName::fixed("MARK"))) };
        let lead = Rule { protocol: Some(port.protocol), ..Rule::always(Target::Translate(to)) };
        self.chains.insert(chain.clone(), vec![itself, lead]);
        Target::Goto(chain)
    }
}

/// Refuses what rules cannot do, or must not.
pub(super) fn check(name: &ServicePortName, port: &ServicePort) -> Result<(), ProxyError> {
    let unsupported = |message| Err(ProxyError::Unsupported { name: name.clone(), message });
    if let Affinity::ClientIp(timeout) = port.affinity
        && timeout > AFFINITY_MAX
    {
        let most = AFFINITY_MAX.as_secs();
        return unsupported(format!("a client can keep its endpoint for at most {most} seconds"));
    }
    let endpoints = port.endpoints.iter().map(|endpoint| endpoint.address.ip());
    match port.addresses.iter().copied().chain(endpoints).find(|address| is_special(*address)) {
        Some(address) => unsupported(format!("{address} is an address that no packet of another machine can have")),
        None => Ok(()),
    }
}

/// Whether an address does not lead to one machine of the network. To lead connections to loopback, say, would open what
/// listens there for this machine only.
fn is_special(address: IpAddr) -> bool {
    let mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    mapped || broadcast || address.is_unspecified() || address.is_loopback() || address.is_multicast()
}
