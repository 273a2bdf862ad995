//! What watches told is what was written, in order, each once, nothing left out.

use std::collections::BTreeMap;

use orch_core::key::Key;

use super::case::{Case, Source};
use super::timeline::{Order, Timeline};
use crate::history::operation::{Refusal, Seen};
use crate::history::verdict::Violation;
use crate::history::watched::{Told, WatchEnd, Watched};

/// A write under a prefix: its revision and its key.
type Change = (u64, usize);

/// Compares every watch with the order of writes. Where a hidden deletion may have happened, what was there before a
/// creation is not looked at.
pub(super) fn compare(
    case: &Case<'_>,
    timeline: &Timeline<'_>,
    order: &Order,
    strict: bool,
) -> Result<(), Box<Violation>> {
    let mut changes: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
    for (number, watched) in case.history.watches.iter().enumerate() {
        let changes = changes.entry(watched.prefix.as_str()).or_insert_with(|| under(case, watched, order));
        let start = changes.partition_point(|(revision, _)| *revision <= watched.after.0);
        let reader = Reader { case, timeline, order, number, watched, strict, expected: &changes[start..] };
        reader.read()?;
    }
    Ok(())
}

/// All writes under the prefix of a watch, in order.
fn under(case: &Case<'_>, watched: &Watched, order: &Order) -> Vec<Change> {
    let keys = case.under(&watched.prefix);
    let mut changes = Vec::new();
    for (revision, operation) in order {
        let of_operation = case.writes(*operation).iter().map(|write| write.find.key).filter(|key| keys.contains(key));
        changes.extend(of_operation.map(|key| (*revision, key)));
    }
    changes
}

/// One watch, and what it still has to tell.
struct Reader<'a> {
    case: &'a Case<'a>,
    timeline: &'a Timeline<'a>,
    order: &'a Order,
    number: usize,
    watched: &'a Watched,
    strict: bool,
    expected: &'a [Change],
}

impl Reader<'_> {
    fn read(mut self) -> Result<(), Box<Violation>> {
        let mut reached = self.watched.after.0;
        // The rest of the revision of which something was told.
        let mut rest: Vec<usize> = Vec::new();
        for (item, (_, told)) in self.watched.told.iter().enumerate() {
            let revision = told.revision().0;
            let Some(key) = key_of(told) else {
                self.progress(item, revision, reached, &rest)?;
                reached = revision;
                continue;
            };
            self.in_its_place(item, key, revision, reached, &rest)?;
            if revision != reached || rest.is_empty() {
                rest = self.take(revision);
            }
            reached = revision;
            let number = self.case.number(key);
            rest.retain(|key| *key != number);
            self.previous(item, number, told)?;
        }
        self.end(reached, &rest)
    }

    /// Takes the changes of a revision off what is expected.
    fn take(&mut self, revision: u64) -> Vec<usize> {
        let count = self.expected.partition_point(|(expected, _)| *expected <= revision);
        let (now, later) = self.expected.split_at(count);
        self.expected = later;
        now.iter().map(|(_, key)| *key).collect()
    }

    fn in_its_place(
        &self,
        item: usize,
        key: &Key,
        revision: u64,
        reached: u64,
        rest: &[usize],
    ) -> Result<(), Box<Violation>> {
        let number = self.case.number(key);
        if !self.watched.prefix.contains(key) {
            return Err(self.violation("E5", "an event is not under the prefix".to_owned(), item, None));
        }
        if revision == reached && rest.contains(&number) {
            return Ok(());
        }
        if revision <= reached {
            let again = self.watched.told[..item]
                .iter()
                .any(|(_, told)| told.revision().0 == revision && key_of(told) == Some(key));
            return Err(if again {
                self.violation("E2", format!("the change of {key} at revision {revision} was told twice"), item, None)
            } else {
                let words = format!("a change at revision {revision} was told after revision {reached} was reached");
                self.violation("E1", words, item, None)
            });
        }
        if !rest.is_empty() {
            let words = format!("not all changes of revision {reached} came before the next one");
            return Err(self.violation("E3", words, item, Some(reached)));
        }
        match self.expected.first() {
            Some((missing, key)) if *missing < revision => {
                let words = format!("the change of {} at revision {missing} was left out", self.case.key(*key));
                Err(self.violation("E4", words, item, Some(*missing)))
            }
            _ => Ok(()),
        }
    }

    fn progress(&self, item: usize, revision: u64, reached: u64, rest: &[usize]) -> Result<(), Box<Violation>> {
        if revision < reached {
            let words = format!("a progress mark at {revision} came after revision {reached} was told");
            return Err(self.violation("E6", words, item, None));
        }
        if !rest.is_empty() {
            let words = format!("a progress mark came before all changes of revision {reached} were told");
            return Err(self.violation("E3", words, item, Some(reached)));
        }
        match self.expected.first() {
            Some((missing, key)) if *missing <= revision => {
                let key = self.case.key(*key);
                let words =
                    format!("a progress mark at {revision} came before the change of {key} at revision {missing}");
                Err(self.violation("E6", words, item, Some(*missing)))
            }
            _ => Ok(()),
        }
    }

    /// What an event says was there before. Where history was forgotten it may say nothing.
    fn previous(&self, item: usize, key: usize, told: &Told) -> Result<(), Box<Violation>> {
        let previous = match told {
            Told::Put { previous, .. } | Told::Delete { previous, .. } => previous,
            Told::Progress(_) => return Ok(()),
        };
        let revision = told.revision().0;
        let truth = self.timeline.object(key, revision.saturating_sub(1));
        let told = previous.as_ref().map(|Seen { revision, created, .. }| (revision.0, created.0));
        let unsaid = told.is_none() && (self.case.forgetful || !self.strict);
        if told == truth || unsaid {
            return Ok(());
        }
        let say = |object: Option<(u64, u64)>| {
            object.map_or("nothing".to_owned(), |(revision, created)| {
                format!("the object at revision {revision} created at {created}")
            })
        };
        let words = format!("before revision {revision} there was {}, and {} was told", say(truth), say(told));
        Err(self.violation("E8", words, item, truth.map(|(revision, _)| revision)))
    }

    fn end(&self, reached: u64, rest: &[usize]) -> Result<(), Box<Violation>> {
        let violation = |promise, words: String, missing: Option<u64>| {
            let write = missing.and_then(|revision| self.order.get(&revision));
            let write = write.map(|write| Source::Operation(*write));
            let shown_by: Vec<Source> = write.into_iter().chain([Source::WatchEnd(self.number)]).collect();
            Err(self.case.violation(promise, words, &shown_by))
        };
        match &self.watched.end {
            WatchEnd::Dropped => Ok(()),
            WatchEnd::WithoutAWord(_) => violation("E7", "a watch ended without a word".to_owned(), None),
            WatchEnd::Refused(_, refusal) => {
                if !rest.is_empty() {
                    let words = format!("a watch ended before all changes of revision {reached} were told");
                    return violation("E3", words, Some(reached));
                }
                match refusal {
                    Refusal::Compacted { requested, oldest } if requested >= oldest => {
                        let words = "a watch was refused as compacted, though what it has to tell is kept".to_owned();
                        violation("C1", words, None)
                    }
                    _ => Ok(()),
                }
            }
            WatchEnd::Open => match self.case.history.settled.map(|revision| revision.0) {
                Some(settled) if settled > reached => {
                    let missing = self.expected.first().map(|(revision, _)| *revision);
                    let promise = if missing.is_some_and(|missing| missing <= settled) { "E4" } else { "E6" };
                    let words = format!(
                        "a watch stopped at revision {reached}, though its reader waited for revision {settled}"
                    );
                    violation(promise, words, missing)
                }
                _ => Ok(()),
            },
        }
    }

    fn violation(&self, promise: &'static str, words: String, item: usize, write: Option<u64>) -> Box<Violation> {
        let write = write.and_then(|revision| self.order.get(&revision)).map(|write| Source::Operation(*write));
        let before = item.checked_sub(1).map(|before| Source::Told(self.number, before));
        let told = Source::Told(self.number, item);
        let shown_by: Vec<Source> = write.into_iter().chain(before).chain([told]).collect();
        self.case.violation(promise, words, &shown_by)
    }
}

fn key_of(told: &Told) -> Option<&Key> {
    match told {
        Told::Put { seen, .. } => Some(&seen.key),
        Told::Delete { key, .. } => Some(key),
        Told::Progress(_) => None,
    }
}

/// The keys that an item of a watch names.
pub(super) fn keys_of<'a>(told: &'a Told, keys: &mut Vec<&'a Key>) {
    keys.extend(key_of(told));
    if let Told::Put { previous: Some(previous), .. } | Told::Delete { previous: Some(previous), .. } = told {
        keys.push(&previous.key);
    }
}
