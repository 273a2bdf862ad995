//! [`DisruptionBudget`] and the circuit breaker that keeps a controller within it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_core::kind::Kind;
use tokio::time::Instant;

/// How much a controller may delete before its circuit breaker opens.
///
/// A controller that suddenly wants to delete a large part of a cluster is more often wrong, or wrongly informed, than
/// right; and what was deleted too late is easily deleted later. While the breaker is open the controller's deletions are
/// refused; all else it does goes on.
///
/// Within any `window` a controller may delete `deletions` objects of a kind, or `percent` of those there are, whichever
/// is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisruptionBudget {
    /// So many objects of a kind may be deleted however few there are.
    pub deletions: usize,
    /// This part of the objects of a kind that there were at the beginning of the window may be deleted.
    pub percent: u8,
    /// The time in which deletions are counted.
    pub window: Duration,
    /// When deletions are let through again.
    pub reset: Reset,
}

impl Default for DisruptionBudget {
    /// 200 objects or half of a kind within a minute; then a minute without deletions.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { deletions: 200, percent: 50, window: minute, reset: Reset::After(minute) }
    }
}

/// When an open circuit breaker lets deletions through again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// After this time, with a new budget.
    After(Duration),
    /// When somebody says so; see [`EngineHandle::reset_breaker`](super::EngineHandle::reset_breaker).
    ByHand,
}

/// Whether a controller may delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It may.
    Closed,
    /// It may not.
    Open {
        /// Of which kind it wanted to delete too much.
        kind: &'static str,
        /// When it may again; `None` if somebody has to say so.
        until: Option<Instant>,
    },
}

/// Why a deletion is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the disruption budget is exhausted: {deleted} objects of kind {kind} were deleted, {allowed} are allowed; {}",
    match reset {
        Reset::After(time) => format!("deletions go on {time:?} after they stopped"),
        Reset::ByHand => "find out why so much is to be deleted, then reset the breaker".to_owned(),
    }
)]
pub(super) struct BudgetExhausted {
    kind: &'static str,
    deleted: usize,
    allowed: usize,
    reset: Reset,
}

/// Counts the deletions of one controller.
#[derive(Debug)]
pub(super) struct Breaker {
    budget: Option<DisruptionBudget>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When objects of each collection were deleted, within the window.
    deleted: BTreeMap<&'static str, VecDeque<Instant>>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    reason: BudgetExhausted,
    until: Option<Instant>,
}

/// What asking for a deletion led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may happen, and was counted.
    Allowed,
    /// It may happen, and is the first one since deletions were refused.
    AllowedAgain,
    /// It may not, and is the first that may not.
    Tripped(BudgetExhausted),
    /// It may not, as others before.
    Refused(BudgetExhausted),
}

impl Breaker {
    pub(super) fn new(budget: Option<DisruptionBudget>) -> Self {
        Self { budget, state: Mutex::default() }
    }

    /// Asks for the deletion of one object of `kind`, of which there are `population`, and counts it if it may happen.
    pub(super) fn ask(&self, kind: &'static Kind, population: usize, now: Instant) -> Verdict {
        let Some(budget) = self.budget else { return Verdict::Allowed };
        let mut state = self.lock();
        let mut allowed = Verdict::Allowed;
        if let Some(open) = &state.open {
            if open.until.is_none_or(|until| now < until) {
                return Verdict::Refused(open.reason.clone());
            }
            *state = State::default();
            allowed = Verdict::AllowedAgain;
        }
        let deleted = state.deleted.entry(kind.collection).or_default();
        while deleted.front().is_some_and(|time| *time + budget.window <= now) {
            deleted.pop_front();
        }
        let share = (population + deleted.len()).saturating_mul(budget.percent.into()) / 100;
        let limit = budget.deletions.max(share);
        if deleted.len() < limit {
            deleted.push_back(now);
            return allowed;
        }
        let reason = BudgetExhausted { kind: kind.name, deleted: deleted.len(), allowed: limit, reset: budget.reset };
        let until = match budget.reset {
            Reset::After(time) => Some(now + time),
            Reset::ByHand => None,
        };
        state.open = Some(Open { reason: reason.clone(), until });
        Verdict::Tripped(reason)
    }

    /// A deletion that was counted did not happen.
    pub(super) fn give_back(&self, kind: &'static Kind) {
        if let Some(deleted) = self.lock().deleted.get_mut(kind.collection) {
            deleted.pop_back();
        }
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match &self.lock().open {
            Some(Open { reason, until }) if until.is_none_or(|until| now < until) => {
                BreakerState::Open { kind: reason.kind, until: *until }
            }
            _ => BreakerState::Closed,
        }
    }

    pub(super) fn reset(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use orch_core::kind::Object as _;
    use orch_core::object::{Lease, Node};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn breaker(deletions: usize, percent: u8, reset: Reset) -> Breaker {
        Breaker::new(Some(DisruptionBudget { deletions, percent, window: MINUTE, reset }))
    }

    /// How many of so many deletions are let through.
    fn admitted(breaker: &Breaker, kind: &'static Kind, mut population: usize, now: Instant) -> usize {
        let before = population;
        while population > 0 && matches!(breaker.ask(kind, population, now), Verdict::Allowed | Verdict::AllowedAgain) {
            population -= 1;
        }
        before - population
    }

    #[tokio::test(start_paused = true)]
    async fn the_larger_of_number_and_share_is_let_through_then_nothing_of_any_kind() {
        let (node, lease, now) = (&Node::KIND, &Lease::KIND, Instant::now());
        assert_eq!(admitted(&breaker(3, 50, Reset::ByHand), node, 4, now), 3);
        let breaker = breaker(3, 50, Reset::ByHand);
        assert_eq!(admitted(&breaker, node, 1_000, now), 500);
        assert_eq!(admitted(&breaker, lease, 10, now), 0);
        assert_eq!(breaker.state(now), BreakerState::Open { kind: "Node", until: None });
        assert_eq!(admitted(&breaker, node, 500, now + 100 * MINUTE), 0, "only a person resets it");
        breaker.reset();
        assert_eq!(admitted(&breaker, node, 500, now), 250);
    }

    #[tokio::test(start_paused = true)]
    async fn deletions_count_for_the_window_and_an_open_breaker_closes_after_its_time() {
        let (node, now) = (&Node::KIND, Instant::now());
        let breaker = breaker(2, 0, Reset::After(5 * MINUTE));
        assert_eq!(breaker.ask(node, 9, now), Verdict::Allowed);
        assert_eq!(breaker.ask(node, 9, now + MINUTE / 2), Verdict::Allowed);
        assert_eq!(breaker.ask(node, 9, now + MINUTE), Verdict::Allowed, "the first is out of the window");
        assert!(matches!(breaker.ask(node, 9, now + MINUTE), Verdict::Tripped(_)));
        assert!(matches!(breaker.ask(node, 9, now + 2 * MINUTE), Verdict::Refused(_)));
        assert_eq!(breaker.ask(node, 9, now + 6 * MINUTE), Verdict::AllowedAgain);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_that_did_not_happen_is_not_counted() {
        let (node, now) = (&Node::KIND, Instant::now());
        let breaker = breaker(1, 0, Reset::ByHand);
        for _ in 0..10 {
            assert_eq!(breaker.ask(node, 9, now), Verdict::Allowed);
            breaker.give_back(node);
        }
    }
}
