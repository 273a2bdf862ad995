//! [`Cordon`]: a cordoned node gets no more pods.

use orch_core::object::{Taint, TaintEffect};

use crate::filter_score::{Filter, NodeInfo, PodInfo, Reason};

/// Excludes a node with `spec.unschedulable`, except for pods that tolerate the taint
/// `node.kubernetes.io/unschedulable` with the effect `NoSchedule`.
#[derive(Clone, Copy, Debug)]
pub struct Cordon;

impl Filter for Cordon {
    fn name(&self) -> &'static str {
        "Cordon"
    }

    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
        if !node.node().spec.unschedulable {
            return Ok(());
        }
        let implied =
            Taint { key: Taint::UNSCHEDULABLE.to_owned(), effect: TaintEffect::NoSchedule, ..Taint::default() };
        if implied.is_tolerated_by(&pod.pod().spec.tolerations) { Ok(()) } else { Err("cordoned".into()) }
    }

    fn hint(&self, _pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
        Some(format!("uncordon a node, such as {}", excluded.first()?.name()))
    }
}
