//! [`Snapshot`]: all that a store remembers, to be written down and brought back; and the end of a store that is closed.

use std::sync::Arc;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::Entry;

use super::history::{NOWHERE, What};
use super::index::Slot;
use super::order::Span;
use super::state::{Aftermath, State};

/// All that a store remembers at one moment. Making the same changes to the same objects again leads to the same store.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The objects as they were before the first change that is kept, in the order of their keys.
    pub(crate) objects: Vec<Entry>,
    /// Of the last change before that.
    pub(crate) base: Revision,
    /// The oldest revision that can be asked for.
    pub(crate) oldest: Revision,
    /// The changes since, in order.
    pub(crate) changes: Vec<(Key, Revision, Option<Entry>)>,
    /// Of the last change.
    pub(crate) revision: Revision,
}

impl State {
    /// All that there is to remember, as pointers.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let history = &self.history;
        let changes = history.changes.iter().map(|change| {
            let entry = match &change.what {
                What::Put(entry) => Some(entry.clone()),
                What::Delete(..) => None,
            };
            (change.key().clone(), change.revision(), entry)
        });
        let changes: Vec<_> = changes.collect();
        let first = changes.first().map(|(_, revision, _)| Revision(revision.0.saturating_sub(1)));
        let base = first.unwrap_or(history.revision);
        let everything = Prefix::all();
        let everything = Span::new(&everything, None);
        let slots = self.objects.slots(&everything);
        let objects = slots.filter_map(|slot| history.at(slot.entry.as_ref(), slot.place, base).cloned()).collect();
        Snapshot { objects, base, oldest: history.oldest, changes, revision: history.revision }
    }

    /// Begins, with nothing in it yet, after `base`; nothing before `oldest` can be asked for.
    pub(crate) fn resume(&mut self, base: Revision, oldest: Revision) {
        (self.history.revision, self.history.oldest) = (base, oldest);
    }

    /// Adds an object that was there before the first change that is kept. `false` if its key has one already.
    pub(crate) fn load(&mut self, entry: Entry) -> bool {
        if self.objects.find(&entry.key).is_some() {
            return false;
        }
        self.objects.insert(entry.key.clone(), Slot { entry: Some(entry), place: NOWHERE });
        true
    }

    /// Ends every watch that has told all.
    pub(crate) fn close(&mut self, after: &mut Aftermath) {
        self.is_closed = true;
        after
            .bells
            .extend(self.history.topics.values().map(|topic| &topic.bell).chain([&self.any_write]).map(Arc::clone));
    }
}
