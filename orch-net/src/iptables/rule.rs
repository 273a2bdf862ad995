//! [`Rule`]: one rule, of typed values. It is written as `iptables-save` shows it, so that the two can be compared.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use orch_core::object::Protocol;

use super::name::ChainName;
use crate::family::Family;

/// The comment of the rules by which packets reach this proxy's chains.
pub(super) const COMMENT: &str = "orch service proxy";

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Block {
    address: IpAddr,
    length: u8,
}

impl Block {
    /// The addresses whose first `length` bits are those of `address`.
    pub(super) fn new(address: IpAddr, length: u8) -> Self {
        match address {
            IpAddr::V4(address) => {
                let length = length.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Self { address: IpAddr::V4((address.to_bits() & mask).into()), length }
            }
            IpAddr::V6(address) => {
                let length = length.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Self { address: IpAddr::V6((address.to_bits() & mask).into()), length }
            }
        }
    }

    /// Only this address.
    pub(super) fn only(address: IpAddr) -> Self {
        Self::new(address, 128)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) source: Option<Block>,
    pub(super) destination: Option<Destination>,
    pub(super) protocol: Option<Protocol>,
    /// The first and the last port. Only together with a protocol.
    pub(super) ports: Option<(u16, u16)>,
    /// In the order in which they are tried: the first that does not match ends it.
    pub(super) matches: Vec<Match>,
    pub(super) then: Target,
}

/// Where packets go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    In(Block),
    NotIn(Block),
}

/// A further condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The first packet of a connection.
    New,
    /// Its destination was translated.
    Translated,
    /// To an address of this node.
    ToThisNode,
    /// The bits are not set in the packet's mark.
    NotMarked(u32),
    /// By chance, in so many of 2³¹ cases, the unit in which Linux counts.
    Chance(u32),
    /// The client is in the list since at most so many seconds, which begin again.
    Remembered { list: String, seconds: u32, family: Family },
    /// Always; the client is put into the list.
    Remember { list: String, family: Family },
    /// Always; says whose rule it is.
    Comment,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Goes through the chain, then on.
    Jump(ChainName),
    /// Goes through the chain in place of this one.
    Goto(ChainName),
    Return,
    /// The connection is led to this address.
    Translate(SocketAddr),
    /// The connection is refused.
    Reject(Refusal),
    /// These bits are set in the packet's mark.
    Mark(u32),
    /// These bits of the packet's mark are turned over.
    Unmark(u32),
    /// The client's address is replaced by one of this node.
    Masquerade,
}

/// How a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Reset,
    Unreachable(Family),
}

impl Rule {
    /// For every packet.
    pub(super) fn always(then: Target) -> Self {
        Self { source: None, destination: None, protocol: None, ports: None, matches: Vec::new(), then }
    }

    pub(super) fn when(mut self, condition: Match) -> Self {
        self.matches.push(condition);
        self
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What matches everything is not shown.
        if let Some(source) = self.source.filter(|block| block.length > 0) {
            write!(f, "-s {source} ")?;
        }
        match self.destination {
            Some(Destination::In(block)) => write!(f, "-d {block} ")?,
            Some(Destination::NotIn(block)) => write!(f, "! -d {block} ")?,
            None => {}
        }
        if let Some(protocol) = self.protocol.map(word) {
            write!(f, "-p {protocol} ")?;
            match self.ports {
                Some((first, last)) if first == last => write!(f, "-m {protocol} --dport {first} ")?,
                Some((first, last)) => write!(f, "-m {protocol} --dport {first}:{last} ")?,
                None => {}
            }
        }
        for condition in &self.matches {
            write!(f, "{condition} ")?;
        }
        write!(f, "{}", self.then)
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("-m conntrack --ctstate NEW"),
            Self::Translated => f.write_str("-m conntrack --ctstate DNAT"),
            Self::ToThisNode => f.write_str("-m addrtype --dst-type LOCAL"),
            Self::NotMarked(bits) => write!(f, "-m mark ! --mark {bits:#x}/{bits:#x}"),
            Self::Chance(parts) => {
                let probability = f64::from(*parts) / f64::from(1_u32 << 31);
                write!(f, "-m statistic --mode random --probability {probability:.11}")
            }
            Self::Remembered { list, seconds, family } => {
                write!(f, "-m recent --update --seconds {seconds} --name {list} --mask {} --rsource", mask(*family))
            }
            Self::Remember { list, family } => {
                write!(f, "-m recent --set --name {list} --mask {} --rsource", mask(*family))
            }
            Self::Comment => write!(f, "-m comment --comment \"{COMMENT}\""),
        }
    }
}

fn mask(family: Family) -> &'static str {
    match family {
        Family::V4 => "255.255.255.255",
        Family::V6 => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jump(chain) => write!(f, "-j {chain}"),
            Self::Goto(chain) => write!(f, "-g {chain}"),
            Self::Return => f.write_str("-j RETURN"),
            Self::Translate(to) => write!(f, "-j DNAT --to-destination {to}"),
            Self::Reject(Refusal::Reset) => f.write_str("-j REJECT --reject-with tcp-reset"),
            Self::Reject(Refusal::Unreachable(Family::V4)) => {
                f.write_str("-j REJECT --reject-with icmp-port-unreachable")
            }
            Self::Reject(Refusal::Unreachable(Family::V6)) => {
                f.write_str("-j REJECT --reject-with icmp6-port-unreachable")
            }
            Self::Mark(bits) => write!(f, "-j MARK --set-xmark {bits:#x}/{bits:#x}"),
            Self::Unmark(bits) => write!(f, "-j MARK --set-xmark {bits:#x}/0x0"),
            Self::Masquerade => f.write_str("-j MASQUERADE --random-fully"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_no_bits_beyond_its_length() {
        let block = |address: &str, length| Block::new(address.parse().expect("an address"), length).to_string();
        assert_eq!(block("10.96.31.7", 20), "10.96.16.0/20");
        assert_eq!(block("10.96.31.7", 0), "0.0.0.0/0");
        assert_eq!(block("10.96.31.7", 128), "10.96.31.7/32");
        assert_eq!(block("fd00:96::1f07", 120), "fd00:96::1f00/120");
    }

    #[test]
    fn a_rule_is_written_as_iptables_shows_it() {
        let rule = Rule {
            source: Some(Block::only([10, 1, 0, 1].into())),
            destination: Some(Destination::NotIn(Block::new([127, 0, 0, 1].into(), 8))),
            protocol: Some(Protocol::Udp),
            ports: Some((80, 95)),
            matches: vec![Match::Chance((1_u32 << 31) / 3 + 1)],
            then: Target::Translate("[fd00::1]:80".parse().expect("an address")),
        };
        assert_eq!(
            rule.to_string(),
            "-s 10.1.0.1/32 ! -d 127.0.0.0/8 -p udp -m udp --dport 80:95 -m statistic --mode random --probability \
             0.33333333349 -j DNAT --to-destination [fd00::1]:80"
        );
    }
}
