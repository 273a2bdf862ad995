//! [`Map`]: the least that a store in memory must do.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Mutex;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Entry, Stored, Value};
use orch_store::memory::MemoryStoreConfig;

/// A map and a log of as many changes as `MemoryStore` keeps. Nothing is expected, no revision is written into objects,
/// and nobody is told.
#[derive(Debug, Default)]
pub struct Map(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    revision: u64,
    objects: BTreeMap<Key, Entry>,
    log: VecDeque<Entry>,
    history: Option<usize>,
}

impl Map {
    pub fn put(&self, key: &Key, value: Value) -> Revision {
        let mut state = self.0.lock().expect("not poisoned");
        state.revision += 1;
        let revision = Revision(state.revision);
        let entry = Entry::from(Stored { key: key.clone(), revision, created: revision, value });
        state.objects.insert(key.clone(), entry.clone());
        state.log.push_back(entry);
        let history = *state.history.get_or_insert_with(|| MemoryStoreConfig::default().history.get());
        if state.log.len() > history {
            state.log.pop_front();
        }
        revision
    }

    pub fn get(&self, key: &Key) -> Option<Entry> {
        self.0.lock().expect("not poisoned").objects.get(key).cloned()
    }

    pub fn list(&self, prefix: &Prefix) -> Vec<Entry> {
        let state = self.0.lock().expect("not poisoned");
        let from = state.objects.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        from.take_while(|(key, _)| prefix.contains(key)).map(|(_, entry)| entry.clone()).collect()
    }
}
