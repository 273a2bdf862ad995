//! [`Client`]: requests to the Docker Engine API over its unix socket, a connection each.
//!
//! A connection to a unix socket costs a few microseconds, and one that belongs to a request is closed with it: that is
//! how the daemon is told that nobody waits for the rest.

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Stream};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::error::Failure;
use super::version::{ApiVersion, CONSOLE_SIZE, choose};
use super::wire;

/// The longest answer that is taken as a whole: thousands of containers with their labels fit in.
const LONGEST_ANSWER: usize = 64 << 20;
/// The longest line in a stream of JSON objects.
const LONGEST_LINE: usize = 1 << 20;
/// The longest message in an error.
const LONGEST_MESSAGE: usize = 4 << 10;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Bytes of an answer as they come.
pub(super) type ByteStream = BoxStream<'static, Result<Bytes, Failure>>;

/// A connection that was a request, and is now a conversation.
pub(super) type Conversation = TokioIo<Upgraded>;

/// Asks one daemon.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: PathBuf,
    timeout: Duration,
    version: ApiVersion,
}

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    has_query: bool,
    body: Body,
    content_type: Option<&'static str>,
    registry_auth: Option<String>,
    converses: bool,
}

impl Call {
    fn new(method: Method, path: String) -> Self {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        Self { method, path, has_query: false, body, content_type: None, registry_auth: None, converses: false }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    /// Adds a parameter.
    pub(super) fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.path.push(if std::mem::replace(&mut self.has_query, true) { '&' } else { '?' });
        self.path.push_str(name);
        self.path.push('=');
        for byte in value.as_ref().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                self.path.push(byte.into());
            } else {
                self.path.push_str(&format!("%{byte:02X}"));
            }
        }
        self
    }

    /// Adds a parameter `filters`, which is JSON.
    pub(super) fn filters(self, filters: &serde_json::Value) -> Self {
        self.query("filters", filters.to_string())
    }

    /// Sends JSON.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, Failure> {
        let text = serde_json::to_vec(body).map_err(|error| Failure::of_own(format!("no JSON: {error}")))?;
        self.body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
        self.content_type = Some("application/json");
        Ok(self)
    }

    /// Sends a tar file.
    pub(super) fn tar(mut self, bytes: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Self {
        self.body = StreamBody::new(bytes.map_ok(Frame::data)).boxed_unsync();
        self.content_type = Some("application/x-tar");
        self
    }

    /// Tells the daemon who asks the registry.
    pub(super) fn registry_auth(mut self, header: Option<String>) -> Self {
        self.registry_auth = header;
        self
    }

    fn words(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

impl Client {
    /// Finds out whether there is a daemon, and one that is not too old. Returns what it calls itself.
    pub(super) async fn connect(socket: PathBuf, timeout: Duration) -> Result<(Self, String), Failure> {
        let mut client = Self { socket, timeout, version: ApiVersion::default() };
        let version: wire::Version = client.unversioned(Call::get("/version")).await?;
        client.version = choose(&version)?;
        Ok((client, version.version))
    }

    /// Whether a terminal can be given its size before anything runs in it.
    pub(super) fn knows_console_size(&self) -> bool {
        self.version >= CONSOLE_SIZE
    }

    async fn unversioned<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let words = call.words();
        self.in_time(&words, async {
            let answer = self.send(call, String::new(), &words).await?;
            parse(&words, &self.whole(answer, &words).await?)
        })
        .await
    }

    /// Asks, and reads the answer as JSON.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let words = call.words();
        parse(&words, &self.tell(call).await?)
    }

    /// The same; nothing if there is no such thing.
    pub(super) async fn find<T: DeserializeOwned>(&self, call: Call) -> Result<Option<T>, Failure> {
        match self.ask(call).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Asks for something to be done.
    pub(super) async fn tell(&self, call: Call) -> Result<Bytes, Failure> {
        let words = call.words();
        self.in_time(&words, async {
            let answer = self.send(call, self.version.prefix(), &words).await?;
            self.whole(answer, &words).await
        })
        .await
    }

    /// Asks for something that takes as long as it takes, and waits for the end of the answer.
    pub(super) async fn wait(&self, call: Call) -> Result<Bytes, Failure> {
        let words = call.words();
        let answer = self.send(call, self.version.prefix(), &words).await?;
        self.whole(answer, &words).await
    }

    /// Asks for an answer that comes in pieces. Dropping the stream closes the connection.
    pub(super) async fn stream(&self, call: Call) -> Result<ByteStream, Failure> {
        let words = call.words();
        let answer = self.in_time(&words, self.begin(call, &words)).await?;
        Ok(pieces(answer.into_body(), words))
    }

    /// Asks for a stream of JSON objects, a line each.
    pub(super) async fn objects<T: DeserializeOwned + Send + 'static>(
        &self,
        call: Call,
    ) -> Result<BoxStream<'static, Result<T, Failure>>, Failure> {
        let words = call.words();
        Ok(lines(self.stream(call).await?, words))
    }

    /// The same for a request that takes as long as it takes until the answer begins.
    pub(super) async fn objects_both_ways<T: DeserializeOwned + Send + 'static>(
        &self,
        call: Call,
    ) -> Result<BoxStream<'static, Result<T, Failure>>, Failure> {
        let words = call.words();
        let answer = self.begin(call, &words).await?;
        Ok(lines(pieces(answer.into_body(), words.clone()), words))
    }

    /// Turns a request into a conversation, as Docker does for commands and terminals.
    pub(super) async fn converse(&self, mut call: Call) -> Result<Conversation, Failure> {
        let words = call.words();
        call.converses = true;
        self.in_time(&words, async {
            let answer = self.send(call, self.version.prefix(), &words).await?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                self.whole(answer, &words).await?;
                return Err(Failure::of_answer(&words, "it does not switch to a conversation"));
            }
            let upgraded = hyper::upgrade::on(answer).await;
            upgraded.map(TokioIo::new).map_err(|error| Failure::of_connection(&words, error))
        })
        .await
    }

    async fn in_time<T>(&self, words: &str, act: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, act).await {
            Ok(result) => result,
            Err(_) => Err(Failure::of_silence(words, self.timeout)),
        }
    }

    async fn begin(&self, call: Call, words: &str) -> Result<Response<Incoming>, Failure> {
        let answer = self.send(call, self.version.prefix(), words).await?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            _ => match self.whole(answer, words).await {
                Err(failure) => Err(failure),
                Ok(_) => Err(Failure::of_answer(words, "it is neither a success nor an error")),
            },
        }
    }

    async fn send(&self, call: Call, prefix: String, words: &str) -> Result<Response<Incoming>, Failure> {
        let connected = UnixStream::connect(&self.socket).await;
        let stream = connected.map_err(|error| Failure::of_connect(&self.socket, error))?;
        let broke = |error| Failure::of_connection(words, error);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
        // It ends with the request: when the answer was read or dropped, or when the conversation has begun.
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to Docker ended");
            }
        });
        let mut request = Request::builder().method(call.method).uri(format!("{prefix}{}", call.path));
        request = request.header(header::HOST, "docker").header(header::USER_AGENT, "orch");
        if let Some(content_type) = call.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(auth) = call.registry_auth {
            request = request.header("X-Registry-Auth", auth);
        }
        if call.converses {
            request = request.header(header::CONNECTION, "Upgrade").header(header::UPGRADE, "tcp");
        }
        let request = request.body(call.body).map_err(|error| Failure::of_own(format!("{words}: {error}")))?;
        sender.send_request(request).await.map_err(broke)
    }

    /// The whole answer, if it is a success.
    async fn whole(&self, answer: Response<Incoming>, words: &str) -> Result<Bytes, Failure> {
        let status = answer.status();
        let mut body = answer.into_body();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::of_connection(words, error))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > LONGEST_ANSWER {
                return Err(Failure::of_answer(words, format!("it is longer than {LONGEST_ANSWER} bytes")));
            }
            bytes.extend_from_slice(&data);
        }
        match status {
            // Not modified: what was asked for was so before.
            status if status.is_success() || status == StatusCode::NOT_MODIFIED => Ok(bytes.freeze()),
            status => Err(Failure::of_status(status, message(&bytes, status))),
        }
    }
}

/// What the daemon says went wrong.
fn message(body: &[u8], status: StatusCode) -> String {
    let text = match serde_json::from_slice(body) {
        Ok(wire::Message { message }) => message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    match text.trim() {
        "" => format!("Docker answers {status}"),
        text => text.chars().take(LONGEST_MESSAGE).collect(),
    }
}

fn parse<T: DeserializeOwned>(words: &str, bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::of_answer(words, error))
}

fn pieces(body: Incoming, words: String) -> ByteStream {
    stream::try_unfold((body, words), |(mut body, words)| async move {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::of_connection(&words, error))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some((data, (body, words))));
            }
        }
        Ok(None)
    })
    .boxed()
}

/// Cuts a stream into lines, and reads each as JSON.
fn lines<T: DeserializeOwned + Send + 'static>(
    pieces: ByteStream,
    words: String,
) -> BoxStream<'static, Result<T, Failure>> {
    stream::try_unfold((pieces, BytesMut::new(), words), |(mut pieces, mut kept, words)| async move {
        loop {
            if let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                let line = kept.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let object = parse(&words, &line)?;
                return Ok(Some((object, (pieces, kept, words))));
            }
            if kept.len() > LONGEST_LINE {
                return Err(Failure::of_answer(&words, format!("a line of it is longer than {LONGEST_LINE} bytes")));
            }
            match pieces.next().await.transpose()? {
                Some(piece) => kept.extend_from_slice(&piece),
                // What has no line feed is the last object, or was cut off.
                None if kept.trim_ascii().is_empty() => return Ok(None),
                None => kept.extend_from_slice(b"\n"),
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped() {
        let call = Call::get("/x").query("a", "b c&d=\u{e9}").query("e", "1");
        assert_eq!(call.path, "/x?a=b%20c%26d%3D%C3%A9&e=1");
        assert_eq!(call.words(), "GET /x");
    }

    #[test]
    fn what_the_daemon_says_is_told_in_its_words_and_not_without_end() {
        let status = StatusCode::NOT_FOUND;
        assert_eq!(message(b"{\"message\":\"No such container: x\"}", status), "No such container: x");
        assert_eq!(message(b" page not found\n", status), "page not found");
        assert_eq!(message(b"", status), "Docker answers 404 Not Found");
        assert_eq!(message(&[b'x'; 100_000], status).len(), LONGEST_MESSAGE);
    }

    #[tokio::test]
    async fn objects_are_found_however_the_stream_is_cut() {
        let text = "{\"message\":\"a\"}\r\n\n{\"message\":\"b\"}";
        for size in 1..text.len() {
            let pieces: Vec<_> = text.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let found = lines::<wire::Message>(stream::iter(pieces).boxed(), "a test".to_owned());
            let found: Vec<_> = found.map_ok(|object| object.message).try_collect().await.expect("two objects");
            assert_eq!(found, ["a", "b"]);
        }
        let endless = stream::repeat_with(|| Ok(Bytes::from(vec![b'x'; 1 << 16]))).boxed();
        assert!(lines::<wire::Message>(endless, "a test".to_owned()).try_collect::<Vec<_>>().await.is_err());
    }
}
