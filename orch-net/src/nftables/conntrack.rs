//! [`Stale`] and [`forget`]: what the kernel remembers of datagrams. It goes on leading them to where the first one went, as
//! long as they come, whatever the tables say; so what was led to a removed endpoint has to be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::client::Client;
use super::error::Refusal;
use super::family::Family;
use super::wire::{Header, Message, Writer, find};

/// The kernel's number of connections among the parts of netfilter.
const CONNECTIONS: u16 = 1;
const GET: u16 = 1;
const DELETE: u16 = 2;

const REQUEST_WITH_ANSWER: u16 = 0x5;

const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const FILTER: u16 = 25;
const TUPLE_ADDRESSES: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
/// In a filter: the protocol's number counts.
const BY_PROTOCOL: u32 = 1 << 3;

const UDP: u8 = 17;

/// Where datagrams were sent to that may have to be led anew: an address, or any of the node, and a port, with the
/// endpoints that they may go on being led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stale {
    pub(super) places: BTreeMap<(Option<IpAddr>, u16), BTreeSet<SocketAddr>>,
}

/// What the kernel remembers of the datagrams between two.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Flow {
    /// Who sent the first, and where to.
    from: SocketAddr,
    to: SocketAddr,
    /// Who answers, and to whom: the endpoint and the client, if nothing hides them.
    answered_by: SocketAddr,
    answered_to: SocketAddr,
    /// As the kernel wants it back.
    tuple: Vec<u8>,
}

impl Stale {
    /// Whether a flow is to be forgotten.
    fn has(&self, flow: &Flow) -> bool {
        let is_led = flow.answered_by != flow.to;
        if let Some(usable) = self.places.get(&(Some(flow.to.ip()), flow.to.port())) {
            return !usable.contains(&flow.answered_by);
        }
        let Some(usable) = self.places.get(&(None, flow.to.port())) else { return false };
        // Others send datagrams to this port of other hosts. Of those that are not translated nothing is lost.
        if is_led { !usable.contains(&flow.answered_by) } else { flow.answered_to == flow.from }
    }
}

/// Has the kernel forget the flows of datagrams that are stale. Returns how many there were.
pub(super) fn forget(client: &Client, stale: &[Stale]) -> Result<usize, Refusal> {
    let mut forgotten = 0;
    for family in Family::ALL {
        let list = (CONNECTIONS << 8 | GET, family.number());
        let found = client.list("list connections", list, only_udp, |message| {
            let flow = flow(message)?;
            stale.iter().any(|stale| stale.has(&flow)).then_some(flow)
        })?;
        for flow in found {
            let mut writer = Writer::default();
            let (kind, family) = (CONNECTIONS << 8 | DELETE, family.number());
            let header = Header { kind, flags: REQUEST_WITH_ANSWER, sequence: 1, family, resource: 0 };
            writer.message(header, |writer| writer.bytes(ORIGINAL | 0x8000, &flow.tuple));
            client.act("forget a connection", &writer)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// Spares the kernel from listing other protocols. One that does not know this lists all.
fn only_udp(writer: &mut Writer) {
    writer.nested(ORIGINAL, |writer| writer.nested(TUPLE_PROTOCOL, |writer| writer.bytes(1, &[UDP])));
    writer.nested(FILTER, |writer| {
        writer.bytes(1, &BY_PROTOCOL.to_ne_bytes());
        writer.bytes(2, &[0; 4]);
    });
}

fn flow(message: &Message<'_>) -> Option<Flow> {
    let attributes = message.attributes();
    let (original, reply) = (find(attributes, &[ORIGINAL])?, find(attributes, &[REPLY])?);
    let (from, to) = ends(original)?;
    let (answered_by, answered_to) = ends(reply)?;
    Some(Flow { from, to, answered_by, answered_to, tuple: original.to_vec() })
}

/// Source and destination of datagrams.
fn ends(tuple: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    if find(tuple, &[TUPLE_PROTOCOL, 1])? != [UDP] {
        return None;
    }
    let address = |v4, v6| {
        let v4 = find(tuple, &[TUPLE_ADDRESSES, v4]).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        let v6 = || find(tuple, &[TUPLE_ADDRESSES, v6]).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        v4.map(|bytes| IpAddr::from(Ipv4Addr::from(bytes))).or_else(|| v6().map(|bytes| Ipv6Addr::from(bytes).into()))
    };
    let port = |kind| find(tuple, &[TUPLE_PROTOCOL, kind])?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    Some((SocketAddr::new(address(1, 3)?, port(2)?), SocketAddr::new(address(2, 4)?, port(3)?)))
}
