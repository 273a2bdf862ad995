//! [`Answer`]: what a request is answered.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::wire::MediaType;

/// What a request is answered.
pub type Answer = Response<AnswerBody>;

/// What stands in an answer: all of it, or as it comes.
pub type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// The largest body that is read.
const LARGEST_BODY: usize = 64 << 20;

/// How long a body may take to come.
const SLOWEST_BODY: Duration = Duration::from_secs(60);

/// A request that is not followed: its status, and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What is said.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A request that is wrong in itself.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        text(refusal.status, refusal.message)
    }
}

/// An answer in words.
#[must_use]
pub fn text(status: StatusCode, words: impl Into<String>) -> Answer {
    let mut answer = with_body(status, Bytes::from(words.into()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// An answer in JSON.
#[must_use]
pub fn json(value: &impl serde::Serialize) -> Answer {
    // What is answered has names for keys: it can be written.
    let mut answer = with_body(StatusCode::OK, Bytes::from(serde_json::to_vec(value).unwrap_or_default()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer that is a message in this form.
#[must_use]
pub fn whole(media: MediaType, message: Bytes) -> Answer {
    let mut answer = with_body(StatusCode::OK, message);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media.text()));
    answer
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Answer {
    with_body(status, Bytes::new())
}

/// The answer to a method that is not the one.
#[must_use]
pub fn refused(allowed: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("Expecting one of {{ '{allowed}' }}"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn with_body(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

/// A whole body.
///
/// # Errors
/// A [`Refusal`] if it is too large, comes too slowly, or breaks off.
pub async fn read_body(body: Incoming) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(SLOWEST_BODY, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than the {LARGEST_BODY} bytes that are read"),
        )),
        Ok(Err(error)) => Err(Refusal::bad_request(format!("the body broke off: {error}"))),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not come within {} seconds", SLOWEST_BODY.as_secs()),
        )),
    }
}
