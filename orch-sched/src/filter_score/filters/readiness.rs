//! [`Readiness`]: pods go to healthy nodes.

use orch_core::object::{ConditionStatus, NodeCondition, Taint, TaintEffect, find_condition};

use crate::filter_score::{Filter, NodeInfo, PodInfo, Reason};

/// Excludes a node that says it is not ready, or of which nobody can tell.
///
/// In Kubernetes the condition becomes a taint and only the taint counts. Here the condition counts as if the taint
/// were there already, so no pod slips in between: a pod that tolerates `node.kubernetes.io/not-ready` or
/// `…/unreachable` with the effect `NoSchedule` is let through. A node without the condition is judged by its taints
/// alone: whoever runs nodes without health reports need not write any.
#[derive(Clone, Copy, Debug)]
pub struct Readiness;

impl Filter for Readiness {
    fn name(&self) -> &'static str {
        "Readiness"
    }

    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
        let ready = find_condition(&node.node().status.conditions, NodeCondition::READY);
        let (key, reason) = match ready.map(|condition| condition.status) {
            None | Some(ConditionStatus::True) => return Ok(()),
            Some(ConditionStatus::False) => (Taint::NOT_READY, "not ready"),
            Some(ConditionStatus::Unknown) => (Taint::UNREACHABLE, "unreachable"),
        };
        let implied = Taint { key: key.to_owned(), effect: TaintEffect::NoSchedule, ..Taint::default() };
        if implied.is_tolerated_by(&pod.pod().spec.tolerations) { Ok(()) } else { Err(reason.into()) }
    }

    fn hint(&self, _pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
        let node = excluded.first()?;
        let ready = find_condition(&node.node().status.conditions, NodeCondition::READY)?;
        let said = ready.message.as_deref().or(ready.reason.as_deref()).unwrap_or("without a word");
        Some(format!("wait until a node is ready again, or look after {} ({said})", node.name()))
    }
}
