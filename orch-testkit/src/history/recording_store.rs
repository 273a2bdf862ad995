//! [`RecordingStore`]: a store as one client uses it, written down.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use futures::{Stream, StreamExt as _};
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, WatchEvent, Write,
};

use super::fingerprint::Fingerprints;
use super::operation::{Answer, ClientId, Intent, Outcome, Refusal, Request, Seen, Tick};
use super::recorder::Recorder;
use super::watched::{Told, WatchEnd};

/// A store as one client uses it: passes everything on, and writes down what was asked, when, and what came of it. Made
/// by [`Recorder::client`]. A clone is the same client.
///
/// A future that is dropped leaves an operation of unknown outcome behind, as does an error that says so.
#[derive(Debug)]
pub struct RecordingStore<S: ?Sized> {
    recorder: Recorder,
    client: ClientId,
    store: Arc<S>,
}

impl<S: ?Sized> Clone for RecordingStore<S> {
    fn clone(&self) -> Self {
        Self { recorder: self.recorder.clone(), client: self.client, store: Arc::clone(&self.store) }
    }
}

impl<S: Store + ?Sized> RecordingStore<S> {
    pub(super) fn new(recorder: Recorder, client: ClientId, store: Arc<S>) -> Self {
        Self { recorder, client, store }
    }

    fn seen(&self, entry: &Entry) -> Seen {
        Seen::of(entry, self.recorder.fingerprints())
    }

    /// Does it, and writes down when it was asked for, when it was answered and what came of it.
    async fn record<T>(
        &self,
        request: Request,
        work: impl Future<Output = Result<T, StoreError>>,
        answer: impl FnOnce(&T) -> Answer,
    ) -> Result<T, StoreError> {
        let place = self.recorder.invoke(self.client, request);
        let result = work.await;
        let returned = self.recorder.tick();
        let outcome = match &result {
            Ok(done) => Outcome::Answered(answer(done)),
            Err(error) if error.outcome_is_unknown() => Outcome::Unknown,
            Err(error) => Outcome::Refused(Refusal::of(error)),
        };
        self.recorder.finish(place, returned, outcome);
        result
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for RecordingStore<S> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let answer = |found: &Option<Entry>| Answer::Found(found.as_ref().map(|entry| self.seen(entry)));
        self.record(Request::Get { key: key.clone() }, self.store.get(key), answer).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let request = Request::List { prefix: prefix.clone(), from: options.from.clone(), limit: options.limit };
        let answer = |page: &Page| Answer::Page {
            entries: page.entries.iter().map(|entry| self.seen(entry)).collect(),
            revision: page.revision,
            next: page.next.clone(),
        };
        self.record(request, self.store.list(prefix, options), answer).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let request = Request::Put { key: key.clone(), value: self.recorder.fingerprints().of(&value), expect };
        self.record(request, self.store.put(key, value, expect), |entry| Answer::Put(self.seen(entry))).await
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let request = Request::Delete { key: key.clone(), expect };
        self.record(request, self.store.delete(key, expect), |revision| Answer::Done(*revision)).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let place = self.recorder.watch(self.client, prefix, after);
        let mut recorded = RecordedWatch { recorder: self.recorder.clone(), place, inner: None };
        match self.store.watch(prefix, after).await {
            Ok(watch) => {
                recorded.inner = Some(watch);
                Ok(Watch::new(recorded))
            }
            Err(error) => {
                self.recorder.watch_refused(place, self.recorder.tick(), Refusal::of(&error));
                Err(error)
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Transact + ?Sized> Transact for RecordingStore<S> {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        let request = Request::Commit {
            checks: checks.to_vec(),
            writes: writes.iter().map(|write| intent(write, self.recorder.fingerprints())).collect(),
        };
        self.record(request, self.store.commit(checks, writes), |revision| Answer::Done(*revision)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Compact + ?Sized> Compact for RecordingStore<S> {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.record(Request::Compact { revision }, self.store.compact(revision), |()| Answer::Compacted).await
    }
}

fn intent(write: &Write, fingerprints: &Fingerprints) -> Intent {
    let value = match write {
        Write::Put { value, .. } => Some(fingerprints.of(value)),
        Write::Delete { .. } => None,
    };
    Intent { key: write.key().clone(), expect: write.expect(), value }
}

/// A watch that is written down: also that it was dropped, even before it was open.
struct RecordedWatch {
    recorder: Recorder,
    place: usize,
    inner: Option<Watch>,
}

impl Stream for RecordedWatch {
    type Item = Result<WatchEvent, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let item = ready!(inner.poll_next_unpin(context));
        let at: Tick = self.recorder.tick();
        match &item {
            Some(Ok(event)) => self.recorder.told(self.place, at, Told::of(event, self.recorder.fingerprints())),
            Some(Err(error)) => self.recorder.watch_refused(self.place, at, Refusal::of(error)),
            None => self.recorder.watch_ended(self.place, WatchEnd::WithoutAWord(at)),
        }
        Poll::Ready(item)
    }
}

impl Drop for RecordedWatch {
    fn drop(&mut self) {
        self.recorder.watch_ended(self.place, WatchEnd::Dropped);
    }
}
