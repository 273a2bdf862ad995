//! [`Reader`]: a watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{PROGRESS_WITHIN, StoreError, WatchEvent};
use tokio::time::{Instant, Sleep};

use super::Mvcc;
use super::bell::Listener;
use super::history::{Batch, Read};

/// A watch: a place in the shared history, and the few events that were taken from there at one go.
///
/// A reader that is slow costs writers nothing; what it still has to read keeps its place until the history's end
/// passes over it, which it is then told. A reader with nothing to read sleeps until something happens under its
/// prefix, however much happens elsewhere. Only the first write elsewhere after it was last told where the store is
/// wakes it once, to set the timer for the next progress mark. So a store in which nothing happens wakes nobody; one in
/// which something is claimed wakes its readers when a claim is to end, since somebody has to end it.
#[derive(Debug)]
pub(super) struct Reader {
    mvcc: Arc<Mvcc>,
    prefix: Prefix,
    own_write: Listener,
    any_write: Listener,
    /// The number of the next change among those under the prefix.
    next: u64,
    /// What the reader knows: the revision of the last event or progress mark, of those in `batch` too.
    told: Revision,
    batch: Option<Batch>,
    /// How many of `batch` were handed out.
    taken: usize,
    /// When the next progress mark is due, if there is something to tell by one.
    mark: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

/// What a reader finds when it looks.
enum Found {
    /// A batch, and how many of it are to be left out.
    Events(Batch, usize),
    /// No events, but something was written elsewhere: tell so, though not for every write.
    Behind(Revision),
    /// Nothing to tell until the next write.
    Level,
}

impl Reader {
    /// A reader of what is under `prefix` after `after`.
    pub(super) fn subscribe(mvcc: Arc<Mvcc>, prefix: Prefix, after: Revision) -> Result<Self, StoreError> {
        let (own_write, any_write, next) = mvcc.change(|state, _| {
            let any_write = Arc::clone(&state.any_write);
            state.history.subscribe(&prefix, after).map(|(own_write, next)| (own_write, any_write, next))
        })?;
        let (own_write, any_write) = (Listener::new(own_write), Listener::new(any_write));
        let (mark, timer) = (None, None);
        let (batch, taken, told, ended) = (None, 0, after, false);
        Ok(Self { mvcc, prefix, own_write, any_write, next, told, batch, taken, mark, timer, ended })
    }

    /// Waits until there is something to tell.
    fn poll_refill(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchEvent, StoreError>> {
        self.batch = None;
        self.own_write.hear();
        self.any_write.hear();
        loop {
            let (found, next_end) = self.look()?;
            match found {
                Found::Events(batch, seen) => {
                    let first = batch[seen].clone();
                    (self.mark, self.timer) = (None, None);
                    (self.batch, self.taken) = (Some(batch), seen + 1);
                    return Poll::Ready(Ok(first));
                }
                Found::Behind(revision) => {
                    let now = Instant::now();
                    let pause: Duration = self.mvcc.progress_every.min(PROGRESS_WITHIN / 2);
                    if *self.mark.get_or_insert(now + pause) <= now {
                        (self.mark, self.told) = (None, revision);
                        return Poll::Ready(Ok(WatchEvent::Progress(revision)));
                    }
                }
                Found::Level => self.mark = None,
            }
            ready!(self.poll_occasion(context, next_end));
        }
    }

    /// Waits for an occasion to look again.
    fn poll_occasion(&mut self, context: &mut Context<'_>, next_end: Option<Instant>) -> Poll<()> {
        let rung = self.own_write.poll(context).is_ready();
        // Who is behind knows already that there are writes elsewhere.
        if rung || (self.mark.is_none() && self.any_write.poll(context).is_ready()) {
            return Poll::Ready(());
        }
        let Some(until) = self.mark.into_iter().chain(next_end).min() else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(context)
    }

    /// Takes what comes next. If there is nothing, asks for the bells that are to be waited for, under the same lock; and
    /// returns when the next claim ends.
    fn look(&mut self) -> Result<(Found, Option<Instant>), StoreError> {
        let state = self.mvcc.read();
        let read = state.history.read(&self.prefix, self.next, self.told)?;
        let Some(Read { batch, seen, outdated }) = read else {
            if state.is_closed {
                return Err(StoreError::Closed);
            }
            let revision = state.history.revision();
            self.own_write.want();
            let found = if revision > self.told {
                Found::Behind(revision)
            } else {
                self.any_write.want();
                Found::Level
            };
            return Ok((found, state.next_end()));
        };
        drop(state);
        drop(outdated);
        self.next += (batch.len() - seen) as u64;
        if let Some(last) = batch.last() {
            self.told = last.revision();
        }
        Ok((Found::Events(batch, seen), None))
    }
}

impl Stream for Reader {
    type Item = Result<WatchEvent, StoreError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let reader = self.get_mut();
        if let Some(event) = reader.batch.as_ref().and_then(|batch| batch.get(reader.taken)) {
            reader.taken += 1;
            return Poll::Ready(Some(Ok(event.clone())));
        }
        if reader.ended {
            return Poll::Ready(None);
        }
        let item = ready!(reader.poll_refill(context));
        reader.ended = item.is_err();
        Poll::Ready(Some(item))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.mvcc.write().history.unsubscribe(&self.prefix);
    }
}
