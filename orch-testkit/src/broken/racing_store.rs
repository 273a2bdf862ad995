//! Stores that are wrong only when clients meet, or that tell what happened wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::{StreamExt as _, future, stream};
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact, Entry, Expect, ListFrom, ListOptions, Page, Store, StoreError, Transact, Value, Watch, WatchEvent,
    Write,
};
use tokio::task::yield_now;

use crate::model::ModelStore;

/// What is wrong with a [`RacingStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaceFlaw {
    /// Checks what is there, and then writes: two writers get in between.
    ChecksThenWrites,
    /// Checks the lease, and then writes: two holders of a lock write (Jepsen on etcd 3.4.3, locks).
    ChecksTheLeaseThenCommits,
    /// Answers all writes of a batch with one revision: a group commit that counts batches.
    GivesARevisionToTwoWrites,
    /// Sends a write whose answer was slow once more, when its object is gone again (etcd#14890, etcd#18424, jetcd#1444).
    RetriesWhatHappened,
    /// Says of a write that timed out that it did not happen (Jepsen tells indefinite from definite errors).
    ReportsFailureOfWhatHappened,
    /// Reports a conflict with a revision from a copy that lags.
    ReportsAnOldConflict,
    /// Reads what was there before a pause, for it did not ask whether it still leads (etcd#20418).
    ReadsStaleAfterAPause,
    /// Lists from a follower without asking the leader how far it is (etcd#741; Jepsen on etcd 0.4).
    ListsFromAFollower,
    /// Lists one half, and the other one after others wrote.
    ListsHalfLater,
    /// Reads the objects first and the revision then: what was written between them is in neither the listing nor the
    /// watch after it (kine#676).
    StatesALaterRevision,
    /// Answers a listing of the past that was compacted, with what is left of it.
    ListsWhatWasCompacted,
    /// Leaves out the deletion at the very revision that was compacted (etcd#18089, etcd#19179).
    DropsTheDeletionAtTheCompaction,
    /// Leaves out what a reader that lags should be told (etcd#17529).
    DropsEventsUnderLoad,
    /// Leaves out what is written while a watch is being opened (etcd#20655).
    DropsTheFirstEvent,
    /// Sends a progress mark that overtakes the events before it (etcd#15220).
    MarksProgressBeforeEvents,
    /// Sends a progress mark between the events of one transaction: a batch of limited length.
    SplitsARevision,
    /// Tells of what was committed first first, not of what has the smaller revision (kine#676).
    SwapsEvents,
    /// Looks up what was there before when it tells of the change, not when it happened (etcd#13131).
    LooksUpThePreviousLate,
    /// Has a new object created when its namesake was.
    KeepsTheCreationOfTheNamesake,
    /// Lets watches hear of the latest change only: a queue of one for each key.
    MergesEventsOfAKey,
}

impl RaceFlaw {
    /// Every flaw.
    pub const ALL: [Self; 20] = [
        Self::ChecksThenWrites,
        Self::ChecksTheLeaseThenCommits,
        Self::GivesARevisionToTwoWrites,
        Self::RetriesWhatHappened,
        Self::ReportsFailureOfWhatHappened,
        Self::ReportsAnOldConflict,
        Self::ReadsStaleAfterAPause,
        Self::ListsFromAFollower,
        Self::ListsHalfLater,
        Self::StatesALaterRevision,
        Self::ListsWhatWasCompacted,
        Self::DropsTheDeletionAtTheCompaction,
        Self::DropsEventsUnderLoad,
        Self::DropsTheFirstEvent,
        Self::MarksProgressBeforeEvents,
        Self::SplitsARevision,
        Self::SwapsEvents,
        Self::LooksUpThePreviousLate,
        Self::KeepsTheCreationOfTheNamesake,
        Self::MergesEventsOfAKey,
    ];
}

/// The model store, but for one flaw that shows only when clients meet, or in what is told of it.
#[derive(Clone, Debug)]
pub struct RacingStore {
    model: ModelStore,
    flaw: Option<RaceFlaw>,
    requests: Arc<AtomicUsize>,
}

impl RacingStore {
    /// A new, empty store with this flaw.
    #[must_use]
    pub fn new(flaw: Option<RaceFlaw>) -> Self {
        Self { model: ModelStore::default(), flaw, requests: Arc::default() }
    }

    fn has(&self, flaw: RaceFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Whether this is one of those requests that something goes wrong with: every `period`-th.
    fn goes_wrong(&self, period: usize) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed) % period == period - 1
    }

    fn lagging(&self, by: u64) -> Revision {
        Revision(self.model.revision().0.saturating_sub(by))
    }

    fn spoil(&self, entry: Entry) -> Entry {
        if !self.has(RaceFlaw::KeepsTheCreationOfTheNamesake) {
            return entry;
        }
        let first = self.model.history().into_iter().find(|change| change.key == entry.key);
        let created = first.map_or(entry.created, |first| first.revision);
        Entry::new(entry.key.clone(), entry.revision, created, entry.value.clone())
    }

    /// Checks what a write expects, lets others go first, and writes whatever is there then.
    async fn check_then_write(&self, checks: &[Check], mut writes: Vec<Write>) -> Result<Revision, StoreError> {
        self.model.commit(checks, Vec::new()).await?;
        if self.has(RaceFlaw::ChecksTheLeaseThenCommits) {
            yield_now().await;
            yield_now().await;
            return self.model.commit(&[], writes).await;
        }
        for write in &writes {
            let check = Check { key: write.key().clone(), expect: write.expect() };
            self.model.commit(&[check], Vec::new()).await?;
        }
        yield_now().await;
        yield_now().await;
        let present = self.model.snapshot();
        for write in &mut writes {
            let found = present.get(write.key()).map(|entry| entry.revision);
            match write {
                Write::Put { expect, .. } => *expect = found.map_or(Expect::Absent, Expect::Revision),
                Write::Delete { expect, .. } => *expect = found.unwrap_or(*expect),
            }
        }
        self.model.commit(&[], writes).await
    }

    /// What becomes of a write's answer.
    fn answer<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match result {
            Ok(_) if self.has(RaceFlaw::ReportsFailureOfWhatHappened) && self.goes_wrong(20) => {
                let message = "the request timed out".to_owned();
                Err(StoreError::Unavailable { message, outcome_is_unknown: false, source: None })
            }
            Err(StoreError::Conflict { key, .. }) if self.has(RaceFlaw::ReportsAnOldConflict) => {
                let found = self.model.snapshot_at(self.lagging(5)).get(&key).map(|entry| entry.revision);
                Err(StoreError::Conflict { key, found })
            }
            result => result,
        }
    }

    /// Writes again, once the object is gone.
    async fn retry(&self, key: &Key, value: &Value) {
        for _ in 0..100 {
            yield_now().await;
            if self.model.put(key, value.clone(), Expect::Absent).await.is_ok() {
                return;
            }
        }
    }

    async fn list_wrongly(&self, flaw: RaceFlaw, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let model = &self.model;
        let latest = matches!(options.from, ListFrom::Latest);
        match flaw {
            RaceFlaw::ListsFromAFollower if latest => {
                let from = ListFrom::At(self.lagging(3));
                match model.list(prefix, ListOptions { from, ..options.clone() }).await {
                    Err(StoreError::Compacted { .. }) => model.list(prefix, options).await,
                    page => page,
                }
            }
            RaceFlaw::ListsHalfLater if latest => {
                let mut page = model.list(prefix, options.clone()).await?;
                yield_now().await;
                let later = model.list(prefix, options).await?;
                let half = page.entries.len() / 2;
                let mut entries: Vec<Entry> = page.entries.into_iter().take(half + 1).collect();
                if let Some(seen) = entries.last().map(|last| last.key.clone()) {
                    entries.extend(later.entries.into_iter().filter(|entry| entry.key > seen));
                }
                page.entries = entries.into();
                page.next = None;
                page.revision = later.revision;
                Ok(page)
            }
            RaceFlaw::StatesALaterRevision if latest => {
                let mut page = model.list(prefix, options).await?;
                yield_now().await;
                page.revision = model.revision();
                page.next.iter_mut().for_each(|next| next.revision = page.revision);
                Ok(page)
            }
            RaceFlaw::ListsWhatWasCompacted => match model.list(prefix, options.clone()).await {
                Err(StoreError::Compacted { requested, oldest }) => {
                    let from = match options.from {
                        ListFrom::Continue(mut next) => {
                            next.revision = oldest;
                            ListFrom::Continue(next)
                        }
                        _ => ListFrom::At(oldest),
                    };
                    let mut page = model.list(prefix, ListOptions { from, ..options }).await?;
                    page.revision = requested;
                    page.next.iter_mut().for_each(|next| next.revision = requested);
                    Ok(page)
                }
                page => page,
            },
            _ => model.list(prefix, options).await,
        }
    }

    /// What a watch makes of one event.
    fn told(&self, watch: &mut Told, event: WatchEvent) -> Vec<WatchEvent> {
        let revision = event.revision();
        let is_delete = matches!(event, WatchEvent::Delete { .. });
        let first = std::mem::replace(&mut watch.first, false);
        let latest = self.model.revision();
        match self.flaw {
            Some(RaceFlaw::DropsTheDeletionAtTheCompaction) if is_delete && first => Vec::new(),
            Some(RaceFlaw::DropsTheFirstEvent) if first && revision == latest => Vec::new(),
            Some(RaceFlaw::DropsEventsUnderLoad) if revision.0 + 25 < latest.0 => Vec::new(),
            Some(RaceFlaw::MarksProgressBeforeEvents) if self.goes_wrong(30) => {
                vec![WatchEvent::Progress(latest), event]
            }
            Some(RaceFlaw::SplitsARevision) if !matches!(event, WatchEvent::Progress(_)) => {
                vec![event, WatchEvent::Progress(revision)]
            }
            Some(RaceFlaw::SwapsEvents) => match watch.held.take() {
                Some(held) => vec![event, held],
                None if self.goes_wrong(30) => {
                    watch.held = Some(event);
                    Vec::new()
                }
                None => vec![event],
            },
            Some(RaceFlaw::LooksUpThePreviousLate) => match event {
                WatchEvent::Put { entry, previous: Some(_) } => {
                    let before = self.model.snapshot_at(Revision(latest.0 - 1));
                    vec![WatchEvent::Put { previous: before.get(&entry.key).cloned(), entry }]
                }
                other => vec![other],
            },
            Some(RaceFlaw::MergesEventsOfAKey) => match &event {
                WatchEvent::Put { entry, .. } => {
                    let present = self.model.snapshot();
                    let stands = present.get(&entry.key).is_some_and(|now| now.revision == revision);
                    if stands { vec![event] } else { Vec::new() }
                }
                _ => vec![event],
            },
            _ => vec![match event {
                WatchEvent::Put { entry, previous } => {
                    WatchEvent::Put { entry: self.spoil(entry), previous: previous.map(|entry| self.spoil(entry)) }
                }
                other => other,
            }],
        }
    }
}

/// What a wrong watch remembers.
struct Told {
    first: bool,
    held: Option<WatchEvent>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for RacingStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if self.has(RaceFlaw::ReadsStaleAfterAPause) && self.goes_wrong(20) {
            return Ok(self.model.snapshot_at(self.lagging(30)).get(key).cloned());
        }
        Ok(self.model.get(key).await?.map(|entry| self.spoil(entry)))
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let mut page = match self.flaw {
            Some(flaw) => self.list_wrongly(flaw, prefix, options).await?,
            None => self.model.list(prefix, options).await?,
        };
        page.entries = page.entries.into_iter().map(|entry| self.spoil(entry)).collect();
        Ok(page)
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        match self.flaw {
            Some(RaceFlaw::ChecksThenWrites) => {
                let write = Write::Put { key: key.clone(), value: value.clone(), expect };
                let revision = self.check_then_write(&[], vec![write]).await?;
                let written = self.model.snapshot_at(revision).get(key).cloned();
                Ok(written.expect("it was written at this revision"))
            }
            Some(RaceFlaw::RetriesWhatHappened) if expect == Expect::Absent && self.goes_wrong(5) => {
                let entry = self.model.put(key, value.clone(), expect).await?;
                self.retry(key, &value).await;
                Ok(entry)
            }
            Some(RaceFlaw::GivesARevisionToTwoWrites) if self.goes_wrong(20) => {
                let entry = self.model.put(key, value, expect).await?;
                let batch = Revision(entry.revision.0 - entry.revision.0 % 2);
                Ok(Entry::new(key.clone(), batch, entry.created.min(batch), entry.value.clone()))
            }
            _ => self.answer(self.model.put(key, value, expect).await).map(|entry| self.spoil(entry)),
        }
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.commit(&[], vec![Write::Delete { key: key.clone(), expect }]).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let watch = self.model.watch(prefix, after).await?;
        let compacted = match self.model.list(prefix, ListOptions { limit: None, from: ListFrom::At(after) }).await {
            Err(StoreError::Compacted { oldest, .. }) => oldest == after.next(),
            _ => false,
        };
        let first = compacted || self.has(RaceFlaw::DropsTheFirstEvent);
        let (store, mut told) = (self.clone(), Told { first, held: None });
        Ok(Watch::new(
            watch
                .map(move |item| match item {
                    Ok(event) => store.told(&mut told, event).into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                })
                .filter(|items| future::ready(!items.is_empty()))
                .flat_map(stream::iter),
        ))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Compact for RacingStore {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.model.compact(revision).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for RacingStore {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        match self.flaw {
            Some(RaceFlaw::ChecksThenWrites | RaceFlaw::ChecksTheLeaseThenCommits) if !writes.is_empty() => {
                self.check_then_write(checks, writes).await
            }
            _ => self.answer(self.model.commit(checks, writes).await),
        }
    }
}
