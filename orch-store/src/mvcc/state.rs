//! [`State`]: what the lock of [`Mvcc`](super::Mvcc) protects. Nothing here waits.

use std::collections::HashSet;
use std::sync::Arc;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Claimed, Continue, Entry, Expect, ListFrom, ListOptions, Page, StoreError, Value, Write,
};
use tokio::time::Instant;

use super::bell::Bell;
use super::claims::Claims;
use super::history::{Batch, Change, History, NOWHERE, Place, What};
use super::index::{Index, Slot, SlotId};
use super::order::Span;

/// The objects, in the order of their keys, and how they came to be so.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) objects: Index,
    pub(super) history: History,
    claims: Claims,
    /// Who waits for a write anywhere.
    pub(super) any_write: Arc<Bell>,
    /// Nothing is written any more.
    pub(super) is_closed: bool,
}

/// What a write leaves behind; `None` after a deletion.
struct Staged {
    key: Key,
    slot: Option<SlotId>,
    entry: Option<Entry>,
}

/// What is left to do after a write, without the lock.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Aftermath {
    pub(super) bells: Vec<Arc<Bell>>,
    /// To be dropped: what no longer can be asked for, which may take a while to free.
    pub(super) forgotten: Vec<Change>,
    swept: Vec<Batch>,
    listed: Vec<Arc<[Entry]>>,
}

impl State {
    pub(super) fn new(history: usize) -> Self {
        let (objects, claims) = (Index::default(), Claims::default());
        Self { objects, history: History::new(history), claims, any_write: Arc::default(), is_closed: false }
    }

    /// The revision of the last change.
    pub(crate) fn revision(&self) -> Revision {
        self.history.revision()
    }

    /// How many objects there are, and those deleted that past states still know.
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.objects.get(self.objects.find(key)?)?.entry.as_ref()
    }

    pub(crate) fn list(&self, prefix: &Prefix, options: &ListOptions) -> Result<Page, StoreError> {
        let (revision, after) = match &options.from {
            ListFrom::Latest => (self.history.revision(), None),
            ListFrom::At(revision) => (*revision, None),
            ListFrom::Continue(Continue { revision, after }) => (*revision, Some(after)),
        };
        self.history.check(revision)?;
        let (span, limit) = (Span::new(prefix, after), options.limit.map_or(usize::MAX, std::num::NonZero::get));
        let (entries, is_more) = if revision == self.history.revision() {
            self.objects.list(&span, limit)
        } else {
            let slots = self.objects.slots(&span);
            let mut rest = slots.filter_map(|slot| self.history.at(slot.entry.as_ref(), slot.place, revision));
            (rest.by_ref().take(limit).cloned().collect(), rest.next().is_some())
        };
        let last = entries.last().filter(|_| is_more);
        let next = last.map(|last| Continue { revision, after: last.key.clone() });
        Ok(Page { entries, revision, next })
    }

    /// Makes one write, if it finds what it expects, and returns what is there now and when it happened.
    pub(crate) fn write(
        &mut self,
        write: Write,
        after: &mut Aftermath,
    ) -> Result<(Option<Entry>, Revision), StoreError> {
        let revision = self.history.revision().next();
        let staged = self.stage(write, revision)?;
        let entry = staged.entry.clone();
        self.apply(staged, revision, after);
        self.settle(after);
        Ok((entry, revision))
    }

    /// Makes all of `writes`, if `checks` and their own expectations hold.
    pub(crate) fn commit(
        &mut self,
        checks: &[Check],
        writes: Vec<Write>,
        after: &mut Aftermath,
    ) -> Result<Revision, StoreError> {
        for check in checks {
            self.expect(&check.key, check.expect)?;
        }
        if writes.is_empty() {
            return Ok(self.history.revision());
        }
        let revision = self.history.revision().next();
        let staged = writes.into_iter().map(|write| self.stage(write, revision)).collect::<Result<Vec<_>, _>>()?;
        for staged in staged {
            self.apply(staged, revision, after);
        }
        self.settle(after);
        Ok(revision)
    }

    /// Puts `value` at `key`, where nothing must be, to be deleted at `end`; see [`Claim`](orch_core::store::Claim).
    pub(crate) fn claim(
        &mut self,
        key: Key,
        value: Value,
        end: Instant,
        after: &mut Aftermath,
    ) -> Result<Entry, StoreError> {
        let (entry, revision) = self.write(Write::Put { key, value, expect: Expect::Absent }, after)?;
        let entry = entry.expect("a put leaves an entry behind");
        self.claims.insert(entry.key.clone(), revision, end);
        Ok(entry)
    }

    /// Lets a claim end at `end`, if it has not ended.
    pub(crate) fn renew(&mut self, claimed: &Claimed, end: Instant) -> Result<(), StoreError> {
        self.claimed(claimed)?;
        self.claims.insert(claimed.entry.key.clone(), claimed.token(), end);
        Ok(())
    }

    /// The write that ends a claim, if it has not ended.
    pub(crate) fn release(&self, claimed: &Claimed) -> Result<Write, StoreError> {
        self.claimed(claimed).map(deletion)
    }

    /// What stands where something was claimed, if the claim has not ended.
    fn claimed(&self, claimed: &Claimed) -> Result<&Entry, StoreError> {
        let key = &claimed.entry.key;
        let entry = self.get(key).filter(|_| self.claims.lives(key, claimed.token()));
        entry.ok_or_else(|| StoreError::ClaimLost { key: key.clone() })
    }

    /// When the next claim ends.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.claims.next_end()
    }

    /// The writes that end the claims whose end has come.
    pub(crate) fn due(&self, now: Instant) -> Vec<Write> {
        self.claims.due(now).filter_map(|key| self.get(key)).map(deletion).collect()
    }

    /// That the object at `key` is as expected; returns where it is and what it is.
    fn expect(&self, key: &Key, expect: Expect) -> Result<(Option<SlotId>, Option<&Entry>), StoreError> {
        let slot = self.objects.find(key);
        let entry = slot.and_then(|slot| self.objects.get(slot)?.entry.as_ref());
        let found = entry.map(|entry| entry.revision);
        let holds = match expect {
            Expect::Absent => found.is_none(),
            Expect::Revision(revision) => found == Some(revision),
        };
        if holds { Ok((slot, entry)) } else { Err(StoreError::Conflict { key: key.clone(), found }) }
    }

    /// Makes what `write` leaves behind, if it finds what it expects, and changes nothing yet.
    fn stage(&self, write: Write, revision: Revision) -> Result<Staged, StoreError> {
        let (slot, known) = self.expect(write.key(), write.expect())?;
        let key = known.map_or_else(|| write.key().clone(), |known| known.key.clone());
        let entry = write.into_entry(revision, known);
        Ok(Staged { key, slot, entry })
    }

    /// Makes a write that was staged. The slot is still where it was: in a transaction every key is written once.
    fn apply(&mut self, Staged { key, slot, entry }: Staged, revision: Revision, after: &mut Aftermath) {
        let what = entry.clone().map_or_else(|| What::Delete(key.clone(), revision), What::Put);
        if entry.is_none() {
            self.claims.remove(&key);
        }
        match slot.and_then(|slot| self.objects.change(slot)) {
            Some((slot, listed)) => {
                after.listed.extend(listed);
                let previous = std::mem::replace(&mut slot.entry, entry);
                slot.place = self.history.push(Change { what, previous, before: slot.place }, &mut after.bells);
            }
            None => {
                let place = self.history.push(Change { what, previous: None, before: NOWHERE }, &mut after.bells);
                after.listed.extend(self.objects.insert(key, Slot { entry, place }));
            }
        }
    }

    pub(crate) fn compact(&mut self, revision: Revision, after: &mut Aftermath) -> Result<(), StoreError> {
        let current = self.history.revision();
        if revision > current {
            return Err(StoreError::FutureRevision { requested: revision, current });
        }
        let Self { objects, history, .. } = self;
        history.forget_before(revision, &mut |place, change| forget(objects, place, change, after));
        Ok(())
    }

    /// What follows every write, or transaction of several.
    fn settle(&mut self, after: &mut Aftermath) {
        let Self { objects, history, any_write, .. } = self;
        let swept = history.trim(|place, change| forget(objects, place, change, after));
        after.swept.extend(swept);
        if any_write.wanted() {
            after.bells.push(Arc::clone(any_write));
        }
    }
}

/// Takes leave of a change that is no longer kept: a key that it deleted, and nobody wrote since, is no more.
fn forget(objects: &mut Index, place: Place, change: Change, after: &mut Aftermath) {
    if let What::Delete(key, _) = &change.what
        && objects.find(key).and_then(|slot| objects.get(slot)).is_some_and(|slot| slot.place == place)
    {
        objects.remove(key);
    }
    after.forgotten.push(change);
}

fn deletion(entry: &Entry) -> Write {
    Write::Delete { key: entry.key.clone(), expect: entry.revision }
}

/// That no two of `writes` are to the same key.
pub(crate) fn check_unique(writes: &[Write]) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    match writes.iter().find(|write| !seen.insert(write.key())) {
        Some(twice) => Err(StoreError::WrittenTwice { key: twice.key().clone() }),
        None => Ok(()),
    }
}
