//! The status of a deployment.

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{
    ConditionStatus, DeploymentCondition, DeploymentStatus, ReplicaSetCondition, find_condition, set_condition,
};

use super::progress::{self, Progress};
use super::rollout::{Rollout, Set};

/// What comes of a decision.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: DeploymentStatus,
    /// Whether all pods are new and available.
    pub(super) complete: bool,
    /// When the status changes though nothing happens.
    pub(super) revisit_after: Option<Duration>,
    /// That the rollout stalled, in words, if it did just now.
    pub(super) stalled: Option<String>,
}

/// The status that holds once the sets are as decided.
pub(super) fn outcome(rollout: &Rollout<'_>, now: Timestamp) -> Outcome {
    let before = &rollout.deployment.status;
    let sum = |count: fn(&Set) -> i32| rollout.sets().map(count).sum::<i32>();
    let available = sum(|set| set.next.status.available_replicas);
    let mut status = DeploymentStatus {
        observed_generation: rollout.deployment.metadata.generation,
        replicas: sum(|set| set.next.status.replicas),
        updated_replicas: rollout.new.as_ref().map_or(0, |new| new.next.status.replicas),
        ready_replicas: sum(|set| set.next.status.ready_replicas),
        available_replicas: available,
        unavailable_replicas: (rollout.asked_for() - available).max(0),
        terminating_replicas: None,
        conditions: before.conditions.clone(),
        collision_count: rollout.collision_count,
    };
    let desired = rollout.desired();
    let complete = rollout.new.is_some()
        && [status.updated_replicas, status.replicas, status.available_replicas].iter().all(|count| *count == desired);
    set(&mut status.conditions, availability(available >= rollout.min_available(), now));
    report_failure(rollout, &mut status.conditions, now);
    let Progress { revisit_after, stalled } = progress::update(rollout, &mut status, complete, now);
    Outcome { status, complete, revisit_after, stalled }
}

fn availability(enough: bool, now: Timestamp) -> DeploymentCondition {
    let (reason, message) = if enough {
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    condition(DeploymentCondition::AVAILABLE, enough.into(), reason, message, now)
}

/// What keeps a replica set from making pods keeps the deployment.
fn report_failure(rollout: &Rollout<'_>, conditions: &mut Vec<DeploymentCondition>, now: Timestamp) {
    let failure = |set: &Set| {
        find_condition(&set.next.status.conditions, ReplicaSetCondition::REPLICA_FAILURE)
            .map(|failure| (failure.reason.clone().unwrap_or_default(), failure.message.clone().unwrap_or_default()))
    };
    match rollout.sets().find_map(failure) {
        Some((reason, message)) => {
            let name = DeploymentCondition::REPLICA_FAILURE;
            set(conditions, condition(name, ConditionStatus::True, &reason, &message, now));
        }
        None => conditions.retain(|condition| condition.r#type != DeploymentCondition::REPLICA_FAILURE),
    }
}

/// Sets a condition, unless there is one that says the same: then its times stay.
pub(super) fn set(conditions: &mut Vec<DeploymentCondition>, new: DeploymentCondition) {
    let same =
        |old: &DeploymentCondition| old.status == new.status && old.reason == new.reason && old.message == new.message;
    if !find_condition(conditions, &new.r#type).is_some_and(same) {
        set_condition(conditions, new);
    }
}

pub(super) fn condition(
    name: &str,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> DeploymentCondition {
    DeploymentCondition {
        r#type: name.to_owned(),
        status,
        last_update_time: Some(now.into()),
        last_transition_time: Some(now.into()),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
    }
}
