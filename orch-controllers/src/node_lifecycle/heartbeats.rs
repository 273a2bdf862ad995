//! [`Heartbeats`]: since when nothing was heard of each node.

use std::collections::BTreeMap;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::LeaseSpec;

/// Since when nothing was heard of each node: its lease did not change while it was looked at.
///
/// The times in a lease are the node's own and are not compared with ours. And of the time between two looks at most a
/// step counts: a clock that jumped, or a process that was stopped for an hour, makes no node look dead. To be called
/// silent, a node must have been found silent time after time.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    nodes: BTreeMap<String, Heartbeat>,
}

#[derive(Debug)]
struct Heartbeat {
    lease: Option<LeaseSpec>,
    silent_for: Duration,
    looked_at: Timestamp,
}

impl Heartbeats {
    /// Looks at a node's lease, and returns for how long it has not changed. A lease that is gone has not changed.
    pub(super) fn look(&mut self, node: &str, lease: Option<&LeaseSpec>, now: Timestamp, step: Duration) -> Duration {
        let first = || Heartbeat { lease: lease.cloned(), silent_for: Duration::ZERO, looked_at: now };
        let heartbeat = self.nodes.entry(node.to_owned()).or_insert_with(first);
        if lease.is_some() && heartbeat.lease.as_ref() != lease {
            *heartbeat = first();
        } else {
            let passed = Duration::try_from(now.duration_since(heartbeat.looked_at)).unwrap_or_default();
            heartbeat.silent_for = heartbeat.silent_for.saturating_add(passed.min(step));
            heartbeat.looked_at = now;
        }
        heartbeat.silent_for
    }

    /// For how long nothing was heard of the node when it was last looked at; no time if it never was.
    pub(super) fn silent_for(&self, node: &str) -> Duration {
        self.nodes.get(node).map_or(Duration::ZERO, |heartbeat| heartbeat.silent_for)
    }

    /// Forgets a node.
    pub(super) fn forget(&mut self, node: &str) {
        self.nodes.remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str) -> LeaseSpec {
        LeaseSpec { holder_identity: Some(holder.to_owned()), ..LeaseSpec::default() }
    }

    fn seconds(time: u64) -> Duration {
        Duration::from_secs(time)
    }

    #[test]
    fn silence_is_what_was_found_look_by_look() {
        let mut heartbeats = Heartbeats::default();
        let (a, b) = (lease("a"), lease("b"));
        for (at, lease, silent_for) in [
            (0, Some(&a), 0),
            (10, Some(&a), 10),
            (15, Some(&a), 15),
            (20, Some(&b), 0),
            (30, None, 10),
            (40, Some(&b), 20),
            (50, Some(&a), 0),
        ] {
            let now = Timestamp::from_second(at).expect("a time");
            assert_eq!(heartbeats.look("node-1", lease, now, seconds(20)), seconds(silent_for), "at {at} s");
        }
        assert_eq!(heartbeats.silent_for("node-2"), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_jumps_adds_a_step_at_most() {
        let mut heartbeats = Heartbeats::default();
        for (at, silent_for) in [(1_000, 0), (90_000, 20), (0, 20), (10, 30)] {
            let now = Timestamp::from_second(at).expect("a time");
            assert_eq!(heartbeats.look("node-1", None, now, seconds(20)), seconds(silent_for), "at {at} s");
        }
    }
}
