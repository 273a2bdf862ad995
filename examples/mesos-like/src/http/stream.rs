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
use tokio::sync::{mpsc, watch};

use super::answer::Answer;
use crate::wire::{MediaType, Message, record};

/// The header that ties a call to the stream that its caller reads.
pub const STREAM_ID: HeaderName = HeaderName::from_static("mesos-stream-id");

fn new_stream_id() -> String {
    static CHANCE: LazyLock<SeededEntropy> = LazyLock::new(SeededEntropy::from_os);
    Uid::random(&*CHANCE).to_string()
}

/// The end of a stream at which records are put in. It never waits: whoever does not read is given up. The stream ends
/// when it is dropped.
#[derive(Clone, Debug)]
pub struct Outbox {
    media: MediaType,
    records: mpsc::Sender<Bytes>,
    /// Its other end is with the reader.
    reader: watch::Receiver<()>,
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

    /// Returns when the reader has left, or the stream has ended. To wait for that does not keep the stream open.
    pub fn left(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut reader = self.reader.clone();
        async move { while reader.changed().await.is_ok() {} }
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

/// A stream for whoever subscribes, with an id of its own in its headers.
#[must_use]
pub fn subscription(media: MediaType, waiting: usize) -> (String, Outbox, Answer) {
    let (id, (outbox, mut answer)) = (new_stream_id(), streamed(media, waiting));
    // It is made of letters, digits and hyphens.
    answer.headers_mut().extend(HeaderValue::from_str(&id).ok().map(|id| (STREAM_ID, id)));
    (id, outbox, answer)
}

/// An answer that never ends by itself, and where to put its records, of which so many may wait.
#[must_use]
pub fn streamed(media: MediaType, waiting: usize) -> (Outbox, Answer) {
    let (records, taken) = mpsc::channel(waiting);
    let (here, reader) = watch::channel(());
    let frames = stream::unfold((taken, here), |(mut taken, here)| async {
        taken.recv().await.map(|record| (record, (taken, here)))
    });
    let mut answer = Response::new(StreamBody::new(frames.map(|record| Ok(Frame::data(record)))).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media.text()));
    (Outbox { media, records, reader }, answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TimeInfo;

    #[tokio::test]
    async fn who_waits_for_the_reader_to_leave_does_not_keep_the_stream_open() {
        let (outbox, answer) = streamed(MediaType::Json, 8);
        let left = tokio::spawn(outbox.left());
        outbox.send(&TimeInfo { nanoseconds: 1 }).expect("room");
        drop(outbox);
        let read = answer.into_body().collect().await.expect("it ends").to_bytes();
        assert!(read.ends_with(b"}"));
        left.await.expect("it has ended");
        let (outbox, answer) = streamed(MediaType::Json, 8);
        let left = tokio::spawn(outbox.left());
        drop(answer);
        left.await.expect("the reader has left");
        assert!(outbox.has_left());
    }
}
