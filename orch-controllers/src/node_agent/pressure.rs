//! [`Pressure`]: what a node is short of.

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{ConditionStatus, Node, NodeCondition, Time, find_condition, set_condition};
use orch_core::runtime::{MachineStats, Supply};

use super::crash_loop::span;

/// How little of something a node may have left before it ends pods to get some back. As in Kubernetes, pods are ended
/// at once then: these are its *hard* thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionThresholds {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The disk of logs, volumes and images, in hundredths of what there is.
    pub disk_percent: u8,
    /// Its files, in hundredths of what there can be.
    pub inodes_percent: u8,
    /// Processes and threads, in hundredths of what there can be.
    pub processes_percent: u8,
    /// For how long the node says that it is short of something after it last was, so that pods do not come and go.
    pub said_for: Duration,
}

/// As Kubernetes has it: 100 MiB, 10 %, 5 %; 5 minutes. Of processes, of which Kubernetes has no threshold, 5 %.
impl Default for EvictionThresholds {
    fn default() -> Self {
        Self {
            memory_bytes: 100 << 20,
            disk_percent: 10,
            inodes_percent: 5,
            processes_percent: 5,
            said_for: Duration::from_secs(300),
        }
    }
}

/// Something that a node can be short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scarce {
    Memory,
    Disk,
    Inodes,
    Processes,
}

/// A thing of which less is left than must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pressure {
    pub(super) of: Scarce,
    /// What must be left.
    pub(super) threshold: u64,
    pub(super) available: u64,
}

/// What the machine is short of, the most urgent first: without memory the node itself may be killed.
pub(super) fn pressures(thresholds: &EvictionThresholds, machine: &MachineStats) -> Vec<Pressure> {
    let part = |percent: u8| move |supply: Supply| supply.capacity / 100 * u64::from(percent);
    let must_be_left = |supply: Option<Supply>, percent| supply.map(|supply| (part(percent)(supply), supply.available));
    [
        (Scarce::Memory, Some((thresholds.memory_bytes, machine.memory.available))),
        (Scarce::Disk, must_be_left(machine.disk, thresholds.disk_percent)),
        (Scarce::Inodes, must_be_left(machine.inodes, thresholds.inodes_percent)),
        (Scarce::Processes, must_be_left(machine.processes, thresholds.processes_percent)),
    ]
    .into_iter()
    .filter_map(|(of, left)| left.map(|(threshold, available)| Pressure { of, threshold, available }))
    .filter(|pressure| pressure.available < pressure.threshold)
    .collect()
}

/// A condition of the node, and how Kubernetes words it: what it is called, of what it tells, and reason and message when
/// it holds and when it does not.
struct Wording {
    condition: &'static str,
    of: &'static [Scarce],
    holds: (&'static str, &'static str),
    does_not: (&'static str, &'static str),
}

const WORDINGS: [Wording; 3] = [
    Wording {
        condition: NodeCondition::MEMORY_PRESSURE,
        of: &[Scarce::Memory],
        holds: ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        does_not: ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    },
    Wording {
        condition: NodeCondition::DISK_PRESSURE,
        of: &[Scarce::Disk, Scarce::Inodes],
        holds: ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        does_not: ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    },
    Wording {
        condition: NodeCondition::PID_PRESSURE,
        of: &[Scarce::Processes],
        holds: ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        does_not: ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    },
];

/// Tells in the node's conditions what it is short of. A condition that holds is confirmed by its heartbeat whenever
/// it is seen to hold, which is also the memory of when that last was.
pub(super) fn tell(
    conditions: &mut Vec<NodeCondition>,
    pressures: &[Pressure],
    thresholds: &EvictionThresholds,
    report_every: Duration,
    now: Timestamp,
) {
    for wording in WORDINGS {
        let known = find_condition(conditions, wording.condition);
        let seen = pressures.iter().any(|pressure| wording.of.contains(&pressure.of));
        let lately = known.and_then(|known| seen_lately(known, thresholds, now));
        let heartbeat = match (seen, lately) {
            (true, _) => Some(now.into()),
            (false, Some(confirmed)) => Some(confirmed),
            // What does not hold is confirmed now and then, as the rest of the status is.
            (false, None) => known
                .filter(|known| known.status == ConditionStatus::False)
                .and_then(|known| known.last_heartbeat_time)
                .filter(|at| at.timestamp() <= now && span(at.timestamp(), now) < report_every)
                .or(Some(now.into())),
        };
        let holds = seen || lately.is_some();
        let (reason, message) = if holds { wording.holds } else { wording.does_not };
        set_condition(
            conditions,
            NodeCondition {
                r#type: wording.condition.to_owned(),
                status: ConditionStatus::from(holds),
                last_heartbeat_time: heartbeat,
                last_transition_time: Some(now.into()),
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
            },
        );
    }
}

/// The conditions by which a node says that it is short of something, as [`tell`] would still let it say so: what nobody
/// has confirmed for that long, the agent being away, tells nothing.
pub(super) fn told(node: &Node, thresholds: &EvictionThresholds, now: Timestamp) -> Vec<&'static str> {
    let holds = |name: &&str| {
        let known = find_condition(&node.status.conditions, name);
        known.is_some_and(|known| seen_lately(known, thresholds, now).is_some())
    };
    WORDINGS.iter().map(|wording| wording.condition).filter(holds).collect()
}

/// When a condition that holds was last seen to hold, if that is not too long ago.
fn seen_lately(known: &NodeCondition, thresholds: &EvictionThresholds, now: Timestamp) -> Option<Time> {
    let seen = known.last_heartbeat_time.filter(|_| known.status == ConditionStatus::True)?;
    let is_lately = seen.timestamp() <= now && span(seen.timestamp(), now) < thresholds.said_for;
    is_lately.then_some(seen)
}

#[cfg(test)]
mod tests {
    use orch_core::object::is_condition_true;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn machine(memory: u64, disk: u64) -> MachineStats {
        let supply = |capacity, available| Supply { capacity, available };
        MachineStats {
            at: at(0),
            cpu_millis: 1_000,
            cpu_used_nanos: 0,
            memory: supply(1 << 30, memory),
            disk: Some(supply(1_000, disk)),
            inodes: Some(supply(1_000, 1_000)),
            processes: None,
            system: Default::default(),
        }
    }

    #[test]
    fn what_is_below_its_threshold_is_short_and_the_most_urgent_first() {
        let thresholds = EvictionThresholds::default();
        assert_eq!(pressures(&thresholds, &machine(200 << 20, 100)), []);
        let both = pressures(&thresholds, &machine(50 << 20, 99));
        assert_eq!(both.iter().map(|pressure| pressure.of).collect::<Vec<_>>(), [Scarce::Memory, Scarce::Disk]);
        assert_eq!(both[1], Pressure { of: Scarce::Disk, threshold: 100, available: 99 });
    }

    #[test]
    fn a_pressure_is_told_at_once_and_for_a_while_after_it_has_passed() {
        let (thresholds, every) = (EvictionThresholds::default(), Duration::from_secs(300));
        let short = pressures(&thresholds, &machine(50 << 20, 500));
        let mut conditions = Vec::new();
        let mut look = |pressures: &[Pressure], second| {
            tell(&mut conditions, pressures, &thresholds, every, at(second));
            is_condition_true(&conditions, NodeCondition::MEMORY_PRESSURE)
        };
        assert!(!look(&[], 0));
        assert!(look(&short, 10));
        assert!(look(&short, 100));
        assert!(look(&[], 399), "it held 299 s ago");
        assert!(!look(&[], 400));
    }

    #[test]
    fn what_a_node_said_before_its_agent_was_away_for_long_tells_nothing() {
        let thresholds = EvictionThresholds::default();
        let mut node = Node::default();
        let short = pressures(&thresholds, &machine(50 << 20, 99));
        tell(&mut node.status.conditions, &short, &thresholds, Duration::from_secs(300), at(0));
        let both = [NodeCondition::MEMORY_PRESSURE, NodeCondition::DISK_PRESSURE];
        assert_eq!(told(&node, &thresholds, at(299)), both);
        assert_eq!(told(&node, &thresholds, at(300)), Vec::<&str>::new());
        tell(&mut node.status.conditions, &[], &thresholds, Duration::from_secs(300), at(300));
        assert_eq!(told(&node, &thresholds, at(300)), Vec::<&str>::new());
    }

    #[test]
    fn nothing_is_written_while_nothing_changes() {
        let thresholds = EvictionThresholds::default();
        let mut conditions = Vec::new();
        tell(&mut conditions, &[], &thresholds, Duration::from_secs(300), at(0));
        let before = conditions.clone();
        tell(&mut conditions, &[], &thresholds, Duration::from_secs(300), at(299));
        assert_eq!(conditions, before);
        tell(&mut conditions, &[], &thresholds, Duration::from_secs(300), at(300));
        assert_ne!(conditions, before, "now and then it is confirmed");
    }
}
