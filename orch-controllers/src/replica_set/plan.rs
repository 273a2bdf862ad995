//! What to do about a replica set.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, EventType, Plan, Report};
use orch_core::kind::Object as _;
use orch_core::object::{ObjectMeta, OwnerReference, Pod, PodStatus, ReplicaSet};
use orch_core::validation::Problems;

use super::names;
use super::rank::least_missed_first;
use super::status::{Standing, status};
use crate::claim::{Claim, adopt, release};

/// What to do about a replica set, given every pod of its namespace.
///
/// The status that it writes is the one that holds once the actions before it are done, so that a plan that was
/// performed is followed by an empty one.
pub(super) fn plan(replica_set: &Arc<ReplicaSet>, pods: &[Arc<Pod>], now: Timestamp) -> Result<Plan, ClientError> {
    let mut plan = Plan::nothing();
    if replica_set.metadata.is_deleting() {
        return Ok(plan);
    }
    let spec = &replica_set.spec;
    if spec.selector.is_empty() || !spec.selector.matches(&spec.template.metadata.labels) {
        let message = "spec.selector must not be empty and must find the pods of spec.template: nothing is done";
        plan.then(Action::Report(Report::about(&**replica_set, EventType::Warning, "InvalidSelector", message)?));
        return Ok(plan);
    }
    let claim = Claim::of(&**replica_set, &spec.selector, pods);
    for stranger in &claim.strangers {
        plan.then(release(&**replica_set, &**stranger)?);
    }
    let sorted = Sorted::of(&claim);
    let wanted = usize::try_from(spec.replicas()).unwrap_or(0);
    let existing = sorted.active.len();
    let failure = if existing < wanted { why_unmakeable(replica_set) } else { None };
    let (kept, created, condemned) = match &failure {
        Some(_) => (sorted.active, 0, Vec::new()),
        None if existing < wanted => (sorted.active, wanted - existing, Vec::new()),
        None => {
            let (kept, condemned) = split(replica_set, sorted.active, existing - wanted);
            (kept, 0, condemned)
        }
    };
    for orphan in kept.iter().filter(|pod| pod.metadata.controller().is_none()) {
        plan.then(adopt(&**replica_set, &**orphan)?);
    }
    create(replica_set, pods, created, &mut plan)?;
    delete(replica_set, &condemned, &mut plan)?;
    // Last, so that the slot of a pod that ended is not free for its own replacement: an interruption would change names.
    for ended in &sorted.ended {
        plan.then(Action::delete(ended.clone()));
    }
    let going = sorted.ended.iter().chain(&condemned).filter(|pod| takes_time(pod)).count();
    let standing =
        Standing { pods: &kept, created, terminating: sorted.terminating + going, failure: failure.as_deref() };
    set_status(replica_set, &standing, now, &mut plan)?;
    Ok(plan)
}

/// The pods of a claim by what becomes of them.
struct Sorted {
    /// They live, or may yet.
    active: Vec<Arc<Pod>>,
    /// They ended, and are in the way.
    ended: Vec<Arc<Pod>>,
    /// How many are being deleted.
    terminating: usize,
}

impl Sorted {
    /// An orphan that ended is left to whoever it belonged to.
    fn of(claim: &Claim<Pod>) -> Self {
        let mut sorted = Self { active: Vec::new(), ended: Vec::new(), terminating: 0 };
        for pod in &claim.owned {
            match (pod.metadata.is_deleting(), pod.status.phase().is_terminal()) {
                (true, _) => sorted.terminating += 1,
                (false, true) => sorted.ended.push(pod.clone()),
                (false, false) => sorted.active.push(pod.clone()),
            }
        }
        sorted.active.extend(claim.orphans.iter().filter(|pod| !pod.status.phase().is_terminal()).cloned());
        sorted
    }
}

/// Those that stay, in the order they had, and the `surplus` that are missed least. An orphan among the latter is
/// deleted as it is: it would be adopted only to be deleted.
fn split(replica_set: &ReplicaSet, active: Vec<Arc<Pod>>, surplus: usize) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
    if surplus == 0 {
        return (active, Vec::new());
    }
    let slots = names::free(replica_set, [], active.len() * 2);
    let slots: BTreeMap<String, usize> = slots.into_iter().enumerate().map(|(slot, name)| (name, slot)).collect();
    let mut ranked = least_missed_first(active, |name| slots.get(name).copied().unwrap_or(usize::MAX));
    let kept = ranked.split_off(surplus);
    (kept, ranked)
}

fn create(replica_set: &ReplicaSet, pods: &[Arc<Pod>], count: usize, plan: &mut Plan) -> Result<(), ClientError> {
    let taken = pods.iter().map(|pod| pod.metadata.name.as_str());
    for name in names::free(replica_set, taken, count) {
        let message = format!("Created pod: {name}");
        plan.then(Action::create(pod(replica_set, name)));
        plan.then(Action::Report(Report::about(replica_set, EventType::Normal, "SuccessfulCreate", message)?));
    }
    Ok(())
}

fn delete(replica_set: &ReplicaSet, condemned: &[Arc<Pod>], plan: &mut Plan) -> Result<(), ClientError> {
    for pod in condemned {
        let message = format!("Deleted pod: {}", pod.metadata.name);
        plan.then(Action::delete(pod.clone()));
        plan.then(Action::Report(Report::about(replica_set, EventType::Normal, "SuccessfulDelete", message)?));
    }
    Ok(())
}

fn set_status(
    replica_set: &ReplicaSet,
    standing: &Standing<'_>,
    now: Timestamp,
    plan: &mut Plan,
) -> Result<(), ClientError> {
    let (status, next_change) = status(replica_set, standing, now);
    if let Some(time) = next_change {
        plan.revisit(time);
    }
    if status == replica_set.status {
        return Ok(());
    }
    if status.conditions != replica_set.status.conditions
        && let Some(failure) = standing.failure
    {
        let message = format!("Error creating: {failure}");
        plan.then(Action::Report(Report::about(replica_set, EventType::Warning, "FailedCreate", message)?));
    }
    plan.then(Action::update(replica_set, ReplicaSet { status, ..replica_set.clone() })?);
    Ok(())
}

/// The pod that the template makes.
fn pod(replica_set: &ReplicaSet, name: String) -> Pod {
    let template = &replica_set.spec.template;
    Pod {
        metadata: ObjectMeta {
            name,
            namespace: replica_set.metadata.namespace.clone(),
            labels: template.metadata.labels.clone(),
            annotations: template.metadata.annotations.clone(),
            finalizers: template.metadata.finalizers.clone(),
            owner_references: vec![OwnerReference::controller_of(replica_set)],
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: PodStatus::default(),
    }
}

/// What is wrong with the pods that the template makes, if something is: to try would be in vain.
fn why_unmakeable(replica_set: &ReplicaSet) -> Option<String> {
    let mut problems = Problems::default();
    pod(replica_set, names::free(replica_set, [], 1).pop()?).validate(&mut problems);
    problems.into_result().err().map(|invalid| format!("spec.template is not valid: {invalid}"))
}

/// Whether a pod whose deletion is asked for is there for a while yet.
fn takes_time(pod: &Pod) -> bool {
    pod.termination_grace().is_some_and(|grace| !grace.is_zero()) || !pod.metadata.finalizers.is_empty()
}
