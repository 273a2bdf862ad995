//! [`Server`]: answers requests on an address.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::Answer;

/// How long the head of a request may take to come.
const SLOWEST_HEAD: Duration = Duration::from_secs(30);

/// Answers one request.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The answer to a request of a peer.
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer;
}

/// Answers requests until it is dropped: then all its connections end.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Server {
    /// Answers what comes to a listener.
    ///
    /// # Errors
    /// What the operating system says if there is no listener.
    pub fn start(listener: TcpListener, handler: Arc<dyn Handler>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, handler));
        Ok(Self { address, _serving: serving })
    }

    /// Where requests are answered.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, handler: Arc<dyn Handler>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(connections.spawn(connection(stream, peer, Arc::clone(&handler)))),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, handler: Arc<dyn Handler>) {
    // Small records are to be read at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "records may be late");
    }
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.answer(request, peer).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    // Who is asked to go on by `Expect: 100-continue` is answered by hyper; who sends half a head is not waited for.
    builder.timer(TokioTimer::new()).header_read_timeout(SLOWEST_HEAD);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, %peer, "a connection ended");
    }
}
