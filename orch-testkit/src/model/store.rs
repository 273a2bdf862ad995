//! [`ModelStore`]: a store that is obviously right.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Claim, Claimed, Compact, Continue, Entry, Expect, ListFrom, ListOptions, Page, Store, StoreError, Transact,
    Value, Watch, WatchEvent, Write,
};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A store that is obviously right: one lock around the list of all changes ever made, from which every answer is
/// read off. Nothing is ever thrown away, so a test can look at any past state, compacted or not.
///
/// It needs no runtime and no timer: a progress mark comes as soon as there is something to say. Only a watch of a store
/// in which something is claimed waits for the end of that claim by the timer. Clones share the state.
#[derive(Clone, Default)]
pub struct ModelStore {
    shared: Arc<Shared>,
}

/// One change that a store went through.
#[derive(Clone, Debug)]
pub struct Change {
    /// When; the changes of one transaction have the same revision.
    pub revision: Revision,
    /// Which object.
    pub key: Key,
    /// The object since; `None` when it was deleted.
    pub entry: Option<Entry>,
    /// The object before; `None` when it was created.
    pub previous: Option<Entry>,
}

impl Change {
    /// The change as a watch tells it.
    #[must_use]
    pub fn to_event(&self) -> WatchEvent {
        let previous = self.previous.clone();
        match self.entry.clone() {
            Some(entry) => WatchEvent::Put { entry, previous },
            None => WatchEvent::Delete { key: self.key.clone(), revision: self.revision, previous },
        }
    }
}

impl ModelStore {
    /// Every change so far, in order.
    #[must_use]
    pub fn history(&self) -> Vec<Change> {
        self.shared.lock().history.clone()
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.shared.lock().revision
    }

    /// Goes on to the next revision without a change, as a store does that others write to as well.
    pub fn skip_revision(&self) {
        let mut state = self.shared.lock();
        state.revision = state.revision.next();
        self.shared.changed.notify_waiters();
    }

    /// All objects as they are.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<Key, Entry> {
        self.shared.lock().present.clone()
    }

    /// All objects as they were at `revision`, even if it was compacted since.
    #[must_use]
    pub fn snapshot_at(&self, revision: Revision) -> BTreeMap<Key, Entry> {
        self.shared.lock().at(revision)
    }
}

impl fmt::Debug for ModelStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("ModelStore").field("revision", &state.revision).field("objects", &state.present.len()).finish()
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

impl Shared {
    /// A panic while the lock is held leaves the state as it was: changes are made in one go, after every check.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.end_claims(Instant::now()) {
            self.changed.notify_waiters();
        }
        state
    }
}

#[derive(Default)]
struct State {
    /// Of the last change.
    revision: Revision,
    /// Everything before is refused.
    oldest: Revision,
    history: Vec<Change>,
    /// What `history` leads to.
    present: BTreeMap<Key, Entry>,
    /// The claims that have not ended.
    claims: BTreeMap<Key, Deadline>,
}

/// When a claim ends.
#[derive(Clone, Copy)]
struct Deadline {
    token: Revision,
    at: Instant,
}

impl State {
    fn at(&self, revision: Revision) -> BTreeMap<Key, Entry> {
        let mut objects = BTreeMap::new();
        for change in self.history.iter().take_while(|change| change.revision <= revision) {
            apply(&mut objects, change);
        }
        objects
    }

    fn expect(&self, key: &Key, expect: Expect) -> Result<(), StoreError> {
        let found = self.present.get(key).map(|entry| entry.revision);
        let expected = match expect {
            Expect::Absent => None,
            Expect::Revision(revision) => Some(revision),
        };
        if found == expected { Ok(()) } else { Err(StoreError::Conflict { key: key.clone(), found }) }
    }

    fn not_in_future(&self, requested: Revision) -> Result<(), StoreError> {
        if requested <= self.revision {
            return Ok(());
        }
        Err(StoreError::FutureRevision { requested, current: self.revision })
    }

    fn commit(&mut self, checks: &[Check], writes: Vec<Write>) -> Result<Vec<Change>, StoreError> {
        let mut written = BTreeSet::new();
        if let Some(twice) = writes.iter().find(|write| !written.insert(write.key())) {
            return Err(StoreError::WrittenTwice { key: twice.key().clone() });
        }
        for check in checks {
            self.expect(&check.key, check.expect)?;
        }
        for write in &writes {
            self.expect(write.key(), write.expect())?;
        }
        let revision = self.revision.next();
        let change = |write: Write| {
            let key = write.key().clone();
            let previous = self.present.get(&key).cloned();
            let entry = write.into_entry(revision, previous.as_ref());
            Change { revision, key, entry, previous }
        };
        let changes: Vec<Change> = writes.into_iter().map(change).collect();
        for change in &changes {
            apply(&mut self.present, change);
            self.revision = revision;
            if change.entry.is_none() {
                self.claims.remove(&change.key);
            }
        }
        self.history.extend(changes.iter().cloned());
        Ok(changes)
    }

    /// Deletes what was claimed and not renewed in time. Returns whether there was any.
    fn end_claims(&mut self, now: Instant) -> bool {
        let due = |(key, claim): (&Key, &Deadline)| (claim.at <= now).then(|| key.clone());
        let due: Vec<Key> = self.claims.iter().filter_map(due).collect();
        due.iter().for_each(|key| self.end_claim(key));
        !due.is_empty()
    }

    fn end_claim(&mut self, key: &Key) {
        let expect = self.present.get(key).map_or(Revision::ZERO, |entry| entry.revision);
        self.commit(&[], vec![Write::Delete { key: key.clone(), expect }]).expect("what is claimed is there");
    }

    /// The claim, if it has not ended.
    fn claim(&mut self, claimed: &Claimed) -> Result<&mut Deadline, StoreError> {
        let claim = self.claims.get_mut(&claimed.entry.key).filter(|claim| claim.token == claimed.token());
        claim.ok_or_else(|| StoreError::ClaimLost { key: claimed.entry.key.clone() })
    }

    /// The changes of the first revision after `after` that has some under `prefix`.
    fn next_after(&self, prefix: &Prefix, after: Revision) -> Vec<&Change> {
        let start = self.history.partition_point(|change| change.revision <= after);
        let mut matching = self.history[start..].iter().filter(|change| prefix.contains(&change.key)).peekable();
        let Some(first) = matching.peek().map(|change| change.revision) else { return Vec::new() };
        matching.take_while(|change| change.revision == first).collect()
    }
}

fn apply(objects: &mut BTreeMap<Key, Entry>, change: &Change) {
    match &change.entry {
        Some(entry) => objects.insert(change.key.clone(), entry.clone()),
        None => objects.remove(&change.key),
    };
}

#[async_trait]
impl Store for ModelStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.shared.lock().present.get(key).cloned())
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let state = self.shared.lock();
        let (revision, after) = match options.from {
            ListFrom::Latest => (state.revision, None),
            ListFrom::At(revision) => (revision, None),
            ListFrom::Continue(Continue { revision, after }) => (revision, Some(after)),
        };
        state.not_in_future(revision)?;
        if revision < state.oldest {
            return Err(StoreError::Compacted { requested: revision, oldest: state.oldest });
        }
        let objects = if revision == state.revision { state.present.clone() } else { state.at(revision) };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = objects.range((start, Bound::Unbounded)).map(|(_, entry)| entry);
        let mut rest = rest.by_ref().filter(|entry| prefix.contains(&entry.key)).peekable();
        let limit = options.limit.map_or(usize::MAX, std::num::NonZero::get);
        let entries: Vec<Entry> = rest.by_ref().take(limit).cloned().collect();
        let last = entries.last().filter(|_| rest.peek().is_some());
        let next = last.map(|last| Continue { revision, after: last.key.clone() });
        Ok(Page { entries: entries.into(), revision, next })
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let write = Write::Put { key: key.clone(), value, expect };
        let changes = self.shared.lock().commit(&[], vec![write])?;
        self.shared.changed.notify_waiters();
        Ok(changes.into_iter().find_map(|change| change.entry).expect("a put leaves an entry behind"))
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.commit(&[], vec![Write::Delete { key: key.clone(), expect }]).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let state = self.shared.lock();
        state.not_in_future(after)?;
        if after.next() < state.oldest {
            return Err(StoreError::Compacted { requested: after, oldest: state.oldest });
        }
        let reader = Reader {
            shared: Arc::clone(&self.shared),
            prefix: prefix.clone(),
            position: after,
            ready: VecDeque::new(),
            ended: false,
        };
        Ok(Watch::new(stream::unfold(reader, |mut reader| async {
            let item = reader.next().await?;
            Some((item, reader))
        })))
    }
}

#[async_trait]
impl Compact for ModelStore {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        state.not_in_future(revision)?;
        state.oldest = state.oldest.max(revision);
        Ok(())
    }
}

#[async_trait]
impl Transact for ModelStore {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        let mut state = self.shared.lock();
        state.commit(checks, writes)?;
        self.shared.changed.notify_waiters();
        Ok(state.revision)
    }
}

#[async_trait]
impl Claim for ModelStore {
    async fn claim(&self, key: &Key, value: Value, ttl: Duration) -> Result<Claimed, StoreError> {
        let mut state = self.shared.lock();
        let changes = state.commit(&[], vec![Write::Put { key: key.clone(), value, expect: Expect::Absent }])?;
        let entry = changes.into_iter().find_map(|change| change.entry).expect("a put leaves an entry behind");
        state.claims.insert(key.clone(), Deadline { token: entry.created, at: Instant::now() + ttl });
        self.shared.changed.notify_waiters();
        Ok(Claimed { entry, ttl, handle: 0 })
    }

    async fn renew(&self, claimed: &Claimed) -> Result<(), StoreError> {
        self.shared.lock().claim(claimed)?.at = Instant::now() + claimed.ttl;
        Ok(())
    }

    async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError> {
        let mut state = self.shared.lock();
        state.claim(claimed)?;
        state.end_claim(&claimed.entry.key);
        self.shared.changed.notify_waiters();
        Ok(state.revision)
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Where a watch is.
struct Reader {
    shared: Arc<Shared>,
    prefix: Prefix,
    /// Up to here everything was delivered, or is ready.
    position: Revision,
    /// The rest of a revision of which something was delivered.
    ready: VecDeque<WatchEvent>,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<WatchEvent, StoreError>> {
        while !self.ended {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let shared = Arc::clone(&self.shared);
            let mut changed = std::pin::pin!(shared.changed.notified());
            changed.as_mut().enable();
            if let Err(error) = self.advance() {
                self.ended = true;
                return Some(Err(error));
            }
            if self.ready.is_empty() {
                let end = shared.lock().claims.values().map(|claim| claim.at).min();
                tokio::select! { biased; () = changed => {}, () = until(end) => {} }
            }
        }
        None
    }

    /// Makes ready what comes next, if there is anything: the changes of one revision, or a mark that nothing
    /// under the prefix changed.
    fn advance(&mut self) -> Result<(), StoreError> {
        let state = self.shared.lock();
        let next = state.next_after(&self.prefix, self.position);
        if let Some(first) = next.first() {
            if first.revision < state.oldest {
                return Err(StoreError::Compacted { requested: self.position, oldest: state.oldest });
            }
            self.position = first.revision;
            self.ready.extend(next.into_iter().map(Change::to_event));
        } else if self.position < state.revision {
            self.position = state.revision;
            self.ready.push_back(WatchEvent::Progress(state.revision));
        }
        Ok(())
    }
}
