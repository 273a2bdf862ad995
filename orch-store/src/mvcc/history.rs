//! [`History`]: the latest changes in order, which watches read and past states are told from.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Entry, StoreError, WatchEvent};

use super::bell::Bell;

/// The place of a change in the order of all changes ever made. The changes of one transaction have a place each.
pub(super) type Place = u64;

/// No place: before the first change of a key.
pub(super) const NOWHERE: Place = Place::MAX;

/// How many events make a batch: enough to make the lock's price small, not so many that a slow reader holds much.
const MOST: usize = 128;

/// How many batches of a topic are remembered for readers who come a little later.
const REMEMBERED: usize = 16;

/// One change.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) what: What,
    /// What was there before.
    pub(super) previous: Option<Entry>,
    /// Where the change of the same key before this one is, or was.
    pub(super) before: Place,
}

/// What a change did.
#[derive(Debug)]
pub(super) enum What {
    Put(Entry),
    Delete(Key, Revision),
}

impl Change {
    pub(super) fn key(&self) -> &Key {
        match &self.what {
            What::Put(entry) => &entry.key,
            What::Delete(key, _) => key,
        }
    }

    pub(super) fn revision(&self) -> Revision {
        match &self.what {
            What::Put(entry) => entry.revision,
            What::Delete(_, revision) => *revision,
        }
    }

    fn to_event(&self) -> WatchEvent {
        let previous = self.previous.clone();
        match &self.what {
            What::Put(entry) => WatchEvent::Put { entry: entry.clone(), previous },
            What::Delete(key, revision) => WatchEvent::Delete { key: key.clone(), revision: *revision, previous },
        }
    }
}

/// Events that follow one another under some prefix, whole revisions only, shared by all who read them.
pub(super) type Batch = Arc<[WatchEvent]>;

/// What a reader gets.
pub(super) struct Read {
    /// About [`MOST`] events, at least one.
    pub(super) batch: Batch,
    /// How many of them the reader has got already; not all.
    pub(super) seen: usize,
    /// To be dropped without the lock.
    pub(super) outdated: Option<Batch>,
}

/// The latest changes in order.
///
/// There is one history, whatever the number of watches: a watch is a number, its place among the changes under
/// its prefix. For every prefix that is watched, a [`Topic`] lists these, so a watch costs what it delivers, not what
/// is written elsewhere.
#[derive(Debug)]
pub(super) struct History {
    pub(super) changes: VecDeque<Change>,
    /// The place of the first of `changes`.
    first: Place,
    /// Of the last change.
    pub(super) revision: Revision,
    /// The oldest revision that can be asked for.
    pub(super) oldest: Revision,
    capacity: usize,
    pub(super) topics: HashMap<Box<str>, Topic>,
    /// After how many more changes every topic is trimmed.
    until_sweep: usize,
}

/// The changes under one watched prefix.
#[derive(Debug)]
pub(super) struct Topic {
    /// Their places. Those that are no longer kept go when the topic is next touched, or at the next sweep.
    places: VecDeque<Place>,
    /// How many changes of this topic came before the first of `places`.
    gone: u64,
    /// How many watches read it.
    readers: usize,
    pub(super) bell: Arc<Bell>,
    /// The batches that were made last, each with the number of its first change: who is woken together reads the same.
    batches: Mutex<VecDeque<(u64, Batch)>>,
}

impl Topic {
    fn trim(&mut self, first: Place) {
        while self.places.front().is_some_and(|place| *place < first) {
            self.places.pop_front();
            self.gone += 1;
        }
    }

    /// What was made already for a reader who gets the change with the number `next` first, if it is as much as would be
    /// made now.
    fn made(&self, next: u64) -> Option<Read> {
        let end = self.gone + self.places.len() as u64;
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let useful = |(first, batch): &&(u64, Batch)| {
            let after = first + batch.len() as u64;
            (*first..after).contains(&next) && (after == end || batch.len() >= MOST)
        };
        let (first, batch) = batches.iter().rev().find(useful)?;
        let seen = usize::try_from(next - first).unwrap_or(usize::MAX);
        Some(Read { batch: Arc::clone(batch), seen, outdated: None })
    }

    /// Remembers a batch for others, and returns one that is too many.
    fn remember(&self, first: u64, batch: &Batch) -> Option<Batch> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let place = batches.partition_point(|(other, _)| *other <= first);
        batches.insert(place, (first, Arc::clone(batch)));
        if batches.len() > REMEMBERED { batches.pop_front().map(|(_, batch)| batch) } else { None }
    }

    /// Lets go of the batches that begin with what is no longer kept.
    fn outdated(&mut self) -> impl Iterator<Item = Batch> {
        let batches = self.batches.get_mut().unwrap_or_else(PoisonError::into_inner);
        let outdated = batches.partition_point(|(first, _)| *first < self.gone);
        batches.drain(..outdated).map(|(_, batch)| batch)
    }
}

impl History {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            changes: VecDeque::new(),
            first: 0,
            revision: Revision::ZERO,
            oldest: Revision::ZERO,
            capacity,
            topics: HashMap::new(),
            until_sweep: capacity,
        }
    }

    /// The revision of the last change.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// That a state at `requested` can be told.
    pub(super) fn check(&self, requested: Revision) -> Result<(), StoreError> {
        if requested > self.revision {
            return Err(StoreError::FutureRevision { requested, current: self.revision });
        }
        if requested < self.oldest {
            return Err(self.compacted(requested));
        }
        Ok(())
    }

    fn compacted(&self, requested: Revision) -> StoreError {
        StoreError::Compacted { requested, oldest: self.oldest }
    }

    /// The object at a key whose last change is at `place` and left `entry` behind, as it was at `revision`, which
    /// must be one that can be asked for: a change that is no longer kept was before it.
    pub(super) fn at<'a>(&'a self, mut entry: Option<&'a Entry>, mut place: Place, at: Revision) -> Option<&'a Entry> {
        if at == self.revision {
            return entry;
        }
        while let Some(change) = self.get(place).filter(|change| change.revision() > at) {
            entry = change.previous.as_ref();
            place = change.before;
        }
        entry
    }

    fn get(&self, place: Place) -> Option<&Change> {
        self.changes.get(usize::try_from(place.checked_sub(self.first)?).ok()?)
    }

    /// Adds a change and returns its place; notes in `bells` who is to be told.
    pub(super) fn push(&mut self, change: Change, bells: &mut Vec<Arc<Bell>>) -> Place {
        let place = self.first + self.changes.len() as Place;
        if !self.topics.is_empty() {
            for prefix in prefixes(change.key().as_str()) {
                let Some(topic) = self.topics.get_mut(prefix) else { continue };
                topic.trim(self.first);
                topic.places.push_back(place);
                if topic.bell.wanted() {
                    bells.push(Arc::clone(&topic.bell));
                }
            }
        }
        self.revision = change.revision();
        self.changes.push_back(change);
        place
    }

    /// Forgets what is more than the capacity, whole revisions at a time, but not the latest. Returns what else is to be
    /// dropped without the lock.
    pub(super) fn trim(&mut self, mut forgotten: impl FnMut(Place, Change)) -> Vec<Batch> {
        while self.changes.len() > self.capacity {
            let Some(revision) = self.changes.front().map(|change| change.revision()) else { break };
            if revision == self.revision {
                return Vec::new();
            }
            self.forget_before(revision.next(), &mut forgotten);
        }
        self.sweep()
    }

    /// Forgets all before `revision`, which must have been reached.
    pub(super) fn forget_before(&mut self, revision: Revision, forgotten: &mut impl FnMut(Place, Change)) {
        self.oldest = self.oldest.max(revision);
        while self.changes.front().is_some_and(|change| change.revision() < revision) {
            let Some(change) = self.changes.pop_front() else { return };
            forgotten(self.first, change);
            self.first += 1;
        }
    }

    /// Lets go of the places, and of the batches, of forgotten changes in topics that nothing happens in: once in a capacity of changes,
    /// so that it costs next to nothing for each and the places never number more than a few capacities.
    fn sweep(&mut self) -> Vec<Batch> {
        self.until_sweep -= 1;
        if self.until_sweep > 0 {
            return Vec::new();
        }
        self.until_sweep = self.capacity;
        let first = self.first;
        let swept = self.topics.values_mut().flat_map(|topic| {
            topic.trim(first);
            topic.outdated()
        });
        swept.collect()
    }

    /// Opens a topic for one more reader, who has seen everything up to `after`; returns its bell, and the number of
    /// the change in the topic that the reader gets first.
    pub(super) fn subscribe(&mut self, prefix: &Prefix, after: Revision) -> Result<(Arc<Bell>, u64), StoreError> {
        if after > self.revision {
            return Err(StoreError::FutureRevision { requested: after, current: self.revision });
        }
        // All from `oldest` on are kept, so nothing is missing after the revision just before it.
        if after.next() < self.oldest {
            return Err(self.compacted(after));
        }
        let topic = self.topics.entry(prefix.as_str().into()).or_insert_with(|| {
            let matching = (self.first..).zip(&self.changes).filter(|(_, change)| prefix.contains(change.key()));
            let places = matching.map(|(place, _)| place).collect();
            Topic { places, gone: 0, readers: 0, bell: Arc::default(), batches: Mutex::default() }
        });
        topic.trim(self.first);
        topic.readers += 1;
        let (first, changes) = (self.first, &self.changes);
        let seen = topic.places.partition_point(|place| {
            let change = usize::try_from(place - first).ok().and_then(|index| changes.get(index));
            change.is_some_and(|change| change.revision() <= after)
        });
        Ok((Arc::clone(&topic.bell), topic.gone + seen as u64))
    }

    /// One reader less.
    pub(super) fn unsubscribe(&mut self, prefix: &Prefix) {
        let Some(topic) = self.topics.get_mut(prefix.as_str()) else { return };
        topic.readers -= 1;
        if topic.readers == 0 {
            self.topics.remove(prefix.as_str());
        }
    }

    /// What a reader of `prefix` gets next, from the change with the number `next` of its topic on, if there is anything.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when something after `told`, the revision that the reader has reached, is no longer
    /// kept.
    pub(super) fn read(&self, prefix: &Prefix, next: u64, told: Revision) -> Result<Option<Read>, StoreError> {
        let Some(topic) = self.topics.get(prefix.as_str()) else { return Ok(None) };
        let lost = || self.compacted(told);
        let start = next.checked_sub(topic.gone).ok_or_else(lost)?;
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(topic.places.len());
        if start == topic.places.len() {
            return Ok(None);
        }
        if let Some(read) = topic.made(next) {
            return Ok(Some(read));
        }
        if topic.places[start] < self.first {
            return Err(lost());
        }
        let change = |place: &Place| self.get(*place).expect("the first place is kept, so those after it are");
        let revision = |number: usize| change(&topic.places[number]).revision();
        let mut end = topic.places.len().min(start + MOST);
        while end < topic.places.len() && revision(end) == revision(end - 1) {
            end += 1;
        }
        let batch: Batch = topic.places.range(start..end).map(|place| change(place).to_event()).collect();
        let outdated = topic.remember(next, &batch);
        Ok(Some(Read { batch, seen: 0, outdated }))
    }
}

/// The prefixes that a key is under: of everything, of its collection, and of its namespace if it has one.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(key.match_indices('/').map(|(slash, _)| &key[..=slash]))
}

#[cfg(test)]
mod tests {
    use orch_core::kind::Object as _;
    use orch_core::object::Lease;
    use orch_core::store::Value;

    use super::*;

    /// A history of that many changes, and a topic of all of them.
    fn history(changes: u64) -> History {
        let mut history = History::new(1_000);
        history.subscribe(&Prefix::all(), Revision::ZERO).expect("the latest revision");
        for number in 1..=changes {
            let key = Key::new(&Lease::KIND, Some("a"), &format!("n{number}")).expect("a valid key");
            let entry = Entry::new(key, Revision(number), Revision(number), Value::new(Lease::default()));
            history.push(Change { what: What::Put(entry), previous: None, before: NOWHERE }, &mut Vec::new());
        }
        history
    }

    fn read(history: &History, next: u64) -> Option<Read> {
        history.read(&Prefix::all(), next, Revision(next)).expect("all is kept")
    }

    #[test]
    fn readers_of_the_same_share_one_copy_though_some_come_later_or_begin_in_the_middle() {
        let history = history(300);
        let first = read(&history, 0).expect("300 changes are there");
        let second = read(&history, 128).expect("172 changes are left");
        assert_eq!((first.batch.len(), second.batch.len()), (MOST, MOST));
        for (next, made, seen) in [(0, &first, 0), (5, &first, 5), (127, &first, 127), (128, &second, 0)] {
            let again = read(&history, next).expect("more changes are there");
            assert!(Arc::ptr_eq(&again.batch, &made.batch), "what begins with {next} was copied again");
            assert_eq!(again.seen, seen);
        }
        let last = read(&history, 256).expect("44 changes are left");
        assert_eq!((last.batch.len(), read(&history, 300).is_none()), (44, true));
    }

    #[test]
    fn what_is_remembered_for_readers_is_bounded() {
        let history = history(1_000);
        (0..1_000).rev().for_each(|next| drop(read(&history, next)));
        (0..1_000).for_each(|next| drop(read(&history, next)));
        let remembered = history.topics[""].batches.lock().expect("nobody panicked").len();
        assert!(remembered <= REMEMBERED, "{remembered} batches are kept");
    }
}
