//! [`Lanes`]: the ready keys, a lane for each priority.

use std::collections::VecDeque;

use orch_core::controller::Priority;

use super::{PATIENCE, SlotId};

/// The ready keys, a lane for each priority.
///
/// A key that leaves a lane from the middle leaves its ticket behind; it is passed over when its turn comes.
#[derive(Debug, Default)]
pub(super) struct Lanes([Lane; 3]);

#[derive(Debug, Default)]
struct Lane {
    tickets: VecDeque<(u64, SlotId)>,
    /// How many of the tickets are still good.
    len: usize,
    /// How often others were preferred since this lane was last chosen, or began to wait.
    passed_over: u32,
}

const PRIORITIES: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

impl Lanes {
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|lane| lane.len).sum()
    }

    pub(super) fn join(&mut self, priority: Priority, number: u64, id: SlotId) {
        let lane = self.lane(priority);
        lane.tickets.push_back((number, id));
        lane.len += 1;
    }

    pub(super) fn leave(&mut self, priority: Priority) {
        let lane = self.lane(priority);
        lane.len -= 1;
        if lane.len == 0 {
            lane.tickets.clear();
        }
    }

    /// Takes out the next key. `still_there` tells whether a ticket is still good.
    pub(super) fn take(&mut self, still_there: impl Fn(Priority, u64, SlotId) -> bool) -> Option<SlotId> {
        let priority = self.choose()?;
        let lane = self.lane(priority);
        while let Some((number, id)) = lane.tickets.pop_front() {
            if still_there(priority, number, id) {
                lane.len -= 1;
                return Some(id);
            }
        }
        None
    }

    /// The lane whose turn it is: one whose patience is exhausted, the lowest first, or else the highest.
    fn choose(&mut self) -> Option<Priority> {
        let waits = |lane: &Lane| lane.len > 0;
        let impatient = |priority: &&Priority| self.0[**priority as usize].passed_over >= PATIENCE;
        let mut waiting = PRIORITIES.iter().filter(|priority| waits(&self.0[**priority as usize]));
        let chosen = *waiting.clone().rev().find(impatient).or_else(|| waiting.next())?;
        for priority in PRIORITIES {
            let lane = self.lane(priority);
            lane.passed_over = if priority == chosen || lane.len == 0 { 0 } else { lane.passed_over + 1 };
        }
        Some(chosen)
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane {
        &mut self.0[priority as usize]
    }
}
