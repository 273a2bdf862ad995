//! The status of a replica set.

use std::sync::Arc;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{
    ConditionStatus, Pod, PodCondition, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus, find_condition,
    set_condition,
};

/// How a replica set stands once the actions of its plan are done.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    /// The pods that stay.
    pub(super) pods: &'a [Arc<Pod>],
    /// How many are made, with all labels of the template, and not ready.
    pub(super) created: usize,
    /// How many are being deleted.
    pub(super) terminating: usize,
    /// Why pods cannot be made, if they cannot.
    pub(super) failure: Option<&'a str>,
}

/// The status, and after which time it changes though nothing happens.
pub(super) fn status(
    replica_set: &ReplicaSet,
    standing: &Standing<'_>,
    now: Timestamp,
) -> (ReplicaSetStatus, Option<Duration>) {
    let min_ready = replica_set.spec.min_ready();
    let labels = &replica_set.spec.template.metadata.labels;
    let (mut fully_labeled, mut ready, mut available) = (standing.created, 0, 0);
    let mut next_change: Option<Duration> = None;
    for pod in standing.pods {
        let has = |(key, value)| pod.metadata.labels.get(key) == Some(value);
        fully_labeled += usize::from(labels.iter().all(has));
        if !pod.status.is_ready() {
            continue;
        }
        ready += 1;
        match until_available(pod, min_ready, now) {
            None => available += 1,
            Some(wait) => next_change = Some(next_change.map_or(wait, |sooner| sooner.min(wait))),
        }
    }
    let mut conditions = replica_set.status.conditions.clone();
    match standing.failure {
        Some(message) => set_condition(&mut conditions, replica_failure(message, now)),
        None => conditions.retain(|condition| condition.r#type != ReplicaSetCondition::REPLICA_FAILURE),
    }
    let status = ReplicaSetStatus {
        replicas: count(standing.pods.len() + standing.created),
        fully_labeled_replicas: count(fully_labeled),
        ready_replicas: count(ready),
        available_replicas: count(available),
        terminating_replicas: Some(count(standing.terminating)),
        observed_generation: replica_set.metadata.generation,
        conditions,
    };
    (status, next_change)
}

/// How long until a ready pod has been ready for long enough; `None` when it has been. A pod that is ready since a time
/// to come, because the clock went back, is ready since now.
fn until_available(pod: &Pod, min_ready: Duration, now: Timestamp) -> Option<Duration> {
    if min_ready.is_zero() {
        return None;
    }
    let ready = find_condition(&pod.status.conditions, PodCondition::READY)?;
    let since = ready.last_transition_time?.timestamp();
    let age = Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO);
    let missing = min_ready.saturating_sub(age);
    (!missing.is_zero()).then_some(missing)
}

fn replica_failure(message: &str, now: Timestamp) -> ReplicaSetCondition {
    ReplicaSetCondition {
        r#type: ReplicaSetCondition::REPLICA_FAILURE.to_owned(),
        status: ConditionStatus::True,
        last_transition_time: Some(now.into()),
        reason: Some("FailedCreate".to_owned()),
        message: Some(message.to_owned()),
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
