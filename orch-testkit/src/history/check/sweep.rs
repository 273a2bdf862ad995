//! The sweep through time: every operation gets the smallest slot that is not before what had ended when it began.

use super::case::{Case, Fate, Listing, Moment, Need, Shape, Source};
use super::timeline::{Order, Timeline, in_words};
use crate::history::operation::Refusal;
use crate::history::verdict::Violation;
use crate::history::watched::WatchEnd;

/// Walks through the history in the order of time.
pub(super) struct Sweep<'a> {
    case: &'a Case<'a>,
    timeline: &'a Timeline<'a>,
    order: &'a Order,
    /// For each operation, the revision at which it happened if it is a write that did.
    happened: Vec<Option<u64>>,
    slots: Vec<Option<u64>>,
    /// The greatest slot of all that has ended, and who has it.
    floor: u64,
    floor_from: Option<Source>,
    /// Everything before it was compacted, by this operation.
    compacted: (u64, Option<usize>),
    /// For each watch, the floor when it was asked for.
    asked: Vec<u64>,
}

/// Looks for slots for everything, given the order of writes.
pub(super) fn sweep(case: &Case<'_>, timeline: &Timeline<'_>, order: &Order) -> Result<(), Box<Violation>> {
    let mut happened = vec![None; case.shapes.len()];
    for (revision, operation) in order {
        happened[*operation] = Some(*revision);
    }
    let slots = vec![None; case.shapes.len()];
    let asked = vec![0; case.history.watches.len()];
    let mut sweep =
        Sweep { case, timeline, order, happened, slots, floor: 0, floor_from: None, compacted: (0, None), asked };
    for (_, moment) in &case.moments {
        match *moment {
            Moment::Invoked(operation) => sweep.slots[operation] = sweep.place(operation)?,
            Moment::Returned(operation) => sweep.returned(operation),
            Moment::Asked(watch) => sweep.asked[watch] = sweep.floor,
            Moment::Told(watch, item) => {
                let revision = case.history.watches[watch].told[item].1.revision().0;
                sweep.raise(revision, Source::Told(watch, item));
            }
            Moment::Refused(watch) => sweep.refused(watch)?,
        }
    }
    Ok(())
}

impl Sweep<'_> {
    /// The slot of an operation that begins now; `None` if it has none.
    fn place(&self, operation: usize) -> Result<Option<u64>, Box<Violation>> {
        match &self.case.shapes[operation] {
            Shape::Silent | Shape::Compact(_) => Ok(None),
            Shape::Write { .. } => match self.happened[operation] {
                Some(revision) if revision <= self.floor => {
                    let words = format!(
                        "a write happened at revision {revision}, though revision {} had been reached before it began",
                        self.floor
                    );
                    Err(self.violation(if self.floor_was_read() { "R1" } else { "W1" }, words, operation, None))
                }
                happened => Ok(happened),
            },
            Shape::Look { promise, needs, at } => self.look(promise, needs, *at, operation).map(Some),
            Shape::List { list, latest } => self.list(list, *latest, operation).map(Some),
        }
    }

    fn look(
        &self,
        promise: &'static str,
        needs: &[Need],
        at: Option<u64>,
        operation: usize,
    ) -> Result<u64, Box<Violation>> {
        if let Some(at) = at.filter(|at| *at < self.floor) {
            let words = format!(
                "the latest revision was said to be {at}, though revision {} had been reached before",
                self.floor
            );
            return Err(self.violation(promise, words, operation, None));
        }
        let from = at.unwrap_or(self.floor);
        if let Some(slot) = self.timeline.next_all(needs, from)
            && at.is_none_or(|at| at == slot)
        {
            return Ok(slot);
        }
        let culprit = needs.iter().find(|need| self.timeline.next(**need, from) != Some(from)).or(needs.last());
        let Some(Need { key, state }) = culprit.copied() else { return Ok(from) };
        let truth = self.timeline.state(key, from);
        let words = format!(
            "{} was told to be {}; at revision {from}, which had been reached before the request began, it was {}, and at \
             no later revision was everything as it was told",
            self.case.key(key),
            in_words(state),
            in_words(truth)
        );
        Err(self.violation(promise, words, operation, self.timeline.last_write(key, from)))
    }

    fn list(&self, list: &Listing<'_>, latest: bool, operation: usize) -> Result<u64, Box<Violation>> {
        if latest && list.revision < self.floor {
            let words = format!(
                "a listing of the latest state is at revision {}, though revision {} had been reached before it began",
                list.revision, self.floor
            );
            return Err(self.violation("R2", words, operation, None));
        }
        if let (oldest, Some(compaction)) = self.compacted
            && list.revision < oldest
        {
            let words = format!("revision {} was listed, though all before {oldest} had been compacted", list.revision);
            let shown_by = [Source::Operation(compaction), Source::Operation(operation)];
            return Err(self.case.violation("C1", words, &shown_by));
        }
        match self.timeline.contradicts(list) {
            Some((words, write)) => {
                let write = write.and_then(|revision| self.order.get(&revision)).map(|write| Source::Operation(*write));
                let shown_by: Vec<Source> = write.into_iter().chain([Source::Operation(operation)]).collect();
                Err(self.case.violation("R2", words, &shown_by))
            }
            None => Ok(self.floor.max(list.revision)),
        }
    }

    fn returned(&mut self, operation: usize) {
        if let Shape::Write { fate: Fate::Unknown, .. } = self.case.shapes[operation] {
            return;
        }
        if let Some(slot) = self.slots[operation] {
            self.raise(slot, Source::Operation(operation));
        }
        if let Shape::Compact(revision) = self.case.shapes[operation]
            && revision > self.compacted.0
            && self.case.answered(operation)
        {
            self.compacted = (revision, Some(operation));
        }
    }

    /// A watch that was refused as being in the future says what the latest revision is.
    fn refused(&mut self, watch: usize) -> Result<(), Box<Violation>> {
        let watched = &self.case.history.watches[watch];
        let WatchEnd::Refused(_, Refusal::FutureRevision { requested, current }) = &watched.end else { return Ok(()) };
        let source = Source::WatchEnd(watch);
        if current.0 < self.asked[watch] {
            let words = format!(
                "the latest revision was said to be {current}, though revision {} had been reached before",
                self.asked[watch]
            );
            let shown_by: Vec<Source> = self.floor_from.into_iter().chain([source]).collect();
            return Err(self.case.violation("R3", words, &shown_by));
        }
        if requested <= current {
            let words = "a watch was refused as being in the future, though it is not".to_owned();
            return Err(self.case.violation("R3", words, &[source]));
        }
        self.raise(current.0, source);
        Ok(())
    }

    /// Whether the floor was shown by a read that can only have been right later than it was made.
    fn floor_was_read(&self) -> bool {
        matches!(self.floor_from, Some(Source::Operation(operation))
            if matches!(self.case.shapes[operation], Shape::Look { promise: "R1", .. }))
    }

    fn raise(&mut self, slot: u64, source: Source) {
        if slot > self.floor {
            self.floor = slot;
            self.floor_from = Some(source);
        }
    }

    /// A violation by an operation, together with the write that it contradicts and with who had shown the floor.
    fn violation(
        &self,
        promise: &'static str,
        words: String,
        operation: usize,
        contradicts: Option<u64>,
    ) -> Box<Violation> {
        let write = contradicts.and_then(|revision| self.order.get(&revision)).map(|write| Source::Operation(*write));
        let shown_by: Vec<Source> =
            write.into_iter().chain(self.floor_from).chain([Source::Operation(operation)]).collect();
        self.case.violation(promise, words, &shown_by)
    }
}
