//! In which form a request is, and in which its answer is wanted.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode};

use super::answer::Refusal;
use crate::wire::MediaType;

/// In which form a body is.
///
/// # Errors
/// 400 if it is not said, 415 if it is none.
pub fn content_type(headers: &HeaderMap) -> Result<MediaType, Refusal> {
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
