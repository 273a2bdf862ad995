//! Stores that crash now and then, and come back wrong.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _, stream};
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, WatchEvent, Write,
};
use tokio::sync::watch;

use crate::model::{Change, ModelStore};

/// After so many writes, it crashes.
const WRITES_OF_A_LIFE: usize = 40;

/// How a [`CrashingStore`] comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashFlaw {
    /// Without the last writes, which it had acknowledged before they were on disk (etcd#14370).
    LosesAcknowledgedWrites,
    /// Without one write in the middle: the position in the log was saved before the data (etcd#13766).
    SkipsAnEntryOfItsLog,
    /// With the last write made twice: the data was saved before the position in the log (etcd#13766).
    AppliesAnEntryTwice,
    /// With an earlier revision, for it takes that of the last object it finds, and the last writes were deletions
    /// whose marks were compacted away (etcd#17780, etcd#16693).
    GoesBackToAnEarlierRevision,
    /// With some of a transaction's writes only: one record for each (python-etcd3#729 saw the like in a watch).
    KeepsHalfOfATransaction,
    /// With an object that was deleted: the mark of the deletion was thrown away first, as Cassandra does with
    /// tombstones that not all replicas have seen.
    RevivesADeletedObject,
    /// Without a live object: compaction threw it away with its earlier namesake (etcd#22376).
    ForgetsALiveObject,
    /// Without a write that it had told watches of before it was on disk (etcd#14140 is about reads).
    TellsWatchesOfWhatItLoses,
    /// As it was in the backup, from which it goes on; a watch from what is now the future is taken as one from now
    /// (etcd#16028, etcd#19487).
    IsRestoredFromABackup,
    /// And its watches go on with the event that they had told last (etcd#17247).
    RepeatsTheLastEvent,
    /// And its watches go on from where they once began (etcd#11955).
    StartsWatchesAnew,
    /// And its watches go on from now, whatever they had told (dotnet-etcd#310).
    ResumesWatchesFromNow,
}

impl CrashFlaw {
    /// Every flaw.
    pub const ALL: [Self; 12] = [
        Self::LosesAcknowledgedWrites,
        Self::SkipsAnEntryOfItsLog,
        Self::AppliesAnEntryTwice,
        Self::GoesBackToAnEarlierRevision,
        Self::KeepsHalfOfATransaction,
        Self::RevivesADeletedObject,
        Self::ForgetsALiveObject,
        Self::TellsWatchesOfWhatItLoses,
        Self::IsRestoredFromABackup,
        Self::RepeatsTheLastEvent,
        Self::StartsWatchesAnew,
        Self::ResumesWatchesFromNow,
    ];
}

/// The model store, which crashes after every forty writes and comes back: right without a flaw, wrong with one. A crash
/// ends its watches, and the write during which it happened is of unknown outcome.
#[derive(Clone, Debug)]
pub struct CrashingStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    flaw: Option<CrashFlaw>,
    life: Mutex<Life>,
    writes: AtomicUsize,
    /// It has crashed, and nobody has noticed yet.
    down: AtomicBool,
    lives: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Life {
    model: ModelStore,
    compacted: Revision,
}

impl CrashingStore {
    /// A new, empty store with this flaw.
    #[must_use]
    pub fn new(flaw: Option<CrashFlaw>) -> Self {
        let (life, writes, down) = (Mutex::default(), AtomicUsize::new(0), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { flaw, life, writes, down, lives: watch::Sender::new(0) }) }
    }

    fn has(&self, flaw: CrashFlaw) -> bool {
        self.shared.flaw == Some(flaw)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.shared.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store as it is in this life; a new one begins if the last one has ended.
    fn model(&self) -> ModelStore {
        let mut life = self.life();
        if self.shared.down.swap(false, Ordering::SeqCst) {
            life.model = self.come_back(&life);
            self.shared.lives.send_modify(|lives| *lives += 1);
        }
        life.model.clone()
    }

    /// Makes a write, perhaps the last one of this life.
    fn write<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let done = result?;
        if (self.shared.writes.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(WRITES_OF_A_LIFE) {
            self.shared.down.store(true, Ordering::SeqCst);
            return Err(unavailable(true));
        }
        Ok(done)
    }

    /// The next life, made from what this one left on disk.
    fn come_back(&self, life: &Life) -> ModelStore {
        let history = life.model.history();
        let last = life.model.revision();
        let model = self.replay(&history, last);
        if self.has(CrashFlaw::AppliesAnEntryTwice)
            && let Some(entry) = history.last().and_then(|change| change.entry.clone())
        {
            let put = model.put(&entry.key, entry.value.clone(), Expect::Revision(entry.revision));
            put.now_or_never().expect("the model waits for nothing").expect("it is as it was written");
        }
        let compacted = life.compacted.min(model.revision());
        model.compact(compacted).now_or_never().expect("the model waits for nothing").expect("it is reached");
        model
    }

    fn replay(&self, history: &[Change], last: Revision) -> ModelStore {
        let model = ModelStore::default();
        let lost = match self.shared.flaw {
            Some(CrashFlaw::LosesAcknowledgedWrites) => 3,
            Some(CrashFlaw::TellsWatchesOfWhatItLoses) => 1,
            Some(CrashFlaw::IsRestoredFromABackup) => 20,
            _ => 0,
        };
        let deletions = history.iter().rev().take_while(|change| change.entry.is_none()).count();
        let (before, trailing) = history.split_at(history.len() - deletions);
        let went_back = self.has(CrashFlaw::GoesBackToAnEarlierRevision) && deletions > 0;
        let until = if went_back { before.last().map_or(0, |last| last.revision.0) } else { last.0 - lost };
        for revision in (1..=until).map(Revision) {
            let group: Vec<&Change> = history.iter().filter(|change| change.revision == revision).collect();
            let kept = group.iter().enumerate().filter(|(place, change)| match self.shared.flaw {
                Some(CrashFlaw::SkipsAnEntryOfItsLog) => revision.0 != last.0 - 2,
                Some(CrashFlaw::KeepsHalfOfATransaction) => revision.0 < last.0 - 10 || *place == 0,
                Some(CrashFlaw::RevivesADeletedObject) => !is_last_deletion(history, change),
                Some(CrashFlaw::ForgetsALiveObject) => {
                    history.get(history.len() - 5).is_none_or(|forgotten| forgotten.key != change.key)
                }
                Some(CrashFlaw::GoesBackToAnEarlierRevision) if went_back => {
                    trailing.iter().all(|deleted| deleted.key != change.key)
                }
                _ => true,
            });
            let writes: Vec<Write> = kept.map(|(_, change)| repeat(&model, change)).collect();
            if writes.is_empty() {
                model.skip_revision();
            } else {
                model.commit(&[], writes).now_or_never().expect("the model waits for nothing").expect("it fits");
            }
        }
        model
    }

    /// Where a watch goes on after a crash; `None` if it ends, as it should.
    fn resumes_after(&self, model: &ModelStore, after: Revision, reached: Revision) -> Option<Revision> {
        match self.shared.flaw? {
            CrashFlaw::RepeatsTheLastEvent => Some(Revision(reached.0.saturating_sub(1)).max(self.life().compacted)),
            CrashFlaw::StartsWatchesAnew => Some(after.max(self.life().compacted)),
            CrashFlaw::ResumesWatchesFromNow => Some(model.revision()),
            _ => None,
        }
    }
}

/// Whether this deletion is the last one of all.
fn is_last_deletion(history: &[Change], change: &Change) -> bool {
    let last = history.iter().rev().find(|change| change.entry.is_none());
    last.is_some_and(|last| (last.revision, &last.key) == (change.revision, &change.key))
}

/// The write that made a change, for a store in which something else may be missing.
fn repeat(model: &ModelStore, change: &Change) -> Write {
    let found = model.snapshot().get(&change.key).map(|entry| entry.revision);
    let key = change.key.clone();
    match (&change.entry, found) {
        (Some(entry), found) => {
            Write::Put { key, value: entry.value.clone(), expect: found.map_or(Expect::Absent, Expect::Revision) }
        }
        (None, found) => Write::Delete { key, expect: found.unwrap_or_default() },
    }
}

fn unavailable(outcome_is_unknown: bool) -> StoreError {
    StoreError::Unavailable { message: "the store crashed".to_owned(), outcome_is_unknown, source: None }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for CrashingStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.model().get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.model().list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.write(self.model().put(key, value, expect).await)
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.write(self.model().delete(key, expect).await)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let model = self.model();
        let from = if self.has(CrashFlaw::IsRestoredFromABackup) { after.min(model.revision()) } else { after };
        let watch = model.watch(prefix, from).await?;
        let reader = Reader {
            lives: self.shared.lives.subscribe(),
            store: self.clone(),
            prefix: prefix.clone(),
            after,
            reached: after,
            watch: Some(watch),
        };
        Ok(Watch::new(stream::unfold(reader, |mut reader| async {
            let item = reader.next().await?;
            Some((item, reader))
        })))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Compact for CrashingStore {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.model().compact(revision).await?;
        let mut life = self.life();
        life.compacted = life.compacted.max(revision);
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for CrashingStore {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        let nothing = writes.is_empty();
        let result = self.model().commit(checks, writes).await;
        if nothing { result } else { self.write(result) }
    }
}

/// A watch, which ends with its store's life.
struct Reader {
    store: CrashingStore,
    lives: watch::Receiver<usize>,
    prefix: Prefix,
    after: Revision,
    reached: Revision,
    watch: Option<Watch>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<WatchEvent, StoreError>> {
        loop {
            let watch = self.watch.as_mut()?;
            let item = tokio::select! {
                biased;
                item = watch.next() => item,
                _ = self.lives.changed() => {
                    let model = self.store.model();
                    let resumed = match self.store.resumes_after(&model, self.after, self.reached) {
                        Some(after) => model.watch(&self.prefix, after).await,
                        None => Err(unavailable(false)),
                    };
                    match resumed {
                        Ok(watch) => {
                            self.watch = Some(watch);
                            continue;
                        }
                        Err(error) => Some(Err(error)),
                    }
                }
            };
            match &item {
                Some(Ok(event)) => self.reached = event.revision(),
                _ => self.watch = None,
            }
            return item;
        }
    }
}
