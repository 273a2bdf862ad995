//! [`Index`]: keys to what stands at them, by look-up and in order.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use orch_core::key::{Key, Prefix};
use orch_core::store::Entry;

use super::history::Place;

/// A key that holds an object, or did while the history goes back to that.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) entry: Option<Entry>,
    /// The change that led here.
    pub(super) place: Place,
}

/// Where in the index a slot is, as long as it is not removed.
pub(super) type SlotId = u32;

/// Keys to slots. An ordered map alone would do, but a look-up there compares some twenty texts, each somewhere else in
/// memory: ten times as slow with many objects. So the ordered map is touched only when a key comes or goes.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_key: HashMap<Key, SlotId>,
    in_order: BTreeMap<Key, SlotId>,
    slots: Vec<Option<Slot>>,
    free: Vec<SlotId>,
}

impl Index {
    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn find(&self, key: &Key) -> Option<SlotId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn get(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(id as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.slots.get_mut(id as usize)?.as_mut()
    }

    /// Adds a slot for a key that has none.
    pub(super) fn insert(&mut self, key: Key, slot: Slot) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            SlotId::try_from(self.slots.len() - 1).expect("fewer than four thousand million objects fit in memory")
        });
        self.slots[id as usize] = Some(slot);
        self.by_key.insert(key.clone(), id);
        self.in_order.insert(key, id);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(id) = self.by_key.remove(key) {
            self.in_order.remove(key);
            self.slots[id as usize] = None;
            self.free.push(id);
        }
    }

    /// The slots under a prefix in the order of their keys, those after `after` if there is one.
    pub(super) fn under<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a Key>) -> impl Iterator<Item = &'a Slot> {
        let start = match after {
            Some(after) if after.as_str() >= prefix.as_str() => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix.as_str()),
        };
        let end = prefix.end();
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.in_order.range::<str, _>((start, end)).filter_map(|(_, id)| self.get(*id))
    }
}
