//! [`Loopback`]: the world around a proxy that works on the loopback addresses of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::proxy::ServiceProxy;
use tokio::net::{TcpSocket, UdpSocket};

use super::sockets::{self, Backend};
use super::{Ability, Caller, Connection, Datagrams, ProxyFixture};

/// The world around a proxy that works on the loopback addresses of this machine: real connections, between
/// addresses of 127.0.0.0/8, all of which Linux gives to the loopback interface. Each fixture has an address of its
/// own, so that tests can run at the same time.
#[derive(Debug)]
pub struct Loopback<P> {
    proxy: P,
    address: IpAddr,
    lacking: Vec<Ability>,
    /// The ports that services were given: Linux may name one twice.
    given: Mutex<BTreeSet<u16>>,
    backends: Mutex<BTreeMap<SocketAddr, Backend>>,
}

impl<P> Loopback<P> {
    /// The world around the proxy that `make` makes, for a node with the address that it is given.
    pub fn new(make: impl FnOnce(IpAddr) -> P) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        // Processes that run at the same time differ in the low bits of their ids, fixtures of one process by number.
        let number = (std::process::id() << 8) + (LAST.fetch_add(1, Ordering::Relaxed) & 0xFF);
        let [_, a, b, c] = number.to_be_bytes();
        let address = Ipv4Addr::new(127, a | 0x80, b, c.clamp(1, 254)).into();
        let (lacking, given, backends) = (Vec::new(), Mutex::default(), Mutex::default());
        Self { proxy: make(address), address, lacking, given, backends }
    }

    /// The same around a proxy that cannot do this.
    #[must_use]
    pub fn without(mut self, ability: Ability) -> Self {
        self.lacking.push(ability);
        self
    }

    /// A port that nobody listens on, another one each time.
    fn free_port(&self) -> SocketAddr {
        loop {
            let listener = std::net::TcpListener::bind((self.address, 0)).expect("a loopback address can be bound");
            let address = listener.local_addr().expect("a bound socket has an address");
            if self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(address.port()) {
                return address;
            }
        }
    }

    /// Where a caller's connections are from.
    fn address_of(caller: Caller) -> IpAddr {
        match caller {
            Caller::Client(number) => Ipv4Addr::new(127, 1, 0, number).into(),
            Caller::Outside => Ipv4Addr::new(127, 2, 0, 1).into(),
            Caller::Node => Ipv4Addr::LOCALHOST.into(),
            Caller::Backend(address) => address.ip(),
        }
    }

    fn keep(&self, address: SocketAddr, backend: Backend) {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner).insert(address, backend);
    }
}

#[async_trait]
impl<P: ServiceProxy> ProxyFixture for Loopback<P> {
    fn proxy(&self) -> &dyn ServiceProxy {
        &self.proxy
    }

    fn service_address(&self) -> SocketAddr {
        self.free_port()
    }

    fn node_port(&self) -> SocketAddr {
        self.free_port()
    }

    async fn start_backend(&self) -> SocketAddr {
        let listener = std::net::TcpListener::bind((self.address, 0)).expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        self.keep(address, sockets::serve(listener));
        address
    }

    async fn stop_backend(&self, backend: SocketAddr) {
        let stopped = self.backends.lock().unwrap_or_else(PoisonError::into_inner).remove(&backend);
        stopped.expect("a backend of this fixture").stop();
    }

    async fn connect_as(&self, caller: Caller, to: SocketAddr) -> Option<Box<dyn Connection>> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Self::address_of(caller), 0).into()).expect("a loopback address can be bound");
        sockets::connect(socket, to).await
    }

    async fn start_datagram_backend(&self) -> SocketAddr {
        let socket = UdpSocket::bind((self.address, 0)).await.expect("a loopback address can be bound");
        let address = socket.local_addr().expect("a bound socket has an address");
        self.keep(address, sockets::serve_datagrams(socket));
        address
    }

    async fn send_datagrams_as(&self, caller: Caller, to: SocketAddr) -> Box<dyn Datagrams> {
        let socket = UdpSocket::bind((Self::address_of(caller), 0)).await.expect("a loopback address can be bound");
        sockets::datagrams(socket, to).await
    }

    fn can(&self, ability: Ability) -> bool {
        !self.lacking.contains(&ability)
    }

    fn is_of_node(&self, address: IpAddr) -> bool {
        address == self.address || address == Ipv4Addr::LOCALHOST
    }
}
