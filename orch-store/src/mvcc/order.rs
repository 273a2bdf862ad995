//! [`Order`]: keys in their order, in chunks of which listings share what stands there.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, OnceLock};

use orch_core::key::{Key, Prefix};
use orch_core::store::Entry;

use super::index::SlotId;

/// How many keys a chunk holds at most: few enough that a write, after which the next listing copies its chunk again, costs
/// that listing little; enough that a chunk costs next to nothing for each key.
const MOST: usize = 128;

/// Where a chunk is, as long as it is not empty.
pub(super) type ChunkId = u32;

/// Keys in their order, in chunks.
#[derive(Debug)]
pub(super) struct Order {
    /// The chunks by their starts, of which the first is the empty text. A key is in the last chunk that starts at or
    /// before it. Chunks that become small are not joined: there are never more of them than keys, but for the first.
    by_start: BTreeMap<Box<str>, ChunkId>,
    chunks: Vec<Chunk>,
    free: Vec<ChunkId>,
}

/// Keys that follow one another.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    start: Box<str>,
    members: Vec<(Key, SlotId)>,
    /// The objects there, if they were listed since one of them was last written.
    listed: OnceLock<Arc<[Entry]>>,
}

impl Chunk {
    pub(super) fn members(&self) -> &[(Key, SlotId)] {
        &self.members
    }

    pub(super) fn listed(&self) -> &OnceLock<Arc<[Entry]>> {
        &self.listed
    }
}

/// Where keys stand: from a text on, or after it, and before another.
#[derive(Debug)]
pub(super) struct Span<'a> {
    start: &'a str,
    is_start_in: bool,
    end: Option<String>,
}

impl<'a> Span<'a> {
    /// What is under a prefix, and after `after` if there is one.
    pub(super) fn new(prefix: &'a Prefix, after: Option<&'a Key>) -> Self {
        let after = after.map(Key::as_str).filter(|after| *after >= prefix.as_str());
        Self { start: after.unwrap_or(prefix.as_str()), is_start_in: after.is_none(), end: prefix.end() }
    }

    /// Which of `all`, which are in the order of their keys, are here.
    pub(super) fn part<T>(&self, all: &[T], key: impl Fn(&T) -> &Key) -> Range<usize> {
        let is_before = |one: &T| {
            let text = key(one).as_str();
            text < self.start || (!self.is_start_in && text == self.start)
        };
        let ends_after = |one: &T| self.end.as_deref().is_none_or(|end| key(one).as_str() < end);
        // Most often all are: that is seen by a look at two.
        let start = if all.first().is_some_and(is_before) { all.partition_point(is_before) } else { 0 };
        let end = if all.last().is_none_or(ends_after) { all.len() } else { all.partition_point(ends_after) };
        start..end
    }
}

impl Default for Order {
    fn default() -> Self {
        Self { by_start: BTreeMap::from([(Box::default(), 0)]), chunks: vec![Chunk::default()], free: Vec::new() }
    }
}

impl Order {
    /// Adds a key that is not there. Returns its chunk, and another one if that took over some keys of the first.
    pub(super) fn insert(&mut self, key: Key, id: SlotId) -> (ChunkId, Option<ChunkId>) {
        let (_, chunk) = self.holding(key.as_str());
        let members = &mut self.chunks[chunk as usize].members;
        let place = members.partition_point(|(other, _)| *other < key);
        members.insert(place, (key, id));
        if members.len() <= MOST {
            return (chunk, None);
        }
        let upper = members.split_off(MOST / 2);
        (chunk, Some(self.add(upper)))
    }

    /// Removes a key from its chunk.
    pub(super) fn remove(&mut self, key: &Key, id: ChunkId) {
        let chunk = &mut self.chunks[id as usize];
        if let Ok(place) = chunk.members.binary_search_by(|(other, _)| other.cmp(key)) {
            chunk.members.remove(place);
        }
        if chunk.members.is_empty() && !chunk.start.is_empty() {
            self.by_start.remove(&chunk.start);
            self.free.push(id);
        }
    }

    pub(super) fn members(&self, chunk: ChunkId) -> &[(Key, SlotId)] {
        &self.chunks[chunk as usize].members
    }

    /// Notes that an object of a chunk changes; returns what was listed there, to be dropped without the lock.
    pub(super) fn outdate(&mut self, chunk: ChunkId) -> Option<Arc<[Entry]>> {
        self.chunks[chunk as usize].listed.take()
    }

    /// The chunks that hold what is in `span`, in order. The first and the last one may hold other keys too.
    pub(super) fn chunks(&self, span: &Span<'_>) -> impl Iterator<Item = &Chunk> {
        let end = span.end.as_deref();
        let range = end.is_none_or(|end| span.start < end).then(|| {
            let (start, _) = self.holding(span.start);
            let end = end.map_or(Bound::Unbounded, Bound::Excluded);
            self.by_start.range::<str, _>((Bound::Included(start), end))
        });
        range.into_iter().flatten().map(|(_, chunk)| &self.chunks[*chunk as usize])
    }

    /// The chunk that a key with that text is in, or would be.
    fn holding(&self, text: &str) -> (&str, ChunkId) {
        let chunk = self.by_start.range::<str, _>((Bound::Unbounded, Bound::Included(text))).next_back();
        let (start, chunk) = chunk.expect("no text comes before the empty one, with which the first chunk starts");
        (start, *chunk)
    }

    /// Adds a chunk of keys, of which there is at least one.
    fn add(&mut self, members: Vec<(Key, SlotId)>) -> ChunkId {
        let start: Box<str> = members[0].0.as_str().into();
        let chunk = Chunk { start: start.clone(), members, listed: OnceLock::new() };
        let id = self.free.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk::default());
            ChunkId::try_from(self.chunks.len() - 1).expect("there are fewer chunks than slots")
        });
        self.chunks[id as usize] = chunk;
        self.by_start.insert(start, id);
        id
    }
}
