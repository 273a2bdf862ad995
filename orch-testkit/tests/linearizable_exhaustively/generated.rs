//! Small histories: of a right store, and tampered with.

use std::collections::BTreeMap;

use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{Check, Expect, ListFrom};
use orch_testkit::history::{
    Answer, ClientId, Fingerprint, History, Intent, Operation, Outcome, Refusal, Request, Seen, Tick,
};
use proptest::prelude::*;

/// One operation: what is asked, when, and how long the way there and back takes.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    what: What,
    begins: u64,
    until_effect: u64,
    until_answer: u64,
    /// Revisions that others take before it.
    skips: u64,
    fate: Fate,
}

#[derive(Clone, Debug)]
enum What {
    Get(usize),
    List(bool, Option<u64>),
    Put(usize, Expected),
    Delete(usize, Expected),
    Commit(Option<(usize, Expected)>, Option<(bool, Expected)>, Option<(bool, Expected)>),
}

/// What a write expects, chosen when it is sent.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Truth,
    Absent,
    Revision(u64),
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    AnswerLost,
    RequestLost,
}

/// One way to tamper with one operation.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    operation: usize,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Revision(i64),
    Created(i64),
    Absent,
    Unknown,
    Refuse(Option<u64>),
    Earlier(u64),
    Later(u64),
    Remove,
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![6 => Just(Expected::Truth), 2 => Just(Expected::Absent), 2 => (0..7_u64).prop_map(Expected::Revision)]
}

fn step() -> impl Strategy<Value = Step> {
    let part = || prop::option::of((prop::bool::weighted(0.4), expected()));
    let what = prop_oneof![
        4 => (0..2_usize).prop_map(What::Get),
        2 => (any::<bool>(), prop::option::weighted(0.4, 0..6_u64)).prop_map(|(all, at)| What::List(all, at)),
        4 => (0..2_usize, expected()).prop_map(|(key, expected)| What::Put(key, expected)),
        4 => (0..2_usize, expected()).prop_map(|(key, expected)| What::Delete(key, expected)),
        3 => (prop::option::of((0..2_usize, expected())), part(), part())
            .prop_map(|(check, one, other)| What::Commit(check, one, other)),
    ];
    let fate = prop_oneof![6 => Just(Fate::Answered), 2 => Just(Fate::AnswerLost), 1 => Just(Fate::RequestLost)];
    let skips = prop_oneof![5 => Just(0_u64), 1 => 1..3_u64];
    (what, 0..24_u64, 1..12_u64, 1..12_u64, skips, fate).prop_map(
        |(what, begins, until_effect, until_answer, skips, fate)| Step {
            what,
            begins,
            until_effect,
            until_answer,
            skips,
            fate,
        },
    )
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 3..8)
}

pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let by = || prop_oneof![Just(-2_i64), Just(-1), Just(1), Just(2)];
    let how = prop_oneof![
        3 => by().prop_map(How::Revision),
        1 => by().prop_map(How::Created),
        2 => Just(How::Absent),
        1 => Just(How::Unknown),
        2 => prop::option::of(0..6_u64).prop_map(How::Refuse),
        2 => (1..40_u64).prop_map(How::Earlier),
        2 => (1..40_u64).prop_map(How::Later),
        1 => Just(How::Remove),
    ];
    prop::collection::vec((0..8_usize, how).prop_map(|(operation, how)| Change { operation, how }), 1..4)
}

fn key(number: usize) -> Key {
    let text = format!("{}/a/{}", Lease::KIND.collection, ["x", "y"][number]);
    text.parse().expect("a valid key")
}

/// A store that is obviously right.
#[derive(Default)]
struct Model {
    now: u64,
    past: Vec<BTreeMap<Key, Seen>>,
    objects: BTreeMap<Key, Seen>,
}

impl Model {
    fn at(&self, revision: u64) -> &BTreeMap<Key, Seen> {
        self.past.get(usize::try_from(revision).expect("small")).unwrap_or(&self.objects)
    }

    fn advance(&mut self, to: u64) {
        for _ in self.now..to {
            self.past.push(self.objects.clone());
        }
        self.now = to;
    }

    fn found(&self, key: &Key) -> Option<Revision> {
        self.objects.get(key).map(|seen| seen.revision)
    }

    fn answer(&mut self, request: &Request, skips: u64) -> Outcome {
        match request {
            Request::Get { key } => Outcome::Answered(Answer::Found(self.objects.get(key).cloned())),
            Request::List { prefix, from, .. } => {
                let revision = match from {
                    ListFrom::At(revision) => *revision,
                    _ => Revision(self.now),
                };
                if revision.0 > self.now {
                    let current = Revision(self.now);
                    return Outcome::Refused(Refusal::FutureRevision { requested: revision, current });
                }
                let entries = self.at(revision.0).values().filter(|seen| prefix.contains(&seen.key)).cloned().collect();
                Outcome::Answered(Answer::Page { entries, revision, next: None })
            }
            Request::Put { key, value, expect } => {
                let write = Intent { key: key.clone(), expect: *expect, value: Some(*value) };
                match self.commit(&[], &[write], skips) {
                    Outcome::Answered(_) => Outcome::Answered(Answer::Put(self.objects[key].clone())),
                    refused => refused,
                }
            }
            Request::Delete { key, expect } => {
                let write = Intent { key: key.clone(), expect: Expect::Revision(*expect), value: None };
                self.commit(&[], &[write], skips)
            }
            Request::Commit { checks, writes } => self.commit(checks, writes, skips),
            Request::Compact { .. } => Outcome::Answered(Answer::Compacted),
        }
    }

    fn commit(&mut self, checks: &[Check], writes: &[Intent], skips: u64) -> Outcome {
        let needed = checks.iter().map(|check| (&check.key, check.expect));
        for (key, expect) in needed.chain(writes.iter().map(|write| (&write.key, write.expect))) {
            let found = self.found(key);
            if found.map_or(Expect::Absent, Expect::Revision) != expect {
                return Outcome::Refused(Refusal::Conflict { key: key.clone(), found });
            }
        }
        if !writes.is_empty() {
            self.advance(self.now + skips + 1);
            let revision = Revision(self.now);
            for Intent { key, value, .. } in writes {
                let created = self.objects.get(key).map_or(revision, |seen| seen.created);
                match value {
                    Some(value) => {
                        let seen = Seen { key: key.clone(), revision, created, value: *value };
                        self.objects.insert(key.clone(), seen);
                    }
                    None => {
                        self.objects.remove(key);
                    }
                }
            }
        }
        Outcome::Answered(Answer::Done(Revision(self.now)))
    }
}

/// What clients of a right store record.
pub(crate) fn play(steps: &[Step]) -> History {
    let mut moments = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let effect = step.begins + step.until_effect;
        moments.extend([(step.begins, 0, number), (effect, 1, number), (effect + step.until_answer, 2, number)]);
    }
    moments.sort_unstable();
    let mut store = Model::default();
    let mut operations: BTreeMap<usize, Operation> = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    for (tick, (_, kind, number)) in moments.into_iter().enumerate() {
        let (tick, step) = (Tick(tick as u64 * 10), &steps[number]);
        match kind {
            0 => {
                let (request, outcome) = (request(&store, step, number), Outcome::Unknown);
                let client = ClientId(number);
                let operation = Operation { client, invoked: tick, returned: None, request, outcome };
                operations.insert(number, operation);
            }
            1 if !matches!(step.fate, Fate::RequestLost) => {
                outcomes.insert(number, store.answer(&operations[&number].request, step.skips));
            }
            2 if matches!(step.fate, Fate::Answered) => {
                let operation = operations.get_mut(&number).expect("it was invoked before");
                operation.returned = Some(tick);
                operation.outcome = outcomes[&number].clone();
            }
            _ => {}
        }
    }
    History { operations: operations.into_values().collect(), ..History::default() }
}

fn request(store: &Model, step: &Step, number: usize) -> Request {
    let value = Fingerprint(number as u64 + 1);
    let expect = |key: &Key, expected: Expected| match expected {
        Expected::Truth => store.found(key).map_or(Expect::Absent, Expect::Revision),
        Expected::Absent => Expect::Absent,
        Expected::Revision(revision) => Expect::Revision(Revision(revision)),
    };
    let revision = |key: &Key, expected: Expected| match expect(key, expected) {
        Expect::Revision(revision) => revision,
        Expect::Absent => Revision(1),
    };
    match &step.what {
        What::Get(number) => Request::Get { key: key(*number) },
        What::List(all, at) => {
            let prefix = if *all { Prefix::all() } else { Prefix::collection(&Lease::KIND) };
            let from = at.map_or(ListFrom::Latest, |at| ListFrom::At(Revision(at)));
            Request::List { prefix, from, limit: None }
        }
        What::Put(number, expected) => {
            Request::Put { expect: expect(&key(*number), *expected), key: key(*number), value }
        }
        What::Delete(number, expected) => {
            Request::Delete { expect: revision(&key(*number), *expected), key: key(*number) }
        }
        What::Commit(check, one, other) => {
            let checks = check
                .iter()
                .map(|(number, expected)| Check { expect: expect(&key(*number), *expected), key: key(*number) });
            let writes = [one, other].into_iter().enumerate().filter_map(|(number, write)| {
                let ((delete, expected), key) = ((*write)?, key(number));
                Some(if delete {
                    Intent { expect: Expect::Revision(revision(&key, expected)), key, value: None }
                } else {
                    Intent { expect: expect(&key, expected), key, value: Some(value) }
                })
            });
            Request::Commit { checks: checks.collect(), writes: writes.collect() }
        }
    }
}

/// Changes what was recorded.
pub(crate) fn tamper(history: &mut History, changes: &[Change]) {
    for Change { operation, how } in changes {
        if history.operations.is_empty() {
            return;
        }
        let place = operation % history.operations.len();
        if matches!(how, How::Remove) {
            history.operations.remove(place);
        } else {
            tamper_with(&mut history.operations[place], *how);
        }
    }
}

fn tamper_with(operation: &mut Operation, how: How) {
    let shift = |revision: &mut Revision, by: i64| revision.0 = revision.0.saturating_add_signed(by);
    match (how, &mut operation.outcome) {
        (How::Revision(by), Outcome::Answered(Answer::Found(Some(seen)) | Answer::Put(seen))) => {
            shift(&mut seen.revision, by);
        }
        (How::Revision(by), Outcome::Answered(Answer::Done(revision))) => shift(revision, by),
        (How::Revision(by), Outcome::Answered(Answer::Page { revision, .. })) => {
            shift(revision, by);
            if let Request::List { from: ListFrom::At(asked), .. } = &mut operation.request {
                *asked = *revision;
            }
        }
        (How::Revision(by), Outcome::Refused(Refusal::Conflict { found: Some(found), .. })) => shift(found, by),
        (How::Created(by), Outcome::Answered(Answer::Found(Some(seen)) | Answer::Put(seen))) => {
            shift(&mut seen.created, by);
        }
        (How::Absent, Outcome::Answered(Answer::Found(found))) => *found = None,
        (How::Absent, Outcome::Answered(Answer::Page { entries, .. })) => {
            entries.pop();
        }
        (How::Absent, Outcome::Refused(Refusal::Conflict { found, .. })) => *found = None,
        (How::Unknown, outcome) => {
            *outcome = Outcome::Unknown;
            operation.returned = None;
        }
        (How::Refuse(found), outcome) => {
            let found = found.map(Revision);
            let key = match &operation.request {
                Request::Put { key, .. } | Request::Delete { key, .. } => key.clone(),
                _ => return,
            };
            if operation.returned.is_some() {
                *outcome = Outcome::Refused(Refusal::Conflict { key, found });
            }
        }
        (How::Earlier(by), _) => {
            if let Some(returned) = &mut operation.returned {
                returned.0 = returned.0.saturating_sub(by).max(operation.invoked.0 + 1);
            }
        }
        (How::Later(by), _) => {
            let latest = operation.returned.map_or(u64::MAX, |returned| returned.0 - 1);
            operation.invoked.0 = (operation.invoked.0 + by).min(latest);
        }
        _ => {}
    }
}
