//! [`Client`]: calls on containerd's socket.
//!
//! Why not tonic's own channel: it connects again by itself, so that nobody can tell whether a request that failed had
//! left this process. Here a connection is made once, and replaced when it broke.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use http::Uri;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Streaming};
use tonic_prost::ProstCodec;

use super::config::ContainerdNamespace;
use super::error::{Failure, Meaning, NotSent, was_not_sent};
use super::wire::{self, Unary};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer: a listing of many containers with their specs.
const ANSWER_LIMIT: usize = 256 << 20;
/// How much of an answer may be under way before it is asked for. No answer waits unread here for long.
const WINDOW: u32 = 4 << 20;

/// Calls on containerd's socket, in one of its namespaces.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
    namespace: MetadataValue<Ascii>,
    timeout: Duration,
    connection: Mutex<Option<Sender>>,
}

impl Client {
    pub(super) fn new(socket: &Path, namespace: &ContainerdNamespace, timeout: Duration) -> Self {
        let namespace = namespace.as_str().parse().expect("a checked namespace is a header value");
        Self { socket: socket.to_owned(), namespace, timeout, connection: Mutex::default() }
    }

    /// A call that takes containerd no longer than its own disk does.
    pub(super) async fn call<R: Unary>(&self, request: R) -> Result<R::Answer, Failure> {
        self.call_within(self.timeout, request, None).await
    }

    /// A call on something that a lease keeps.
    pub(super) async fn call_leased<R: Unary>(&self, request: R, lease: &str) -> Result<R::Answer, Failure> {
        self.call_within(self.timeout, request, Some(lease)).await
    }

    /// A call that may take so long.
    pub(super) async fn call_within<R: Unary>(
        &self,
        timeout: Duration,
        request: R,
        lease: Option<&str>,
    ) -> Result<R::Answer, Failure> {
        let path = PathAndQuery::from_static(R::PATH);
        let called = tokio::time::timeout(timeout, self.unary(path, request, lease)).await;
        called.unwrap_or_else(|_| Err(self.no_answer(R::PATH, timeout)))
    }

    /// A call that is answered when something happens, whenever that is.
    pub(super) async fn wait_for<R: Unary>(&self, request: R) -> Result<R::Answer, Failure> {
        self.unary(PathAndQuery::from_static(R::PATH), request, None).await
    }

    /// What containerd says that it is.
    pub(super) async fn version(&self) -> Result<wire::Version, Failure> {
        let asked = self.unary(PathAndQuery::from_static(wire::VERSION), wire::Empty {}, None);
        let answered = tokio::time::timeout(self.timeout, asked).await;
        answered.unwrap_or_else(|_| Err(self.no_answer(wire::VERSION, self.timeout)))
    }

    /// A call with many answers to many requests.
    pub(super) async fn stream<R, A>(
        &self,
        path: &'static str,
        requests: impl Stream<Item = R> + Send + 'static,
        lease: Option<&str>,
    ) -> Result<Streaming<A>, Failure>
    where
        R: Message + 'static,
        A: Message + Default + 'static,
    {
        let opened = async {
            let mut grpc = self.grpc().await?;
            let request = self.with_metadata(requests, lease);
            let codec = ProstCodec::<R, A>::default();
            let answered = grpc.streaming(request, PathAndQuery::from_static(path), codec).await;
            answered.map(Response::into_inner).map_err(Failure::of)
        };
        let opened = tokio::time::timeout(self.timeout, opened).await;
        opened.unwrap_or_else(|_| Err(self.no_answer(path, self.timeout)))
    }

    async fn unary<R, A>(&self, path: PathAndQuery, request: R, lease: Option<&str>) -> Result<A, Failure>
    where
        R: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let mut has_failed = false;
        loop {
            let mut grpc = self.grpc().await?;
            let request = self.with_metadata(request.clone(), lease);
            match grpc.unary(request, path.clone(), ProstCodec::<R, A>::default()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                // The connection was closed a moment ago: containerd was restarted.
                Err(status) if !has_failed && was_not_sent(&status) => has_failed = true,
                Err(status) => return Err(Failure::of(status)),
            }
        }
    }

    async fn grpc(&self) -> Result<Grpc<Sender>, Failure> {
        let open = self.current().filter(|sender| !sender.0.is_closed());
        let sender = match open {
            Some(sender) => sender,
            None => {
                let opened = tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await;
                let sender = opened.unwrap_or_else(|_| Err(self.no_answer("a connection", CONNECT_TIMEOUT)))?;
                *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
                sender
            }
        };
        let origin = Uri::from_static("http://containerd");
        Ok(Grpc::with_origin(sender, origin).max_decoding_message_size(ANSWER_LIMIT))
    }

    fn current(&self) -> Option<Sender> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(error))?;
        let handshake = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 4)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.map_err(|error| {
            let message = format!("{}: no HTTP/2: {error}: is it containerd's socket?", self.socket.display());
            Failure::new(Meaning::Transient, message)
        })?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to containerd broke");
            }
        });
        Ok(Sender(sender))
    }

    fn unreachable(&self, error: io::Error) -> Failure {
        let (meaning, advice) = match error.kind() {
            io::ErrorKind::NotFound => (Meaning::Transient, "start containerd, or name the socket that it has"),
            io::ErrorKind::PermissionDenied => (Meaning::Refused, "run as root, or as a user who may use this socket"),
            io::ErrorKind::ConnectionRefused => (Meaning::Transient, "nobody listens there: start containerd"),
            _ => (Meaning::Transient, "look at containerd"),
        };
        Failure::new(meaning, format!("containerd's socket {}: {error}: {advice}", self.socket.display()))
    }

    fn no_answer(&self, what: &str, timeout: Duration) -> Failure {
        let socket = self.socket.display();
        let message = format!("no answer from containerd at {socket} to {what} within {timeout:?}: look at its log");
        Failure::new(Meaning::Transient, message)
    }

    fn with_metadata<R>(&self, request: R, lease: Option<&str>) -> Request<R> {
        let mut request = Request::new(request);
        let metadata = request.metadata_mut();
        metadata.insert("containerd-namespace", self.namespace.clone());
        if let Some(lease) = lease.and_then(|lease| lease.parse().ok()) {
            metadata.insert("containerd-lease", lease);
        }
        request
    }
}

/// What sends requests on a connection. It is closed when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Sender(SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Sender {
    type Response = http::Response<Incoming>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.try_send_request(request);
        Box::pin(async move {
            answer.await.map_err(|mut failed| match failed.take_message() {
                Some(_) => NotSent.into(),
                None => failed.into_error().into(),
            })
        })
    }
}
