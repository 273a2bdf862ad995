//! [`Client`]: asks masters and agents, and goes where the leading master is.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::wire::{MediaType, Message, RecordReader, WireError};

/// How often the leader is looked for at another place.
const MOST_REDIRECTS: usize = 8;

/// The longest record, and the longest answer, that is read.
const LARGEST: usize = 256 << 20;

/// Asks masters and agents.
#[derive(Clone, Debug)]
pub struct Client {
    inner: legacy::Client<HttpConnector, Full<Bytes>>,
    /// How long an answer may take to begin.
    patience: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there.
    #[error("{address} does not answer: {reason}")]
    Unreachable {
        /// Who was asked.
        address: String,
        /// What came of it.
        reason: String,
    },
    /// The answer is a refusal.
    #[error("{address} refuses ({status}): {message}")]
    Refused {
        /// Who was asked.
        address: String,
        /// The status.
        status: StatusCode,
        /// What is said.
        message: String,
    },
    /// The answer is not what it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Duration::from_secs(10))
    }
}

impl Client {
    /// A client that waits so long for an answer to begin.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(patience));
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build::<_, Full<Bytes>>(connector);
        Self { inner, patience }
    }

    /// Posts a message to `host:port`, and returns who answered in the end, and what.
    ///
    /// # Errors
    /// [`ClientError`] unless the answer's status says that all is well.
    pub async fn post<T: Message>(
        &self,
        address: &str,
        path: &str,
        media: MediaType,
        headers: &HeaderMap,
        message: &T,
    ) -> Result<(String, Response<Incoming>), ClientError> {
        self.ask(Method::POST, address, path, media, headers, media.encode(message)).await
    }

    /// Gets the bytes of `http://host:port/path`.
    ///
    /// # Errors
    /// [`ClientError`] unless the answer's status says that all is well.
    pub async fn get(&self, address: &str, path: &str) -> Result<Bytes, ClientError> {
        let (address, response) =
            self.ask(Method::GET, address, path, MediaType::Json, &HeaderMap::new(), Bytes::new()).await?;
        collected(response).await.map_err(|reason| ClientError::Unreachable { address, reason })
    }

    /// What `http://host:port/path` answers in JSON, with its status, whatever it is; nothing for a body that is no JSON.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if nobody answers.
    pub async fn json(
        &self,
        method: Method,
        address: &str,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<(StatusCode, serde_json::Value), ClientError> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        match self.ask(method, address, path, MediaType::Json, &HeaderMap::new(), bytes).await {
            Ok((address, response)) => {
                let status = response.status();
                let bytes = collected(response).await;
                let bytes = bytes.map_err(|reason| ClientError::Unreachable { address, reason })?;
                Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
            }
            Err(ClientError::Refused { status, message, .. }) => {
                Ok((status, serde_json::from_str(&message).unwrap_or_default()))
            }
            Err(error) => Err(error),
        }
    }

    /// The status that `http://host:port/path` answers with, whatever it is.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if nobody answers.
    pub async fn status(&self, address: &str, path: &str) -> Result<StatusCode, ClientError> {
        let asked = self.ask(Method::GET, address, path, MediaType::Json, &HeaderMap::new(), Bytes::new()).await;
        match asked {
            Ok((_, response)) => Ok(response.status()),
            Err(ClientError::Refused { status, .. }) => Ok(status),
            Err(error) => Err(error),
        }
    }

    async fn ask(
        &self,
        method: Method,
        address: &str,
        path: &str,
        media: MediaType,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<(String, Response<Incoming>), ClientError> {
        let mut address = address.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let unreachable = |reason: String| ClientError::Unreachable { address: address.clone(), reason };
            let mut request = Request::builder().method(&method).uri(format!("http://{address}{path}"));
            if let Some(all) = request.headers_mut() {
                all.extend(headers.clone());
                all.insert(CONTENT_TYPE, HeaderValue::from_static(media.text()));
                all.insert(ACCEPT, HeaderValue::from_static(media.text()));
            }
            let request = request.body(Full::new(body.clone())).map_err(|error| unreachable(error.to_string()))?;
            let answer = tokio::time::timeout(self.patience, self.inner.request(request)).await;
            let response = answer
                .map_err(|_| unreachable(format!("nothing came within {:?}", self.patience)))?
                .map_err(|error| unreachable(because(&error)))?;
            match elsewhere(&response) {
                Some(leader) => address = leader,
                None if response.status().is_success() => return Ok((address, response)),
                None => {
                    let status = response.status();
                    let message = collected(response).await.unwrap_or_else(Bytes::from);
                    let message = String::from_utf8_lossy(&message).into_owned();
                    return Err(ClientError::Refused { address, status, message });
                }
            }
        }
        let reason = format!("{MOST_REDIRECTS} masters in a row said that another one leads");
        Err(ClientError::Unreachable { address, reason })
    }
}

/// Where the leader is, if it is elsewhere.
fn elsewhere(response: &Response<Incoming>) -> Option<String> {
    if response.status() != StatusCode::TEMPORARY_REDIRECT {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let authority = location.strip_prefix("http:").unwrap_or(location).strip_prefix("//")?;
    Some(authority.split('/').next()?.to_owned())
}

/// An error with what caused it.
fn because(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", because(cause)),
        None => error.to_string(),
    }
}

async fn collected(response: Response<Incoming>) -> Result<Bytes, String> {
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| format!("the answer broke off: {error}"))
}

/// The records of an answer.
#[derive(Debug)]
pub struct Stream {
    media: MediaType,
    body: Incoming,
    records: RecordReader,
}

impl Stream {
    /// The records of an answer in this form.
    #[must_use]
    pub fn of(response: Response<Incoming>, media: MediaType) -> Self {
        Self { media, body: response.into_body(), records: RecordReader::new(LARGEST) }
    }

    /// The next message; none when the stream has ended. To stop waiting loses nothing.
    ///
    /// # Errors
    /// [`ClientError`] if the stream breaks off or is not one of records.
    pub async fn next<T: Message>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(record) = self.records.next_record()? {
                return Ok(Some(self.media.decode(&record, "Event")?));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.records.push(bytes);
                    }
                }
                Some(Err(error)) => {
                    return Err(ClientError::Unreachable { address: "the stream".to_owned(), reason: because(&error) });
                }
                None => return Ok(None),
            }
        }
    }
}
