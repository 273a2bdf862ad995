//! [`forget`]: makes the kernel forget where it leads flows of datagrams.
//!
//! A flow keeps its endpoint as long as datagrams come, whatever the rules say. That is right for connections, which end;
//! a flow to an endpoint that is gone would never reach another one.

mod stale;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) use stale::Stale;

use crate::family::Family;
use crate::netlink::wire::{Header, Message, Writer, attributes, find};
use crate::netlink::{Client, REQUEST, Refusal};

/// A flow of datagrams that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Who sent the first, and where to.
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// Who answers, and to whom: the endpoint and the client, if nothing hides them.
    pub(crate) answered_by: SocketAddr,
    pub(crate) answered_to: SocketAddr,
}

// Numbers of the kernel: linux/netfilter/nfnetlink_conntrack.h.
const CONNECTIONS: u16 = 1;
const GET: u16 = CONNECTIONS << 8 | 1;
const DELETE: u16 = CONNECTIONS << 8 | 2;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
const TUPLE_ADDRESSES: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
/// In a filter: the protocol's number counts.
const BY_PROTOCOL: u32 = 1 << 3;
const NESTED: u16 = 0x8000;
const ACKNOWLEDGE: u16 = 0x4;

/// UDP's number.
const UDP: u8 = 17;

/// Forgets the flows that are stale. It blocks while the kernel tells all it knows, if anything could be stale.
pub(crate) fn forget(client: &Client, stale: &[Stale]) -> Result<(), Refusal> {
    if stale.iter().all(Stale::is_empty) {
        return Ok(());
    }
    for family in Family::ALL.map(Family::number) {
        let found = client.list("list connections", (GET, family), only_udp, |message| {
            let flow = flow(message.attributes())?;
            stale.iter().any(|stale| stale.has(&flow)).then(|| name(message))
        })?;
        for name in found {
            let mut writer = Writer::default();
            let header = Header { kind: DELETE, flags: REQUEST | ACKNOWLEDGE, sequence: 1, family, resource: 0 };
            writer.message(header, |writer| name.iter().for_each(|(kind, value)| writer.bytes(*kind, value)));
            client.act("forget a connection", &writer)?;
        }
    }
    Ok(())
}

/// Spares the kernel from listing other protocols. One that does not know this lists all.
fn only_udp(writer: &mut Writer) {
    writer.nested(ORIGINAL, |writer| writer.nested(TUPLE_PROTOCOL, |writer| writer.bytes(1, &[UDP])));
    writer.nested(FILTER, |writer| {
        writer.bytes(1, &BY_PROTOCOL.to_ne_bytes());
        writer.bytes(2, &[0; 4]);
    });
}

/// What names a flow to the kernel: where it came from before any translation, in which zone, and a number, so that one
/// which began meanwhile is not taken for it.
fn name(message: &Message<'_>) -> Vec<(u16, Vec<u8>)> {
    let named = attributes(message.attributes()).filter(|(kind, _)| matches!(*kind, ORIGINAL | ID | ZONE));
    named.map(|(kind, value)| (if kind == ORIGINAL { kind | NESTED } else { kind }, value.to_vec())).collect()
}

/// The flow that the kernel tells of, if it is of UDP.
fn flow(told: &[u8]) -> Option<Flow> {
    let ((from, to), (answered_by, answered_to)) = (ends(find(told, &[ORIGINAL])?)?, ends(find(told, &[REPLY])?)?);
    Some(Flow { from, to, answered_by, answered_to })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::wire::messages;

    fn direction(writer: &mut Writer, kind: u16, protocol: u8, from: ([u8; 4], u16), to: ([u8; 4], u16)) {
        writer.nested(kind, |writer| {
            writer.nested(TUPLE_ADDRESSES, |writer| {
                writer.bytes(1, &from.0);
                writer.bytes(2, &to.0);
            });
            writer.nested(TUPLE_PROTOCOL, |writer| {
                writer.bytes(1, &[protocol]);
                writer.bytes(2, &from.1.to_be_bytes());
                writer.bytes(3, &to.1.to_be_bytes());
            });
        });
    }

    #[test]
    fn a_flow_is_read_and_named_by_what_it_was_before_translation() {
        let (client, service, endpoint) = (([10, 0, 0, 9], 4000), ([10, 96, 0, 1], 53), ([10, 244, 0, 1], 5353));
        for (protocol, is_read) in [(UDP, true), (6, false)] {
            let mut writer = Writer::default();
            let header = Header { kind: GET, flags: 0, sequence: 1, family: Family::V4.number(), resource: 0 };
            writer.message(header, |writer| {
                direction(writer, ORIGINAL, protocol, client, service);
                direction(writer, REPLY, protocol, endpoint, client);
                writer.bytes(3, &[0; 4]);
                writer.bytes(ID, &[1, 2, 3, 4]);
            });
            let message = messages(writer.as_bytes()).next().expect("a message");
            let told = flow(message.attributes());
            let (from, to) = (client.into(), service.into());
            let flow = Flow { from, to, answered_by: endpoint.into(), answered_to: from };
            assert_eq!(told, is_read.then_some(flow), "connections go on, flows of datagrams may have to be forgotten");
            let name = name(&message);
            assert_eq!(name.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [ORIGINAL | NESTED, ID]);
            assert_eq!(name[1].1, [1, 2, 3, 4]);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_told_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            flow(&bytes);
        }
    }
}
