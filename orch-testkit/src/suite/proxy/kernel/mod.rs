//! [`Kernel`]: the world around a proxy of the kernel.

mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::proxy::ServiceProxy;
use tokio::net::{TcpSocket, UdpSocket};

use super::sockets::{self, Backend};
use super::{Ability, Caller, Connection, Datagrams, ProxyFixture};
use crate::suite::namespace::{Namespace, Stay};
pub use world::Family;
use world::{Member, World};

/// The world around a proxy that works on this machine's kernel, or in a network like that of a real node, of one family of
/// addresses: a node with a bridge and pods
/// at it, all of which reach each other by way of the node; clients, which are a pod with an address for each; and a host
/// outside that is connected to the node and knows of nothing behind it. Each is a network namespace, so that nothing
/// outside of the fixture is touched and many can be there at the same time. Nothing of it is left when it is dropped, nor
/// when the process is killed.
///
/// The thread that makes it is in the node's network until it is dropped, and so is all that is started there: threads,
/// processes, sockets of the proxy. Make it and use it in one thread, as [`proxy_suite!`](crate::proxy_suite) does, with
/// an async runtime of that thread alone. It takes root, and the program `ip`.
pub struct Kernel<P> {
    proxy: P,
    world: World,
    lacking: Vec<Ability>,
    last: AtomicU16,
    next_pod: AtomicUsize,
    backends: Mutex<BTreeMap<SocketAddr, Backend>>,
    /// Dropped last: what the proxy leaves to do is done in the node's network.
    _on_the_node: Stay,
}

impl<P> Kernel<P> {
    /// The world around the proxy that `make` makes, on the node.
    ///
    /// # Panics
    /// When this process is not root, the program `ip` is missing, or Linux refuses a network namespace.
    #[must_use]
    pub fn new(family: Family, make: impl FnOnce() -> P) -> Self {
        let world = World::new(family);
        let on_the_node = world.stay_on_the_node();
        Self {
            proxy: make(),
            world,
            lacking: Vec::new(),
            last: AtomicU16::new(0),
            next_pod: AtomicUsize::new(0),
            backends: Mutex::default(),
            _on_the_node: on_the_node,
        }
    }

    /// The same around a proxy that cannot do this.
    #[must_use]
    pub fn without(mut self, ability: Ability) -> Self {
        self.lacking.push(ability);
        self
    }

    /// The same, where the addresses of services are the node's own: for proxies that listen there.
    #[must_use]
    pub fn with_services_on_the_node(self) -> Self {
        self.world.give_services_to_the_node();
        self
    }

    /// The proxy, by its own type.
    pub fn inner(&self) -> &P {
        &self.proxy
    }

    /// The network namespace and the address of a caller.
    fn place_of(&self, caller: Caller) -> (&Namespace, IpAddr) {
        let member = match caller {
            Caller::Client(number) => return self.world.client(number),
            Caller::Outside => Member::Outside,
            Caller::Node => return self.world.node_at_any_address(),
            Caller::Backend(address) => self.world.member_at(address.ip()).expect("a backend of this fixture"),
        };
        self.world.place(member)
    }

    /// Pods take turns.
    fn place_of_next_backend(&self) -> (&Namespace, SocketAddr) {
        let turn = self.next_pod.fetch_add(1, Ordering::Relaxed);
        let (namespace, address) = self.world.place(Member::Pod(turn % world::PODS));
        (namespace, (address, 0).into())
    }

    fn keep(&self, address: SocketAddr, backend: Backend) {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner).insert(address, backend);
    }
}

impl<P: fmt::Debug> fmt::Debug for Kernel<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("proxy", &self.proxy).field("world", &self.world).finish_non_exhaustive()
    }
}

#[async_trait]
impl<P: ServiceProxy> ProxyFixture for Kernel<P> {
    fn proxy(&self) -> &dyn ServiceProxy {
        &self.proxy
    }

    fn service_address(&self) -> SocketAddr {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        (self.world.service_address(number), 80).into()
    }

    fn node_port(&self) -> SocketAddr {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        (self.world.node_address(), 30_000 + number).into()
    }

    async fn start_backend(&self) -> SocketAddr {
        let (namespace, any_port) = self.place_of_next_backend();
        let listener =
            namespace.inside(|| std::net::TcpListener::bind(any_port)).expect("a pod's address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        self.keep(address, sockets::serve(listener));
        address
    }

    async fn stop_backend(&self, backend: SocketAddr) {
        let stopped = self.backends.lock().unwrap_or_else(PoisonError::into_inner).remove(&backend);
        stopped.expect("a backend of this fixture").stop();
    }

    async fn connect_as(&self, caller: Caller, to: SocketAddr) -> Option<Box<dyn Connection>> {
        let (namespace, from) = self.place_of(caller);
        let socket = namespace.inside(|| {
            let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.bind((from, 0).into()).map(|()| socket)
        });
        sockets::connect(socket.expect("a caller's address can be bound"), to).await
    }

    async fn start_datagram_backend(&self) -> SocketAddr {
        let (namespace, any_port) = self.place_of_next_backend();
        let socket = udp_socket(namespace, any_port);
        let address = socket.local_addr().expect("a bound socket has an address");
        self.keep(address, sockets::serve_datagrams(socket));
        address
    }

    async fn send_datagrams_as(&self, caller: Caller, to: SocketAddr) -> Box<dyn Datagrams> {
        let (namespace, from) = self.place_of(caller);
        sockets::datagrams(udp_socket(namespace, (from, 0).into()), to).await
    }

    fn can(&self, ability: Ability) -> bool {
        !self.lacking.contains(&ability)
    }

    fn is_of_node(&self, address: IpAddr) -> bool {
        self.world.is_of_node(address)
    }
}

fn udp_socket(namespace: &Namespace, from: SocketAddr) -> UdpSocket {
    let socket = namespace.inside(|| std::net::UdpSocket::bind(from)).expect("an address of the world can be bound");
    socket.set_nonblocking(true).expect("a socket option");
    UdpSocket::from_std(socket).expect("the runtime takes a socket")
}
