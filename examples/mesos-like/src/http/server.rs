//! [`Server`]: answers requests on an address.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::answer::Answer;

/// How long the head of a connection's first request may take to come. Whoever has asked once may be silent for as long
/// as it likes: libraries keep a connection for their calls, and one of them gives its subscription up, too, when it
/// finds that closed.
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
    let asked = Notify::new();
    let service = service_fn(|request| {
        asked.notify_one();
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.answer(request, peer).await) }
    });
    // Who is asked to go on by `Expect: 100-continue` is answered by hyper.
    let mut serving = pin!(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = &mut serving => ended,
        first = timeout(SLOWEST_HEAD, asked.notified()) => match first {
            Ok(()) => serving.await,
            Err(_) => return tracing::debug!(%peer, "nothing was asked on a connection"),
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::http::text;

    struct Echo;

    #[async_trait]
    impl Handler for Echo {
        async fn answer(&self, request: Request<Incoming>, _: SocketAddr) -> Answer {
            text(StatusCode::OK, request.uri().path())
        }
    }

    async fn connected() -> (Server, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let server = Server::start(listener, Arc::new(Echo)).expect("it listens");
        let stream = TcpStream::connect(server.address()).await.expect("a connection");
        (server, stream)
    }

    async fn ask(stream: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is open");
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.expect("it is open");
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_something_was_asked_stays_open_while_nothing_is() {
        let (_server, mut stream) = connected().await;
        assert!(ask(&mut stream, "/first").await.ends_with("/first"));
        tokio::time::sleep(SLOWEST_HEAD * 100).await;
        assert!(ask(&mut stream, "/second").await.ends_with("/second"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_is_closed() {
        let (_server, mut stream) = connected().await;
        stream.write_all(b"GET / HTTP/1.1\r\nHo").await.expect("it is open");
        let left = stream.read(&mut [0; 1]).await;
        assert!(left.is_err() || left.is_ok_and(|length| length == 0), "nothing is answered");
    }
}
