//! [`ProxyFixture`]: what the suite needs to know of a proxy.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use orch_core::proxy::ServiceProxy;

/// A proxy with a world around it.
#[async_trait]
pub trait ProxyFixture: Send + Sync + 'static {
    /// The proxy. It serves nothing yet.
    fn proxy(&self) -> &dyn ServiceProxy;

    /// An address and port that a service can have; each call gives another one.
    fn service_address(&self) -> SocketAddr;

    /// A port that a service can have on the node, and where a client reaches it; each call gives another one.
    fn node_port(&self) -> SocketAddr;

    /// Starts something that takes connections and tells who it is; returns its address.
    async fn start_backend(&self) -> SocketAddr;

    /// Makes a backend take no more connections. Those that it has go on.
    async fn stop_backend(&self, backend: SocketAddr);

    /// Connects. `None` when the connection is refused, or ends before anybody answered. Panics when neither an answer nor
    /// a refusal comes within some seconds.
    async fn connect_as(&self, caller: Caller, to: SocketAddr) -> Option<Box<dyn Connection>>;

    /// Connects the client of this number.
    async fn connect(&self, client: u8, to: SocketAddr) -> Option<Box<dyn Connection>> {
        self.connect_as(Caller::Client(client), to).await
    }

    /// Starts something that answers each datagram with who it is; returns its address.
    async fn start_datagram_backend(&self) -> SocketAddr;

    /// A socket of a caller that sends datagrams to this address. It has a port of its own, and keeps it.
    async fn send_datagrams_as(&self, caller: Caller, to: SocketAddr) -> Box<dyn Datagrams>;

    /// Whether the proxy can do this. What it cannot, it must say, as the ability's documentation tells; so each is
    /// checked, one way or the other. By default it can do everything.
    fn can(&self, ability: Ability) -> bool {
        let _ = ability;
        true
    }

    /// Whether it is an address of the node.
    fn is_of_node(&self, address: IpAddr) -> bool;
}

/// What not every proxy can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Ability {
    /// To carry datagrams. If not: a service port of UDP is [`Unsupported`](orch_core::proxy::ProxyError::Unsupported).
    Udp,
    /// To tell apart which endpoints a service's addresses and the port of the node may lead to. If not: a service port
    /// with different policies is [`Unsupported`](orch_core::proxy::ProxyError::Unsupported).
    Policies,
    /// To let endpoints see the addresses of clients. If not, they see one of the node, or there is nothing to be seen.
    SourceAddress,
}

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A client of this number, each with an address of its own, as pods have.
    Client(u8),
    /// A host that knows the node and nothing of what is on it. It reaches only ports of the node.
    Outside,
    /// Something that runs on the node itself.
    Node,
    /// What this backend is in: it has the backend's address.
    Backend(SocketAddr),
}

/// A connection of a client to a backend.
#[async_trait]
pub trait Connection: Send {
    /// Who answered.
    fn backend(&self) -> SocketAddr;

    /// Whether it still carries what is sent, there and back.
    async fn is_open(&mut self) -> bool;

    /// Whom the connection is from. `None`, which is the default, where there is nothing to be seen.
    fn source(&self) -> Option<Source> {
        None
    }
}

/// Whom a connection is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The client's own address.
    pub client: IpAddr,
    /// The address that the backend sees.
    pub seen: IpAddr,
}

/// A socket of a client that sends datagrams to one address, and hears what comes from that address alone.
#[async_trait]
pub trait Datagrams: Send {
    /// Sends a datagram: who answers it? `None` when it is refused. Panics when neither an answer nor a refusal comes within
    /// some seconds.
    async fn ask(&mut self) -> Option<SocketAddr>;
}
