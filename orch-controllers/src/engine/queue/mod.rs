//! [`WorkQueue`]: which key is to be looked at next.

mod lanes;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use orch_core::controller::Priority;
use orch_core::entropy::Entropy;
use orch_core::key::Key;
use orch_core::revision::Revision;
use tokio::time::Instant;

use crate::backoff::Backoff;
use lanes::Lanes;
pub(crate) use shared::SharedQueue;

/// Which key is to be looked at next: a plain data structure that is told the time and waits for nothing.
///
/// # Rules
///
/// - *Once*: a key waits at most once, and while it is in work it is not handed out. If it is added meanwhile, it is
///   handed out once after.
/// - *Order*: keys of a priority are handed out in the order in which they became ready. A waiting key that is added with
///   a higher priority moves behind the others of that one; added with a lower one it keeps its place.
/// - *Ageing*: a higher priority goes first, but a priority that has waiting keys and was passed over
///   [`PATIENCE`] times in a row is next. So whoever has `n` before him in his priority is handed out after at most
///   `(n + 1) * (PATIENCE + 2)` keys, whatever else is added.
/// - *Read your writes*: a key whose work named revisions to wait for is not handed out before the view has
///   [reached](Self::reached) all of them, however long that takes. What is added meanwhile counts.
/// - *Backoff*: after the n-th failure in a row a key is handed out again after the n-th pause. Added in that time it is
///   handed out sooner, but not before [`Pauses::hurry`]; if it then fails again, the failure is not counted and the
///   old time of its return stands. A success forgets all failures.
/// - *Conflict*: is no failure. The key is handed out again as soon as the view has reached what the conflict
///   was with. Where that is nothing new, it has its own, shorter pauses, and whatever is added ends them at once.
/// - *Revisits*: a key to be looked at later keeps the earliest of the times it was given.
///
/// A key that has nothing to wait for takes no memory.
#[derive(Debug)]
pub struct WorkQueue {
    pauses: Pauses,
    entropy: Arc<dyn Entropy>,
    ids: HashMap<Key, SlotId>,
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    ready: Lanes,
    /// When a key that is not ready has to be looked at, with a number that keeps the order of equal times.
    timers: BTreeMap<(Instant, u64), SlotId>,
    next_number: u64,
    views: Vec<Waiters>,
    working: usize,
}

/// After how many keys of other priorities a waiting priority is next.
pub const PATIENCE: u32 = 16;

/// How long keys wait that could not be dealt with.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// After failures.
    pub failure: Backoff,
    /// After conflicts with what the view shows already.
    pub conflict: Backoff,
    /// How soon after a failure a key may return if it is added.
    pub hurry: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            failure: Backoff { base: Duration::from_millis(100), max: Duration::from_secs(60) },
            conflict: Backoff { base: Duration::from_millis(5), max: Duration::from_secs(1) },
            hurry: Duration::from_secs(1),
        }
    }
}

/// Where a key's state is kept while it has any.
pub(super) type SlotId = u32;

/// A key in work. Give it back with [`WorkQueue::done`].
#[derive(Debug)]
pub struct Ticket {
    /// The key.
    pub key: Key,
    slot: SlotId,
}

/// What became of a key in work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was dealt with; look at it again after this time.
    Success(Option<Duration>),
    /// What the decision was made on is not so any more.
    Conflict,
    /// It could not be dealt with.
    Failure,
    /// The work was given up half-way for a reason that is not the key's.
    Abandoned,
}

/// A view, by number, and what it has to reach.
pub type Awaited = (usize, Revision);

/// A view that keys wait for.
#[derive(Debug, Default)]
struct Waiters {
    reached: Revision,
    waiting: BTreeSet<(Revision, SlotId)>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    state: State,
    /// To be handed out, as soon as that is allowed.
    pending: Option<Priority>,
    /// How many views have to reach something first.
    blocked: u32,
    /// When to look at the key again even if nothing is added.
    revisit: Option<Instant>,
    failures: u32,
    conflicts: u32,
    /// The regular time of return after a failure or a conflict.
    retry: Option<Instant>,
    /// The earliest time of return after a failure.
    floor: Option<Instant>,
    timer: Option<(Instant, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting,
    /// In the lane of this priority, with this number.
    Ready(Priority, u64),
    /// In work, since before its regular time of return or not.
    Working {
        early: bool,
    },
}

impl Slot {
    fn new(key: Key) -> Self {
        Self {
            key,
            state: State::Resting,
            pending: None,
            blocked: 0,
            revisit: None,
            failures: 0,
            conflicts: 0,
            retry: None,
            floor: None,
            timer: None,
        }
    }
}

impl WorkQueue {
    /// A queue whose keys may wait for that many views.
    #[must_use]
    pub fn new(views: usize, pauses: Pauses, entropy: Arc<dyn Entropy>) -> Self {
        let views = std::iter::repeat_with(Waiters::default).take(views).collect();
        let (ids, slots, free, timers) = (HashMap::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Self { pauses, entropy, ids, slots, free, ready: Lanes::default(), timers, next_number: 0, views, working: 0 }
    }

    /// The key is to be looked at.
    pub fn add(&mut self, key: &Key, priority: Priority, now: Instant) {
        self.advance(now);
        let id = self.slot_of(key);
        if let State::Ready(before, _) = self.slot(id).state {
            if before < priority {
                self.ready.leave(before);
                self.make_ready(id, priority);
            }
            return;
        }
        let slot = self.slot(id);
        slot.pending = slot.pending.max(Some(priority));
        self.settle(id, now);
    }

    /// The next key to be worked on, if one is ready. Its [ticket](Ticket) is to be given back.
    pub fn take(&mut self, now: Instant) -> Option<Ticket> {
        self.advance(now);
        let slots = &self.slots;
        let still_there = |priority, number, id: SlotId| slots[id as usize].state == State::Ready(priority, number);
        let id = self.ready.take(still_there)?;
        self.working += 1;
        let slot = self.slot(id);
        slot.pending = None;
        slot.floor = None;
        let early = slot.retry.is_some_and(|retry| now < retry);
        slot.retry = slot.retry.filter(|_| early);
        slot.revisit = slot.revisit.filter(|revisit| now < *revisit);
        slot.state = State::Working { early };
        Some(Ticket { key: slot.key.clone(), slot: id })
    }

    /// The work on a key ended. It is not handed out again before each view has reached what is named.
    /// The ticket must be one of this queue.
    ///
    /// # Panics
    /// If no view has the number that is named.
    pub fn done(&mut self, ticket: Ticket, outcome: Outcome, awaited: &[Awaited], now: Instant) {
        self.advance(now);
        let id = ticket.slot;
        self.working -= 1;
        for (view, revision) in awaited {
            let waiters = &mut self.views[*view];
            if waiters.reached < *revision && waiters.waiting.insert((*revision, id)) {
                self.slot(id).blocked += 1;
            }
        }
        let early = self.slot(id).state == State::Working { early: true };
        self.slot(id).state = State::Resting;
        match outcome {
            Outcome::Success(revisit) => self.succeeded(id, revisit.map(|time| now + time)),
            Outcome::Conflict => self.conflicted(id, now),
            Outcome::Failure => self.failed(id, early, now),
            Outcome::Abandoned => self.slot(id).pending = Some(Priority::Low),
        }
        self.settle(id, now);
    }

    /// A view has reached `revision`.
    ///
    /// # Panics
    /// If no view has that number.
    pub fn reached(&mut self, view: usize, revision: Revision, now: Instant) {
        self.advance(now);
        let waiters = &mut self.views[view];
        waiters.reached = waiters.reached.max(revision);
        while let Some((awaited, id)) = self.views[view].waiting.first().copied() {
            if awaited > revision {
                return;
            }
            self.views[view].waiting.pop_first();
            self.slot(id).blocked -= 1;
            self.settle(id, now);
        }
    }

    /// When a key may become ready though nothing is added.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((time, _), _)| *time)
    }

    /// How many keys are ready.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.ready.len()
    }

    /// How many times in a row the key in work has failed.
    #[must_use]
    pub fn failures(&self, ticket: &Ticket) -> u32 {
        self.slots[ticket.slot as usize].failures
    }

    /// Whether nothing is ready, in work or waiting for a view: only time or an addition can change that.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ready.len() == 0 && self.working == 0 && self.views.iter().all(|view| view.waiting.is_empty())
    }

    fn succeeded(&mut self, id: SlotId, revisit: Option<Instant>) {
        let slot = self.slot(id);
        (slot.failures, slot.conflicts, slot.retry) = (0, 0, None);
        slot.revisit = earliest(slot.revisit, revisit);
    }

    fn conflicted(&mut self, id: SlotId, now: Instant) {
        if self.slot(id).blocked > 0 {
            let slot = self.slot(id);
            slot.pending = slot.pending.max(Some(Priority::Normal));
            return;
        }
        let conflicts = self.slot(id).conflicts.saturating_add(1);
        let pause = self.pauses.conflict.jittered(conflicts, &*self.entropy);
        let slot = self.slot(id);
        slot.conflicts = conflicts;
        slot.retry = Some(slot.retry.map_or(now + pause, |retry| retry.max(now + pause)));
    }

    fn failed(&mut self, id: SlotId, early: bool, now: Instant) {
        let failures = self.slot(id).failures.saturating_add(u32::from(!early));
        let pause = self.pauses.failure.jittered(failures, &*self.entropy);
        let hurry = self.pauses.hurry;
        let slot = self.slot(id);
        slot.failures = failures;
        let regular = slot.retry.filter(|_| early).unwrap_or(now + pause);
        slot.retry = Some(if early { regular.max(now + hurry) } else { regular });
        slot.floor = slot.retry.min(Some(now + hurry));
    }

    /// Makes ready whatever has become due, in the order of its times.
    fn advance(&mut self, now: Instant) {
        while let Some(entry) = self.timers.first_entry() {
            let (due, _) = *entry.key();
            if due > now {
                return;
            }
            let id = entry.remove();
            self.slot(id).timer = None;
            self.settle(id, due);
        }
    }

    /// Brings a key to where it belongs: among the ready ones, to a timer, or out of memory.
    fn settle(&mut self, id: SlotId, now: Instant) {
        let slot = self.slot(id);
        if slot.state != State::Resting {
            return;
        }
        if earliest(slot.revisit, slot.retry).is_some_and(|due| due <= now) {
            slot.pending = slot.pending.max(Some(Priority::Normal));
        }
        let mut timer = None;
        if slot.blocked == 0 {
            match (slot.pending, slot.floor.filter(|floor| now < *floor)) {
                (Some(priority), None) => self.make_ready(id, priority),
                (Some(_), floor) => timer = floor,
                (None, _) => timer = earliest(slot.revisit, slot.retry),
            }
        }
        self.set_timer(id, timer);
        let slot = self.slot(id);
        if slot.state == State::Resting && slot.blocked == 0 && slot.timer.is_none() {
            let key = slot.key.clone();
            self.ids.remove(&key);
            self.free.push(id);
        }
    }

    fn make_ready(&mut self, id: SlotId, priority: Priority) {
        let number = self.number();
        self.slot(id).state = State::Ready(priority, number);
        self.ready.join(priority, number, id);
    }

    fn set_timer(&mut self, id: SlotId, time: Option<Instant>) {
        let before = self.slot(id).timer;
        if before.map(|(time, _)| time) == time {
            return;
        }
        if let Some(before) = before {
            self.timers.remove(&before);
        }
        let timer = time.map(|time| (time, self.number()));
        self.slot(id).timer = timer;
        self.timers.extend(timer.map(|timer| (timer, id)));
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn slot(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[id as usize]
    }

    fn slot_of(&mut self, key: &Key) -> SlotId {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        let id = self.free.pop().unwrap_or_else(|| SlotId::try_from(self.slots.len()).expect("fewer than 2^32 keys"));
        match self.slots.get_mut(id as usize) {
            Some(slot) => *slot = Slot::new(key.clone()),
            None => self.slots.push(Slot::new(key.clone())),
        }
        self.ids.insert(key.clone(), id);
        id
    }
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}
