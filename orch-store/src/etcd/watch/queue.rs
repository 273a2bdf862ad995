//! The queue between the task that follows a watch and the watch's reader.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures::Stream;
use orch_core::store::{StoreError, WatchEvent};
use tokio::sync::{Notify, mpsc};

type Item = Result<WatchEvent, StoreError>;

/// A queue that is full when more than `limit` bytes wait in it.
pub(super) fn queue(limit: usize) -> (Sender, Reader) {
    let (batches, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(Waiting { bytes: AtomicUsize::new(0), drained: Notify::new() });
    let sender = Sender { batches, waiting: Arc::clone(&waiting), limit };
    (sender, Reader { receiver, waiting, batch: Vec::new().into_iter() })
}

/// What stands in the queue.
#[derive(Debug)]
struct Waiting {
    bytes: AtomicUsize,
    /// Told whenever the reader takes something.
    drained: Notify,
}

/// Events that were delivered in one piece, such as those of one revision.
#[derive(Debug)]
struct Batch {
    items: Vec<Item>,
    bytes: usize,
}

/// Where the task puts in what came.
#[derive(Debug)]
pub(super) struct Sender {
    batches: mpsc::UnboundedSender<Batch>,
    waiting: Arc<Waiting>,
    limit: usize,
}

impl Sender {
    /// Hands over items that took `bytes`. It may fill the queue beyond its limit: what came is not thrown away.
    pub(super) fn push(&self, items: Vec<Item>, bytes: usize) {
        let bytes = bytes.max(1);
        self.waiting.bytes.fetch_add(bytes, Ordering::AcqRel);
        // Nobody reads any more: `closed` tells the task.
        let _ = self.batches.send(Batch { items, bytes });
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.bytes.load(Ordering::Acquire) > self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.bytes.load(Ordering::Acquire) == 0
    }

    /// Waits until half of the queue is free.
    pub(super) async fn drained(&self) {
        loop {
            let drained = self.waiting.drained.notified();
            if self.waiting.bytes.load(Ordering::Acquire) <= self.limit / 2 {
                return;
            }
            drained.await;
        }
    }

    /// Waits until the reader is dropped.
    pub(super) async fn closed(&self) {
        self.batches.closed().await;
    }
}

/// The stream that is the watch.
#[derive(Debug)]
pub(super) struct Reader {
    receiver: mpsc::UnboundedReceiver<Batch>,
    waiting: Arc<Waiting>,
    batch: std::vec::IntoIter<Item>,
}

impl Stream for Reader {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        loop {
            if let Some(item) = self.batch.next() {
                return Poll::Ready(Some(item));
            }
            let Some(batch) = ready!(self.receiver.poll_recv(context)) else { return Poll::Ready(None) };
            self.batch = batch.items.into_iter();
            self.waiting.bytes.fetch_sub(batch.bytes, Ordering::AcqRel);
            // The task is the only one who waits; a permit left behind makes it look once more.
            self.waiting.drained.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};
    use orch_core::revision::Revision;

    use super::*;

    fn mark(revision: u64) -> Item {
        Ok(WatchEvent::Progress(Revision(revision)))
    }

    #[tokio::test]
    async fn a_queue_is_full_beyond_its_limit_and_drained_at_half_of_it() {
        let (sender, mut reader) = queue(10);
        sender.push(vec![mark(1), mark(2)], 8);
        assert!(!sender.is_full() && !sender.is_empty());
        sender.push(vec![mark(3)], 4);
        assert!(sender.is_full(), "12 bytes wait in a queue of 10");
        assert!(sender.drained().now_or_never().is_none(), "nothing was read");
        let revisions =
            [reader.next().await, reader.next().await].map(|item| item.expect("two").expect("events").revision());
        assert_eq!(revisions, [Revision(1), Revision(2)]);
        sender.drained().await;
        assert!(!sender.is_full() && !sender.is_empty());
        drop(reader);
        sender.closed().await;
    }
}
