//! The condition `Progressing`: whether a rollout gets on, is complete, or has stalled (`deployment/progress.go` and
//! `deployment_util.go` of Kubernetes; the reasons and messages are its).

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{ConditionStatus, DeploymentCondition, DeploymentStatus, find_condition, set_condition};

use super::annotations;
use super::rollout::Rollout;
use super::status::{condition, set};

const CREATED: &str = "NewReplicaSetCreated";
const FOUND: &str = "FoundNewReplicaSet";
const UPDATED: &str = "ReplicaSetUpdated";
const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
const RESUMED: &str = "DeploymentResumed";

/// What comes of it beside the condition.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// When the deadline passes.
    pub(super) revisit_after: Option<Duration>,
    /// That it passed just now, in words for people.
    pub(super) stalled: Option<String>,
}

/// Brings the condition up to date.
pub(super) fn update(rollout: &Rollout<'_>, status: &mut DeploymentStatus, complete: bool, now: Timestamp) -> Progress {
    let Some(deadline) = rollout.deployment.spec.progress_deadline() else {
        status.conditions.retain(|condition| condition.r#type != DeploymentCondition::PROGRESSING);
        return Progress::default();
    };
    let progressing =
        |holds, reason, message: &str| condition(DeploymentCondition::PROGRESSING, holds, reason, message, now);
    if rollout.deployment.spec.paused {
        if reason(status) != Some(TIMED_OUT) {
            set(&mut status.conditions, progressing(ConditionStatus::Unknown, PAUSED, "Deployment is paused"));
        }
        return Progress::default();
    }
    if reason(status) == Some(PAUSED) {
        set(&mut status.conditions, progressing(ConditionStatus::Unknown, RESUMED, "Deployment is resumed"));
    }
    let name = rollout.new.as_ref().map_or("", |new| new.next.metadata.name.as_str());
    if let Some((reason, message)) = begun(rollout, status, name) {
        set(&mut status.conditions, progressing(ConditionStatus::True, reason, &message));
    }
    if complete {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        set(&mut status.conditions, progressing(ConditionStatus::True, AVAILABLE, &message));
        return Progress::default();
    }
    if reason(status) == Some(AVAILABLE) && status.replicas == status.updated_replicas {
        // It is being scaled, or lost a pod: no rollout.
        return Progress::default();
    }
    if has_progressed(&rollout.deployment.status, status) {
        let message = format!("ReplicaSet \"{name}\" is progressing.");
        set_condition(&mut status.conditions, progressing(ConditionStatus::True, UPDATED, &message));
    }
    if reason(status) == Some(TIMED_OUT) {
        return Progress::default();
    }
    let since =
        find_condition(&status.conditions, DeploymentCondition::PROGRESSING).and_then(|old| old.last_update_time);
    let age = since.and_then(|since| Duration::try_from(now.duration_since(since.timestamp())).ok());
    let left = deadline.saturating_sub(age.unwrap_or(Duration::ZERO));
    if !left.is_zero() {
        return Progress { revisit_after: Some(left), stalled: None };
    }
    let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
    set(&mut status.conditions, progressing(ConditionStatus::False, TIMED_OUT, &message));
    Progress { revisit_after: None, stalled: Some(in_words(rollout, name, deadline)) }
}

/// The reason and message when a rollout has just begun.
fn begun(rollout: &Rollout<'_>, status: &DeploymentStatus, name: &str) -> Option<(&'static str, String)> {
    let new = rollout.new.as_ref()?;
    if new.read().is_none() {
        return Some((CREATED, format!("Created new replica set \"{name}\"")));
    }
    let other_version =
        annotations::revision(&new.next.metadata) != annotations::revision(&rollout.deployment.metadata);
    (other_version || reason(status).is_none()).then(|| (FOUND, format!("Found new replica set \"{name}\"")))
}

/// Whether more pods are new, fewer are old, or more are ready or available than before.
fn has_progressed(before: &DeploymentStatus, now: &DeploymentStatus) -> bool {
    now.updated_replicas > before.updated_replicas
        || now.replicas - now.updated_replicas < before.replicas - before.updated_replicas
        || now.ready_replicas > before.ready_replicas
        || now.available_replicas > before.available_replicas
}

fn in_words(rollout: &Rollout<'_>, name: &str, deadline: Duration) -> String {
    let available = rollout.new.as_ref().map_or(0, |new| new.next.status.available_replicas);
    format!(
        "The rollout is stalled: {available} of {} pods of the new replica set {name} are available, and nothing changed \
         for {} s. The old pods stay. See why the new ones do not become ready, or set the template back.",
        rollout.desired(),
        deadline.as_secs()
    )
}

fn reason(status: &DeploymentStatus) -> Option<&str> {
    find_condition(&status.conditions, DeploymentCondition::PROGRESSING)?.reason.as_deref()
}
