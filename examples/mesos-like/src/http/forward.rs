//! [`Forwarder`]: passes requests on to another server, streams included.

use std::io;
use std::time::Duration;

use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE, VIA};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::answer::{Answer, Refusal};

/// What is between two servers alone, and not passed on.
const HOP_BY_HOP: [http::HeaderName; 3] = [CONNECTION, TRANSFER_ENCODING, UPGRADE];

/// Passes requests on to another server, and its answers back as they come.
#[derive(Clone, Debug)]
pub struct Forwarder {
    inner: legacy::Client<HttpConnector, Incoming>,
    /// What this server calls itself to the next one.
    me: HeaderValue,
}

impl Forwarder {
    /// One that calls itself so, as in `marathon`.
    #[must_use]
    pub fn new(me: &'static str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let inner = legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { inner, me: HeaderValue::from_static(me) }
    }

    /// What `host:port` answers to a request.
    ///
    /// # Errors
    /// `502` if it does not answer, `508` if the request was passed on before: the two would pass it on for ever.
    pub async fn forward(&self, to: &str, mut request: Request<Incoming>) -> Result<Answer, Refusal> {
        if request.headers().get_all(VIA).iter().any(|via| via == self.me) {
            let message = format!("{to} does not lead, as it says: try again in a moment");
            return Err(Refusal::new(StatusCode::LOOP_DETECTED, message));
        }
        let nowhere = |_| Refusal::new(StatusCode::BAD_GATEWAY, format!("the leader's address is none: {to:?}"));
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(to.parse::<Authority>().map_err(|_| ()).map_err(nowhere)?);
        parts.path_and_query = request.uri().path_and_query().cloned().or_else(|| Some(PathAndQuery::from_static("/")));
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| ()).map_err(nowhere)?;
        for header in HOP_BY_HOP.iter().chain([&HOST]) {
            request.headers_mut().remove(header);
        }
        request.headers_mut().append(VIA, self.me.clone());
        match self.inner.request(request).await {
            Ok(mut response) => {
                for header in HOP_BY_HOP {
                    response.headers_mut().remove(header);
                }
                Ok(response.map(|body| body.map_err(io::Error::other).boxed_unsync()))
            }
            Err(error) => {
                Err(Refusal::new(StatusCode::BAD_GATEWAY, format!("the leader {to} does not answer: {error}")))
            }
        }
    }
}
