//! [`Listener`]: accepts the connections that come in at one address.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use orch_core::proxy::{ProxyError, ServicePortName};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::AbortHandle;

use super::relay::Relay;
use super::target::Target;

/// How many connections the kernel keeps waiting for this process to accept them.
const BACKLOG: u32 = 1_024;

/// The pause after a connection could not be accepted, and the longest one: each failure doubles it.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Where a listener's socket is kept: taking it out closes it there and then, whatever its task is doing.
type Slot = Arc<Mutex<Option<TcpListener>>>;

/// Accepts the connections that come in at one address. Closed when dropped.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Slot,
    target: watch::Sender<Arc<Target>>,
    task: AbortHandle,
}

impl Listener {
    /// Begins to accept connections for `target`.
    pub(super) fn start(socket: TcpListener, target: Arc<Target>, relay: Relay) -> Self {
        let socket = Arc::new(Mutex::new(Some(socket)));
        let (target, receiver) = watch::channel(target);
        let task = tokio::spawn(accept_all(Arc::clone(&socket), receiver, relay)).abort_handle();
        Self { socket, target, task }
    }

    /// Which service port the connections are for.
    pub(super) fn owner(&self) -> ServicePortName {
        self.target.borrow().name.clone()
    }

    /// Connections are for `target` from now on.
    pub(super) fn hand_over(&self, target: Arc<Target>) {
        self.target.send_replace(target);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Takes an address without listening at it yet, so that several can be taken before the first connection comes in.
pub(super) fn bind(address: SocketAddr, name: &ServicePortName) -> Result<TcpSocket, ProxyError> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let bound = socket.and_then(|socket| {
        // Lets the address be taken while connections of an earlier listener wait to be forgotten; not while another
        // listener has it.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    });
    bound.map_err(|error| refused(error, address, name))
}

/// Begins to listen.
pub(super) fn listen(
    socket: TcpSocket,
    address: SocketAddr,
    name: &ServicePortName,
) -> Result<TcpListener, ProxyError> {
    socket.listen(BACKLOG).map_err(|error| refused(error, address, name))
}

fn refused(error: io::Error, address: SocketAddr, name: &ServicePortName) -> ProxyError {
    let unsupported = |message| ProxyError::Unsupported { name: name.clone(), message };
    match error.kind() {
        io::ErrorKind::AddrInUse => ProxyError::AddressInUse { name: name.clone(), address },
        io::ErrorKind::AddrNotAvailable => unsupported(format!(
            "{} is no address of this node; choose service addresses that are, for example of 127.0.0.0/8",
            address.ip()
        )),
        io::ErrorKind::PermissionDenied => unsupported(format!(
            "this process may not listen at {address}; choose a port from 1024 on, or allow it to bind lower ones"
        )),
        _ => ProxyError::Unavailable {
            message: format!("cannot listen at {address} for {name}"),
            transient: true,
            source: Some(Box::new(error)),
        },
    }
}

/// Accepts connections until the socket is taken away.
async fn accept_all(socket: Slot, mut target: watch::Receiver<Arc<Target>>, relay: Relay) {
    let mut pause = PAUSE.0;
    loop {
        match accept(&socket).await {
            Ok(Some((client, peer))) => {
                pause = PAUSE.0;
                let Some((target, room)) = admit(&mut target).await else { return };
                tokio::spawn(relay.clone().run(client, peer, target, room));
            }
            Ok(None) => return,
            // The client gave up before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            // Most likely out of file descriptors: they come back as connections end. The clients wait in the backlog.
            Err(error) => {
                let service = target.borrow().name.to_string();
                tracing::warn!(%error, service, ?pause, "cannot accept connections; trying again after a pause");
                tokio::time::sleep(pause).await;
                pause = PAUSE.1.min(pause * 2);
            }
        }
    }
}

/// The next connection; `None` when the socket was taken away.
async fn accept(socket: &Slot) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    poll_fn(|context| match &*socket.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(socket) => socket.poll_accept(context).map_ok(Some),
        None => Poll::Ready(Ok(None)),
    })
    .await
}

/// Waits until the service port that the listener is for has room for one more connection.
async fn admit(target: &mut watch::Receiver<Arc<Target>>) -> Option<(Arc<Target>, OwnedSemaphorePermit)> {
    loop {
        let current = Arc::clone(&target.borrow_and_update());
        tokio::select! {
            biased;
            changed = target.changed() => changed.ok()?,
            room = Arc::clone(&current.room).acquire_owned() => return Some((current, room.ok()?)),
        }
    }
}
