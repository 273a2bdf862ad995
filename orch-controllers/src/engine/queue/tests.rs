//! The queue against its rules, and against a model that is obviously right.

use std::collections::BTreeMap;

use orch_core::controller::Priority::{self, High, Low, Normal};
use orch_core::entropy::SeededEntropy;
use proptest::prelude::*;

use super::*;

const SEED: u64 = 7;

fn queue() -> WorkQueue {
    WorkQueue::new(2, Pauses::default(), Arc::new(SeededEntropy::new(SEED)))
}

fn key(number: usize) -> Key {
    format!("pods/shop/pod-{number}").parse().expect("a key")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn names(queue: &mut WorkQueue, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| queue.take(now)).map(|ticket| ticket.key.name().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_once_and_is_handed_out_once_after_it_was_added_in_work() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(&key(1), Normal, now);
    queue.add(&key(1), Normal, now);
    let ticket = queue.take(now).expect("the key is ready");
    queue.add(&key(1), Normal, now);
    queue.add(&key(1), Normal, now);
    assert!(queue.take(now).is_none(), "a key in work is not handed out");
    queue.done(ticket, Outcome::Success(None), &[], now);
    let ticket = queue.take(now).expect("it was added meanwhile");
    queue.done(ticket, Outcome::Success(None), &[], now);
    assert!(queue.take(now).is_none() && queue.is_idle());
    assert!(queue.ids.is_empty() && queue.timers.is_empty(), "a key with nothing to wait for takes no memory");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_keys_come_out_in_the_order_in_which_they_went_in() {
    let (mut queue, now) = (queue(), Instant::now());
    let keys: Vec<Key> = (0..10_000).map(|number| key(number * 7_919 % 10_000)).collect();
    keys.iter().for_each(|key| queue.add(key, Normal, now));
    assert!(keys.iter().all(|key| queue.take(now).is_some_and(|ticket| ticket.key == *key)));
}

#[tokio::test(start_paused = true)]
async fn a_raised_key_goes_behind_the_others_of_its_new_priority_and_a_lowered_one_stays() {
    let (mut queue, now) = (queue(), Instant::now());
    for (number, priority) in [(1, Low), (2, Low), (3, High), (4, Normal), (2, High), (4, Low), (3, Low)] {
        queue.add(&key(number), priority, now);
    }
    assert_eq!(names(&mut queue, now), ["pod-3", "pod-2", "pod-4", "pod-1"]);
}

#[tokio::test(start_paused = true)]
async fn every_priority_is_served_within_its_bound_however_much_is_added_above_it() {
    let (mut queue, now) = (queue(), Instant::now());
    (0..3).for_each(|number| queue.add(&key(number), Low, now));
    (3..6).for_each(|number| queue.add(&key(number), Normal, now));
    let mut handed_out = BTreeMap::new();
    for turn in 1.. {
        queue.add(&key(1_000 + turn), High, now);
        let ticket = queue.take(now).expect("something is ready");
        handed_out.insert(ticket.key.name().to_owned(), turn);
        if (0..6).all(|number| handed_out.contains_key(key(number).name())) {
            break;
        }
    }
    for number in 0..6 {
        let bound = (number % 3 + 1) * (PATIENCE as usize + 2);
        assert!(handed_out[key(number).name()] <= bound, "{handed_out:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn early_returns_do_not_drive_the_backoff_up_and_a_success_resets_it() {
    let (mut queue, start) = (queue(), Instant::now());
    let mut now = start;
    queue.add(&key(1), Normal, now);
    for _ in 0..8 {
        now = queue.next_timer().unwrap_or(now);
        let ticket = queue.take(now).expect("its time has come");
        queue.done(ticket, Outcome::Failure, &[], now);
    }
    let regular = queue.next_timer().expect("it comes back");
    for _ in 0..3 {
        queue.add(&key(1), Normal, now);
        assert!(queue.take(now).is_none(), "added early, it still waits a moment");
        now += seconds(1);
        let ticket = queue.take(now).expect("an early return");
        assert_eq!(queue.failures(&ticket), 8);
        queue.done(ticket, Outcome::Failure, &[], now);
        assert_eq!(queue.next_timer(), Some(regular), "an early failure changes nothing");
    }
    let ticket = queue.take(regular).expect("the regular return");
    queue.done(ticket, Outcome::Success(None), &[], regular);
    queue.add(&key(1), Normal, regular);
    assert_eq!(queue.take(regular).map(|ticket| queue.failures(&ticket)), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_until_every_view_has_reached_what_it_wrote_and_for_no_time() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(&key(1), Normal, now);
    let ticket = queue.take(now).expect("it is ready");
    queue.done(ticket, Outcome::Success(Some(seconds(1))), &[(0, Revision(5)), (1, Revision(9))], now);
    queue.add(&key(1), High, now);
    queue.reached(0, Revision(5), now);
    queue.reached(1, Revision(8), now);
    let much_later = now + seconds(1_000_000);
    assert!(queue.take(much_later).is_none() && !queue.is_idle());
    queue.reached(1, Revision(12), much_later);
    assert_eq!(names(&mut queue, much_later), ["pod-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_waits_for_the_view_and_where_there_is_nothing_to_wait_for_a_moment() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(&key(1), Normal, now);
    let ticket = queue.take(now).expect("it is ready");
    queue.done(ticket, Outcome::Conflict, &[(0, Revision(3))], now);
    assert!(queue.take(now + seconds(100)).is_none());
    queue.reached(0, Revision(3), now);
    let ticket = queue.take(now).expect("at once when the view is there");
    queue.done(ticket, Outcome::Conflict, &[(0, Revision(3))], now);
    assert!(queue.take(now).is_none(), "the view shows it already: no busy loop");
    let ticket = queue.take(now + Duration::from_millis(5)).expect("after a moment");
    assert_eq!(queue.failures(&ticket), 0, "a conflict is no failure");
}

#[tokio::test(start_paused = true)]
async fn keys_that_came_due_while_nobody_looked_come_in_the_order_of_their_times() {
    let (mut queue, start) = (queue(), Instant::now());
    let mut now = start;
    let revisit = |key: usize, time| (key, Outcome::Success(Some(Duration::from_millis(time))));
    for (number, outcome) in [revisit(1, 104_500), revisit(2, 104_700)] {
        queue.add(&key(number), Normal, now);
        let ticket = queue.take(now).expect("it is ready");
        queue.done(ticket, outcome, &[], now);
    }
    queue.add(&key(1), Normal, now);
    for _ in 0..8 {
        now += seconds(13);
        let ticket = queue.take(now).expect("its time has come");
        queue.done(ticket, Outcome::Failure, &[], now);
    }
    let after_all = now + seconds(2);
    assert_eq!(names(&mut queue, after_all), ["pod-2", "pod-1"], "the first may not hurry before 105 seconds");
}

/// What is done to a queue.
#[derive(Clone, Debug)]
enum Step {
    Add(usize, Priority),
    Take,
    Done { which: usize, outcome: Outcome, awaits: Option<usize> },
    Reach { view: usize, missing: u64 },
    Pass(Duration),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let priority = prop_oneof![Just(Low), Just(Normal), Just(High)];
    let outcome = prop_oneof![
        3 => Just(Outcome::Success(None)),
        1 => (1..5_000_u64).prop_map(|time| Outcome::Success(Some(Duration::from_millis(time)))),
        1 => Just(Outcome::Conflict),
        2 => Just(Outcome::Failure),
        1 => Just(Outcome::Abandoned),
    ];
    let step = prop_oneof![
        4 => (0..6_usize, priority).prop_map(|(key, priority)| Step::Add(key, priority)),
        4 => Just(Step::Take),
        3 => (0..4_usize, outcome, proptest::option::weighted(0.3, 0..2_usize))
            .prop_map(|(which, outcome, awaits)| Step::Done { which, outcome, awaits }),
        1 => (0..2_usize, 0..3_u64).prop_map(|(view, missing)| Step::Reach { view, missing }),
        2 => (1..2_000_u64).prop_map(|time| Step::Pass(Duration::from_millis(time))),
    ];
    prop::collection::vec(step, 1..200)
}

/// The rules of the queue, written down without a thought for speed: every question is answered by looking at every
/// key.
#[derive(Default)]
struct Model {
    keys: BTreeMap<usize, ModelKey>,
    reached: [u64; 2],
    passed_over: [u32; 3],
    events: u64,
}

#[derive(Clone, Default)]
struct ModelKey {
    wanted: Option<Priority>,
    ready: Option<(Priority, u64)>,
    /// Since before its regular time of return or not.
    working: Option<bool>,
    awaited: Vec<(usize, u64)>,
    revisit: Option<Instant>,
    retry: Option<Instant>,
    floor: Option<Instant>,
    failures: u32,
    conflicts: u32,
    /// When it becomes ready by itself, and how long that has been so.
    due: Option<(Instant, u64)>,
}

impl ModelKey {
    /// When the key may be handed out if nothing happens.
    fn due(&self, now: Instant, reached: [u64; 2]) -> Option<Instant> {
        let resting = self.ready.is_none() && self.working.is_none();
        let blocked = self.awaited.iter().any(|(view, revision)| reached[*view] < *revision);
        let by_itself = self.revisit.into_iter().chain(self.retry).min();
        let due = match (self.wanted, self.floor) {
            (Some(_), floor) => Some(floor.unwrap_or(now)),
            (None, floor) => by_itself.map(|time| floor.map_or(time, |floor| floor.max(time))),
        };
        due.filter(|_| resting && !blocked)
    }
}

impl Model {
    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// Makes ready what is due, in order.
    fn settle(&mut self, now: Instant) {
        loop {
            let reached = self.reached;
            for number in 0..6 {
                let event = self.event();
                let key = self.keys.entry(number).or_default();
                let due = key.due(now, reached);
                let unchanged = |(time, _): &(Instant, u64)| due == Some(*time);
                key.due = key.due.filter(unchanged).or(due.map(|due| (due, event)));
            }
            let due = self.keys.values_mut().filter(|key| key.due.is_some_and(|(due, _)| due <= now));
            let Some(first) = due.min_by_key(|key| key.due) else { return };
            let timed = first.revisit.into_iter().chain(first.retry).min().is_some_and(|time| time <= now);
            let wanted = first.wanted.max(timed.then_some(Normal)).expect("what is due is wanted or timed");
            first.due = None;
            first.wanted = Some(wanted);
            let event = self.events + 1;
            first.ready = Some((wanted, event));
            self.events = event;
        }
    }

    fn add(&mut self, number: usize, priority: Priority) {
        let event = self.event();
        let key = self.keys.entry(number).or_default();
        match key.ready {
            Some((before, _)) if before < priority => key.ready = Some((priority, event)),
            Some(_) => {}
            None => key.wanted = key.wanted.max(Some(priority)),
        }
    }

    fn take(&mut self, now: Instant) -> Option<usize> {
        let first = |wanted: Priority| {
            let ready = |key: &ModelKey| key.ready.filter(|(priority, _)| *priority == wanted).map(|(_, event)| event);
            self.keys.iter().filter_map(|(number, key)| Some((ready(key)?, *number))).min()
        };
        let firsts = [Low, Normal, High].map(first);
        let waiting = |lane: &usize| firsts[*lane].is_some();
        let impatient = |lane: &usize| self.passed_over[*lane] >= PATIENCE;
        let chosen = (0..3).filter(waiting).find(impatient).or_else(|| (0..3).rev().find(waiting))?;
        for (lane, (first, passed_over)) in firsts.iter().zip(&mut self.passed_over).enumerate() {
            *passed_over = if lane == chosen || first.is_none() { 0 } else { *passed_over + 1 };
        }
        let (_, number) = firsts[chosen]?;
        let key = self.keys.get_mut(&number)?;
        key.working = Some(key.retry.is_some_and(|retry| now < retry));
        key.retry = key.retry.filter(|retry| now < *retry);
        key.revisit = key.revisit.filter(|revisit| now < *revisit);
        (key.wanted, key.ready, key.floor) = (None, None, None);
        Some(number)
    }

    fn done(
        &mut self,
        number: usize,
        outcome: Outcome,
        awaited: Option<(usize, u64)>,
        now: Instant,
        chance: &SeededEntropy,
    ) {
        let reached = self.reached;
        let key = self.keys.get_mut(&number).expect("the key is in work");
        let early = key.working.take().expect("the key is in work");
        key.awaited = awaited.into_iter().collect();
        let blocked = key.awaited.iter().any(|(view, revision)| reached[*view] < *revision);
        let pauses = Pauses::default();
        match outcome {
            Outcome::Success(revisit) => {
                (key.failures, key.conflicts, key.retry) = (0, 0, None);
                key.revisit = key.revisit.into_iter().chain(revisit.map(|time| now + time)).min();
            }
            Outcome::Conflict if blocked => key.wanted = key.wanted.max(Some(Normal)),
            Outcome::Conflict => {
                key.conflicts += 1;
                let pause = now + pauses.conflict.jittered(key.conflicts, chance);
                key.retry = key.retry.max(Some(pause));
            }
            Outcome::Failure => {
                key.failures += u32::from(!early);
                let regular = now + pauses.failure.jittered(key.failures, chance);
                let hurry = now + pauses.hurry;
                key.retry = if early { key.retry.max(Some(hurry)) } else { Some(regular) };
                key.floor = key.retry.min(Some(hurry));
            }
            Outcome::Abandoned => key.wanted = Some(Low),
        }
    }
}

proptest! {
    #[test]
    fn the_queue_does_what_the_model_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(check(steps))?;
    }
}

async fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut queue, mut model, chance) = (queue(), Model::default(), SeededEntropy::new(SEED));
    let mut working: Vec<(usize, Ticket)> = Vec::new();
    let mut written = 0;
    for step in steps {
        let now = Instant::now();
        match step {
            Step::Add(number, priority) => {
                queue.add(&key(number), priority, now);
                model.add(number, priority);
            }
            Step::Take => {
                let (taken, expected) = (queue.take(now), model.take(now));
                prop_assert_eq!(taken.as_ref().map(|ticket| ticket.key.clone()), expected.map(key));
                working.extend(expected.zip(taken));
            }
            Step::Done { which, outcome, awaits } => {
                if !working.is_empty() {
                    let (number, ticket) = working.remove(which % working.len());
                    written += 1;
                    let awaited = awaits.map(|view| (view, written));
                    let named = awaited.map(|(view, revision)| (view, Revision(revision)));
                    queue.done(ticket, outcome, named.as_slice(), now);
                    model.done(number, outcome, awaited, now, &chance);
                }
            }
            Step::Reach { view, missing } => {
                let revision = written.saturating_sub(missing).max(model.reached[view]);
                queue.reached(view, Revision(revision), now);
                while model.reached[view] < revision {
                    model.reached[view] += 1;
                    model.settle(now);
                }
            }
            Step::Pass(time) => tokio::time::advance(time).await,
        }
        model.settle(Instant::now());
        queue.advance(Instant::now());
        let ready = model.keys.values().filter(|key| key.ready.is_some()).count();
        prop_assert_eq!(queue.depth(), ready);
    }
    Ok(())
}
