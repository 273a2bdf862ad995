//! [`InMemory`]: the world around a proxy without a network.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::object::Protocol;
use orch_core::proxy::ServiceProxy;

use super::{Ability, Caller, Connection, Datagrams, ProxyFixture};

type Connect<P> = fn(&P, protocol: Protocol, client: SocketAddr, to: SocketAddr) -> Option<Box<dyn Connection>>;

/// The world around a proxy that only says where a connection or a datagram would go. Its node has the address 127.0.0.1.
pub struct InMemory<P> {
    proxy: Arc<P>,
    connect: Connect<P>,
    lacking: Vec<Ability>,
    last: AtomicU16,
    stopped: Mutex<BTreeSet<SocketAddr>>,
}

impl<P> InMemory<P> {
    /// The world around `proxy`; `connect` asks it where a connection goes, or a datagram.
    pub fn new(proxy: P, connect: Connect<P>) -> Self {
        let (lacking, last, stopped) = (Vec::new(), AtomicU16::new(0), Mutex::default());
        Self { proxy: Arc::new(proxy), connect, lacking, last, stopped }
    }

    /// The same around a proxy that cannot do this.
    #[must_use]
    pub fn without(mut self, ability: Ability) -> Self {
        self.lacking.push(ability);
        self
    }

    fn next(&self) -> u16 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Where a caller's next connection is from.
    fn address_of(&self, caller: Caller) -> SocketAddr {
        let address: IpAddr = match caller {
            Caller::Client(number) => [10, 0, 0, number].into(),
            Caller::Outside => [192, 0, 2, 1].into(),
            Caller::Node => Ipv4Addr::LOCALHOST.into(),
            Caller::Backend(address) => address.ip(),
        };
        (address, self.next()).into()
    }
}

impl<P: fmt::Debug> fmt::Debug for InMemory<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory").field("proxy", &self.proxy).finish_non_exhaustive()
    }
}

#[async_trait]
impl<P: ServiceProxy> ProxyFixture for InMemory<P> {
    fn proxy(&self) -> &dyn ServiceProxy {
        &*self.proxy
    }

    fn service_address(&self) -> SocketAddr {
        let [high, low] = self.next().to_be_bytes();
        ([10, 96, high, low], 80).into()
    }

    fn node_port(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 30_000 + self.next()).into()
    }

    async fn start_backend(&self) -> SocketAddr {
        let [high, low] = self.next().to_be_bytes();
        ([10, 244, high, low], 8080).into()
    }

    async fn stop_backend(&self, backend: SocketAddr) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).insert(backend);
    }

    async fn connect_as(&self, caller: Caller, to: SocketAddr) -> Option<Box<dyn Connection>> {
        let connection = (self.connect)(&self.proxy, Protocol::Tcp, self.address_of(caller), to)?;
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        (!stopped.contains(&connection.backend())).then_some(connection)
    }

    async fn start_datagram_backend(&self) -> SocketAddr {
        self.start_backend().await
    }

    async fn send_datagrams_as(&self, caller: Caller, to: SocketAddr) -> Box<dyn Datagrams> {
        let from = self.address_of(caller);
        Box::new(InMemoryDatagrams { proxy: Arc::clone(&self.proxy), connect: self.connect, from, to })
    }

    fn can(&self, ability: Ability) -> bool {
        !self.lacking.contains(&ability)
    }

    fn is_of_node(&self, address: IpAddr) -> bool {
        address == Ipv4Addr::LOCALHOST
    }
}

struct InMemoryDatagrams<P> {
    proxy: Arc<P>,
    connect: Connect<P>,
    from: SocketAddr,
    to: SocketAddr,
}

#[async_trait]
impl<P: ServiceProxy> Datagrams for InMemoryDatagrams<P> {
    async fn ask(&mut self) -> Option<SocketAddr> {
        let connection = (self.connect)(&self.proxy, Protocol::Udp, self.from, self.to)?;
        Some(connection.backend())
    }
}
