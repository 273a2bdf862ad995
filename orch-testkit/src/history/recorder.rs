//! [`Recorder`] and the [`History`] that it writes.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::Store;

use super::fingerprint::Fingerprints;
use super::operation::{ClientId, Operation, Outcome, Refusal, Request, Tick};
use super::recording_store::RecordingStore;
use super::watched::{Told, WatchEnd, Watched};

/// Everything that the clients of a store asked and were told, from when the store was empty.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every operation, in the order in which they began.
    pub operations: Vec<Operation>,
    /// Every watch, in the order in which they were asked for.
    pub watches: Vec<Watched>,
    /// What else happened: "member 2 killed". Shown with a violation that it fell into.
    pub notes: Vec<(Tick, String)>,
    /// The readers of all watches that are still open had waited long enough for them to reach this revision.
    pub settled: Option<Revision>,
    /// What repeats it, if anything does.
    pub seed: Option<u64>,
}

impl History {
    /// How many operations and watch events it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len() + self.watches.iter().map(|watch| watch.told.len()).sum::<usize>()
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The part that is about some keys only, for a store whose order of writes holds for these alone (one shard of
    /// several): operations and watches that may be about others too are left out, so no transaction that happened may be.
    #[must_use]
    pub fn restricted_to(mut self, prefix: &Prefix) -> Self {
        let under = |inner: &Prefix| inner.as_str().starts_with(prefix.as_str());
        self.operations.retain(|operation| match &operation.request {
            Request::Get { key } | Request::Put { key, .. } | Request::Delete { key, .. } => prefix.contains(key),
            Request::List { prefix, .. } => under(prefix),
            Request::Commit { checks, writes } => {
                let keys = checks.iter().map(|check| &check.key).chain(writes.iter().map(|write| &write.key));
                keys.clone().next().is_some() && keys.into_iter().all(|key: &Key| prefix.contains(key))
            }
            Request::Compact { .. } => true,
        });
        // Whose history a compaction was about is not told, only that something was forgotten.
        for operation in &mut self.operations {
            if let Request::Compact { .. } = operation.request {
                operation.outcome = Outcome::Unknown;
            }
        }
        self.watches.retain(|watch| under(&watch.prefix));
        self
    }
}

/// Writes down what clients ask of a store and what they are told. Clones write the same history.
///
/// One recorder may serve several stores in turn, as when a store is closed and opened again on the same files: they
/// must then be the same store as far as the contract goes.
#[derive(Clone, Default)]
pub struct Recorder {
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    tick: AtomicU64,
    clients: AtomicUsize,
    history: Mutex<History>,
    fingerprints: Fingerprints,
}

impl Recorder {
    /// A recorder with an empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new client of `store`: a store like it that writes down what goes through it.
    #[must_use]
    pub fn client<S: Store + ?Sized>(&self, store: Arc<S>) -> RecordingStore<S> {
        let client = ClientId(self.log.clients.fetch_add(1, Ordering::Relaxed));
        RecordingStore::new(self.clone(), client, store)
    }

    /// What was recorded so far. What was not answered yet is of unknown outcome.
    #[must_use]
    pub fn history(&self) -> History {
        self.lock().clone()
    }

    /// Notes what else happens, for people who read about a violation.
    pub fn note(&self, words: impl Into<String>) {
        let at = self.tick();
        self.lock().notes.push((at, words.into()));
    }

    /// Notes what repeats this recording.
    pub fn note_seed(&self, seed: u64) {
        self.lock().seed = Some(seed);
    }

    /// States that the readers of all watches still open have waited long enough for them to reach `revision`: one
    /// that has not is silent, though it had something to tell.
    pub fn settled(&self, revision: Revision) {
        self.lock().settled = Some(revision);
    }

    pub(super) fn fingerprints(&self) -> &Fingerprints {
        &self.log.fingerprints
    }

    pub(super) fn tick(&self) -> Tick {
        Tick(self.log.tick.fetch_add(1, Ordering::SeqCst))
    }

    /// An operation begins. Returns its place.
    pub(super) fn invoke(&self, client: ClientId, request: Request) -> usize {
        let mut history = self.lock();
        let invoked = self.tick();
        history.operations.push(Operation { client, invoked, returned: None, request, outcome: Outcome::Unknown });
        history.operations.len() - 1
    }

    /// An operation ended at `returned`.
    pub(super) fn finish(&self, place: usize, returned: Tick, outcome: Outcome) {
        let mut history = self.lock();
        let operation = &mut history.operations[place];
        operation.returned = Some(returned);
        operation.outcome = outcome;
    }

    /// A watch is asked for. Returns its place.
    pub(super) fn watch(&self, client: ClientId, prefix: &Prefix, after: Revision) -> usize {
        let mut history = self.lock();
        let (invoked, prefix) = (self.tick(), prefix.clone());
        history.watches.push(Watched { client, invoked, prefix, after, told: Vec::new(), end: WatchEnd::Open });
        history.watches.len() - 1
    }

    /// A watch told something at `at`.
    pub(super) fn told(&self, place: usize, at: Tick, told: Told) {
        self.lock().watches[place].told.push((at, told));
    }

    /// A watch ended, if it had not before.
    pub(super) fn watch_ended(&self, place: usize, end: WatchEnd) {
        let watch = &mut self.lock().watches[place];
        if matches!(watch.end, WatchEnd::Open) {
            watch.end = end;
        }
    }

    /// A watch was refused at `at`.
    pub(super) fn watch_refused(&self, place: usize, at: Tick, refusal: Refusal) {
        self.watch_ended(place, WatchEnd::Refused(at, refusal));
    }

    /// Records are pushed or changed in one go: a panic elsewhere leaves them whole.
    fn lock(&self) -> MutexGuard<'_, History> {
        self.log.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("recorded", &self.lock().len()).finish_non_exhaustive()
    }
}
