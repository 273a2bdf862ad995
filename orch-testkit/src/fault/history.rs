//! [`RecordedStore`]: a store that remembers every write, so that any earlier state can be shown again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{self, Check, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch};

/// One write, in the order in which they happened.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) key: Key,
    /// What is there since; `None` after a deletion.
    pub(super) after: Option<Entry>,
    /// What was there before.
    pub(super) before: Option<Entry>,
}

/// Passes everything on to another store, and remembers the writes that succeeded.
#[derive(Debug)]
pub(super) struct RecordedStore {
    store: Arc<dyn Transact>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    writes: Vec<Write>,
    current: BTreeMap<Key, Entry>,
}

impl RecordedStore {
    pub(super) fn new(store: Arc<dyn Transact>) -> Self {
        Self { store, record: Mutex::default() }
    }

    /// How many writes there were.
    pub(super) fn len(&self) -> usize {
        self.record().writes.len()
    }

    /// The write at a position.
    pub(super) fn write(&self, position: usize) -> Option<Write> {
        self.record().writes.get(position).cloned()
    }

    /// The position of the first write to an object of the collection, from a position on.
    pub(super) fn next_in(&self, collection: &str, from: usize) -> Option<usize> {
        let record = self.record();
        let rest = record.writes.iter().enumerate().skip(from);
        rest.filter(|(_, write)| write.key.collection() == collection).map(|(position, _)| position).next()
    }

    /// What is at `key` now.
    pub(super) fn entry(&self, key: &Key) -> Option<Entry> {
        self.record().current.get(key).cloned()
    }

    /// What is under `prefix` now, in the order of keys.
    pub(super) fn entries(&self, prefix: &Prefix) -> Vec<Entry> {
        let record = self.record();
        record.current.values().filter(|entry| prefix.contains(&entry.key)).cloned().collect()
    }

    /// What stood under any key after the first `position` writes.
    pub(super) fn entries_after(&self, position: usize) -> BTreeMap<Key, Entry> {
        let mut entries = BTreeMap::new();
        for write in self.record().writes.iter().take(position) {
            match &write.after {
                Some(entry) => entries.insert(write.key.clone(), entry.clone()),
                None => entries.remove(&write.key),
            };
        }
        entries
    }

    fn remember(&self, key: &Key, after: Option<Entry>) {
        let mut record = self.record();
        let before = match &after {
            Some(entry) => record.current.insert(key.clone(), entry.clone()),
            None => record.current.remove(key),
        };
        record.writes.push(Write { key: key.clone(), after, before });
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for RecordedStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.store.list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let entry = self.store.put(key, value, expect).await?;
        self.remember(key, Some(entry.clone()));
        Ok(entry)
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let revision = self.store.delete(key, expect).await?;
        self.remember(key, None);
        Ok(revision)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.store.watch(prefix, after).await
    }
}

/// The writes of one transaction are remembered one after another, as each kind is shown by itself.
#[async_trait]
impl Transact for RecordedStore {
    async fn commit(&self, checks: &[Check], writes: Vec<store::Write>) -> Result<Revision, StoreError> {
        let revision = self.store.commit(checks, writes.clone()).await?;
        for write in writes {
            let key = write.key().clone();
            let known = self.entry(&key);
            self.remember(&key, write.into_entry(revision, known.as_ref()));
        }
        Ok(revision)
    }
}
