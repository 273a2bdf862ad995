//! [`Floor`]: the least that a change of one endpoint costs in nftables, one element of a map, and no proxy.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, socket,
};

use super::node::{Node, run};
use super::shape::{CHANGED, PORT, Shape, State, TARGET, address};

/// Numbers of netlink's, of its part for netfilter, and of nftables'.
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const TABLES: u16 = 10;
const NEW_ELEMENT: u16 = TABLES << 8 | 12;
const DELETE_ELEMENT: u16 = TABLES << 8 | 14;
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;
const IPV4: u8 = 2;
const NESTED: u16 = 0x8000;

/// A map from places to endpoints, one for each service, and a chain that looks a connection up in it.
pub struct Floor {
    node: Node,
    socket: OwnedFd,
    state: State,
    shape: Shape,
}

impl Floor {
    pub fn new(shape: Shape) -> Self {
        let (node, state) = (Node::new(), State::default());
        let elements: Vec<String> = shape.numbers(state).map(|number| element(shape, number, state)).collect();
        let input = format!(
            "table ip floor {{\n map places {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = {{ {} }} }}\n \
             chain lead {{ type nat hook prerouting priority -100; dnat ip to ip daddr . tcp dport map @places; }}\n}}\n",
            elements.join(", ")
        );
        let socket = node.on(|| {
            run("nft", &["-f", "-"], &input);
            let protocol = SockProtocol::NetlinkNetFilter;
            let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol);
            let socket = socket.expect("a socket of netlink");
            bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).expect("an address of netlink");
            socket
        });
        Self { node, socket, state, shape }
    }

    /// Replaces an endpoint by the program `nft`.
    pub fn by_program(&mut self) {
        self.state.replaced = (self.state.replaced + 1) % 150;
        let (at, new) = (address(CHANGED), element(self.shape, CHANGED, self.state));
        let input =
            format!("delete element ip floor places {{ {at} . {PORT} }}\nadd element ip floor places {{ {new} }}\n");
        self.node.on(|| run("nft", &["-f", "-"], &input));
    }

    /// Replaces an endpoint by netlink.
    pub fn by_netlink(&mut self) {
        self.state.replaced = (self.state.replaced + 1) % 150;
        let mut batch = Vec::new();
        message(&mut batch, BATCH_BEGIN, REQUEST, [0, 0], TABLES, &[]);
        let key = value(address(CHANGED).octets(), PORT);
        let to = value(self.shape.endpoints(CHANGED, self.state)[0].ip().octets(), TARGET);
        let (key, to) = (attribute(1 | NESTED, &attribute(1, &key)), attribute(2 | NESTED, &attribute(1, &to)));
        let elements = |element: &[u8]| {
            let list = attribute(3 | NESTED, &attribute(1 | NESTED, element));
            [attribute(1, b"floor\0"), attribute(2, b"places\0"), list].concat()
        };
        message(&mut batch, DELETE_ELEMENT, REQUEST, [IPV4, 0], 0, &elements(&key));
        let flags = REQUEST | CREATE | ACKNOWLEDGE;
        message(&mut batch, NEW_ELEMENT, flags, [IPV4, 0], 0, &elements(&[key, to].concat()));
        message(&mut batch, BATCH_END, REQUEST, [0, 0], TABLES, &[]);
        let to_the_kernel = NetlinkAddr::new(0, 0);
        sendto(self.socket.as_raw_fd(), &batch, &to_the_kernel, MsgFlags::empty()).expect("the kernel takes it");
        let mut answer = [0; 4096];
        let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT).expect("the kernel answers");
        // Behind the header is the number of an error, or zero.
        assert!(length >= 20 && answer[16..20] == [0; 4], "the kernel refuses an element: {:?}", &answer[..length]);
    }
}

fn element(shape: Shape, number: u16, state: State) -> String {
    let to = shape.endpoints(number, state)[0];
    format!("{} . {PORT} : {} . {TARGET}", address(number), to.ip())
}

/// An address and a port, as sets have them.
fn value(address: [u8; 4], port: u16) -> Vec<u8> {
    [&address[..], &port.to_be_bytes(), &[0, 0]].concat()
}

fn message(batch: &mut Vec<u8>, kind: u16, flags: u16, family: [u8; 2], resource: u16, attributes: &[u8]) {
    let length = u32::try_from(20 + attributes.len()).expect("a small message");
    batch.extend_from_slice(&length.to_ne_bytes());
    batch.extend_from_slice(&kind.to_ne_bytes());
    batch.extend_from_slice(&flags.to_ne_bytes());
    batch.extend_from_slice(&[0; 8]);
    batch.extend_from_slice(&family);
    batch.extend_from_slice(&resource.to_be_bytes());
    batch.extend_from_slice(attributes);
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("a small attribute");
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
