//! [`Relay`]: asks the leading master for those who know the address of another one only.

use std::io;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::http::{Answer, text};

/// Asks the leading master for others.
#[derive(Debug)]
pub struct Relay {
    client: Client<HttpConnector, Incoming>,
}

impl Default for Relay {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }
}

impl Relay {
    /// Asks `host:port` the same, and answers what it answers, as it comes.
    pub async fn pass_on(&self, leader: &str, mut request: Request<Incoming>) -> Answer {
        let failed = |error: &dyn std::fmt::Display| {
            text(StatusCode::BAD_GATEWAY, format!("The leading master at {leader} does not answer: {error}"))
        };
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = leader.parse::<Authority>().map_err(http::Error::from).and_then(|authority| {
            Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build()
        });
        match uri {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return failed(&error),
        }
        // These are between the two ends of one connection.
        for header in [header::CONNECTION, header::HOST, header::UPGRADE, header::TRANSFER_ENCODING, header::TE] {
            request.headers_mut().remove(header);
        }
        match self.client.request(request).await {
            Ok(mut answer) => {
                for header in [header::CONNECTION, header::TRANSFER_ENCODING] {
                    answer.headers_mut().remove(header);
                }
                answer.map(|body| body.map_err(io::Error::other).boxed_unsync())
            }
            Err(error) => failed(&error),
        }
    }
}
