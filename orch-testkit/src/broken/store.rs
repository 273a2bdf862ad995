//! Wrong stores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt as _, future, stream};
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact, Entry, Expect, ListFrom, ListOptions, Page, Store, StoreError, Stored, Transact, Value, Watch,
    WatchEvent, Write,
};

use crate::model::ModelStore;

/// What is wrong with a [`FlawedStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Acknowledges before the write is safe, and then loses it: a missing fsync.
    LosesAcknowledgedWrites,
    /// Overwrites whatever is there: an `apply` without a precondition.
    IgnoresExpectations,
    /// Counts the changes of each object instead of all of them: etcd's `version` taken for its `mod_revision`.
    CountsRevisionsPerObject,
    /// Retries a write whose answer was lost, finds its own write there and reports a conflict: Jepsen on etcd 3.4.
    ReportsItsOwnWriteAsAConflict,
    /// Leaves the revision out of the objects that are read, so every change based on them looks like a first one.
    ForgetsToMarkObjects,
    /// Forgets which write created an object when it is changed.
    ForgetsCreation,
    /// Reads from a cache that lags: a restarted kubelet ran pods that lived elsewhere (kubernetes#59848).
    ReadsFromALaggingCopy,
    /// Goes on with the latest state where a page ended: objects moved between pages are missed or doubled.
    ListsPagesAtDifferentRevisions,
    /// Answers what asks for a revision that it has not reached, as after a restore from a backup.
    ServesFutureRevisions,
    /// Takes `pods/a` for a prefix of `pods/ab/x`: a separator forgotten.
    MatchesPrefixesWithoutSeparator,
    /// Tells the change at the seam between replay and live events twice.
    RepeatsTheEventAtTheSeam,
    /// Reads the past first and then subscribes: what is written in between is lost.
    LosesEventsAtTheSeam,
    /// Sends events through a queue of limited length, and drops what does not fit.
    DropsEventsOfSlowReaders,
    /// Tells the latest revision as reached before the events up to it were delivered.
    MarksProgressTooEarly,
    /// Says nothing about writes elsewhere, so a quiet watch cannot be resumed after a compaction.
    NeverMarksProgress,
    /// Ends a watch without a word, as a proxy between client and store does after its time-out.
    EndsWatchesSilently,
    /// Has the object as it is where the object as it was belongs.
    TellsTheWrongPrevious,
    /// Goes on with the oldest change that is kept where a watch was overtaken by compaction.
    SkipsCompactedEvents,
    /// Forgets objects whose last write was compacted.
    CompactsLiveObjects,
    /// Makes the writes of a transaction one by one, until one is refused.
    CommitsHalfTransactions,
    /// Does not look at checks: two leaders write.
    IgnoresChecks,
    /// Checks after the writes were looked at, so a leader that was replaced is told of another conflict.
    ReportsWritesBeforeChecks,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 22] = [
        (Self::LosesAcknowledgedWrites, "R1"),
        (Self::IgnoresExpectations, "W2"),
        (Self::CountsRevisionsPerObject, "W1"),
        (Self::ReportsItsOwnWriteAsAConflict, "W2"),
        (Self::ForgetsToMarkObjects, "W4"),
        (Self::ForgetsCreation, "W4"),
        (Self::ReadsFromALaggingCopy, "R1"),
        (Self::ListsPagesAtDifferentRevisions, "R2"),
        (Self::ServesFutureRevisions, "R3"),
        (Self::MatchesPrefixesWithoutSeparator, "E5"),
        (Self::RepeatsTheEventAtTheSeam, "E2"),
        (Self::LosesEventsAtTheSeam, "E4"),
        (Self::DropsEventsOfSlowReaders, "E7"),
        (Self::MarksProgressTooEarly, "E6"),
        (Self::NeverMarksProgress, "E6"),
        (Self::EndsWatchesSilently, "E7"),
        (Self::TellsTheWrongPrevious, "E8"),
        (Self::SkipsCompactedEvents, "C1"),
        (Self::CompactsLiveObjects, "C2"),
        (Self::CommitsHalfTransactions, "T1"),
        (Self::IgnoresChecks, "T2"),
        (Self::ReportsWritesBeforeChecks, "T3"),
    ];
}

/// The model store, but for one flaw.
#[derive(Clone, Debug)]
pub struct FlawedStore {
    model: ModelStore,
    flaw: Option<Flaw>,
    writes: Arc<AtomicUsize>,
    compacted: Arc<Mutex<Revision>>,
}

impl FlawedStore {
    /// A new, empty store with this flaw.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self { model: ModelStore::default(), flaw, writes: Arc::default(), compacted: Arc::default() }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Whether this is one of those writes that something goes wrong with.
    fn goes_wrong(&self) -> bool {
        self.writes.fetch_add(1, Ordering::Relaxed) % 5 == 4
    }

    fn compacted(&self) -> Revision {
        *self.compacted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the flaw makes of an entry that is read or was written.
    fn spoil(&self, entry: Entry) -> Option<Entry> {
        let mut entry = Stored::from(entry);
        match self.flaw {
            Some(Flaw::CompactsLiveObjects) if entry.revision < self.compacted() => return None,
            Some(Flaw::ForgetsToMarkObjects) => entry.value = Value::from_json(entry.value.encode().ok()?),
            Some(Flaw::ForgetsCreation) => entry.created = entry.revision,
            Some(Flaw::CountsRevisionsPerObject) => {
                let history = self.model.history();
                let writes =
                    history.iter().filter(|change| change.key == entry.key && change.revision <= entry.revision);
                entry.revision = Revision(writes.count() as u64);
            }
            _ => {}
        }
        Some(entry.into())
    }

    /// What a write expects, after the flaw has had its way.
    async fn expectation(&self, key: &Key, expect: Expect) -> Result<Expect, StoreError> {
        if !self.has(Flaw::IgnoresExpectations) && !self.has(Flaw::CountsRevisionsPerObject) {
            return Ok(expect);
        }
        Ok(self.model.get(key).await?.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision)))
    }

    /// The objects under what the prefix would be without its last separator.
    async fn list_loosely(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let mut page = self.model.list(&Prefix::all(), ListOptions { limit: None, ..options.clone() }).await?;
        let loose = prefix.as_str().trim_end_matches('/');
        page.entries = page.entries.into_iter().filter(|entry| entry.key.as_str().starts_with(loose)).collect();
        Ok(page)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for FlawedStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if self.has(Flaw::ReadsFromALaggingCopy) {
            let lagging = Revision(self.model.revision().0.saturating_sub(1));
            return Ok(self.model.snapshot_at(lagging).get(key).cloned());
        }
        Ok(self.model.get(key).await?.and_then(|entry| self.spoil(entry)))
    }

    async fn list(&self, prefix: &Prefix, mut options: ListOptions) -> Result<Page, StoreError> {
        let latest = self.model.revision();
        match &mut options.from {
            ListFrom::At(revision) if self.has(Flaw::ServesFutureRevisions) => *revision = latest.min(*revision),
            ListFrom::Continue(next) if self.has(Flaw::ListsPagesAtDifferentRevisions) => {
                let stated = std::mem::replace(&mut next.revision, latest);
                let mut page = self.model.list(prefix, options).await?;
                page.revision = stated;
                page.next.iter_mut().for_each(|next| next.revision = stated);
                return Ok(page);
            }
            _ if self.has(Flaw::MatchesPrefixesWithoutSeparator) => return self.list_loosely(prefix, options).await,
            _ => {}
        }
        let mut page = self.model.list(prefix, options).await?;
        page.entries = page.entries.into_iter().filter_map(|entry| self.spoil(entry)).collect();
        Ok(page)
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let goes_wrong = self.goes_wrong();
        if self.has(Flaw::LosesAcknowledgedWrites) && goes_wrong {
            let lost = ModelStore::default();
            let entry = lost.put(key, value, Expect::Absent).await?;
            return Ok(Stored { revision: self.model.revision().next(), ..entry.into() }.into());
        }
        let expect = self.expectation(key, expect).await?;
        let entry = self.model.put(key, value, expect).await?;
        if self.has(Flaw::ReportsItsOwnWriteAsAConflict) && goes_wrong {
            return Err(StoreError::Conflict { key: key.clone(), found: Some(entry.revision) });
        }
        Ok(self.spoil(entry.clone()).unwrap_or(entry))
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        match self.expectation(key, Expect::Revision(expect)).await? {
            Expect::Revision(revision) => self.model.delete(key, revision).await,
            Expect::Absent => Err(StoreError::Conflict { key: key.clone(), found: None }),
        }
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let model = &self.model;
        let latest = model.revision();
        match self.flaw {
            Some(Flaw::ServesFutureRevisions) => model.watch(prefix, after.min(latest)).await,
            Some(Flaw::SkipsCompactedEvents) => model.watch(prefix, after.max(self.compacted())).await,
            Some(Flaw::MatchesPrefixesWithoutSeparator) => {
                let loose = prefix.as_str().trim_end_matches('/').to_owned();
                let all = model.watch(&Prefix::all(), after).await?;
                Ok(filter(all, move |event| key_of(event).is_none_or(|key| key.as_str().starts_with(&loose))))
            }
            Some(Flaw::LosesEventsAtTheSeam) => {
                let (past, model, prefix) = (model.watch(prefix, after).await?, model.clone(), prefix.clone());
                let past = past.take_while(move |item| {
                    future::ready(item.as_ref().is_ok_and(|event| event.revision() <= latest && latest > after))
                });
                let live = stream::once(async move { model.watch(&prefix, model.revision()).await });
                Ok(Watch::new(past.chain(live.filter_map(|watch| future::ready(watch.ok())).flatten())))
            }
            Some(Flaw::DropsEventsOfSlowReaders) => {
                let (inner, model) = (model.watch(prefix, after).await?, model.clone());
                Ok(filter(inner, move |event| event.revision().0 + 100 > model.revision().0))
            }
            Some(Flaw::MarksProgressTooEarly) => {
                let early = stream::iter([Ok(WatchEvent::Progress(latest))]);
                Ok(Watch::new(early.chain(model.watch(prefix, after).await?)))
            }
            Some(Flaw::NeverMarksProgress) => {
                Ok(filter(model.watch(prefix, after).await?, |event| key_of(event).is_some()))
            }
            Some(Flaw::EndsWatchesSilently) => Ok(Watch::new(model.watch(prefix, after).await?.take(50))),
            Some(Flaw::RepeatsTheEventAtTheSeam) => {
                let repeated = model.watch(prefix, after).await?.flat_map(move |item| {
                    let again = match &item {
                        Ok(event) if event.revision() == latest => Some(Ok(event.clone())),
                        _ => None,
                    };
                    stream::iter([Some(item), again].into_iter().flatten())
                });
                // A reader that begins at the seam gets the event before it once more.
                let before = Revision(after.0.saturating_sub(u64::from(after == latest)));
                let seam = if before < after { model.watch(prefix, before).await.ok() } else { None };
                let seam = stream::iter(seam).flatten().take(usize::from(before < after));
                Ok(Watch::new(seam.chain(repeated)))
            }
            Some(Flaw::TellsTheWrongPrevious) => Ok(Watch::new(model.watch(prefix, after).await?.map(|item| {
                item.map(|event| match event {
                    WatchEvent::Put { entry, .. } => WatchEvent::Put { previous: Some(entry.clone()), entry },
                    other => other,
                })
            }))),
            _ => {
                let store = self.clone();
                Ok(Watch::new(model.watch(prefix, after).await?.map(move |item| {
                    item.map(|event| match event {
                        WatchEvent::Put { entry, previous } => {
                            let entry = store.spoil(entry.clone()).unwrap_or(entry);
                            WatchEvent::Put { entry, previous: previous.and_then(|entry| store.spoil(entry)) }
                        }
                        other => other,
                    })
                })))
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Compact for FlawedStore {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.model.compact(revision).await?;
        let mut compacted = self.compacted.lock().unwrap_or_else(PoisonError::into_inner);
        *compacted = revision.max(*compacted);
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for FlawedStore {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        match self.flaw {
            Some(Flaw::IgnoresChecks) => self.model.commit(&[], writes).await,
            Some(Flaw::CommitsHalfTransactions) => {
                let mut revision = self.model.commit(checks, Vec::new()).await?;
                for write in writes {
                    revision = self.model.commit(&[], vec![write]).await?;
                }
                Ok(revision)
            }
            Some(Flaw::ReportsWritesBeforeChecks) => {
                for write in &writes {
                    let check = Check { key: write.key().clone(), expect: write.expect() };
                    self.model.commit(&[check], Vec::new()).await?;
                }
                self.model.commit(checks, writes).await
            }
            _ => self.model.commit(checks, writes).await,
        }
    }
}

fn key_of(event: &WatchEvent) -> Option<&Key> {
    match event {
        WatchEvent::Put { entry, .. } => Some(&entry.key),
        WatchEvent::Delete { key, .. } => Some(key),
        WatchEvent::Progress(_) => None,
    }
}

/// The errors of a watch and those of its events that `keep` keeps.
fn filter(watch: Watch, keep: impl Fn(&WatchEvent) -> bool + Send + 'static) -> Watch {
    Watch::new(watch.filter(move |item| future::ready(item.as_ref().map_or(true, &keep))))
}
