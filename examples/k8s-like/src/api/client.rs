//! [`ApiClient`]: asks a running cluster.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Asks a running cluster, over its socket.
#[derive(Clone, Debug)]
pub(crate) struct ApiClient {
    socket: PathBuf,
}

/// Why there is no answer, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ApiError(pub(crate) String);

/// The most of an answer that is kept as a whole.
const LARGEST: usize = 256 << 20;

impl ApiClient {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// A whole answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, ApiError> {
        let response = self.ask(Method::GET, path, false).await?;
        let limited = http_body_util::Limited::new(response.into_body(), LARGEST);
        Ok(limited.collect().await.map_err(|error| ApiError(format!("the answer broke off: {error}")))?.to_bytes())
    }

    /// An answer as it comes.
    pub(crate) async fn stream(&self, path: &str) -> Result<Incoming, ApiError> {
        Ok(self.ask(Method::GET, path, false).await?.into_body())
    }

    /// A session.
    pub(crate) async fn session(&self, path: &str) -> Result<TokioIo<Upgraded>, ApiError> {
        let response = self.ask(Method::POST, path, true).await?;
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map(TokioIo::new).map_err(|error| ApiError(format!("the session did not begin: {error}")))
    }

    async fn ask(&self, method: Method, path: &str, upgrade: bool) -> Result<Response<Incoming>, ApiError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let failed = |error: hyper::Error| ApiError(format!("the cluster does not answer as it should: {error}"));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder().method(method).uri(path).header(http::header::HOST, "cluster");
        if upgrade {
            let headers = [(http::header::CONNECTION, "Upgrade"), (http::header::UPGRADE, "orch-session")];
            request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        }
        let request = request.body(Full::<Bytes>::default()).map_err(|error| ApiError(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(failed)?;
        match response.status() {
            StatusCode::OK | StatusCode::SWITCHING_PROTOCOLS => Ok(response),
            _ => Err(problem(response).await),
        }
    }

    fn unreachable(&self, error: &io::Error) -> ApiError {
        let socket = self.socket.display();
        ApiError(format!(
            "no cluster answers at {socket} ({error}): start one with `k8s-like up`, or choose --state-dir"
        ))
    }
}

async fn problem(response: Response<Incoming>) -> ApiError {
    let status = response.status();
    let limited = http_body_util::Limited::new(response.into_body(), 1 << 20);
    let body = limited.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    ApiError(value["message"].as_str().map_or_else(|| status.to_string(), str::to_owned))
}

/// A part of a path, or of what stands behind the question mark, with everything escaped that means something there.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
