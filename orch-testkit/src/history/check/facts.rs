//! [`Facts`]: every revision that anybody was told, and whose write it is.

use std::collections::{BTreeMap, HashMap};

use super::case::{Case, Fate, Shape, Source};
use crate::history::fingerprint::Fingerprint;
use crate::history::operation::{Answer, Outcome, Seen};
use crate::history::verdict::Violation;
use crate::history::watched::Told;

/// Every revision that anybody was told.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) by_revision: BTreeMap<u64, Fact>,
}

/// What is known about one revision.
#[derive(Default)]
pub(super) struct Fact {
    /// The write that was acknowledged with it.
    pub(super) owner: Option<usize>,
    /// What stood there since.
    pub(super) stood: Vec<Stood>,
}

/// What a revision left at one key, as far as that was told.
pub(super) struct Stood {
    pub(super) key: usize,
    pub(super) what: What,
    pub(super) source: Source,
}

/// What was left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Put { value: Option<Fingerprint>, created: Option<u64> },
    Deleted,
}

impl What {
    fn of(seen: &Seen) -> Self {
        Self::Put { value: Some(seen.value), created: Some(seen.created.0) }
    }

    const UNSEEN: Self = Self::Put { value: None, created: None };
}

/// A revision that is nobody's, and the writes of unknown outcome that can have made it, the earliest first.
pub(super) struct Unowned {
    pub(super) revision: u64,
    pub(super) candidates: Vec<usize>,
}

impl Facts {
    /// Gathers what was told.
    pub(super) fn gather(case: &Case<'_>) -> Result<Self, Box<Violation>> {
        let mut facts = Self::default();
        for number in 0..case.shapes.len() {
            facts.acknowledged(case, number)?;
        }
        for number in 0..case.shapes.len() {
            facts.seen_by(case, number)?;
        }
        for (watch, watched) in case.history.watches.iter().enumerate() {
            for (item, (_, told)) in watched.told.iter().enumerate() {
                facts.told(case, told, Source::Told(watch, item))?;
            }
        }
        Ok(facts)
    }

    fn acknowledged(&mut self, case: &Case<'_>, number: usize) -> Result<(), Box<Violation>> {
        let Some((_, writes, Fate::At(revision))) = case.write(number) else { return Ok(()) };
        let source = Source::Operation(number);
        let fact = self.by_revision.entry(revision).or_default();
        if let Some(other) = fact.owner.replace(number) {
            let words = format!("revision {revision} was given to two writes");
            return Err(case.violation("W1", words, &[Source::Operation(other), source]));
        }
        for write in writes {
            if fact.stood.iter().any(|stood| stood.key == write.find.key) {
                let words = format!("a transaction wrote {} twice", case.key(write.find.key));
                return Err(case.violation("T1", words, &[source]));
            }
            let what = match write.leave {
                Some(value) => What::Put { value: Some(value), created: None },
                None => What::Deleted,
            };
            fact.stood.push(Stood { key: write.find.key, what, source });
        }
        Ok(())
    }

    fn seen_by(&mut self, case: &Case<'_>, number: usize) -> Result<(), Box<Violation>> {
        let source = Source::Operation(number);
        match &case.history.operations[number].outcome {
            Outcome::Answered(Answer::Found(Some(seen)) | Answer::Put(seen)) => self.saw(case, seen, source)?,
            Outcome::Answered(Answer::Page { entries, .. }) => {
                entries.iter().try_for_each(|seen| self.saw(case, seen, source))?;
            }
            _ => {}
        }
        let needs = match &case.shapes[number] {
            Shape::Write { checks, writes, fate: Fate::At(_) } => {
                checks.iter().copied().chain(writes.iter().map(|write| write.find)).collect()
            }
            Shape::Look { needs, .. } => needs.clone(),
            _ => Vec::new(),
        };
        for need in needs {
            if let Some(revision) = need.state {
                self.observe(case, revision, need.key, What::UNSEEN, source)?;
            }
        }
        Ok(())
    }

    fn told(&mut self, case: &Case<'_>, told: &Told, source: Source) -> Result<(), Box<Violation>> {
        let previous = match told {
            Told::Put { seen, previous } => {
                self.saw(case, seen, source)?;
                previous
            }
            Told::Delete { key, revision, previous } => {
                self.observe(case, revision.0, case.number(key), What::Deleted, source)?;
                previous
            }
            Told::Progress(_) => return Ok(()),
        };
        previous.as_ref().map_or(Ok(()), |previous| self.saw(case, previous, source))
    }

    fn saw(&mut self, case: &Case<'_>, seen: &Seen, source: Source) -> Result<(), Box<Violation>> {
        let key = case.number(&seen.key);
        self.observe(case, seen.revision.0, key, What::of(seen), source)?;
        if seen.created == seen.revision {
            return Ok(());
        }
        self.observe(case, seen.created.0, key, What::UNSEEN, source).map_err(|mut violation| {
            violation.promise = "W4";
            violation.words = format!("{} is told to be created at {}: {}", seen.key, seen.created, violation.words);
            violation
        })
    }

    /// Adds what was told of a revision; it must not contradict what was told before.
    fn observe(
        &mut self,
        case: &Case<'_>,
        revision: u64,
        key: usize,
        what: What,
        source: Source,
    ) -> Result<(), Box<Violation>> {
        let fact = self.by_revision.entry(revision).or_default();
        let Some(known) = fact.stood.iter_mut().find(|stood| stood.key == key) else {
            if let Some(owner) = fact.owner {
                let words =
                    format!("revision {revision} was given to two writes: the other one is of {}", case.key(key));
                return Err(case.violation("W1", words, &[Source::Operation(owner), source]));
            }
            fact.stood.push(Stood { key, what, source });
            return Ok(());
        };
        let name = case.key(key);
        let (promise, words) = match (&mut known.what, what) {
            (What::Deleted, What::Deleted) => return Ok(()),
            (What::Put { value, created }, What::Put { value: new_value, created: new_created }) => {
                let differ = |a: Option<u64>, b: Option<u64>| a.zip(b).is_some_and(|(a, b)| a != b);
                if differ(value.map(|value| value.0), new_value.map(|value| value.0)) {
                    ("W1", format!("{name} has two contents at revision {revision}: it was given to two writes"))
                } else if differ(*created, new_created) {
                    ("W4", format!("{name} at revision {revision} is told to have been created by two writes"))
                } else {
                    *value = value.or(new_value);
                    *created = created.or(new_created);
                    return Ok(());
                }
            }
            _ => ("W1", format!("revision {revision} both wrote and deleted {name}: it was given to two writes")),
        };
        Err(case.violation(promise, words, &[known.source, source]))
    }

    /// The revisions that no write was acknowledged with, and who can have made them.
    pub(super) fn unowned(&self, case: &Case<'_>) -> Result<Vec<Unowned>, Box<Violation>> {
        let mut unknown: HashMap<usize, Vec<usize>> = HashMap::new();
        for number in 0..case.shapes.len() {
            if let Some((_, writes, Fate::Unknown)) = case.write(number) {
                for write in writes {
                    unknown.entry(write.find.key).or_default().push(number);
                }
            }
        }
        let mut put_at: HashMap<usize, Vec<u64>> = HashMap::new();
        let mut all = Vec::new();
        for (revision, fact) in &self.by_revision {
            if fact.owner.is_none() {
                let first = &fact.stood[0];
                let mut candidates = unknown.get(&first.key).cloned().unwrap_or_default();
                candidates.retain(|candidate| can_have_made(case, *candidate, fact, *revision, &put_at));
                if candidates.is_empty() {
                    return Err(self.nobody_wrote(case, *revision, fact));
                }
                all.push(Unowned { revision: *revision, candidates });
            }
            for stood in &fact.stood {
                put_at.entry(stood.key).or_default().push(*revision);
            }
        }
        propagate(&mut all);
        match all.iter().find(|unowned| unowned.candidates.is_empty()) {
            Some(Unowned { revision, .. }) => Err(self.nobody_wrote(case, *revision, &self.by_revision[revision])),
            None => Ok(all),
        }
    }

    /// That a revision is there which nobody can have made: a write that was refused did, or none at all.
    fn nobody_wrote(&self, case: &Case<'_>, revision: u64, fact: &Fact) -> Box<Violation> {
        let refused = (0..case.shapes.len()).find(|number| {
            let operation = &case.history.operations[*number];
            let (_, writes) = case.parts(&operation.request);
            matches!(operation.outcome, Outcome::Refused(_))
                && fact.stood.iter().all(|stood| writes.iter().any(|write| made(write.leave, write.find.key, stood)))
        });
        let stood = &fact.stood[0];
        let name = case.key(stood.key);
        if let Some(refused) = refused {
            let words = format!("a write of {name} was refused, and happened at revision {revision} nevertheless");
            return case.violation("W3", words, &[Source::Operation(refused), stood.source]);
        }
        let acknowledged = (0..case.shapes.len()).find(|number| {
            let (writes, at) = match case.write(*number) {
                Some((_, writes, Fate::At(at))) => (writes, at),
                _ => return false,
            };
            at != revision
                && matches!(stood.what, What::Put { value: Some(_), .. })
                && writes.iter().any(|write| made(write.leave, write.find.key, stood))
        });
        let words = format!("nobody can have written what stands at {name} since revision {revision}");
        match acknowledged {
            Some(number) => {
                let words = format!("{words}: this content was written once, and acknowledged at another revision");
                case.violation("W3", words, &[Source::Operation(number), stood.source])
            }
            None => case.violation("W3", words, &[stood.source]),
        }
    }
}

/// Whether a write left this behind.
fn made(leave: Option<Fingerprint>, key: usize, stood: &Stood) -> bool {
    key == stood.key
        && match (leave, stood.what) {
            (Some(left), What::Put { value, .. }) => value.is_none_or(|value| value == left),
            (None, What::Deleted) => true,
            _ => false,
        }
}

/// Whether a write of unknown outcome can have made a revision, by what it writes and expects.
fn can_have_made(
    case: &Case<'_>,
    candidate: usize,
    fact: &Fact,
    revision: u64,
    written: &HashMap<usize, Vec<u64>>,
) -> bool {
    let Some((_, writes, _)) = case.write(candidate) else { return false };
    let found = |stood: &Stood| {
        writes.iter().any(|write| {
            let before = written.get(&stood.key).and_then(|revisions| revisions.last());
            // It cannot expect what was replaced since, nor what is later.
            let expects_possible =
                write.find.state.is_none_or(|state| before.is_none_or(|before| *before <= state) && state < revision);
            made(write.leave, write.find.key, stood) && expects_possible
        })
    };
    fact.stood.iter().all(found)
}

/// A write that must have made one revision has not made another.
fn propagate(all: &mut [Unowned]) {
    let mut taken: HashMap<usize, u64> = HashMap::new();
    loop {
        let before = taken.len();
        for unowned in all.iter_mut() {
            let revision = unowned.revision;
            unowned.candidates.retain(|candidate| taken.get(candidate).is_none_or(|at| *at == revision));
            if let [only] = unowned.candidates[..] {
                taken.entry(only).or_insert(revision);
            }
        }
        if taken.len() == before {
            return;
        }
    }
}
