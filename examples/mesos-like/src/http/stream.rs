//! A stream of records to somebody who may read slowly, or not at all.

use std::sync::LazyLock;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use orch_core::entropy::SeededEntropy;
use orch_core::object::Uid;
use tokio::sync::mpsc;

use super::answer::Answer;
use crate::wire::{MediaType, Message, record};

/// The header that ties a call to the stream that its caller reads.
pub const STREAM_ID: HeaderName = HeaderName::from_static("mesos-stream-id");

/// An id for a stream.
#[must_use]
pub fn new_stream_id() -> String {
    static CHANCE: LazyLock<SeededEntropy> = LazyLock::new(SeededEntropy::from_os);
    Uid::random(&*CHANCE).to_string()
}

/// The end of a stream at which records are put in. It never waits: whoever does not read is given up. The stream ends
/// when it is dropped.
#[derive(Clone, Debug)]
pub struct Outbox {
    media: MediaType,
    records: mpsc::Sender<Bytes>,
}

/// The reader has left, or reads so slowly that too much waits for him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowReader;

impl Outbox {
    /// Puts a message into the stream, as one record and so as one chunk.
    ///
    /// # Errors
    /// [`SlowReader`] if it does not take it: the stream is to be given up.
    pub fn send<T: Message>(&self, message: &T) -> Result<(), SlowReader> {
        self.send_record(record(&self.media.encode(message)))
    }

    /// Puts a record into the stream that was made for several readers: a message in this one's form.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_record(&self, record: Bytes) -> Result<(), SlowReader> {
        self.records.try_send(record).map_err(|_| SlowReader)
    }

    /// Returns when the reader has left.
    pub async fn left(&self) {
        self.records.closed().await;
    }

    /// Whether the reader has left.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.records.is_closed()
    }

    /// In which form the messages are.
    #[must_use]
    pub fn media(&self) -> MediaType {
        self.media
    }
}

/// An answer that never ends by itself, and where to put its records, of which so many may wait.
#[must_use]
pub fn streamed(media: MediaType, waiting: usize) -> (Outbox, Answer) {
    let (records, taken) = mpsc::channel(waiting);
    let frames = stream::unfold(taken, |mut taken| async { taken.recv().await.map(|record| (record, taken)) });
    let mut answer = Response::new(StreamBody::new(frames.map(|record| Ok(Frame::data(record)))).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media.text()));
    (Outbox { media, records }, answer)
}
