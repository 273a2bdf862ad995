//! Conditions: what is so about an object, each with a name, since when, and why.
//!
//! Kubernetes gives each kind its own struct with slightly different times; [`Condition`] is what they share.

use serde::{Deserialize, Serialize};

use super::time::Time;

/// What the conditions of every kind share.
pub trait Condition {
    /// The name of the condition, unique within its object: `Ready`.
    fn name(&self) -> &str;
    /// Whether it holds.
    fn status(&self) -> ConditionStatus;
    /// When its status last changed.
    fn last_transition_time(&self) -> Option<Time>;
    /// When its status last changed, to change.
    fn last_transition_time_mut(&mut self) -> &mut Option<Time>;
}

/// The condition of that name, if it is there.
#[must_use]
pub fn find_condition<'a, C: Condition>(conditions: &'a [C], name: &str) -> Option<&'a C> {
    conditions.iter().find(|condition| condition.name() == name)
}

/// Whether the condition of that name is there and holds.
#[must_use]
pub fn is_condition_true<C: Condition>(conditions: &[C], name: &str) -> bool {
    find_condition(conditions, name).is_some_and(|condition| condition.status() == ConditionStatus::True)
}

/// Puts a condition in the place of the one of its name, or at the end. Where the status stays as it was, so does the
/// time of the last transition: it tells since when the status is what it is.
pub fn set_condition<C: Condition>(conditions: &mut Vec<C>, mut condition: C) {
    let Some(old) = conditions.iter_mut().find(|old| old.name() == condition.name()) else {
        conditions.push(condition);
        return;
    };
    if old.status() == condition.status() && old.last_transition_time().is_some() {
        *condition.last_transition_time_mut() = old.last_transition_time();
    }
    *old = condition;
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can tell.
    #[default]
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

macro_rules! condition {
    ($type:ty) => {
        impl Condition for $type {
            fn name(&self) -> &str {
                &self.r#type
            }
            fn status(&self) -> ConditionStatus {
                self.status
            }
            fn last_transition_time(&self) -> Option<Time> {
                self.last_transition_time
            }
            fn last_transition_time_mut(&mut self) -> &mut Option<Time> {
                &mut self.last_transition_time
            }
        }
    };
}

condition!(PodCondition);
condition!(NodeCondition);
condition!(ReplicaSetCondition);
condition!(DeploymentCondition);

/// A condition of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodCondition {
    /// The name of the condition.
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation of the pod that the condition speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When it was last looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_probe_time: Option<Time>,
    /// When its status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Why, in one word in CamelCase, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl PodCondition {
    /// A node was chosen.
    pub const SCHEDULED: &str = "PodScheduled";
    /// All containers started and the pod can be sent requests.
    pub const READY: &str = "Ready";
    /// All containers are ready.
    pub const CONTAINERS_READY: &str = "ContainersReady";
    /// All init containers completed.
    pub const INITIALIZED: &str = "Initialized";
    /// The sandbox has its address, so that containers can be started in it.
    pub const READY_TO_START_CONTAINERS: &str = "PodReadyToStartContainers";
    /// The pod is about to be ended by something other than its own doing.
    pub const DISRUPTION_TARGET: &str = "DisruptionTarget";
}

/// A condition of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeCondition {
    /// The name of the condition.
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// When the node's agent last confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_heartbeat_time: Option<Time>,
    /// When its status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Why, in one word in CamelCase, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl NodeCondition {
    /// The node is healthy and accepts pods.
    pub const READY: &str = "Ready";
    /// The node runs out of memory.
    pub const MEMORY_PRESSURE: &str = "MemoryPressure";
    /// The node runs out of room on its disks.
    pub const DISK_PRESSURE: &str = "DiskPressure";
    /// The node runs out of processes.
    pub const PID_PRESSURE: &str = "PIDPressure";
}

/// A condition of a replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaSetCondition {
    /// The name of the condition.
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// When its status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Why, in one word in CamelCase, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl ReplicaSetCondition {
    /// A pod could not be created or deleted.
    pub const REPLICA_FAILURE: &str = "ReplicaFailure";
}

/// A condition of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentCondition {
    /// The name of the condition.
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// When anything of it last changed: for `Progressing`, when progress was last made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Time>,
    /// When its status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Why, in one word in CamelCase, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl DeploymentCondition {
    /// At least the required number of pods is available.
    pub const AVAILABLE: &str = "Available";
    /// The rollout gets on, or is complete.
    pub const PROGRESSING: &str = "Progressing";
    /// A pod could not be created or deleted.
    pub const REPLICA_FAILURE: &str = "ReplicaFailure";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_transition_moves_only_with_the_status() {
        let at = |status, time: &str| PodCondition {
            r#type: PodCondition::READY.to_owned(),
            status,
            last_transition_time: Some(Time::from(time.parse::<crate::clock::Timestamp>().expect("a time"))),
            ..PodCondition::default()
        };
        let mut conditions = vec![at(ConditionStatus::False, "2026-11-22T18:00:00Z")];
        set_condition(&mut conditions, at(ConditionStatus::False, "2026-11-22T19:00:00Z"));
        assert_eq!(conditions, [at(ConditionStatus::False, "2026-11-22T18:00:00Z")]);
        set_condition(&mut conditions, at(ConditionStatus::True, "2026-11-22T20:00:00Z"));
        assert_eq!(conditions, [at(ConditionStatus::True, "2026-11-22T20:00:00Z")]);
        assert!(is_condition_true(&conditions, PodCondition::READY));
        assert!(!is_condition_true(&conditions, PodCondition::SCHEDULED));
    }
}
