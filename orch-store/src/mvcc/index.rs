//! [`Index`]: keys to what stands at them, by look-up and in order.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use orch_core::key::Key;
use orch_core::store::{Entries, Entry};

use super::history::Place;
use super::order::{Chunk, ChunkId, Order, Span};

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
/// memory: ten times as slow with many objects. So the order is touched only when a key comes or goes, but for the note
/// that what was listed of a chunk is no longer so.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_key: HashMap<Key, SlotId>,
    order: Order,
    slots: Vec<Option<(Slot, ChunkId)>>,
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
        self.slots.get(id as usize)?.as_ref().map(|(slot, _)| slot)
    }

    /// A slot whose object changes; and what was listed with it, to be dropped without the lock.
    pub(super) fn change(&mut self, id: SlotId) -> Option<(&mut Slot, Option<Arc<[Entry]>>)> {
        let (slot, chunk) = self.slots.get_mut(id as usize)?.as_mut()?;
        Some((slot, self.order.outdate(*chunk)))
    }

    /// Adds a slot for a key that has none. Returns what was listed there, to be dropped without the lock.
    pub(super) fn insert(&mut self, key: Key, slot: Slot) -> Option<Arc<[Entry]>> {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            SlotId::try_from(self.slots.len() - 1).expect("fewer than four thousand million objects fit in memory")
        });
        self.by_key.insert(key.clone(), id);
        let (chunk, split) = self.order.insert(key, id);
        self.slots[id as usize] = Some((slot, chunk));
        if let Some(upper) = split {
            for (_, id) in self.order.members(upper) {
                if let Some((_, chunk)) = &mut self.slots[*id as usize] {
                    *chunk = upper;
                }
            }
        }
        self.order.outdate(chunk)
    }

    /// Removes a slot without an object.
    pub(super) fn remove(&mut self, key: &Key) {
        let Some(id) = self.by_key.remove(key) else { return };
        if let Some((_, chunk)) = self.slots[id as usize].take() {
            self.order.remove(key, chunk);
        }
        self.free.push(id);
    }

    /// The slots in `span` in the order of their keys.
    pub(super) fn slots<'a>(&'a self, span: &'a Span<'a>) -> impl Iterator<Item = &'a Slot> {
        let chunks = self.order.chunks(span).map(Chunk::members);
        let members = chunks.flat_map(|members| &members[span.part(members, |(key, _)| key)]);
        members.filter_map(|(_, id)| self.get(*id))
    }

    /// The first `limit` objects in `span` in the order of their keys, and whether there are more.
    pub(super) fn list(&self, span: &Span<'_>, limit: usize) -> (Entries, bool) {
        let mut entries = Entries::default();
        for chunk in self.order.chunks(span) {
            let (shared, part) = self.list_chunk(chunk, span);
            let room = limit - entries.len();
            if part.len() > room {
                entries.push_shared(shared, part.start..part.start + room);
                return (entries, true);
            }
            entries.push_shared(shared, part);
        }
        (entries, false)
    }

    /// The objects of a chunk, or more of them than wanted, and the part that is in `span`. A chunk that is wanted whole
    /// is copied for all who list it until one of its objects changes.
    fn list_chunk(&self, chunk: &Chunk, span: &Span<'_>) -> (Arc<[Entry]>, Range<usize>) {
        let members = chunk.members();
        let part = span.part(members, |(key, _)| key);
        if part.len() == members.len() {
            let listed = chunk.listed().get_or_init(|| self.entries(members));
            return (Arc::clone(listed), 0..listed.len());
        }
        if let Some(listed) = chunk.listed().get() {
            return (Arc::clone(listed), span.part(listed, |entry| &entry.key));
        }
        let copied = self.entries(&members[part]);
        let part = 0..copied.len();
        (copied, part)
    }

    fn entries(&self, members: &[(Key, SlotId)]) -> Arc<[Entry]> {
        members.iter().filter_map(|(_, id)| self.get(*id)?.entry.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use orch_core::key::Prefix;
    use orch_core::kind::Object as _;
    use orch_core::object::Lease;
    use orch_core::revision::Revision;
    use orch_core::store::Value;

    use super::*;

    fn slot(key: &Key, revision: u64) -> Slot {
        let revision = Revision(revision);
        let entry = Entry::new(key.clone(), revision, revision, Value::new(Lease::default()));
        Slot { entry: Some(entry), place: revision.0 }
    }

    fn key(namespace: u64, number: u64) -> Key {
        Key::new(&Lease::KIND, Some(&format!("n{namespace}")), &number.to_string()).expect("a valid key")
    }

    fn rows<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<(Key, Revision)> {
        entries.into_iter().map(|entry| (entry.key.clone(), entry.revision)).collect()
    }

    fn assert_same(index: &Index, model: &BTreeMap<Key, Revision>, span: &(Prefix, Option<Key>), limit: usize) {
        let (prefix, after) = span;
        let mut rest = model.iter().filter(|(key, _)| prefix.contains(key) && Some(*key) > after.as_ref());
        let expected: Vec<_> = rest.by_ref().take(limit).map(|(key, revision)| (key.clone(), *revision)).collect();
        let span = Span::new(prefix, after.as_ref());
        let (listed, is_more) = index.list(&span, limit);
        assert_eq!((rows(&listed), is_more), (expected, rest.next().is_some()), "{span:?}");
        let slots = index.slots(&span).filter_map(|slot| slot.entry.as_ref()).take(limit);
        assert_eq!(rows(slots), rows(&listed), "{span:?}");
    }

    /// Thousands of keys come and go, so that chunks are split and vanish, and listings go on in between.
    #[test]
    fn listings_are_right_whatever_comes_changes_and_goes() {
        let (mut index, mut model, mut random) = (Index::default(), BTreeMap::new(), 1_u64);
        // Whether more comes than goes, in turn.
        for turn in 0..20_000_u64 {
            // Knuth's linear congruential generator (MMIX).
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = key(random >> 62, (random >> 32) % 700);
            match (index.find(&key), (turn / 4_000) % 2 == 0) {
                (None, true) => {
                    index.insert(key.clone(), slot(&key, turn));
                    model.insert(key.clone(), Revision(turn));
                }
                (Some(id), true) => {
                    *index.change(id).expect("it was found").0 = slot(&key, turn);
                    model.insert(key.clone(), Revision(turn));
                }
                (Some(id), false) => {
                    index.change(id).expect("it was found").0.entry = None;
                    index.remove(&key);
                    model.remove(&key);
                }
                (None, false) => {}
            }
            if turn % 50 == 0 {
                let other = self::key(random >> 62, (random >> 20) % 700);
                let prefix = Prefix::namespace(&Lease::KIND, other.namespace().expect("it has one")).expect("a prefix");
                for span in
                    [(Prefix::all(), None), (prefix.clone(), None), (prefix, Some(key)), (Prefix::all(), Some(other))]
                {
                    assert_same(&index, &model, &span, 1 + turn as usize % 600);
                }
            }
        }
        assert!(index.order.members(0).len() < model.len(), "all is in one chunk");
    }

    #[test]
    fn a_listing_copies_only_the_chunk_in_which_something_changed() {
        let mut index = Index::default();
        (0..1_000).for_each(|number| drop(index.insert(key(0, number), slot(&key(0, number), number))));
        let everything = Prefix::all();
        let chunks = |index: &Index| -> Vec<Arc<[Entry]>> {
            let span = Span::new(&everything, None);
            index.order.chunks(&span).map(|chunk| index.list_chunk(chunk, &span).0).collect()
        };
        let before = chunks(&index);
        let changed = key(0, 500);
        let id = index.find(&changed).expect("it is there");
        let (changing, outdated) = index.change(id).expect("it was found");
        *changing = slot(&changed, 1_000);
        assert!(outdated.is_some_and(|listed| before.iter().any(|chunk| Arc::ptr_eq(chunk, &listed))));
        let after = chunks(&index);
        let copied = before.iter().zip(&after).filter(|(before, after)| !Arc::ptr_eq(before, after)).count();
        assert_eq!((copied, before.len(), after.len()), (1, after.len(), before.len()));
        assert!(before.len() > 5, "1,000 keys are in {} chunks", before.len());
    }
}
