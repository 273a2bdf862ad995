//! What clauses do over and over: make objects, write them, follow a watch.
//!
//! Objects are leases, whose holder tells one content from another, and namespaces where no namespace may be: kinds that
//! every store knows, a remote API server too.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object;
use orch_core::object::{Lease, LeaseSpec, Namespace, ObjectMeta};
use orch_core::revision::Revision;
use orch_core::store::{Entry, Expect, ListFrom, ListOptions, Store, StoreError, Value, Watch, WatchEvent};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// How long a clause waits for what must come at once; generous, for stores far away and machines that are busy.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// The key of a lease.
pub(super) fn lease_key(namespace: &str, name: &str) -> Key {
    Key::new(&Lease::KIND, Some(namespace), name).expect("a valid key")
}

/// All leases.
pub(super) fn leases() -> Prefix {
    Prefix::collection(&Lease::KIND)
}

/// The leases of a namespace.
pub(super) fn leases_in(namespace: &str) -> Prefix {
    Prefix::namespace(&Lease::KIND, namespace).expect("a valid prefix")
}

/// A lease with this holder.
pub(super) fn lease(key: &Key, holder: &str) -> Lease {
    let metadata = ObjectMeta {
        name: key.name().to_owned(),
        namespace: key.namespace().map(str::to_owned),
        ..ObjectMeta::default()
    };
    Lease { metadata, spec: LeaseSpec { holder_identity: Some(holder.to_owned()), ..LeaseSpec::default() } }
}

/// A lease with this holder, as a value.
pub(super) fn held_by(key: &Key, holder: &str) -> Value {
    Value::new(lease(key, holder))
}

/// The holder of the lease at an entry.
pub(super) fn holder(entry: &Entry) -> String {
    let lease = entry.decode::<Lease>().expect("what was written can be read");
    lease.spec.holder_identity.clone().unwrap_or_default()
}

/// Creates a lease.
pub(super) async fn create(store: &impl Store, key: &Key, holder: &str) -> Entry {
    let created = store.put(key, held_by(key, holder), Expect::Absent).await;
    created.unwrap_or_else(|error| panic!("creating {key}, which does not exist, failed: {error}"))
}

/// Changes a lease.
pub(super) async fn change(store: &impl Store, entry: &Entry, holder: &str) -> Entry {
    let changed = store.put(&entry.key, held_by(&entry.key, holder), Expect::Revision(entry.revision)).await;
    changed.unwrap_or_else(|error| panic!("changing {} at its revision failed: {error}", entry.key))
}

/// Deletes an object.
pub(super) async fn delete(store: &impl Store, entry: &Entry) -> Revision {
    let deleted = store.delete(&entry.key, entry.revision).await;
    deleted.unwrap_or_else(|error| panic!("deleting {} at its revision failed: {error}", entry.key))
}

/// The object at a key.
pub(super) async fn get(store: &impl Store, key: &Key) -> Option<Entry> {
    store.get(key).await.unwrap_or_else(|error| panic!("reading {key} failed: {error}"))
}

/// Creates a namespace, of which no clause cares: something happens elsewhere in the store.
pub(super) async fn write_elsewhere(store: &impl Store, name: &str) -> Entry {
    let key = Key::new(&Namespace::KIND, None, name).expect("a valid key");
    let mut namespace = Namespace::default();
    namespace.metadata.name = name.to_owned();
    store.put(&key, Value::new(namespace), Expect::Absent).await.expect("there is no namespace of that name")
}

/// What stands at a key: its revision, the revision that created it, and the holder.
pub(super) type Row = (Key, Revision, Revision, String);

/// An entry as a row.
pub(super) fn row(entry: &Entry) -> Row {
    (entry.key.clone(), entry.revision, entry.created, holder(entry))
}

/// A whole listing of leases, read in pages of at most `limit`, and its revision. Checks that all pages have it.
pub(super) async fn list(
    store: &impl Store,
    prefix: &Prefix,
    from: ListFrom,
    limit: Option<usize>,
) -> Result<(Vec<Row>, Revision), StoreError> {
    let limit = limit.and_then(NonZeroUsize::new);
    let mut page = store.list(prefix, ListOptions { limit, from }).await?;
    let revision = page.revision;
    let mut rows = Vec::new();
    loop {
        assert_eq!(page.revision, revision, "R2: a page of a listing is at another revision than the first one");
        let most = limit.map_or(usize::MAX, NonZeroUsize::get);
        assert!(page.entries.len() <= most, "a page holds {} entries, asked for at most {most}", page.entries.len());
        rows.extend(page.entries.iter().map(row));
        let Some(next) = page.next else { return Ok((rows, revision)) };
        assert_eq!(next.revision, revision, "R2: a page goes on at another revision than its own");
        page = store.list(prefix, ListOptions { limit, from: ListFrom::Continue(next) }).await?;
    }
}

/// A whole listing of leases at the latest revision.
pub(super) async fn list_latest(store: &impl Store, prefix: &Prefix) -> (Vec<Row>, Revision) {
    list(store, prefix, ListFrom::Latest, None).await.expect("the latest revision can be listed")
}

/// Opens a watch.
pub(super) async fn watch(store: &impl Store, prefix: &Prefix, after: Revision) -> Watch {
    let watch = store.watch(prefix, after).await;
    watch.unwrap_or_else(|error| panic!("watching {prefix} after revision {after} failed: {error}"))
}

/// The next item of a watch, which must come soon.
pub(super) async fn next_item(watch: &mut Watch) -> Option<Result<WatchEvent, StoreError>> {
    let item = tokio::time::timeout(SOON, watch.next()).await;
    item.unwrap_or_else(|_| panic!("a watch that had something to deliver was silent for {SOON:?}"))
}

/// The next event of a watch, be it a progress mark.
pub(super) async fn next_event(watch: &mut Watch) -> WatchEvent {
    match next_item(watch).await {
        Some(Ok(event)) => event,
        Some(Err(error)) => panic!("a watch ended, though all that it had to deliver was kept: {error}"),
        None => panic!("E7: a watch ended without a word"),
    }
}

/// A change as a watch told it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) revision: Revision,
    pub(super) key: Key,
    /// Who holds the lease since; `None` when it was deleted.
    pub(super) holder: Option<String>,
    /// The revision that created the object; `None` when it was deleted.
    pub(super) created: Option<Revision>,
    /// What was there before.
    pub(super) previous: Option<Row>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, key, holder, previous, .. } = self;
        write!(f, "{key} at {revision}: {holder:?} after {:?}", previous.as_ref().map(|(.., holder)| holder))
    }
}

impl Change {
    /// The change that an event tells; `None` for a progress mark.
    pub(super) fn of(event: &WatchEvent) -> Option<Self> {
        match event {
            WatchEvent::Put { entry, previous } => Some(Self {
                revision: entry.revision,
                key: entry.key.clone(),
                holder: Some(holder(entry)),
                created: Some(entry.created),
                previous: previous.as_ref().map(row),
            }),
            WatchEvent::Delete { key, revision, previous } => Some(Self {
                revision: *revision,
                key: key.clone(),
                holder: None,
                created: None,
                previous: previous.as_ref().map(row),
            }),
            WatchEvent::Progress(_) => None,
        }
    }

    /// Key, revision and holder: what suffices to tell one change from another.
    pub(super) fn brief(&self) -> (Revision, Key, Option<String>) {
        (self.revision, self.key.clone(), self.holder.clone())
    }
}

/// The next change that a watch tells.
pub(super) async fn next_change(watch: &mut Watch) -> Change {
    loop {
        if let Some(change) = Change::of(&next_event(watch).await) {
            return change;
        }
    }
}

/// All changes that a watch of leases tells until it has reached the revision `end`, which a write elsewhere, or a change
/// that it tells, must have. Checks that they come in order, that progress marks tell the truth, and that nothing comes
/// between the changes of one revision.
pub(super) async fn changes_until(watch: &mut Watch, end: Revision) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut told = Revision::ZERO;
    loop {
        let event = next_event(watch).await;
        let revision = event.revision();
        match Change::of(&event) {
            Some(change) => {
                let same = changes.last().is_some_and(|last| last.revision == revision);
                assert!(revision > told || same, "E1, E6: a change at {revision} came after {told} was told");
                changes.push(change);
            }
            None => assert!(revision >= told, "E6: a progress mark at {revision} came after {told} was told"),
        }
        told = revision;
        if told >= end {
            return changes;
        }
    }
}

/// Does `count` pieces of work at the same time, each in a thread of its own, and returns what came of each.
pub(super) async fn in_parallel<T, F>(count: usize, work: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = |number| {
        let (work, handle) = (work(number), Handle::current());
        spawn_blocking(move || handle.block_on(work))
    };
    let threads: Vec<_> = (0..count).map(start).collect();
    let mut results = Vec::new();
    for thread in threads {
        results.push(thread.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())));
    }
    results
}

/// That a request was refused because of the object's state; returns the revision that it has.
pub(super) fn conflict<T: fmt::Debug>(result: Result<T, StoreError>, on: &Key) -> Option<Revision> {
    match result {
        Err(StoreError::Conflict { key, found }) => {
            assert_eq!(key, *on, "the conflict names another object");
            found
        }
        Err(other) => panic!("W2: writing {on} had to be refused as a conflict, and failed otherwise: {other}"),
        Ok(done) => panic!("W2: writing {on} had to be refused as a conflict, and happened: {done:?}"),
    }
}
