//! A check that is obviously right: it tries every order that agrees with real time (Wing and Gong 1993) on a
//! sequential model of the store.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Expect, ListFrom};
use orch_testkit::history::{Answer, Fingerprint, History, Intent, Operation, Outcome, Refusal, Request, Seen};

/// Whether some order of the operations explains what they were answered. Watches are not looked at.
pub(crate) fn explains(history: &History) -> bool {
    let says_nothing = |operation: &&Operation| {
        matches!(
            (&operation.request, &operation.outcome),
            (_, Outcome::Refused(Refusal::Other(_))) | (Request::Get { .. } | Request::List { .. }, Outcome::Unknown)
        )
    };
    let operations: Vec<&Operation> = history.operations.iter().filter(|operation| !says_nothing(operation)).collect();
    let highest = operations.iter().flat_map(|operation| named(operation)).max().unwrap_or(0);
    let mut search = Search { latest: highest + operations.len() as u64, operations, failed: BTreeSet::new() };
    search.from(0, &State::default())
}

struct Search<'a> {
    operations: Vec<&'a Operation>,
    /// No later revision needs to be tried.
    latest: u64,
    failed: BTreeSet<(u64, State)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    now: u64,
    /// Every object that there was, by revision and key; `None` for a deletion.
    changes: BTreeMap<(u64, Key), Option<(u64, Fingerprint)>>,
}

impl Search<'_> {
    /// Whether the operations that are not in `done` can follow.
    fn from(&mut self, done: u64, state: &State) -> bool {
        let open = |number: &usize| done & (1 << number) == 0;
        let must_follow = |number: &usize| !matches!(self.operations[*number].outcome, Outcome::Unknown);
        if !(0..self.operations.len()).filter(open).any(|number| must_follow(&number)) {
            return true;
        }
        if self.failed.contains(&(done, state.clone())) {
            return false;
        }
        // What returned before another one was invoked comes before it.
        let returned = (0..self.operations.len()).filter(open).filter(must_follow);
        let first = returned.filter_map(|number| self.operations[number].returned).min();
        for number in (0..self.operations.len()).filter(open) {
            let operation = self.operations[number];
            if first.is_some_and(|first| operation.invoked > first) {
                continue;
            }
            for next in state.after(operation, self.latest) {
                if self.from(done | (1 << number), &next) {
                    return true;
                }
            }
        }
        self.failed.insert((done, state.clone()));
        false
    }
}

impl State {
    /// The object at a key at a revision: its revision, its creation, its content.
    fn at(&self, revision: u64, key: &Key) -> Option<Seen> {
        let of_key = self.changes.iter().filter(|((at, of), _)| of == key && *at <= revision);
        let ((at, _), object) = of_key.max_by_key(|((at, _), _)| *at)?;
        object.map(|(created, value)| Seen {
            key: key.clone(),
            revision: Revision(*at),
            created: Revision(created),
            value,
        })
    }

    fn is(&self, key: &Key, expect: Expect) -> bool {
        let found = self.at(self.now, key).map(|seen| seen.revision);
        match expect {
            Expect::Absent => found.is_none(),
            Expect::Revision(revision) => found == Some(revision),
        }
    }

    fn write(&self, revision: u64, writes: &[Intent]) -> Self {
        let mut next = self.clone();
        next.now = revision;
        for Intent { key, value, .. } in writes {
            let created = self.at(self.now, key).map_or(revision, |seen| seen.created.0);
            next.changes.insert((revision, key.clone()), value.map(|value| (created, value)));
        }
        next
    }

    /// Every state in which the store can be after this operation, if it was answered so.
    fn after(&self, operation: &Operation, latest: u64) -> Vec<Self> {
        let (checks, writes) = parts(&operation.request);
        let needed = checks.iter().cloned().chain(writes.iter().map(|write| (write.key.clone(), write.expect)));
        let needed: Vec<(Key, Expect)> = needed.collect();
        let holds = || needed.iter().all(|(key, expect)| self.is(key, *expect));
        let same = || vec![self.clone()];
        let when = |holds: bool, next: Vec<Self>| if holds { next } else { Vec::new() };
        let until = |now: u64| Self { now, ..self.clone() };
        match &operation.outcome {
            Outcome::Unknown if holds() => {
                (self.now + 1..=latest).map(|revision| self.write(revision, &writes)).collect()
            }
            Outcome::Unknown | Outcome::Refused(Refusal::Other(_) | Refusal::Compacted { .. }) => Vec::new(),
            Outcome::Refused(Refusal::Conflict { key, found }) => {
                let failed = needed.iter().find(|(key, expect)| !self.is(key, *expect));
                let as_told = failed.is_some_and(|(failed, _)| failed == key)
                    && self.at(self.now, key).map(|seen| seen.revision) == *found;
                when(as_told, same())
            }
            Outcome::Refused(Refusal::FutureRevision { requested, current }) => {
                when(requested > current && current.0 >= self.now, vec![until(current.0)])
            }
            Outcome::Answered(Answer::Found(found)) => {
                let Request::Get { key } = &operation.request else { return Vec::new() };
                when(self.at(self.now, key) == *found, same())
            }
            Outcome::Answered(Answer::Page { entries, revision, .. }) => {
                let Request::List { prefix, from, .. } = &operation.request else { return Vec::new() };
                let now = match from {
                    ListFrom::Latest if revision.0 < self.now => return Vec::new(),
                    _ => self.now.max(revision.0),
                };
                let keys: BTreeSet<&Key> = self.changes.keys().map(|(_, key)| key).collect();
                let keys = keys.into_iter().filter(|key| prefix.contains(key));
                let truth: Vec<Seen> = keys.filter_map(|key| self.at(revision.0, key)).collect();
                when(truth == *entries, vec![until(now)])
            }
            Outcome::Answered(Answer::Put(seen)) => {
                if !holds() || seen.revision.0 <= self.now {
                    return Vec::new();
                }
                let next = self.write(seen.revision.0, &writes);
                when(next.at(next.now, &seen.key).as_ref() == Some(seen), vec![next])
            }
            Outcome::Answered(Answer::Done(revision)) if writes.is_empty() => {
                when(holds() && revision.0 >= self.now, vec![until(revision.0)])
            }
            Outcome::Answered(Answer::Done(revision)) => {
                when(holds() && revision.0 > self.now, vec![self.write(revision.0, &writes)])
            }
            Outcome::Answered(Answer::Compacted) => same(),
        }
    }
}

fn parts(request: &Request) -> (Vec<(Key, Expect)>, Vec<Intent>) {
    match request {
        Request::Put { key, value, expect } => {
            (Vec::new(), vec![Intent { key: key.clone(), expect: *expect, value: Some(*value) }])
        }
        Request::Delete { key, expect } => {
            (Vec::new(), vec![Intent { key: key.clone(), expect: Expect::Revision(*expect), value: None }])
        }
        Request::Commit { checks, writes } => {
            (checks.iter().map(|check| (check.key.clone(), check.expect)).collect(), writes.clone())
        }
        Request::Get { .. } | Request::List { .. } | Request::Compact { .. } => (Vec::new(), Vec::new()),
    }
}

/// The revisions that an operation names.
fn named(operation: &Operation) -> Vec<u64> {
    let (checks, writes) = parts(&operation.request);
    let expected = checks.into_iter().map(|(_, expect)| expect).chain(writes.into_iter().map(|write| write.expect));
    let mut named: Vec<u64> = expected
        .filter_map(|expect| match expect {
            Expect::Absent => None,
            Expect::Revision(revision) => Some(revision.0),
        })
        .collect();
    match &operation.outcome {
        Outcome::Answered(Answer::Found(Some(seen)) | Answer::Put(seen)) => named.push(seen.revision.0),
        Outcome::Answered(Answer::Page { entries, revision, .. }) => {
            named.push(revision.0);
            named.extend(entries.iter().map(|seen| seen.revision.0));
        }
        Outcome::Answered(Answer::Done(revision)) => named.push(revision.0),
        Outcome::Refused(Refusal::Conflict { found: Some(found), .. }) => named.push(found.0),
        Outcome::Refused(Refusal::FutureRevision { current, .. }) => named.push(current.0),
        _ => {}
    }
    named
}
