//! What to do about a deployment.

use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, EventType, Plan, Report};
use orch_core::object::{Deployment, DeploymentStrategyType, ReplicaSet};

use super::rollout::{Rollout, Set};
use super::status::{Outcome, outcome};
use super::{annotations, proportion, replace};
use crate::claim::{Claim, release};

/// What to do about a deployment, given every replica set of its namespace.
///
/// Everything is decided at once, on what the replica sets say of themselves and on what they will be asked for when the
/// plan was performed, so that a plan that was performed is followed by an empty one.
pub(super) fn plan(deployment: &Deployment, sets: &[Arc<ReplicaSet>], now: Timestamp) -> Result<Plan, ClientError> {
    let mut plan = Plan::nothing();
    if deployment.metadata.is_deleting() {
        return Ok(plan);
    }
    let spec = &deployment.spec;
    if spec.selector.is_empty() || !spec.selector.matches(&spec.template.metadata.labels) {
        let message = "spec.selector must not be empty and must find the pods of spec.template: nothing is done";
        plan.then(Action::Report(Report::about(deployment, EventType::Warning, "InvalidSelector", message)?));
        return Ok(plan);
    }
    let claim = Claim::of(deployment, &spec.selector, sets);
    for stranger in &claim.strangers {
        plan.then(release(deployment, &**stranger)?);
    }
    let mut rollout = Rollout::new(deployment, &claim);
    decide(&mut rollout, sets)?;
    rollout.annotate();
    let Outcome { status, complete, revisit_after, stalled } = outcome(&rollout, now);
    let mut next = deployment.clone();
    next.status = status;
    if let Some(new) = &rollout.new {
        let revision = annotations::revision(&new.next.metadata).to_string();
        next.metadata.annotations.insert(annotations::REVISION.to_owned(), revision);
    }
    let collided = rollout.collision_count != deployment.status.collision_count;
    if collided {
        // First, so that the name that is made next follows from what is written.
        plan.then(Action::update(deployment, next)?);
        rollout.write(&mut plan)?;
    } else {
        rollout.write(&mut plan)?;
        if complete {
            clean_up(&rollout, &mut plan);
        }
        if next != *deployment {
            plan.then(Action::update(deployment, next)?);
        }
    }
    if let Some(message) = stalled {
        plan.then(Action::Report(Report::about(deployment, EventType::Warning, "ProgressDeadlineExceeded", message)?));
    }
    if let Some(time) = revisit_after {
        plan.revisit(time);
    }
    Ok(plan)
}

fn decide(rollout: &mut Rollout<'_>, sets: &[Arc<ReplicaSet>]) -> Result<(), ClientError> {
    let spec = &rollout.deployment.spec;
    if spec.paused || proportion::is_due(rollout) {
        proportion::scale(rollout);
    }
    if spec.paused {
        return Ok(());
    }
    match spec.strategy.strategy_type() {
        DeploymentStrategyType::RollingUpdate => {
            rollout.new_or_create(sets)?;
            replace::rolling(rollout);
        }
        DeploymentStrategyType::Recreate => {
            if replace::all_old_are_gone(rollout) {
                let desired = rollout.desired();
                rollout.new_or_create(sets)?.scale(desired);
            }
        }
    }
    Ok(())
}

/// Deletes the oldest of the empty replica sets, when there are more than are to be kept.
fn clean_up(rollout: &Rollout<'_>, plan: &mut Plan) {
    let kept: Vec<&Set> = rollout.old.iter().filter(|set| !set.next.metadata.is_deleting()).collect();
    let surplus = kept.len().saturating_sub(rollout.deployment.spec.revision_history_limit());
    let mut oldest: Vec<&Arc<ReplicaSet>> =
        kept.into_iter().filter(|set| set.is_empty()).filter_map(Set::read).collect();
    oldest.sort_by_key(|set| annotations::revision(&set.metadata));
    for set in oldest.into_iter().take(surplus) {
        plan.then(Action::delete(set.clone()));
    }
}
