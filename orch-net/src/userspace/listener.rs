//! [`Listener`]: accepts the connections that come in at one address.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::AbortHandle;

use super::plan::Owner;
use super::relay::Relay;
use super::target::Aim;

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
    aim: watch::Sender<Aim>,
    task: AbortHandle,
}

impl Listener {
    /// Begins to accept connections for `aim`.
    pub(super) fn start(socket: TcpListener, aim: Aim, relay: Relay) -> Self {
        let socket = Arc::new(Mutex::new(Some(socket)));
        let (aim, receiver) = watch::channel(aim);
        let task = tokio::spawn(accept_all(Arc::clone(&socket), receiver, relay)).abort_handle();
        Self { socket, aim, task }
    }

    /// Whom the connections are for.
    pub(super) fn owner(&self) -> Owner {
        self.aim.borrow().owner()
    }

    /// Connections are for `aim` from now on.
    pub(super) fn hand_over(&self, aim: Aim) {
        self.aim.send_replace(aim);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Takes an address without listening at it.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets the address be taken while connections of an earlier listener wait to be forgotten; not while another
    // listener has it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Begins to listen.
pub(super) fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

/// Accepts connections until the socket is taken away.
async fn accept_all(socket: Slot, mut aim: watch::Receiver<Aim>, relay: Relay) {
    let mut pause = PAUSE.0;
    loop {
        match accept(&socket).await {
            Ok(Some((client, peer))) => {
                pause = PAUSE.0;
                let Some((aim, room)) = admit(&mut aim).await else { return };
                tokio::spawn(relay.clone().run(client, peer, aim, room));
            }
            Ok(None) => return,
            // The client gave up before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            // Most likely out of file descriptors: they come back as connections end. The clients wait in the backlog.
            Err(error) => {
                let service = aim.borrow().name().to_string();
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
async fn admit(aim: &mut watch::Receiver<Aim>) -> Option<(Aim, OwnedSemaphorePermit)> {
    loop {
        let current = aim.borrow_and_update().clone();
        tokio::select! {
            biased;
            changed = aim.changed() => changed.ok()?,
            room = Arc::clone(&current.target.room).acquire_owned() => return Some((current, room.ok()?)),
        }
    }
}
