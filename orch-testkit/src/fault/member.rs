//! [`Member`]: a controller in play: what it has seen, what it has still to look at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use orch_core::controller::{Change, Controller, Trigger};
use orch_core::key::Key;
use orch_core::kind::{Decoder, Kind, Scope};
use orch_core::store::Entry;

use super::history::RecordedStore;
use crate::model::ModelView;

/// A controller in play.
pub(super) struct Member {
    pub(super) controller: Arc<dyn Controller>,
    pub(super) seen: Seen,
    /// The keys to look at.
    pub(super) queue: VecDeque<Key>,
    /// Every key that it was ever to look at.
    pub(super) known: BTreeSet<Key>,
    /// When to look at a key again, in time since the start.
    pub(super) timers: BTreeMap<Key, Duration>,
    /// How often in a row a key failed.
    pub(super) failures: BTreeMap<Key, u32>,
    /// For each key the positions behind its own last writes, by kind: promise X1.
    pub(super) own: BTreeMap<Key, Vec<usize>>,
    pub(super) frozen: Option<Frozen>,
    triggers: Vec<Trigger>,
    kinds: Vec<(&'static Kind, Decoder)>,
}

/// Why a member is not shown what happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frozen {
    /// The kind that is not shown; `None` for all.
    pub(super) kind: Option<usize>,
    /// Whether the next step of the user is still to be waited for.
    pub(super) over_step: bool,
    /// Whether it is shown the difference in the end.
    pub(super) relist: bool,
    /// Whether it has looked at every key again.
    pub(super) looked: bool,
    /// How many more reconciles it is held back for.
    pub(super) patience: u32,
}

impl Frozen {
    pub(super) const PATIENCE: u32 = 8;
}

impl Member {
    /// A controller that starts from what stood in the store after `position` writes.
    pub(super) fn start(controller: Arc<dyn Controller>, history: &RecordedStore, position: usize) -> Self {
        let triggers = controller.triggers();
        let mut kinds: Vec<(&'static Kind, Decoder)> = Vec::new();
        for trigger in &triggers {
            if !kinds.iter().any(|(kind, _)| *kind == trigger.kind()) {
                kinds.push((trigger.kind(), trigger.decoder()));
            }
        }
        let mut member = Self {
            controller,
            seen: Seen { view: ModelView::default(), frontier: vec![position; kinds.len()] },
            queue: VecDeque::new(),
            known: BTreeSet::new(),
            timers: BTreeMap::new(),
            failures: BTreeMap::new(),
            own: BTreeMap::new(),
            frozen: None,
            triggers,
            kinds,
        };
        for (key, entry) in history.entries_after(position) {
            if let Some(kind) = member.kind_of(&key) {
                member.show(kind, &key, Some(&entry));
            }
        }
        member
    }

    /// How many kinds it sees.
    pub(super) fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// The key of an object that never existed.
    pub(super) fn nobody(&self) -> Option<Key> {
        let (kind, _) = self.kinds.first()?;
        let namespace = (kind.scope == Scope::Namespaced).then_some("nowhere");
        Key::new(kind, namespace, "nobody").ok()
    }

    /// Which of its kinds the key is of.
    pub(super) fn kind_of(&self, key: &Key) -> Option<usize> {
        self.kinds.iter().position(|(kind, _)| kind.collection == key.collection())
    }

    /// A key is to be looked at.
    pub(super) fn enqueue(&mut self, key: Key) {
        self.known.insert(key.clone());
        if !self.queue.contains(&key) {
            self.queue.push_back(key);
        }
    }

    /// Shows every write that it may see.
    pub(super) fn catch_up(&mut self, history: &RecordedStore) {
        while self.show_next(history) {}
    }

    /// Shows the next write that it may see. Returns whether there was one.
    pub(super) fn show_next(&mut self, history: &RecordedStore) -> bool {
        let open = |kind: &usize| match self.frozen {
            None => true,
            Some(Frozen { kind: None, .. }) => false,
            Some(Frozen { kind: Some(hidden), .. }) => *kind != hidden,
        };
        let kinds: Vec<usize> = (0..self.kinds.len()).filter(open).collect();
        let next = kinds.into_iter().filter_map(|kind| self.next_of(kind, history)).min();
        let Some((position, kind)) = next else { return false };
        self.show_to(kind, position + 1, history);
        true
    }

    /// The position of the next write of a kind that it has not seen. What is passed over on the way is of other kinds.
    fn next_of(&mut self, kind: usize, history: &RecordedStore) -> Option<(usize, usize)> {
        let next = history.next_in(self.kinds[kind].0.collection, self.seen.frontier[kind]);
        self.seen.frontier[kind] = next.unwrap_or(history.len());
        next.map(|position| (position, kind))
    }

    /// Shows the writes of one kind up to a position.
    pub(super) fn show_to(&mut self, kind: usize, position: usize, history: &RecordedStore) {
        let collection = self.kinds[kind].0.collection;
        while let Some(at) = history.next_in(collection, self.seen.frontier[kind]).filter(|at| *at < position) {
            self.seen.frontier[kind] = at + 1;
            if let Some(write) = history.write(at) {
                self.show(kind, &write.key, write.after.as_ref());
            }
        }
        self.seen.frontier[kind] = self.seen.frontier[kind].max(position);
    }

    /// Shows what promise X1 demands before `key` is reconciled.
    pub(super) fn show_own(&mut self, key: &Key, history: &RecordedStore) {
        for (kind, position) in self.own.get(key).cloned().unwrap_or_default().into_iter().enumerate() {
            self.show_to(kind, position, history);
        }
    }

    /// Remembers what was written on behalf of `key` from position `from` on.
    pub(super) fn wrote(&mut self, key: &Key, from: usize, history: &RecordedStore) {
        for position in from..history.len() {
            let Some(kind) = history.write(position).and_then(|write| self.kind_of(&write.key)) else { continue };
            let count = self.kinds.len();
            self.own.entry(key.clone()).or_insert_with(|| vec![0; count])[kind] = position + 1;
        }
    }

    /// One more reconcile was made on a view that is held back.
    pub(super) fn lose_patience(&mut self, history: &RecordedStore) {
        let Some(frozen) = &mut self.frozen else { return };
        frozen.patience = frozen.patience.saturating_sub(1);
        if frozen.patience == 0 {
            self.thaw(history);
        }
    }

    /// It may see everything again.
    pub(super) fn thaw(&mut self, history: &RecordedStore) {
        if self.frozen.take().is_some_and(|frozen| frozen.relist) {
            self.relist(history);
        }
    }

    /// Shows the difference between what it has seen and what there is, in the order of keys.
    fn relist(&mut self, history: &RecordedStore) {
        let now = history.entries_after(history.len());
        let mut keys: BTreeSet<Key> = self.seen.view.0.keys().cloned().collect();
        keys.extend(now.keys().filter(|key| self.kind_of(key).is_some()).cloned());
        for key in keys {
            let Some(kind) = self.kind_of(&key) else { continue };
            let entry = now.get(&key);
            let seen = self.seen.view.0.get(&key).and_then(|object| object.metadata().revision);
            if seen != entry.map(|entry| entry.revision) {
                self.show(kind, &key, entry);
            }
        }
        self.seen.frontier.fill(history.len());
    }

    fn show(&mut self, kind: usize, key: &Key, entry: Option<&Entry>) {
        let object = entry.and_then(|entry| (self.kinds[kind].1)(&entry.value).ok());
        let change = match object {
            Some(object) => {
                let previous = self.seen.view.0.insert(key.clone(), object.clone());
                Change::Put { key: key.clone(), object, previous }
            }
            None => match self.seen.view.0.remove(key) {
                Some(previous) => Change::Removed { key: key.clone(), previous },
                None => return,
            },
        };
        self.controller.observe(&change);
        let kind = self.kinds[kind].0;
        let matching = self.triggers.iter().filter(|trigger| trigger.kind() == kind);
        let keys: Vec<Key> = matching.flat_map(|trigger| trigger.keys(&change, &self.seen.view)).collect();
        for key in keys {
            self.enqueue(key);
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.controller.name())
    }
}

/// What a controller has seen: each kind as it was at a point of its own.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) view: ModelView,
    /// For each kind, how many of the store's writes are reflected.
    frontier: Vec<usize>,
}
