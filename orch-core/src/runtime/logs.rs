//! [`LogOptions`] and [`LogStream`]: what a container wrote.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;

use super::RuntimeError;
use crate::clock::Timestamp;

/// Which part of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Only this many of the lines that are there; all by default.
    pub tail: Option<usize>,
    /// Go on with what is written later, until the container has ended and all was read.
    pub follow: bool,
    /// Only lines that were written at this time or later; a line that was written in parts, when its first part was. Of
    /// those, `tail` counts the last.
    pub since: Option<Timestamp>,
    /// Put before each line when it was written, in RFC 3339 with nanoseconds, and a space.
    pub timestamps: bool,
}

/// Output as a stream of pieces, cut anywhere.
pub struct LogStream(BoxStream<'static, Result<Bytes, RuntimeError>>);

impl LogStream {
    /// A stream that yields what `stream` yields.
    pub fn new(stream: impl Stream<Item = Result<Bytes, RuntimeError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl Stream for LogStream {
    type Item = Result<Bytes, RuntimeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogStream")
    }
}
