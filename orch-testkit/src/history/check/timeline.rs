//! [`Timeline`]: which object was what from which revision on.

use std::collections::{BTreeMap, HashMap};

use super::case::{Case, Effect, Listing, Need, Source};
use super::facts::{Facts, What};
use crate::history::verdict::Violation;

/// Which operation happened at which revision.
pub(super) type Order = BTreeMap<u64, usize>;

/// Deletions of unknown outcome that may have happened, nobody knows when: the key and the revision that they expect,
/// and the first revision at which that can have been.
pub(super) type Hidden = HashMap<(usize, u64), u64>;

/// The state of every object over all revisions.
pub(super) struct Timeline<'a> {
    case: &'a Case<'a>,
    /// For each key its writes, in order.
    writes: Vec<Vec<Written>>,
    hidden: &'a Hidden,
}

#[derive(Clone, Copy)]
struct Written {
    revision: u64,
    /// The write that created the object; `None` after a deletion.
    created: Option<u64>,
}

impl<'a> Timeline<'a> {
    /// Replays the writes in this order. Each must find what it expects, but that a hidden deletion may explain that an
    /// object is absent; and each fact must be what is there then.
    pub(super) fn replay(
        case: &'a Case<'a>,
        facts: &Facts,
        order: &Order,
        hidden: &'a Hidden,
    ) -> Result<Self, Box<Violation>> {
        let mut timeline = Self { case, writes: vec![Vec::new(); case.keys()], hidden };
        for (revision, operation) in order {
            let Some((checks, writes, _)) = case.write(*operation) else { continue };
            for need in checks {
                timeline.found("T2", *operation, *revision, *need, order)?;
            }
            for write in writes {
                timeline.found("W2", *operation, *revision, write.find, order)?;
            }
            for write in writes {
                timeline.apply(*revision, write);
            }
            let stood = facts.by_revision.get(revision).map_or(&[][..], |fact| &fact.stood);
            for stood in stood {
                let created = timeline.writes[stood.key].last().and_then(|written| written.created);
                if let What::Put { created: Some(told), .. } = stood.what
                    && created != Some(told)
                {
                    let name = case.key(stood.key);
                    let truth = created.unwrap_or_default();
                    let words = format!("{name} at revision {revision} was created at {truth}, not at {told}");
                    return Err(case.violation("W4", words, &[Source::Operation(*operation), stood.source]));
                }
            }
        }
        Ok(timeline)
    }

    fn found(
        &self,
        promise: &'static str,
        operation: usize,
        at: u64,
        need: Need,
        order: &Order,
    ) -> Result<(), Box<Violation>> {
        let before = at.saturating_sub(1);
        if self.next(need, before) == Some(before) {
            return Ok(());
        }
        let words = format!(
            "a write at revision {at} expects {} {}, but it was {} then",
            self.case.key(need.key),
            in_words(need.state),
            in_words(self.state(need.key, before))
        );
        let last = self.last_write(need.key, before).and_then(|revision| order.get(&revision));
        let shown_by: Vec<Source> =
            last.into_iter().chain([&operation]).map(|number| Source::Operation(*number)).collect();
        Err(self.case.violation(promise, words, &shown_by))
    }

    fn apply(&mut self, revision: u64, write: &Effect) {
        let writes = &mut self.writes[write.find.key];
        let inherited = write.find.state.and_then(|_| writes.last()).and_then(|last| last.created);
        let created = write.leave.map(|_| inherited.unwrap_or(revision));
        writes.push(Written { revision, created });
    }

    /// How many writes of a key there are up to a slot.
    fn count(&self, key: usize, slot: u64) -> usize {
        self.writes[key].partition_point(|written| written.revision <= slot)
    }

    /// The last write of a key up to a slot, be it a deletion.
    pub(super) fn last_write(&self, key: usize, slot: u64) -> Option<u64> {
        Some(self.writes[key][self.count(key, slot).checked_sub(1)?].revision)
    }

    /// The revision of the object at a slot; `None` if there is none.
    pub(super) fn state(&self, key: usize, slot: u64) -> Option<u64> {
        self.object(key, slot).map(|(revision, _)| revision)
    }

    /// Revision and creation of the object at a slot.
    pub(super) fn object(&self, key: usize, slot: u64) -> Option<(u64, u64)> {
        let written = self.writes[key][self.count(key, slot).checked_sub(1)?];
        Some((written.revision, written.created?))
    }

    /// The first slot from `from` on at which the object is so.
    pub(super) fn next(&self, need: Need, from: u64) -> Option<u64> {
        let writes = &self.writes[need.key];
        let Some(revision) = need.state else { return self.next_absent(need.key, from) };
        let place = writes.binary_search_by_key(&revision, |written| written.revision).ok()?;
        let end = writes.get(place + 1).map_or(u64::MAX, |written| written.revision);
        let slot = from.max(revision);
        (writes[place].created.is_some() && slot < end).then_some(slot)
    }

    fn next_absent(&self, key: usize, from: u64) -> Option<u64> {
        let writes = &self.writes[key];
        let Some(mut place) = self.count(key, from).checked_sub(1) else { return Some(from) };
        loop {
            let written = writes.get(place)?;
            let end = writes.get(place + 1).map_or(u64::MAX, |written| written.revision);
            let absent_from = match written.created {
                None => Some(written.revision),
                Some(_) => self.hidden.get(&(key, written.revision)).copied(),
            };
            let slot = absent_from.map(|absent| absent.max(from)).filter(|slot| *slot < end);
            if slot.is_some() {
                return slot;
            }
            place += 1;
        }
    }

    /// The first slot from `from` on at which all objects are so.
    pub(super) fn next_all(&self, needs: &[Need], from: u64) -> Option<u64> {
        let mut slot = from;
        loop {
            let before = slot;
            for need in needs {
                slot = self.next(*need, slot)?;
            }
            if slot == before {
                return Some(slot);
            }
        }
    }

    /// What is wrong with a listing, if anything is, and the write that it contradicts.
    pub(super) fn contradicts(&self, list: &Listing<'_>) -> Option<(String, Option<u64>)> {
        let mut entries = list.entries.iter().peekable();
        for key in self.case.under(list.prefix) {
            let name = self.case.key(key);
            if list.after.is_some_and(|after| name <= after) {
                continue;
            }
            if entries.peek().is_none() && list.more {
                return None;
            }
            let truth = self.state(key, list.revision);
            let listed = entries.next_if(|seen| seen.key == *name).map(|seen| seen.revision.0);
            let may_be_gone = || self.next(Need { key, state: None }, list.revision) == Some(list.revision);
            if listed != truth && !(listed.is_none() && may_be_gone()) {
                let (truth, listed) = (in_words(truth), in_words(listed));
                let words = format!("at revision {} {name} is {truth}, and it is listed {listed}", list.revision);
                return Some((words, self.last_write(key, list.revision)));
            }
        }
        let stray = entries.next()?;
        Some((format!("{} is listed out of its place or outside of the prefix", stray.key), None))
    }
}

pub(super) fn in_words(state: Option<u64>) -> String {
    state.map_or("absent".to_owned(), |revision| format!("at revision {revision}"))
}
