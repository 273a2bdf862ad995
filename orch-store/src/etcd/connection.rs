//! [`Connection`]: HTTP/2 to one member, and calls on it.
//!
//! Why not tonic's own channel: it connects again by itself, so that nobody can tell whether a request that failed had
//! left this process, and that is what W3 turns on. Here a connection is made once, and replaced when it broke.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use http::Uri;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prost::Message;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::endpoint::Endpoint;
use super::error::{Failure, Meaning, NotSent, in_words};
use super::version::Version;
use super::wire::{StatusRequest, Unary};

/// After so long without a word from the server it is pinged. Servers refuse more than one ping in 5 seconds.
const PING_AFTER: Duration = Duration::from_secs(6);
/// After so long without an answer to the ping the connection is given up.
const PING_TIMEOUT: Duration = Duration::from_secs(4);
/// How much of an answer may be under way before it is asked for: enough for a listing to come without pauses.
const STREAM_WINDOW: u32 = 4 << 20;
/// The same for all answers together. No answer waits unread here: what reads a watch never stops reading.
const CONNECTION_WINDOW: u32 = 32 << 20;

/// HTTP/2 to one member. Clones share it; it is closed when the last one is dropped.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    sender: Sender,
    /// What URLs begin with.
    origin: Uri,
    pub(super) member: Arc<Member>,
}

/// What a member says of itself.
#[derive(Debug)]
pub(super) struct Member {
    /// How it is called in messages.
    pub(super) shown: String,
    pub(super) cluster_id: u64,
    /// `None` if it says something that is no version.
    pub(super) version: Option<Version>,
}

/// The token of a user.
pub(super) type Token = MetadataValue<Ascii>;

impl Connection {
    /// Connects, and asks the member who it is.
    pub(super) async fn open(endpoint: &Endpoint, tls: Option<&TlsConnector>) -> Result<Self, Failure> {
        let unreachable = |error: io::Error| Failure::new(Meaning::AskAnother, format!("{endpoint}: {error}"));
        let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let sender = match tls {
            None => handshake(TokioIo::new(stream)).await,
            Some(tls) => {
                let encrypted = tls.connect(endpoint.server_name().clone(), stream).await;
                let stream = encrypted.map_err(|error| not_trusted(endpoint, &error))?;
                handshake(TokioIo::new(stream)).await
            }
        };
        let (sender, end) =
            sender.map_err(|error| Failure::new(Meaning::AskAnother, format!("{endpoint}: {error}")))?;
        let nobody = Member { shown: endpoint.to_string(), cluster_id: 0, version: None };
        let unknown = Self { sender, origin: endpoint.origin().clone(), member: Arc::new(nobody) };
        let answer = match unknown.unary(StatusRequest {}, None).await {
            Ok(answer) => answer,
            Err(failure) => {
                let failure = not_etcd(failure, end, endpoint).await;
                return Err(match tls {
                    Some(tls) => is_certificate_refused(endpoint, tls).await.unwrap_or(failure),
                    None => failure,
                });
            }
        };
        if answer.is_learner {
            let message = format!("{endpoint} is a learner, which answers no requests yet");
            return Err(Failure::new(Meaning::AskAnother, message));
        }
        let member = Member {
            shown: endpoint.to_string(),
            cluster_id: answer.header.unwrap_or_default().cluster_id,
            version: Version::parse(&answer.version),
        };
        Ok(Self { member: Arc::new(member), ..unknown })
    }

    /// Whether it is known to be broken.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.0.is_closed()
    }

    /// Whether the other one is a clone of this one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.member, &other.member)
    }

    /// A call with one answer.
    pub(super) async fn unary<R: Unary>(&self, request: R, token: Option<&Token>) -> Result<R::Answer, Failure> {
        let path = http::uri::PathAndQuery::from_static(R::PATH);
        let request = with_metadata(request, token);
        let answered = self.grpc().unary(request, path, ProstCodec::<R, R::Answer>::default()).await;
        answered.map(Response::into_inner).map_err(|status| self.failure(status))
    }

    /// A call with many answers to many requests.
    pub(super) async fn stream<R, A>(
        &self,
        path: &'static str,
        requests: impl Stream<Item = R> + Send + 'static,
        token: Option<&Token>,
    ) -> Result<Streaming<A>, Failure>
    where
        R: Message + 'static,
        A: Message + Default + 'static,
    {
        let path = http::uri::PathAndQuery::from_static(path);
        let request = with_metadata(requests, token);
        let answered = self.grpc().streaming(request, path, ProstCodec::<R, A>::default()).await;
        answered.map(Response::into_inner).map_err(|status| self.failure(status))
    }

    /// What the error of a call on this connection means.
    pub(super) fn failure(&self, status: Status) -> Failure {
        Failure::of(&self.member.shown, status)
    }

    fn grpc(&self) -> Grpc<Sender> {
        // A page of a listing can be large; how large, is bounded where it is asked for.
        Grpc::with_origin(self.sender.clone(), self.origin.clone()).max_decoding_message_size(usize::MAX)
    }
}

/// A member that has no leader answers at once, rather than when it has one; on a watch, it ends the stream.
fn with_metadata<R>(request: R, token: Option<&Token>) -> Request<R> {
    let mut request = Request::new(request);
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    if let Some(token) = token {
        request.metadata_mut().insert("token", token.clone());
    }
    request
}

/// What rustls itself finds wrong, such as a certificate, stays wrong; what the network does may pass.
fn not_trusted(endpoint: &Endpoint, error: &io::Error) -> Failure {
    let refused = error.get_ref().is_some_and(|cause| cause.is::<tokio_rustls::rustls::Error>());
    let meaning = if refused { Meaning::Refused } else { Meaning::AskAnother };
    Failure::new(meaning, format!("{endpoint}: no TLS connection: {error}"))
}

/// What a failure to say who it is means: nothing was asked of it yet. How the connection ended tells more than how the
/// request did; of what HTTP/2 has to say, the layers between keep only the words.
async fn not_etcd(failure: Failure, end: End, endpoint: &Endpoint) -> Failure {
    const ENDS_WITHIN: Duration = Duration::from_millis(100);
    if failure.meaning == Meaning::Refused {
        return failure;
    }
    let message = match tokio::time::timeout(ENDS_WITHIN, end).await {
        Ok(Ok(end)) => format!("{endpoint}: {}", in_words(&end)),
        _ => failure.message,
    };
    if message.contains("connection error detected") {
        let message = format!("{message}: it does not speak HTTP/2; is it etcd, and without TLS?");
        return Failure::new(Meaning::Refused, message);
    }
    Failure::new(Meaning::AskAnother, message)
}

/// Why the server does not want this client, if that is so. It says so after the client believes the connection to be made,
/// and what the client sends meanwhile can make the network lose the answer: so connect once more and only listen.
async fn is_certificate_refused(endpoint: &Endpoint, tls: &TlsConnector) -> Option<Failure> {
    const SAYS_SO_WITHIN: Duration = Duration::from_millis(300);
    let listen = async {
        let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
        tls.connect(endpoint.server_name().clone(), stream).await?.read_u8().await
    };
    let error = tokio::time::timeout(SAYS_SO_WITHIN, listen).await.ok()?.err()?;
    let failure = not_trusted(endpoint, &error);
    (failure.meaning == Meaning::Refused).then(|| {
        let message = format!("{}: it wants another client certificate, or any", failure.message);
        Failure::new(Meaning::Refused, message)
    })
}

/// Tells why the connection ended.
type End = oneshot::Receiver<hyper::Error>;

async fn handshake<T>(io: T) -> hyper::Result<(Sender, End)>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(io)
        .await?;
    let (ended, end) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to etcd broke");
            // Somebody listens only while the connection is new.
            let _ = ended.send(error);
        }
    });
    Ok((Sender(sender), end))
}

/// What sends requests on the connection.
#[derive(Clone, Debug)]
struct Sender(SendRequest<Body>);

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
