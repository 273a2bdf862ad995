//! What to write to a pod about which something was decided.

use orch_core::client::ClientError;
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, EventType, Plan, Report};
use orch_core::object::{ConditionStatus, Pod, PodCondition, find_condition, set_condition};

/// Gives the pod its node.
pub(super) fn bind(pod: &Pod, node: &str, now: Timestamp) -> Result<Plan, ClientError> {
    let mut new = pod.clone();
    new.spec.node_name = Some(node.to_owned());
    set_condition(&mut new.status.conditions, scheduled(ConditionStatus::True, None, None, now));
    let mut plan = Plan::nothing();
    plan.then(Action::update(pod, new)?);
    plan.then(Action::Report(Report::about(pod, EventType::Normal, "Scheduled", format!("it was given {node}"))?));
    Ok(plan)
}

/// Says why the pod gets no node, unless it says so already.
pub(super) fn refuse(pod: &Pod, why: &str, now: Timestamp) -> Result<Plan, ClientError> {
    explain(pod, "Unschedulable", why, now)
}

/// Writes to a pod whose node went while a binding to it may still be under way. A binding depends on the pod's
/// revision: after this one it cannot happen any more, so the pod can be given another node.
pub(super) fn fence(pod: &Pod, node: &str, now: Timestamp) -> Result<Plan, ClientError> {
    explain(pod, "NodeGone", &format!("{node} went before the pod was bound to it: another node is looked for"), now)
}

fn explain(pod: &Pod, reason: &str, message: &str, now: Timestamp) -> Result<Plan, ClientError> {
    let condition = scheduled(ConditionStatus::False, Some(reason), Some(message), now);
    let told = |old: &PodCondition| (old.status, old.reason.clone(), old.message.clone());
    let mut plan = Plan::nothing();
    let old = find_condition(&pod.status.conditions, PodCondition::SCHEDULED);
    if old.map(told) == Some(told(&condition)) {
        return Ok(plan);
    }
    let mut new = pod.clone();
    set_condition(&mut new.status.conditions, condition);
    plan.then(Action::update(pod, new)?);
    plan.then(Action::Report(Report::about(pod, EventType::Warning, "FailedScheduling", message)?));
    Ok(plan)
}

fn scheduled(status: ConditionStatus, reason: Option<&str>, message: Option<&str>, now: Timestamp) -> PodCondition {
    PodCondition {
        r#type: PodCondition::SCHEDULED.to_owned(),
        status,
        reason: reason.map(str::to_owned),
        message: message.map(str::to_owned),
        last_transition_time: Some(now.into()),
        ..PodCondition::default()
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::Uid;
    use orch_core::revision::Revision;

    use super::*;

    fn pod() -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = "web".to_owned();
        pod.metadata.namespace = Some("shop".to_owned());
        pod.metadata.uid = Some(Uid::new("1"));
        pod.metadata.revision = Some(Revision(7));
        pod
    }

    fn written(plan: &Plan) -> Option<Pod> {
        match plan.actions.first()? {
            Action::Update { object, on } => {
                assert_eq!((on.uid.as_str(), on.revision), ("1", Revision(7)), "the state that was decided on");
                object.downcast_ref::<Pod>().cloned()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_binding_sets_the_node_and_the_condition_in_one_write() {
        let bound = written(&bind(&pod(), "node-1", Timestamp::UNIX_EPOCH).expect("a plan")).expect("a write");
        assert_eq!(bound.spec.node_name.as_deref(), Some("node-1"));
        let condition = find_condition(&bound.status.conditions, PodCondition::SCHEDULED).expect("a condition");
        assert_eq!(condition.status, ConditionStatus::True);
    }

    #[test]
    fn a_refusal_is_written_when_it_is_news() {
        let now = Timestamp::UNIX_EPOCH;
        let refused = written(&refuse(&pod(), "no room", now).expect("a plan")).expect("a write");
        let condition = find_condition(&refused.status.conditions, PodCondition::SCHEDULED).expect("a condition");
        assert_eq!(condition.reason.as_deref(), Some("Unschedulable"));
        assert_eq!(condition.message.as_deref(), Some("no room"));
        assert!(refuse(&refused, "no room", now).expect("a plan").actions.is_empty());
        assert!(written(&refuse(&refused, "too hot", now).expect("a plan")).is_some());
    }
}
