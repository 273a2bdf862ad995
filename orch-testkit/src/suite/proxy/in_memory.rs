//! [`InMemory`]: the world around a proxy without a network.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::proxy::ServiceProxy;

use super::{Connection, ProxyFixture};

type Connect<P> = fn(&P, client: IpAddr, to: SocketAddr) -> Option<Box<dyn Connection>>;

/// The world around a proxy that only says where a connection would go. Its node has the address 127.0.0.1.
pub struct InMemory<P> {
    proxy: P,
    connect: Connect<P>,
    last: AtomicU16,
    stopped: Mutex<BTreeSet<SocketAddr>>,
}

impl<P> InMemory<P> {
    /// The world around `proxy`; `connect` asks it where a connection goes.
    pub fn new(proxy: P, connect: Connect<P>) -> Self {
        Self { proxy, connect, last: AtomicU16::new(0), stopped: Mutex::default() }
    }

    fn next(&self) -> u16 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
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
        &self.proxy
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

    async fn connect(&self, client: u8, to: SocketAddr) -> Option<Box<dyn Connection>> {
        let connection = (self.connect)(&self.proxy, [10, 0, 0, client].into(), to)?;
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        (!stopped.contains(&connection.backend())).then_some(connection)
    }
}
