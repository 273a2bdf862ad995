//! [`Witness`]: watches everything, and looks at everything in the end.

use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{Expect, ListOptions, Store, StoreError, Watch};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, timeout_at};

use super::objects;
use crate::history::recorder::Recorder;
use crate::history::recording_store::RecordingStore;

/// How long it waits when the store is unavailable.
const PAUSE: Duration = Duration::from_millis(20);

/// Watches everything, so that a write of unknown outcome is told; and looks at everything in the end, so that a write
/// that was lost is missed.
pub(super) struct Witness<S: ?Sized> {
    recorder: Recorder,
    store: RecordingStore<S>,
    patience: Duration,
    watch: Option<Watch>,
    reached: Revision,
}

impl<S: Store> Witness<S> {
    pub(super) async fn new(recorder: Recorder, store: RecordingStore<S>, patience: Duration) -> Self {
        let mut witness = Self { recorder, store, patience, watch: None, reached: Revision::ZERO };
        let end = Instant::now() + patience;
        while let Err(StoreError::Unavailable { .. }) = witness.open().await
            && Instant::now() < end
        {
            sleep(PAUSE).await;
        }
        witness
    }

    /// Watches after what it has seen, or after a new listing if it has seen nothing or that is no longer kept.
    async fn open(&mut self) -> Result<(), StoreError> {
        if self.reached == Revision::ZERO {
            self.reached = self.store.list(&Prefix::all(), ListOptions::default()).await?.revision;
        }
        match self.store.watch(&Prefix::all(), self.reached).await {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => {
                self.lost(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    fn lost(&mut self, error: &StoreError) {
        self.watch = None;
        if let StoreError::Compacted { .. } = error {
            self.reached = Revision::ZERO;
        }
    }

    /// Watches until the channel is closed.
    pub(super) async fn observe(&mut self, mut end: Receiver<()>) {
        let closed = async move { while end.changed().await.is_ok() {} };
        tokio::select! {
            biased;
            () = closed => {}
            () = async { loop { self.next().await; } } => {}
        }
    }

    /// The next item, after opening the watch if need be.
    async fn next(&mut self) {
        let Some(watch) = &mut self.watch else {
            if self.open().await.is_err() {
                sleep(PAUSE).await;
            }
            return;
        };
        match watch.next().await {
            Some(Ok(event)) => self.reached = event.revision(),
            Some(Err(error)) => self.lost(&error),
            None => self.watch = None,
        }
    }

    /// Looks at everything, makes a last write, and waits until every watch has told of it. Returns the watches: one
    /// that is dropped has nothing to answer for.
    #[must_use]
    pub(super) async fn finish(&mut self, mut watches: Vec<Watch>) -> Vec<Watch> {
        let end = Instant::now() + self.patience;
        let last = loop {
            match self.last_write().await {
                Ok(revision) => break revision,
                Err(StoreError::Unavailable { .. } | StoreError::Conflict { .. }) if Instant::now() < end => {
                    sleep(PAUSE).await;
                }
                Err(_) => return watches,
            }
        };
        let end = Instant::now() + self.patience;
        for watch in &mut watches {
            while let Ok(Some(Ok(event))) = timeout_at(end, watch.next()).await {
                if event.revision() >= last {
                    break;
                }
            }
        }
        while self.reached < last && timeout_at(end, self.next()).await.is_ok() {}
        self.recorder.settled(last);
        watches
    }

    async fn last_write(&mut self) -> Result<Revision, StoreError> {
        for key in objects::all_keys() {
            self.store.get(&key).await?;
        }
        self.store.list(&Prefix::all(), ListOptions::default()).await?;
        let key = objects::lease("b/end");
        let expect = match self.store.get(&key).await? {
            Some(entry) => Expect::Revision(entry.revision),
            None => Expect::Absent,
        };
        let mark = format!("the end after {}", self.reached);
        Ok(self.store.put(&key, objects::value(&key, &mark), expect).await?.revision)
    }
}
