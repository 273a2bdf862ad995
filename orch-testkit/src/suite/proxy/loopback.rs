//! [`Loopback`]: the world around a proxy that works on the loopback addresses of this machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::proxy::ServiceProxy;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{AT_ONCE, Connection, ProxyFixture};

/// The world around a proxy that works on the loopback addresses of this machine: real TCP connections, between
/// addresses of 127.0.0.0/8, all of which Linux gives to the loopback interface. Each fixture has an address of its
/// own, so that tests can run at the same time.
#[derive(Debug)]
pub struct Loopback<P> {
    proxy: P,
    address: IpAddr,
    /// Each backend's address, and the task that accepts its connections.
    backends: Mutex<BTreeMap<SocketAddr, AbortHandle>>,
}

impl<P> Loopback<P> {
    /// The world around the proxy that `make` makes, for a node with the address that it is given.
    pub fn new(make: impl FnOnce(IpAddr) -> P) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        // Processes that run at the same time differ in the low bits of their ids, fixtures of one process by number.
        let number = (std::process::id() << 8) + (LAST.fetch_add(1, Ordering::Relaxed) & 0xFF);
        let [_, a, b, c] = number.to_be_bytes();
        let address = Ipv4Addr::new(127, a | 0x80, b, c.clamp(1, 254)).into();
        Self { proxy: make(address), address, backends: Mutex::default() }
    }

    /// A port that nobody listens on.
    fn free_port(&self) -> SocketAddr {
        let listener = std::net::TcpListener::bind((self.address, 0)).expect("a loopback address can be bound");
        listener.local_addr().expect("a bound socket has an address")
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
        let listener = TcpListener::bind((self.address, 0)).await.expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, address));
            }
        });
        self.backends.lock().unwrap_or_else(PoisonError::into_inner).insert(address, task.abort_handle());
        address
    }

    async fn stop_backend(&self, backend: SocketAddr) {
        let task = self.backends.lock().unwrap_or_else(PoisonError::into_inner).remove(&backend);
        task.expect("a backend of this fixture").abort();
    }

    async fn connect(&self, client: u8, to: SocketAddr) -> Option<Box<dyn Connection>> {
        let dial = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::new(127, 1, 0, client), 0).into())?;
            let mut stream = BufStream::new(socket.connect(to).await?);
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            Ok::<_, std::io::Error>((line, stream))
        };
        let answer = timeout(AT_ONCE, dial).await.expect("a connection is answered or refused at once");
        let (line, stream) = answer.ok()?;
        Some(Box::new(TcpConnection { backend: line.trim().parse().ok()?, stream }))
    }
}

/// Says who this is, then sends back whatever comes.
async fn answer(mut stream: TcpStream, address: SocketAddr) -> std::io::Result<()> {
    stream.write_all(format!("{address}\n").as_bytes()).await?;
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await.map(drop)
}

#[derive(Debug)]
struct TcpConnection {
    backend: SocketAddr,
    stream: BufStream<TcpStream>,
}

#[async_trait]
impl Connection for TcpConnection {
    fn backend(&self) -> SocketAddr {
        self.backend
    }

    async fn is_open(&mut self) -> bool {
        let echo = async {
            self.stream.write_all(b"?").await?;
            self.stream.flush().await?;
            self.stream.read_u8().await
        };
        matches!(timeout(AT_ONCE, echo).await, Ok(Ok(b'?')))
    }
}
