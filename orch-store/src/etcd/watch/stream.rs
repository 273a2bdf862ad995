//! [`EventStream`]: a watch of etcd's on one member, as long as it lasts.

use bytes::Bytes;
use futures::channel::mpsc;
use orch_core::revision::Revision;
use tonic::Streaming;

use crate::etcd::Inner;
use crate::etcd::error::{Failure, Meaning};
use crate::etcd::members::{Effect, Line};
use crate::etcd::wire::{self, WatchAsks, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse};

/// A watch of etcd's on one member. Dropping it ends it there.
#[derive(Debug)]
pub(super) struct EventStream {
    line: Line,
    asks: mpsc::UnboundedSender<WatchRequest>,
    answers: Streaming<WatchResponse>,
}

/// What is watched.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// The first name, and the first one behind it.
    pub(super) range: (Bytes, Bytes),
    /// Whether events come with what was there before.
    pub(super) previous: bool,
}

impl EventStream {
    /// Opens it, and waits until the member says that it is open.
    pub(super) async fn open(inner: &Inner, watched: &Watched, after: Revision) -> Result<Self, Failure> {
        let create = WatchCreateRequest {
            key: watched.range.0.clone(),
            range_end: watched.range.1.clone(),
            start_revision: i64::try_from(after.next().0).unwrap_or(i64::MAX),
            prev_kv: watched.previous,
        };
        let ask = |line: Line| Self::open_on(line, create.clone());
        inner.members.with_line(inner.members.deadline(), Effect::Reads, ask).await
    }

    async fn open_on(line: Line, create: WatchCreateRequest) -> Result<Self, Failure> {
        let (asks, requests) = mpsc::unbounded();
        // The receiver is at hand, so this cannot fail.
        let _ = asks.unbounded_send(WatchRequest { asks: Some(WatchAsks::Create(create)) });
        let connection = line.connection.clone();
        let answers = connection.stream(wire::WATCH, requests, line.token.as_deref()).await?;
        let mut stream = Self { line, asks, answers };
        let first = stream.next().await?;
        if first.created {
            Ok(stream)
        } else {
            let message = format!("{}: it answered a watch with something else", stream.shown());
            Err(Failure::new(Meaning::Refused, message))
        }
    }

    /// The next answer. What ends the watch is an error, except that what it would begin with is compacted.
    pub(super) async fn next(&mut self) -> Result<WatchResponse, Failure> {
        match self.answers.message().await {
            Ok(Some(answer)) if answer.canceled && answer.compact_revision == 0 => {
                Err(Failure::of_cancelled_watch(self.shown(), &answer.cancel_reason))
            }
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Failure::new(Meaning::Unknown, format!("{}: it ended the watch", self.shown()))),
            Err(status) => Err(self.line.connection.failure(status)),
        }
    }

    /// Asks how far the watch is. The answer has no events.
    pub(super) fn ask_progress(&self) {
        // If the stream is broken, `next` tells.
        let _ = self.asks.unbounded_send(WatchRequest { asks: Some(WatchAsks::Progress(WatchProgressRequest {})) });
    }

    pub(super) fn answers_progress_requests(&self) -> bool {
        self.line.connection.member.version.is_some_and(|version| version.answers_progress_requests())
    }

    /// The line that it is on.
    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    fn shown(&self) -> &str {
        &self.line.connection.member.shown
    }
}
