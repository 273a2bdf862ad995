//! [`Registry`].

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::host::Host;
use super::image::{Image, MANIFEST, digest_of};

/// A registry of images on the loopback of a [`Host`], without TLS, which serves what a test gave it. It ends when this is
/// dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Who may pull from a [`Registry`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryAccess {
    /// Everybody.
    #[default]
    Open,
    /// Who sends this user and password with each request.
    Basic(String, String),
    /// Who sends a token with each request, which is given for this user and password.
    Bearer(String, String),
}

/// What a [`Registry`] does wrong to each request for a manifest or a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryFault {
    /// It answers only after this time.
    Slow(Duration),
    /// It answers with this status, such as 401, 404, 500, and a text that says so.
    Status(u16),
    /// It closes the connection half-way through a blob.
    TruncatedBlob,
    /// It serves blobs of the right size whose content is another.
    WrongDigest,
}

/// What the thread that serves shares with the test.
#[derive(Debug, Default)]
struct Shelf {
    /// Manifests by `NAME/manifests/TAG-OR-DIGEST`, blobs by `NAME/blobs/DIGEST`.
    contents: BTreeMap<String, Arc<Vec<u8>>>,
    access: RegistryAccess,
    fault: Option<RegistryFault>,
    requests: Vec<String>,
}

const JSON: &str = "application/json";

struct Answer {
    status: u16,
    /// More lines of the head, each ended.
    headers: String,
    body: Arc<Vec<u8>>,
    /// How much of the body is sent.
    sent: usize,
}

impl Registry {
    /// One with nothing in it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(host: &Host) -> Self {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let place = host.path();
        let served = Arc::clone(&shelf);
        let serve = move || {
            // The thread ends inside: it has nothing to go back to.
            let _inside = Host::enter_at(&place);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("the operating system gives a runtime").block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port of an empty network");
                let address = listener.local_addr().expect("it listens");
                tell.send(address).expect("who starts it waits");
                tokio::select! { biased;
                    _ = stopped => {}
                    () = accept(listener, address, served) => {}
                }
            });
        };
        let thread = thread::Builder::new().name("registry".to_owned()).spawn(serve);
        let thread = Some(thread.expect("the operating system gives a thread"));
        let address = told.recv().expect("the registry starts");
        Self { address, shelf, stop: Some(stop), thread }
    }

    /// Where it is in its host, as names of images begin: `127.0.0.1:34567`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Offers an image, also by its digest, and returns its name: `127.0.0.1:34567/REPOSITORY:TAG`.
    pub fn offer(&self, image: &Image, repository: &str, tag: &str) -> String {
        let mut shelf = lock(&self.shelf);
        let manifest = Arc::new(image.manifest());
        for reference in [tag, &image.digest()] {
            shelf.contents.insert(format!("{repository}/manifests/{reference}"), Arc::clone(&manifest));
        }
        for blob in image.layers().map(<[u8]>::to_vec).chain([image.config()]) {
            shelf.contents.insert(format!("{repository}/blobs/{}", digest_of(&blob)), Arc::new(blob));
        }
        format!("{}/{repository}:{tag}", self.address)
    }

    /// Asks this of all from now on.
    pub fn require(&self, access: RegistryAccess) {
        lock(&self.shelf).access = access;
    }

    /// Does this wrong from now on, or nothing.
    pub fn fail(&self, fault: impl Into<Option<RegistryFault>>) {
        lock(&self.shelf).fault = fault.into();
    }

    /// What it was asked and answered so far: `GET /v2/busybox/manifests/test 200`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shelf).requests.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It may have panicked, which was shown.
            let _ = thread.join();
        }
    }
}

impl fmt::Display for RegistryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow(time) => write!(f, "answers after {time:?}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::TruncatedBlob => f.write_str("truncated blobs"),
            Self::WrongDigest => f.write_str("blobs of another digest"),
        }
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, address: SocketAddr, shelf: Arc<Mutex<Shelf>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Who pulls sees how it ends.
        drop(tokio::spawn(converse(stream, address, Arc::clone(&shelf))));
    }
}

/// One request, one answer, one connection.
async fn converse(mut stream: TcpStream, address: SocketAddr, shelf: Arc<Mutex<Shelf>>) -> io::Result<()> {
    let Some(head) = read_head(&mut stream).await? else {
        // A client that tries TLS first takes this for a sign that there is none.
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nthis is HTTP").await;
    };
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (answer, delay) = {
        let mut shelf = lock(&shelf);
        let (answer, delay) = shelf.answer(path, authorization_of(&head), address);
        shelf.requests.push(format!("{method} {path} {}", answer.status));
        (answer, delay)
    };
    sleep(delay).await;
    let Answer { status, headers, body, sent } = answer;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} As Told\r\nDocker-Distribution-Api-Version: registry/2.0\r\n{headers}\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        stream.write_all(&body[..sent]).await?;
    }
    stream.shutdown().await
}

/// `None` if it is no HTTP.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    const LIMIT: usize = 64 * 1024;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let plain = head.first().is_none_or(u8::is_ascii_uppercase);
        if !plain || head.len() > LIMIT || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

fn authorization_of(head: &str) -> Option<&str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value)
}

impl Shelf {
    /// The answer, and when it is to be given.
    fn answer(&self, path: &str, authorization: Option<&str>, address: SocketAddr) -> (Answer, Duration) {
        const TOKEN: &str = "a-token-for-tests";
        let at_once = |answer| (answer, Duration::ZERO);
        let basic = |user: &str, password: &str| format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        let (wanted, challenge) = match &self.access {
            RegistryAccess::Open => (None, String::new()),
            RegistryAccess::Basic(user, password) => (Some(basic(user, password)), "Basic realm=\"tests\"".to_owned()),
            RegistryAccess::Bearer(user, password) => {
                if path.starts_with("/token") {
                    let known = authorization == Some(&basic(user, password));
                    let token = json!({"token": TOKEN, "access_token": TOKEN, "expires_in": 300}).to_string();
                    return at_once(if known { Answer::of(200, JSON, token) } else { Answer::refusal(401) });
                }
                let challenge = format!("Bearer realm=\"http://{address}/token\",service=\"tests\"");
                (Some(format!("Bearer {TOKEN}")), challenge)
            }
        };
        if wanted.is_some_and(|wanted| authorization != Some(&wanted)) {
            let mut answer = Answer::refusal(401);
            answer.headers.push_str(&format!("WWW-Authenticate: {challenge}\r\n"));
            return at_once(answer);
        }
        let Some(path) = path.strip_prefix("/v2/") else { return at_once(Answer::refusal(404)) };
        if path.is_empty() { at_once(Answer::of(200, JSON, "{}")) } else { self.content(path) }
    }

    fn content(&self, path: &str) -> (Answer, Duration) {
        let delay = if let Some(RegistryFault::Slow(time)) = self.fault { time } else { Duration::ZERO };
        if let Some(RegistryFault::Status(status)) = self.fault {
            return (Answer::refusal(status), delay);
        }
        let Some(content) = self.contents.get(path) else { return (Answer::refusal(404), delay) };
        let is_blob = path.contains("/blobs/");
        let kind = if is_blob { "application/octet-stream" } else { MANIFEST };
        let mut answer = Answer::of(200, kind, Vec::new());
        answer.headers.push_str(&format!("Docker-Content-Digest: {}\r\n", digest_of(content)));
        answer.sent = content.len();
        answer.body = Arc::clone(content);
        match self.fault {
            Some(RegistryFault::TruncatedBlob) if is_blob => answer.sent /= 2,
            Some(RegistryFault::WrongDigest) if is_blob => {
                answer.body = Arc::new(content.iter().map(|byte| byte ^ 1).collect());
            }
            _ => {}
        }
        (answer, delay)
    }
}

impl Answer {
    fn of(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, headers: format!("Content-Type: {kind}\r\n"), sent: body.len(), body: Arc::new(body) }
    }

    fn refusal(status: u16) -> Self {
        let code = match status {
            401 => "UNAUTHORIZED",
            404 => "MANIFEST_UNKNOWN",
            _ => "UNKNOWN",
        };
        let errors = json!({"errors": [{"code": code, "message": "as the test wants it"}]});
        Self::of(status, JSON, errors.to_string())
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | usize::from(group.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let digit = char::from(DIGITS[number >> (18 - 6 * at) & 63]);
            text.push(if at <= group.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let encoded = [&b"f"[..], b"fo", b"foo", b"foob"].map(base64);
        assert_eq!(encoded, ["Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }
}
