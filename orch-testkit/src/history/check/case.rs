//! [`Case`]: a history in the form in which it is checked.

use std::collections::HashMap;

use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Expect, ListFrom};

use crate::history::fingerprint::Fingerprint;
use crate::history::operation::{Answer, Operation, Outcome, Refusal, Request, Seen, Tick, expected};
use crate::history::recorder::History;
use crate::history::verdict::Violation;
use crate::history::watched::WatchEnd;

/// A history in the form in which it is checked: keys are numbers in their order, revisions plain numbers.
pub(super) struct Case<'a> {
    pub(super) history: &'a History,
    keys: Vec<&'a Key>,
    numbers: HashMap<&'a str, usize>,
    /// One for each operation.
    pub(super) shapes: Vec<Shape<'a>>,
    /// What happened in the order of time.
    pub(super) moments: Vec<(Tick, Moment)>,
    /// Whether anything was ever forgotten.
    pub(super) forgetful: bool,
}

/// What an operation says about the store.
pub(super) enum Shape<'a> {
    /// Nothing: a read that failed.
    Silent,
    /// One or several writes at once, and what they depend on.
    Write { checks: Vec<Need>, writes: Vec<Effect>, fate: Fate },
    /// At one slot, at exactly this one if it is given, the objects were so.
    Look { promise: &'static str, needs: Vec<Need>, at: Option<u64> },
    /// A listing.
    List { list: Listing<'a>, latest: bool },
    /// Nothing before this is kept, once this returned, if it did.
    Compact(u64),
}

/// Part of the state at one revision.
pub(super) struct Listing<'a> {
    pub(super) prefix: &'a Prefix,
    /// Keys up to this one are not in it.
    pub(super) after: Option<&'a Key>,
    pub(super) entries: &'a [Seen],
    pub(super) revision: u64,
    /// Whether there is more after the last entry.
    pub(super) more: bool,
}

/// An object and how it must be: its revision, or `None` for absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) key: usize,
    pub(super) state: Option<u64>,
}

/// One write: what it finds and what it leaves behind, `None` after a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) find: Need,
    pub(super) leave: Option<Fingerprint>,
}

/// What is known about whether a write happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    At(u64),
    Unknown,
    Never,
}

/// What happened at one tick. The numbers are those of operations, watches, and items of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Invoked(usize),
    Returned(usize),
    Asked(usize),
    Told(usize, usize),
    Refused(usize),
}

/// Who showed something: an operation, or an item of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Operation(usize),
    Told(usize, usize),
    WatchEnd(usize),
}

impl<'a> Case<'a> {
    /// Puts a history into that form. What is wrong on the face of it is found here.
    pub(super) fn new(history: &'a History) -> Result<Self, Box<Violation>> {
        let mut keys = Vec::new();
        for operation in &history.operations {
            keys_of(operation, &mut keys);
        }
        for (_, told) in history.watches.iter().flat_map(|watch| &watch.told) {
            super::watches::keys_of(told, &mut keys);
        }
        keys.sort_unstable();
        keys.dedup();
        let numbers = keys.iter().enumerate().map(|(number, key)| (key.as_str(), number)).collect();
        let mut case = Self { history, keys, numbers, shapes: Vec::new(), moments: moments(history), forgetful: false };
        for (number, operation) in history.operations.iter().enumerate() {
            let shape = case.shape(number, operation)?;
            let compacted = matches!(operation.outcome, Outcome::Refused(Refusal::Compacted { .. }));
            case.forgetful |= compacted || matches!(shape, Shape::Compact(_));
            case.shapes.push(shape);
        }
        case.forgetful |=
            history.watches.iter().any(|watch| matches!(watch.end, WatchEnd::Refused(_, Refusal::Compacted { .. })));
        Ok(case)
    }

    pub(super) fn key(&self, number: usize) -> &'a Key {
        self.keys[number]
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn number(&self, key: &Key) -> usize {
        self.numbers[key.as_str()]
    }

    /// The numbers of the keys under a prefix.
    pub(super) fn under(&self, prefix: &Prefix) -> std::ops::Range<usize> {
        let start = self.keys.partition_point(|key| key.as_str() < prefix.as_str());
        let count = self.keys[start..].partition_point(|key| prefix.contains(key));
        start..start + count
    }

    /// The parts of a write, if the operation is one.
    pub(super) fn write(&self, operation: usize) -> Option<(&[Need], &[Effect], Fate)> {
        match &self.shapes[operation] {
            Shape::Write { checks, writes, fate } => Some((checks, writes, *fate)),
            _ => None,
        }
    }

    /// The writes of an operation: none, if it is not one.
    pub(super) fn writes(&self, operation: usize) -> &[Effect] {
        self.write(operation).map_or(&[], |(_, writes, _)| writes)
    }

    /// Whether an operation was answered, not refused.
    pub(super) fn answered(&self, operation: usize) -> bool {
        matches!(self.history.operations[operation].outcome, Outcome::Answered(_))
    }

    /// A violation, with those who show it.
    pub(super) fn violation(&self, promise: &'static str, words: String, shown_by: &[Source]) -> Box<Violation> {
        let mut sources = Vec::new();
        for source in shown_by {
            if !sources.contains(source) {
                sources.push(*source);
            }
        }
        let times: Vec<(Tick, Tick)> = sources.iter().map(|source| self.times(*source)).collect();
        let from = times.iter().map(|(from, _)| *from).min().unwrap_or_default();
        let until = times.iter().map(|(_, until)| *until).max().unwrap_or_default();
        let fell_into = self.history.notes.iter().filter(|(at, _)| (from..=until).contains(at));
        Box::new(Violation {
            promise,
            words,
            involved: sources.iter().map(|source| self.describe(*source)).collect(),
            notes: fell_into.map(|(at, words)| format!("[{at}] {words}")).collect(),
            seed: self.history.seed,
        })
    }

    fn times(&self, source: Source) -> (Tick, Tick) {
        match source {
            Source::Operation(number) => {
                let operation = &self.history.operations[number];
                (operation.invoked, operation.returned.unwrap_or(operation.invoked))
            }
            Source::Told(watch, item) => {
                let at = self.history.watches[watch].told[item].0;
                (at, at)
            }
            Source::WatchEnd(watch) => (self.history.watches[watch].invoked, self.history.watches[watch].invoked),
        }
    }

    fn describe(&self, source: Source) -> String {
        match source {
            Source::Operation(number) => self.history.operations[number].to_string(),
            Source::Told(watch, item) => {
                let watch = &self.history.watches[watch];
                let (at, told) = &watch.told[item];
                format!("{watch} → [{at}] {told}")
            }
            Source::WatchEnd(watch) => {
                let watch = &self.history.watches[watch];
                let last = watch.told.last().map(|(at, told)| format!(", last [{at}] {told}"));
                format!("{watch} → {:?}{}", watch.end, last.unwrap_or_default())
            }
        }
    }

    fn shape(&self, number: usize, operation: &'a Operation) -> Result<Shape<'a>, Box<Violation>> {
        let broken = |promise, words: &str| self.violation(promise, words.to_owned(), &[Source::Operation(number)]);
        Ok(match (&operation.request, &operation.outcome) {
            (Request::Get { key }, Outcome::Answered(Answer::Found(found))) => {
                if found.as_ref().is_some_and(|seen| seen.key != *key) {
                    return Err(broken("R1", "another object was returned than the one asked for"));
                }
                let state = found.as_ref().map(|seen| seen.revision.0);
                Shape::Look { promise: "R1", needs: vec![Need { key: self.number(key), state }], at: None }
            }
            (Request::List { prefix, from, limit }, Outcome::Answered(Answer::Page { entries, revision, next })) => {
                let after = match from {
                    ListFrom::Continue(next) => Some(&next.after),
                    ListFrom::Latest | ListFrom::At(_) => None,
                };
                if asked_revision(from).is_some_and(|asked| asked != *revision)
                    || next.as_ref().is_some_and(|next| next.revision != *revision)
                {
                    return Err(broken("R2", "the listing goes on at another revision than its own"));
                }
                if entries.len() > limit.map_or(usize::MAX, std::num::NonZero::get) {
                    return Err(broken("R2", "the page holds more entries than were asked for"));
                }
                let list = Listing { prefix, after, entries, revision: revision.0, more: next.is_some() };
                Shape::List { list, latest: matches!(from, ListFrom::Latest) }
            }
            (Request::Compact { revision }, Outcome::Answered(_) | Outcome::Unknown) => Shape::Compact(revision.0),
            (_, Outcome::Refused(Refusal::FutureRevision { requested, current })) => {
                if requested <= current {
                    return Err(broken("R3", "a revision was refused as being in the future, though it is not"));
                }
                Shape::Look { promise: "R3", needs: Vec::new(), at: Some(current.0) }
            }
            (_, Outcome::Refused(Refusal::Compacted { requested, oldest })) => {
                if requested >= oldest {
                    return Err(broken("R3", "a revision was refused as compacted, though it is kept"));
                }
                Shape::Silent
            }
            (Request::Get { .. } | Request::List { .. } | Request::Compact { .. }, _) => Shape::Silent,
            (request, outcome) => {
                let (checks, writes) = self.parts(request);
                match outcome {
                    Outcome::Refused(Refusal::Conflict { key, found }) => {
                        let found = found.map(|revision| revision.0);
                        let Some(needs) = self
                            .numbers
                            .get(key.as_str())
                            .and_then(|key| conflict(&checks, &writes, Need { key: *key, state: found }))
                        else {
                            return Err(broken("W2", "the write was refused although the object is as expected"));
                        };
                        Shape::Look { promise: "W2", needs, at: None }
                    }
                    Outcome::Refused(_) => Shape::Write { checks, writes, fate: Fate::Never },
                    Outcome::Unknown => Shape::Write { checks, writes, fate: Fate::Unknown },
                    Outcome::Answered(Answer::Done(revision)) if writes.is_empty() => {
                        Shape::Look { promise: "T4", needs: checks, at: Some(revision.0) }
                    }
                    Outcome::Answered(Answer::Done(revision)) => {
                        Shape::Write { checks, writes, fate: Fate::At(revision.0) }
                    }
                    Outcome::Answered(Answer::Put(seen)) => {
                        Shape::Write { checks, writes, fate: Fate::At(seen.revision.0) }
                    }
                    Outcome::Answered(_) => return Err(broken("W4", "the answer is to another question")),
                }
            }
        })
    }

    /// What a write depends on and what it does.
    pub(super) fn parts(&self, request: &Request) -> (Vec<Need>, Vec<Effect>) {
        let need = |key: &Key, expect: Expect| Need {
            key: self.number(key),
            state: expected(expect).map(|revision| revision.0),
        };
        match request {
            Request::Put { key, value, expect } => {
                (Vec::new(), vec![Effect { find: need(key, *expect), leave: Some(*value) }])
            }
            Request::Delete { key, expect } => {
                (Vec::new(), vec![Effect { find: need(key, Expect::Revision(*expect)), leave: None }])
            }
            Request::Commit { checks, writes } => (
                checks.iter().map(|check| need(&check.key, check.expect)).collect(),
                writes
                    .iter()
                    .map(|write| Effect { find: need(&write.key, write.expect), leave: write.value })
                    .collect(),
            ),
            Request::Get { .. } | Request::List { .. } | Request::Compact { .. } => (Vec::new(), Vec::new()),
        }
    }
}

/// The revision that a listing was asked for.
fn asked_revision(from: &ListFrom) -> Option<Revision> {
    match from {
        ListFrom::Latest => None,
        ListFrom::At(revision) => Some(*revision),
        ListFrom::Continue(next) => Some(next.revision),
    }
}

/// How the objects were when a write was refused because of one of them: those before it, in the order in which they
/// are looked at, were as expected (T3). `None` if it was as expected too.
fn conflict(checks: &[Need], writes: &[Effect], found: Need) -> Option<Vec<Need>> {
    let looked_at: Vec<Need> = checks.iter().copied().chain(writes.iter().map(|write| write.find)).collect();
    let failed = looked_at.iter().position(|need| need.key == found.key && need.state != found.state)?;
    let mut needs = looked_at[..failed].to_vec();
    needs.push(found);
    Some(needs)
}

fn moments(history: &History) -> Vec<(Tick, Moment)> {
    let mut moments = Vec::new();
    for (number, operation) in history.operations.iter().enumerate() {
        moments.push((operation.invoked, Moment::Invoked(number)));
        moments.extend(operation.returned.map(|returned| (returned, Moment::Returned(number))));
    }
    for (number, watch) in history.watches.iter().enumerate() {
        moments.push((watch.invoked, Moment::Asked(number)));
        let told = watch.told.iter().enumerate();
        moments.extend(told.map(|(item, (at, _))| (*at, Moment::Told(number, item))));
        if let WatchEnd::Refused(at, _) = watch.end {
            moments.push((at, Moment::Refused(number)));
        }
    }
    // What has the same time was at the same time: it begins before it ends.
    moments.sort_by_key(|(at, moment)| (*at, !matches!(moment, Moment::Invoked(_) | Moment::Asked(_))));
    moments
}

fn keys_of<'a>(operation: &'a Operation, keys: &mut Vec<&'a Key>) {
    match &operation.request {
        Request::Get { key } | Request::Put { key, .. } | Request::Delete { key, .. } => keys.push(key),
        Request::Commit { checks, writes } => {
            keys.extend(checks.iter().map(|check| &check.key).chain(writes.iter().map(|write| &write.key)));
        }
        Request::List { .. } | Request::Compact { .. } => {}
    }
    match &operation.outcome {
        Outcome::Answered(Answer::Page { entries, .. }) => keys.extend(entries.iter().map(|seen| &seen.key)),
        Outcome::Answered(Answer::Found(Some(seen)) | Answer::Put(seen)) => keys.push(&seen.key),
        _ => {}
    }
}
