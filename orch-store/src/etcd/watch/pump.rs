//! [`Pump`]: the task that follows a watch, over as many streams as it takes.

use std::sync::Arc;
use std::time::Duration;

use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{StoreError, WatchEvent};
use prost::Message as _;
use tokio::time::sleep;

use super::progress::{Due, Marks};
use super::queue::Sender;
use super::stream::{EventStream, Watched};
use crate::etcd::Inner;
use crate::etcd::error::Failure;
use crate::etcd::read::{entry, from_wire, revision_of};
use crate::etcd::wire::{Event, KeyValue, WatchResponse};

/// How long to wait before a watch is opened again; each time twice as long as before, …
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// … but no longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Follows a watch.
#[derive(Debug)]
pub(super) struct Pump {
    inner: Arc<Inner>,
    prefix: Prefix,
    watched: Watched,
    /// All up to here was handed to the reader.
    position: Revision,
    reader: Sender,
}

/// Why a stream was followed no longer.
enum Stop {
    /// Nobody reads.
    Dropped,
    /// The reader is slow.
    Full,
    /// It broke.
    Broken(Failure),
    /// What comes next is no longer kept.
    Compacted(Revision),
}

impl Pump {
    pub(super) fn new(inner: Arc<Inner>, prefix: Prefix, after: Revision, reader: Sender) -> Self {
        let watched = Watched { range: inner.names.range(&prefix), previous: true };
        Self { inner, prefix, watched, position: after, reader }
    }

    /// Opens a stream of what comes after the position. That the position is kept is checked, since a watch after one
    /// that the cluster has not reached is silent, and one that begins just where history ends may miss a deletion.
    pub(super) async fn open(&self) -> Result<EventStream, StoreError> {
        let position = self.position;
        let opened = async {
            let opened = EventStream::open(&self.inner, &self.watched, position).await;
            opened.map_err(Failure::of_read)
        };
        let (stream, ()) = futures::try_join!(opened, self.inner.check_kept(position))?;
        Ok(stream)
    }

    pub(super) async fn run(mut self, mut stream: EventStream) {
        loop {
            match self.follow(stream).await {
                Stop::Dropped => return,
                Stop::Full => tokio::select! {
                    biased;
                    () = self.reader.closed() => return,
                    () = self.reader.drained() => {}
                },
                Stop::Broken(failure) => {
                    tracing::debug!(prefix = %self.prefix, message = failure.message, "a watch broke");
                }
                Stop::Compacted(oldest) => {
                    let requested = self.position;
                    return self.end(StoreError::Compacted { requested, oldest });
                }
            }
            match self.resume().await {
                Some(resumed) => stream = resumed,
                None => return,
            }
        }
    }

    /// Hands over what comes on a stream until it stops.
    async fn follow(&mut self, mut stream: EventStream) -> Stop {
        let mut marks = Marks::new(&self.inner, stream.answers_progress_requests(), &self.prefix, self.position);
        loop {
            tokio::select! {
                biased;
                () = self.reader.closed() => return Stop::Dropped,
                answer = stream.next() => match answer {
                    Ok(answer) if answer.compact_revision > 0 => {
                        return Stop::Compacted(from_wire(answer.compact_revision));
                    }
                    Ok(answer) if answer.events.is_empty() => self.mark(revision_of(answer.header)),
                    Ok(answer) => {
                        self.take(answer);
                        if self.reader.is_full() {
                            return Stop::Full;
                        }
                    }
                    Err(failure) => {
                        self.inner.members.leave(stream.line());
                        return Stop::Broken(failure);
                    }
                },
                due = marks.due(&self.inner, self.position) => match due {
                    // A reader that has not taken the last mark needs no other one yet.
                    _ if !self.reader.is_empty() => {}
                    Due::Ask => stream.ask_progress(),
                    Due::Mark(revision) => self.mark(revision),
                },
            }
        }
    }

    /// Hands over the events of an answer. All events of a revision come in one answer.
    fn take(&mut self, answer: WatchResponse) {
        let bytes = answer.encoded_len();
        let mut items = Vec::with_capacity(answer.events.len());
        let before = self.position;
        for event in answer.events {
            let Some(revision) = event.kv.as_ref().map(|kv| from_wire(kv.mod_revision)) else { continue };
            // A member that is behind may repeat what another one has told.
            if revision <= before {
                continue;
            }
            self.position = revision;
            items.extend(self.event(event).map(Ok));
        }
        if !items.is_empty() {
            self.reader.push(items, bytes);
        }
    }

    fn event(&self, event: Event) -> Option<WatchEvent> {
        const DELETE: i32 = 1;
        let kv = event.kv?;
        let key = self.inner.key(&kv.key)?;
        let previous = event.prev_kv.map(|previous| entry(key.clone(), previous));
        Some(match (event.kind, kv) {
            (DELETE, KeyValue { mod_revision, .. }) => {
                WatchEvent::Delete { key, revision: from_wire(mod_revision), previous }
            }
            (_, kv) => WatchEvent::Put { entry: entry(key, kv), previous },
        })
    }

    fn mark(&mut self, revision: Revision) {
        if revision > self.position {
            self.position = revision;
            self.reader.push(vec![Ok(WatchEvent::Progress(revision))], 1);
        }
    }

    /// Opens a stream again, however long that takes. `None` when the watch has ended.
    async fn resume(&mut self) -> Option<EventStream> {
        let mut pause = PAUSE_FIRST;
        let mut warned = false;
        loop {
            let opened = tokio::select! {
                biased;
                () = self.reader.closed() => return None,
                opened = self.open() => opened,
            };
            match opened {
                Ok(stream) => {
                    if warned {
                        tracing::info!(prefix = %self.prefix, after = %self.position, "a watch goes on");
                    }
                    return Some(stream);
                }
                Err(error) if error.is_transient() => {
                    if !std::mem::replace(&mut warned, true) {
                        tracing::warn!(prefix = %self.prefix, after = %self.position, %error, "a watch waits");
                    }
                }
                Err(error) => {
                    self.end(error);
                    return None;
                }
            }
            tokio::select! {
                biased;
                () = self.reader.closed() => return None,
                () = sleep(pause) => {}
            }
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Ends the watch with an error.
    fn end(&self, error: StoreError) {
        self.reader.push(vec![Err(error)], 1);
    }
}
