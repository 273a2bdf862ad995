//! [`forget`]: makes the kernel forget where it leads flows of datagrams.
//!
//! A flow keeps its endpoint as long as datagrams come, whatever the rules say. That is right for connections, which end;
//! a flow to an endpoint that is gone would never reach another one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// A flow that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The protocol's number.
    pub(crate) protocol: u8,
    /// Where its client sends to.
    pub(crate) to: SocketAddr,
    /// Who answers: where it is led.
    pub(crate) answered_by: SocketAddr,
}

/// What was said of an entry, and what names it to the kernel.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    flow: Flow,
    family: u8,
    name: Vec<u8>,
}

/// UDP's number.
pub(crate) const UDP: u8 = 17;

// Numbers of the kernel: linux/netlink.h, linux/netfilter/nfnetlink_conntrack.h.
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const GET: u16 = (1 << 8) | 1;
const DELETE: u16 = (1 << 8) | 2;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;

/// A message's head, and what netfilter puts behind it.
const HEAD: usize = 16;
const BODY: usize = HEAD + 4;

/// Forgets the flows of which that holds; returns how many. It blocks while the kernel tells all it knows.
pub(crate) fn forget(is_stale: impl Fn(&Flow) -> bool) -> io::Result<usize> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)?;
    let mut stale = Vec::new();
    ask(&socket, &message(GET, REQUEST | DUMP, 0, &[]), |body| {
        stale.extend(entry(body).filter(|entry| is_stale(&entry.flow)));
    })?;
    let mut forgotten = 0;
    for entry in stale {
        match ask(&socket, &message(DELETE, REQUEST | ACKNOWLEDGE, entry.family, &entry.name), |_| {}) {
            Ok(()) => forgotten += 1,
            // It ended by itself.
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(forgotten)
}

/// Sends a message and hears its answers, to the last.
fn ask(socket: &OwnedFd, message: &[u8], mut hear: impl FnMut(&[u8])) -> io::Result<()> {
    send(socket.as_raw_fd(), message, MsgFlags::empty())?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some((kind, answer, next)) = split(rest) {
            match kind {
                DONE => return Ok(()),
                ERROR => return outcome(answer),
                _ => hear(answer),
            }
            rest = next;
        }
    }
}

/// What the kernel says at the end.
fn outcome(answer: &[u8]) -> io::Result<()> {
    let code = answer.get(HEAD..HEAD + 4).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) }
}

/// The first message: its type, all of it, and what comes behind it.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let message = bytes.get(..length).filter(|message| message.len() >= HEAD)?;
    Some((kind, message, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn message(kind: u16, flags: u16, family: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(BODY + attributes.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence number, sender; then family, version and resource of netfilter.
    bytes.extend([0; 8]);
    bytes.extend([family, 0, 0, 0]);
    bytes.extend(attributes);
    bytes
}

fn entry(message: &[u8]) -> Option<Entry> {
    let (mut name, mut original, mut reply) = (Vec::new(), None, None);
    let attributes = message.get(BODY..)?;
    for (kind, value, whole) in Attributes(attributes) {
        match kind {
            ORIGINAL => original = tuple(value),
            REPLY => reply = tuple(value),
            ID | ZONE => {}
            _ => continue,
        }
        if kind != REPLY {
            name.extend(whole);
        }
    }
    let ((protocol, _, to), (_, answered_by, _)) = (original?, reply?);
    Some(Entry { flow: Flow { protocol, to, answered_by }, family: *message.get(HEAD)?, name })
}

/// Protocol, source and destination of one direction.
fn tuple(value: &[u8]) -> Option<(u8, SocketAddr, SocketAddr)> {
    let (mut addresses, mut protocol, mut ports) = ([None; 2], None, [None; 2]);
    for (kind, value, _) in Attributes(value) {
        for (inner, value, _) in Attributes(value) {
            match (kind, inner) {
                (1, 1..=4) => addresses[usize::from(inner + 1) % 2] = address(value),
                (2, 1) => protocol = value.first().copied(),
                (2, 2 | 3) => ports[usize::from(inner) % 2] = value.try_into().ok().map(u16::from_be_bytes),
                _ => {}
            }
        }
    }
    let at = |which: usize| Some(SocketAddr::new(addresses[which]?, ports[which]?));
    Some((protocol?, at(0)?, at(1)?))
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
    let v6 = <[u8; 16]>::try_from(value).map(|octets| IpAddr::from(Ipv6Addr::from(octets)));
    v4.or(v6).ok()
}

/// Attributes one after another: type, value, and all of it with what fills it up.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16::from_ne_bytes(self.0.get(..2)?.try_into().ok()?));
        // Without the marks of nesting and byte order.
        let kind = u16::from_ne_bytes(self.0.get(2..4)?.try_into().ok()?) & 0x3FFF;
        let value = self.0.get(4..length)?;
        let whole = self.0.get(..length.next_multiple_of(4))?;
        self.0 = &self.0[whole.len()..];
        Some((kind, value, whole))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("a short value");
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn direction(kind: u16, from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
        let addresses = [attribute(1, &from.0), attribute(2, &to.0)].concat();
        let ports = [attribute(2, &from.1.to_be_bytes()), attribute(3, &to.1.to_be_bytes())];
        let protocol = [attribute(1, &[UDP]), ports.concat()].concat();
        attribute(0x8000 | kind, &[attribute(0x8001, &addresses), attribute(0x8002, &protocol)].concat())
    }

    #[test]
    fn a_flow_is_read_and_named_by_what_it_was_before_translation() {
        let (client, service, endpoint) = (([10, 0, 0, 9], 4000), ([10, 96, 0, 1], 53), ([10, 244, 0, 1], 5353));
        let original = direction(ORIGINAL, client, service);
        let id = attribute(ID, &[1, 2, 3, 4]);
        let told = [original.clone(), direction(REPLY, endpoint, client), attribute(3, &[0; 4]), id.clone()].concat();
        let entry = entry(&message(GET, 0, 2, &told)).expect("an entry");
        let flow = Flow { protocol: UDP, to: service.into(), answered_by: endpoint.into() };
        assert_eq!(entry, Entry { flow, family: 2, name: [original, id].concat() });
    }

    proptest! {
        #[test]
        fn nothing_that_is_told_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            entry(&bytes);
            let _ = (split(&bytes), outcome(&bytes));
        }
    }
}
