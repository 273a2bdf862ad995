//! [`Downloads`]: files from servers.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::uri::PathAndQuery;
use http::{Response, Uri as Address};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncWriteExt as _;

/// How long a server may send nothing.
const STALL: Duration = Duration::from_secs(60);

/// How often a file is looked for at another place.
const MOST_REDIRECTS: usize = 10;

/// The largest file that is fetched.
const LARGEST: u64 = 64 << 30;

/// Files from servers.
#[derive(Debug)]
pub(super) struct Downloads {
    client: Client<HttpConnector, Empty<Bytes>>,
    largest: u64,
}

impl Default for Downloads {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(STALL));
        Self { client: Client::builder(TokioExecutor::new()).build(connector), largest: LARGEST }
    }
}

impl Downloads {
    /// Of which none may be larger.
    #[cfg(test)]
    pub(super) fn up_to(largest: u64) -> Self {
        Self { largest, ..Self::default() }
    }

    /// Puts what is at an address into a file, which must not be there.
    pub(super) async fn download(&self, address: &Address, file: &Path) -> Result<(), String> {
        let response = self.found(address.clone()).await?;
        let written = self.write(response, file).await;
        if written.is_err() {
            // Half of a file is worse than none.
            if let Err(error) = tokio::fs::remove_file(file).await {
                tracing::debug!(%error, "{} is left", file.display());
            }
        }
        written
    }

    async fn found(&self, mut address: Address) -> Result<Response<Incoming>, String> {
        for _ in 0..MOST_REDIRECTS {
            let answer = tokio::time::timeout(STALL, self.client.get(address.clone())).await;
            let answer = answer.map_err(|_| format!("{address} does not answer within {} seconds", STALL.as_secs()))?;
            let response = answer.map_err(|error| format!("{address} does not answer: {}", because(&error)))?;
            if response.status().is_success() {
                return Ok(response);
            }
            let elsewhere = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(elsewhere) = elsewhere.and_then(|location| location.to_str().ok()) else {
                return Err(format!("{address} answers {}", response.status()));
            };
            address = resolved(&address, elsewhere)?;
        }
        Err(format!("it was looked for at {MOST_REDIRECTS} places, and each named another"))
    }

    async fn write(&self, response: Response<Incoming>, path: &Path) -> Result<(), String> {
        let file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(path).await;
        let mut file = file.map_err(|error| format!("the file {} cannot be made: {error}", path.display()))?;
        let (mut body, mut length) = (response.into_body(), 0_u64);
        loop {
            let next = tokio::time::timeout(STALL, body.frame()).await;
            let next = next.map_err(|_| format!("nothing came for {} seconds", STALL.as_secs()))?;
            let Some(frame) = next else { break };
            let frame = frame.map_err(|error| format!("it broke off after {length} bytes: {}", because(&error)))?;
            let Ok(piece) = frame.into_data() else { continue };
            length += piece.len() as u64;
            if length > self.largest {
                return Err(format!("it is larger than the {} bytes that are fetched", self.largest));
            }
            file.write_all(&piece).await.map_err(|error| format!("it cannot be written: {error}"))?;
        }
        file.flush().await.map_err(|error| format!("it cannot be written: {error}"))
    }
}

/// The address that another one stands for where it is named.
fn resolved(base: &Address, location: &str) -> Result<Address, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{base} leads to '{location}', which is no address: {error}");
    let found: Address = location.parse().map_err(|error| wrong(&error))?;
    match found.scheme_str() {
        Some("http") => Ok(found),
        Some(_) => Err(format!("{base} leads to {location}: this agent fetches http:// alone")),
        None => {
            let mut parts = base.clone().into_parts();
            let path: PathAndQuery = location.parse().map_err(|error| wrong(&error))?;
            parts.path_and_query = Some(path);
            Address::from_parts(parts).map_err(|error| wrong(&error))
        }
    }
}

/// An error with what caused it.
fn because(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", because(cause)),
        None => error.to_string(),
    }
}
