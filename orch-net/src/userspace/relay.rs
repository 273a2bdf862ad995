//! [`Relay`]: carries one connection to an endpoint and back.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::target::Aim;

/// Carries connections to endpoints and back, until the proxy ends.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) connect_timeout: Duration,
    /// Changes, or loses its sender, when all connections are to end.
    pub(super) end: watch::Receiver<()>,
}

impl Relay {
    /// Relays until both sides are done, one of them fails, or the proxy ends.
    ///
    /// Each direction is closed when its sender closes it, and the other goes on. Whatever else ends the connection
    /// resets both sides: nobody may take what was cut off for the whole. There is no limit to how long a connection
    /// may be idle.
    pub(super) async fn run(mut self, client: TcpStream, peer: SocketAddr, aim: Aim, room: OwnedSemaphorePermit) {
        let (mut client, mut endpoint) = (ResetOnDrop::of(client), None);
        tokio::select! {
            biased;
            _ = self.end.changed() => {}
            () = relay(&mut client, peer, &mut endpoint, &aim, self.connect_timeout) => {}
        }
        drop((client, endpoint, room));
    }
}

async fn relay(
    client: &mut ResetOnDrop,
    peer: SocketAddr,
    endpoint: &mut Option<ResetOnDrop>,
    aim: &Aim,
    connect_timeout: Duration,
) {
    let Some(stream) = connect(peer, aim, connect_timeout).await else {
        tracing::debug!(service = %aim.name(), %peer, "refused: no endpoint takes connections");
        return;
    };
    let endpoint = endpoint.insert(ResetOnDrop::of(stream));
    if copy_bidirectional(&mut client.stream, &mut endpoint.stream).await.is_ok() {
        client.reset = false;
        endpoint.reset = false;
    }
}

/// A connection to the first endpoint that takes it; each that the table has in the meantime is tried once.
async fn connect(peer: SocketAddr, aim: &Aim, connect_timeout: Duration) -> Option<TcpStream> {
    let mut tried = Vec::new();
    loop {
        let endpoint = aim.pick(peer.ip(), &tried)?;
        match timeout(connect_timeout, TcpStream::connect(endpoint)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(service = %aim.name(), %endpoint, %error, "trying the next endpoint"),
            Err(_) => tracing::debug!(service = %aim.name(), %endpoint, "no answer in time, trying the next endpoint"),
        }
        tried.push(endpoint);
    }
}

/// A stream that is reset when dropped, unless both sides were done with it.
#[derive(Debug)]
struct ResetOnDrop {
    stream: TcpStream,
    reset: bool,
}

impl ResetOnDrop {
    fn of(stream: TcpStream) -> Self {
        // A relay must not hold small messages back; a socket that cannot be told so works all the same.
        let _ = stream.set_nodelay(true);
        Self { stream, reset: true }
    }
}

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if self.reset {
            // Where it fails, the peer has reset the connection already.
            let _ = self.stream.set_zero_linger();
        }
    }
}
