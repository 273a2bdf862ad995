//! The call in a request, in which form it is, and in which its answer is wanted.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Request, StatusCode};
use hyper::body::Incoming;

use super::answer::{Refusal, read_body};
use crate::wire::{MediaType, Message};

/// The call in a request, in either form; `name` is what errors call it.
///
/// # Errors
/// What is wrong with its form, its length or its words: a [`Refusal`] with Mesos's status.
pub async fn read_call<T: Message>(request: Request<Incoming>, name: &'static str) -> Result<T, Refusal> {
    let media = content_type(request.headers())?;
    let body = read_body(request.into_body()).await?;
    media.decode(&body, name).map_err(|error| Refusal::bad_request(error.to_string()))
}

fn content_type(headers: &HeaderMap) -> Result<MediaType, Refusal> {
    let said = said(headers, &CONTENT_TYPE);
    let said = said.ok_or_else(|| Refusal::bad_request("Expecting 'Content-Type' to be present"))?;
    MediaType::of_content(&said).ok_or_else(|| {
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("Expecting 'Content-Type' of {}", either()))
    })
}

/// In which form an answer is wanted.
///
/// # Errors
/// 406 if in neither.
pub fn accepted(headers: &HeaderMap) -> Result<MediaType, Refusal> {
    MediaType::accepted(said(headers, &ACCEPT).as_deref())
        .ok_or_else(|| Refusal::new(StatusCode::NOT_ACCEPTABLE, format!("Expecting 'Accept' to allow {}", either())))
}

fn said(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|said| String::from_utf8_lossy(said.as_bytes()).into_owned())
}

fn either() -> String {
    format!("{} or {}", MediaType::Json.text(), MediaType::Protobuf.text())
}
