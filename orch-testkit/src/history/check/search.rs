//! The search for what the history leaves open: who made a revision that is nobody's, and where a write of unknown
//! outcome happened that left none.

use std::collections::{BTreeSet, HashMap};

use super::BUDGET;
use super::case::{Case, Fate, Need, Shape};
use super::facts::{Facts, Unowned};
use super::sweep::sweep;
use super::timeline::{Hidden, Order, Timeline};
use super::watches;
use crate::history::operation::Outcome;
use crate::history::verdict::{Checked, Verdict, Violation};

/// Whether there is an order of all operations that explains the history.
pub(super) fn decide(case: &Case<'_>) -> Verdict {
    let gathered = Facts::gather(case).and_then(|facts| facts.unowned(case).map(|unowned| (facts, unowned)));
    let (facts, mut unowned) = match gathered {
        Ok(gathered) => gathered,
        Err(violation) => return Verdict::Violated(violation),
    };
    unowned.iter_mut().for_each(|unowned| leave_out_the_equal(case, unowned));
    let order = facts.by_revision.iter().filter_map(|(revision, fact)| Some((*revision, fact.owner?))).collect();
    let mut search = Search { case, facts, covered: HashMap::new(), work: 0, tried: 0, first: None, proof: None };
    match search.assign(order, &unowned, true) {
        Some(order) => Verdict::Kept(checked(case, &order)),
        None => {
            let first = search.first.expect("an order that explains nothing leaves a violation behind");
            match search.proof {
                Some(proof) => Verdict::Violated(proof),
                None if search.work < BUDGET => Verdict::Violated(first),
                None => Verdict::Undecided { tried: search.tried, first },
            }
        }
    }
}

/// For each key, revisions that some write of unknown outcome expects.
type Named = HashMap<usize, Vec<u64>>;

struct Search<'a> {
    case: &'a Case<'a>,
    facts: Facts,
    /// For each key that was asked for, from where to where watches would have told of a write.
    covered: HashMap<usize, Vec<(u64, u64)>>,
    work: usize,
    tried: usize,
    first: Option<Box<Violation>>,
    /// What is wrong whatever the search would still find.
    proof: Option<Box<Violation>>,
}

impl Search<'_> {
    /// Gives every revision its write, in every way if need be, and looks whether that explains the history.
    fn assign(&mut self, mut order: Order, unowned: &[Unowned], certain: bool) -> Option<Order> {
        let mut taken: BTreeSet<usize> = order.values().copied().collect();
        for (place, Unowned { revision, candidates }) in unowned.iter().enumerate() {
            let mut free = candidates.iter().copied().filter(|candidate| !taken.contains(candidate));
            let only = free.next()?;
            if free.next().is_some() {
                for candidate in candidates.iter().filter(|candidate| !taken.contains(candidate)) {
                    let mut order = order.clone();
                    order.insert(*revision, *candidate);
                    let rest = &unowned[place + 1..];
                    if let Some(found) = self.assign(order, rest, false) {
                        return Some(found);
                    }
                    if self.work >= BUDGET {
                        return None;
                    }
                }
                return None;
            }
            order.insert(*revision, only);
            taken.insert(only);
        }
        self.place(&order, None, certain)
    }

    /// Looks whether this order of writes explains the history, perhaps with further ones of unknown outcome: those with
    /// a greater number than the last one that was tried.
    fn place(&mut self, order: &Order, last: Option<usize>, certain: bool) -> Option<Order> {
        let nothing = Hidden::new();
        let violation = match self.explains(order, &nothing) {
            Ok(()) => return Some(order.clone()),
            Err(violation) => violation,
        };
        self.first.get_or_insert(violation);
        let named = self.named();
        let hidden = self.hidden(order, &named, last);
        if let Some(relaxed) = self.relaxed(&hidden, &named, order)
            && let Err(violation) = self.explains(order, &relaxed)
        {
            if certain {
                self.proof = Some(violation);
            }
            return None;
        }
        for (operation, places) in hidden {
            for revision in places {
                if self.work >= BUDGET {
                    return None;
                }
                let mut order = order.clone();
                order.insert(revision, operation);
                if let Some(found) = self.place(&order, Some(operation), false) {
                    return Some(found);
                }
            }
        }
        None
    }

    fn explains(&mut self, order: &Order, hidden: &Hidden) -> Result<(), Box<Violation>> {
        self.tried += 1;
        self.work += self.case.moments.len() + 1;
        let timeline = Timeline::replay(self.case, &self.facts, order, hidden)?;
        sweep(self.case, &timeline, order)?;
        watches::compare(self.case, &timeline, order, hidden.is_empty())
    }

    /// The writes of unknown outcome that may have happened without leaving a revision behind, and where.
    fn hidden(&mut self, order: &Order, named: &Named, last: Option<usize>) -> Vec<(usize, Vec<u64>)> {
        let happened: BTreeSet<usize> = order.values().copied().collect();
        let open: Vec<usize> = (last.map_or(0, |last| last + 1)..self.case.shapes.len())
            .filter(|number| matches!(self.case.write(*number), Some((_, _, Fate::Unknown))))
            .filter(|number| !happened.contains(number))
            .collect();
        if open.is_empty() {
            return Vec::new();
        }
        let mut marks: BTreeSet<u64> = order.keys().copied().collect();
        marks.extend(self.case.shapes.iter().filter_map(|shape| match shape {
            Shape::Look { at, .. } => *at,
            Shape::List { list, .. } => Some(list.revision),
            _ => None,
        }));
        let mut hidden = Vec::new();
        for operation in &open {
            let mut places = self.places(*operation, order, &marks, open.len());
            let writes = self.case.writes(*operation);
            let puts = writes.iter().filter(|write| write.leave.is_some()).map(|write| write.find.key);
            let by_name = puts.flat_map(|key| named.get(&key).into_iter().flatten());
            places.extend(by_name.filter(|revision| !order.contains_key(revision)));
            places.sort_unstable();
            places.dedup();
            if !places.is_empty() {
                hidden.push((*operation, places));
            }
        }
        hidden
    }

    /// Revisions that writes of unknown outcome expect, by key: if they happened, so did the writes that made these, be it
    /// that the client had guessed them.
    fn named(&self) -> Named {
        let mut named = Named::new();
        let unknown = |number: &usize| matches!(self.case.write(*number), Some((_, _, Fate::Unknown)));
        for operation in (0..self.case.shapes.len()).filter(unknown) {
            for Need { key, state } in self.needs(operation) {
                named.entry(key).or_default().extend(state);
            }
        }
        named
    }

    fn needs(&self, operation: usize) -> impl Iterator<Item = Need> + '_ {
        let (checks, writes) =
            self.case.write(operation).map_or((&[][..], &[][..]), |(checks, writes, _)| (checks, writes));
        checks.iter().copied().chain(writes.iter().map(|write| write.find))
    }

    /// At which revisions a write with a deletion may have happened: where one is free, what it expects was there, and no
    /// watch would have told of it. Between two marks all revisions are alike, but each can be taken only once.
    fn places(&mut self, operation: usize, order: &Order, marks: &BTreeSet<u64>, count: usize) -> Vec<u64> {
        let writes = self.case.writes(operation);
        if writes.iter().all(|write| write.leave.is_some()) {
            return Vec::new();
        }
        let from = self.needs(operation).filter_map(|need| need.state).max().unwrap_or(0);
        let until = self.replaced(operation, order);
        let keys: Vec<usize> = writes.iter().map(|write| write.find.key).collect();
        let mut places = Vec::new();
        let mut start = from + 1;
        let ends = marks.range(from + 1..).copied().chain([u64::MAX]);
        for end in ends {
            let free = (start..=end).take_while(|place| *place < until).filter(|place| !order.contains_key(place));
            places.extend(free.take(count));
            if end >= until || end == u64::MAX {
                break;
            }
            start = end + 1;
        }
        for key in keys {
            let covered = self.covered(key);
            places.retain(|place| !covered.iter().any(|(after, until)| after < place && place <= until));
        }
        places
    }

    /// Where something that a write expects was replaced by a later one.
    fn replaced(&self, operation: usize, order: &Order) -> u64 {
        let next = |need: Need| {
            let state = need.state?;
            order.range(state + 1..).find(|(_, other)| writes_to(self.case, **other, need.key)).map(|(at, _)| *at)
        };
        self.needs(operation).filter_map(next).min().unwrap_or(u64::MAX)
    }

    /// From where to where watches would have told of a write of this key.
    fn covered(&mut self, key: usize) -> &[(u64, u64)] {
        let case = self.case;
        self.covered.entry(key).or_insert_with(|| {
            let watches = case.history.watches.iter().filter(|watch| watch.prefix.contains(case.key(key)));
            let spans = watches.filter_map(|watch| Some((watch.after.0, watch.told.last()?.1.revision().0)));
            let mut spans: Vec<(u64, u64)> = spans.collect();
            spans.sort_unstable();
            spans.dedup_by(|next, last| {
                let joins = next.0 <= last.1;
                last.1 = if joins { last.1.max(next.1) } else { last.1 };
                joins
            });
            spans
        })
    }

    /// All hidden deletions together, each from the first revision on at which it may have been. `None` if that would
    /// not be a relaxation, because one of the hidden writes may have left what another write expects.
    fn relaxed(&self, hidden: &[(usize, Vec<u64>)], named: &Named, order: &Order) -> Option<Hidden> {
        let mut relaxed = Hidden::new();
        for (operation, places) in hidden {
            let first = *places.first()?;
            for write in self.case.writes(*operation) {
                let key = write.find.key;
                if write.leave.is_some() {
                    let by_name = named.get(&key).into_iter().flatten();
                    if by_name.into_iter().any(|revision| !order.contains_key(revision)) {
                        return None;
                    }
                } else if let Some(state) = write.find.state {
                    relaxed.entry((key, state)).and_modify(|at| *at = first.min(*at)).or_insert(first);
                }
            }
        }
        Some(relaxed)
    }
}

fn writes_to(case: &Case<'_>, operation: usize, key: usize) -> bool {
    case.writes(operation).iter().any(|write| write.find.key == key)
}

/// Of writes that expect and do the same, at most one has happened: the earliest stands for all. Those that expect
/// nothing to be there may each have had their time.
fn leave_out_the_equal(case: &Case<'_>, unowned: &mut Unowned) {
    let mut kept: Vec<(Need, bool)> = Vec::new();
    unowned.candidates.retain(|candidate| match case.write(*candidate) {
        Some(([], [write], _)) if write.find.state.is_some() => {
            let does = (write.find, write.leave.is_some());
            let new = !kept.contains(&does);
            kept.push(does);
            new
        }
        _ => true,
    });
}

fn checked(case: &Case<'_>, order: &Order) -> Checked {
    let unknown = |number: &usize| matches!(case.write(*number), Some((_, _, Fate::Unknown)));
    let recovered = order.values().filter(|number| unknown(number)).count();
    let writes = |number: &usize| !matches!(case.history.operations[*number].outcome, Outcome::Refused(_));
    let all_unknown = (0..case.shapes.len()).filter(|number| writes(number) && unknown(number)).count();
    Checked {
        operations: case.history.operations.len(),
        writes: order.len(),
        recovered,
        unknown: all_unknown - recovered,
        watches: case.history.watches.len(),
        events: case.history.watches.iter().map(|watch| watch.told.len()).sum(),
    }
}
