//! [`get`]: one request over HTTP/1.1, encrypted or to this machine itself.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, Request, Response, Uri};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long connecting may take, and the next piece of an answer.
const TAKES: Duration = Duration::from_secs(20);
/// Where systems keep the certificates of the authorities that they trust.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Whether a host is this machine: then the way to it need not be encrypted.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Asks for something. `headers` are what is sent besides those that each request has.
pub(super) async fn get(uri: &Uri, headers: HeaderMap) -> io::Result<Response<Incoming>> {
    let host = uri.host().ok_or_else(|| io::Error::other("there is no host"))?.to_owned();
    let encrypted = uri.scheme_str() == Some("https");
    if !encrypted && !is_local(&host) {
        return Err(io::Error::other("it is reached without encryption, and not on this machine"));
    }
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let stream = within(TcpStream::connect((host.as_str(), port))).await?;
    stream.set_nodelay(true)?;
    let sender = if encrypted {
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        handshake(within(connector()?.connect(name, stream)).await?).await?
    } else {
        handshake(stream).await?
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).body(NoBody).map_err(io::Error::other)?;
    *request.headers_mut() = headers;
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    request.headers_mut().insert(HOST, authority.parse().map_err(io::Error::other)?);
    request.headers_mut().insert(USER_AGENT, http::HeaderValue::from_static("orch"));
    let mut sender = sender;
    within(async { sender.send_request(request).await.map_err(io::Error::other) }).await
}

/// The next piece of an answer; `None` at its end.
pub(super) async fn piece(body: &mut Incoming) -> io::Result<Option<Bytes>> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        match within(async { frame.await.transpose().map_err(io::Error::other) }).await? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

async fn within<T>(act: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout(TAKES, act).await;
    done.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {TAKES:?}"))))
}

async fn handshake<T>(stream: T) -> io::Result<http1::SendRequest<NoBody>>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a registry broke");
        }
    });
    Ok(sender)
}

fn connector() -> io::Result<TlsConnector> {
    let mut authorities = RootCertStore::empty();
    let pem = AUTHORITIES.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
    for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
        // One that cannot be read vouches for nobody; the others do.
        let _ = authorities.add(certificate);
    }
    if authorities.is_empty() {
        let message = "this machine trusts no authority: install the package ca-certificates, or import the image \
                       from an archive";
        return Err(io::Error::other(message));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Requests have none.
struct NoBody;

impl Body for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}
