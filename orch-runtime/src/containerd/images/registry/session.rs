//! [`Session`]: asking one registry about one image.

use std::io;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, LOCATION, RANGE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use hyper::body::Incoming;
use orch_core::runtime::{Credentials, ImageError, ImageName};
use serde::Deserialize;

use super::super::archive::invalid;
use super::super::manifest::{DOCUMENT_LIMIT, MANIFESTS};
use super::auth::{Challenge, basic};
use super::http::{get, is_local, piece};

/// How often a registry may send on.
const MOST_REDIRECTS: usize = 5;

/// Asking one registry about one image.
pub(super) struct Session<'a> {
    name: &'a ImageName,
    credentials: Option<&'a Credentials>,
    origin: String,
    authorization: Option<HeaderValue>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(name: &'a ImageName, credentials: Option<&'a Credentials>) -> Self {
        let host = name.registry();
        // What is called so answers elsewhere.
        let authority = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let scheme = if is_local(host.split(':').next().unwrap_or_default()) { "http" } else { "https" };
        Self { name, credentials, origin: format!("{scheme}://{authority}"), authorization: None }
    }

    /// A manifest, by tag or digest.
    pub(super) async fn manifest(&mut self, reference: &str) -> Result<Bytes, ImageError> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MANIFESTS))]);
        let answer = self.ask(&format!("manifests/{reference}"), headers).await?;
        self.document(answer, DOCUMENT_LIMIT).await
    }

    /// A blob from an offset on, and whether that is where it begins.
    pub(super) async fn blob(&mut self, digest: &str, offset: u64) -> Result<(Incoming, bool), ImageError> {
        let mut headers = HeaderMap::new();
        if offset > 0 {
            headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={offset}-")).map_err(|_| self.odd("offset"))?);
        }
        let answer = self.ask(&format!("blobs/{digest}"), headers).await?;
        let continues = answer.status() == StatusCode::PARTIAL_CONTENT;
        Ok((answer.into_body(), continues))
    }

    /// The next bytes of a blob.
    pub(super) async fn piece(&self, body: &mut Incoming) -> Result<Option<Bytes>, ImageError> {
        piece(body).await.map_err(|error| self.broken(error))
    }

    async fn ask(&mut self, path: &str, headers: HeaderMap) -> Result<Response<Incoming>, ImageError> {
        let uri = self.uri(&format!("{}/v2/{}/{path}", self.origin, self.name.repository()))?;
        let first = self.send(&uri, &headers).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return self.checked(first).await;
        }
        let challenge = first.headers().get(WWW_AUTHENTICATE).and_then(|header| header.to_str().ok());
        let challenge = challenge.and_then(Challenge::parse);
        self.authorization = Some(self.authorized(challenge).await?);
        let second = self.send(&uri, &headers).await?;
        self.checked(second).await
    }

    async fn authorized(&self, challenge: Option<Challenge>) -> Result<HeaderValue, ImageError> {
        let denied = |message: &str| ImageError::Denied { image: self.name.clone(), message: message.to_owned() };
        let header = match challenge {
            None => return Err(denied("the registry does not say how to show who asks")),
            Some(Challenge::Basic) => {
                basic(self.credentials.ok_or_else(|| denied("it asks for a user and a password"))?)
            }
            Some(Challenge::Bearer { realm, service, scope }) => {
                let token = self.token(&realm, service.as_deref(), scope.as_deref()).await?;
                format!("Bearer {token}")
            }
        };
        let mut header = HeaderValue::from_str(&header).map_err(|_| denied("the password or token is no text"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    async fn token(&self, realm: &str, service: Option<&str>, scope: Option<&str>) -> Result<String, ImageError> {
        let own = format!("repository:{}:pull", self.name.repository());
        let mut query = format!("scope={}", escaped(scope.unwrap_or(&own)));
        if let Some(service) = service {
            query.push_str(&format!("&service={}", escaped(service)));
        }
        let separator = if realm.contains('?') { '&' } else { '?' };
        let uri = self.uri(&format!("{realm}{separator}{query}"))?;
        self.same_scheme(&uri)?;
        let mut headers = HeaderMap::new();
        if let Some(credentials) = self.credentials {
            let header = HeaderValue::from_str(&basic(credentials)).map_err(|_| self.odd("password"))?;
            headers.insert(AUTHORIZATION, header);
        }
        let answer = get(&uri, headers).await.map_err(|error| self.broken(error))?;
        let answer = self.checked(answer).await?;
        let document = self.document(answer, 1 << 20).await?;
        let token: Token = serde_json::from_slice(&document).map_err(|_| self.odd("token"))?;
        token.token.or(token.access_token).ok_or_else(|| self.odd("token"))
    }

    /// Sends a request, also to where the answer says that it is; who asks is told to the registry alone.
    async fn send(&self, uri: &Uri, headers: &HeaderMap) -> Result<Response<Incoming>, ImageError> {
        let mut uri = uri.clone();
        for _ in 0..MOST_REDIRECTS {
            let mut headers = headers.clone();
            let is_registry = uri.to_string().starts_with(&format!("{}/", self.origin));
            headers.extend(self.authorization.clone().filter(|_| is_registry).map(|header| (AUTHORIZATION, header)));
            let answer = get(&uri, headers).await.map_err(|error| self.broken(error))?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let location = location.ok_or_else(|| self.odd("redirection"))?;
            let location =
                if location.starts_with('/') { format!("{}{location}", origin(&uri)) } else { location.to_owned() };
            uri = self.uri(&location)?;
            self.same_scheme(&uri)?;
        }
        Err(self.odd("redirection"))
    }

    /// What is encrypted stays so, and what is on this machine, too.
    fn same_scheme(&self, uri: &Uri) -> Result<(), ImageError> {
        let is_same = uri.scheme_str() == Some("https") && self.origin.starts_with("https:")
            || uri.scheme_str() == Some("http") && self.origin.starts_with("http:");
        if is_same { Ok(()) } else { Err(self.odd("redirection")) }
    }

    async fn checked(&self, answer: Response<Incoming>) -> Result<Response<Incoming>, ImageError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let image = self.name.clone();
        let message = format!("the registry answers {status}");
        Err(match status {
            StatusCode::NOT_FOUND => ImageError::NotFound { image, message },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ImageError::Denied { image, message },
            _ => {
                let transient = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                self.failed(message, transient, None)
            }
        })
    }

    async fn document(&self, answer: Response<Incoming>, limit: u64) -> Result<Bytes, ImageError> {
        let (mut body, mut bytes) = (answer.into_body(), BytesMut::new());
        while let Some(piece) = self.piece(&mut body).await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > limit {
                return Err(invalid(format!("the registry sends a document of more than {limit} bytes")));
            }
        }
        Ok(bytes.freeze())
    }

    fn uri(&self, text: &str) -> Result<Uri, ImageError> {
        text.parse().map_err(|_| self.odd("address"))
    }

    fn odd(&self, what: &str) -> ImageError {
        self.failed(format!("it uses a {what} that cannot be followed"), false, None)
    }

    fn broken(&self, error: io::Error) -> ImageError {
        let message = format!("{error}: check its address, and whether it runs; or import the image from an archive");
        self.failed(message, true, Some(error))
    }

    fn failed(&self, message: String, transient: bool, source: Option<io::Error>) -> ImageError {
        let registry = self.name.registry().to_owned();
        ImageError::Registry { registry, message, transient, source: source.map(Into::into) }
    }
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    format!("{}://{authority}", uri.scheme_str().unwrap_or("https"))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
