//! [`TaintToleration`]: nodes turn away pods that do not tolerate their taints.

use orch_core::object::{Taint, TaintEffect};

use crate::filter_score::{Filter, NodeInfo, PodInfo, Reason};

/// Excludes a node with a taint of the effect `NoSchedule` or `NoExecute` that the pod does not tolerate, for however
/// long.
#[derive(Clone, Copy, Debug)]
pub struct TaintToleration;

impl Filter for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
        match untolerated(pod, node) {
            None => Ok(()),
            Some(taint) => Err(match &taint.value {
                Some(value) => format!("untolerated taint {{{}: {value}}}", taint.key),
                None => format!("untolerated taint {{{}}}", taint.key),
            }
            .into()),
        }
    }

    fn hint(&self, pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
        let taint = excluded.iter().find_map(|node| untolerated(pod, node))?;
        if matches!(taint.key.as_str(), Taint::NOT_READY | Taint::UNREACHABLE) {
            return Some("wait until a node is ready again".to_owned());
        }
        let value = taint.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        Some(format!("add a toleration of {}{value}:{:?} to the pod, or remove the taint", taint.key, taint.effect))
    }
}

fn untolerated<'a>(pod: &PodInfo, node: &'a NodeInfo) -> Option<&'a Taint> {
    let hard = |taint: &&Taint| matches!(taint.effect, TaintEffect::NoSchedule | TaintEffect::NoExecute);
    let tolerated = |taint: &Taint| taint.is_tolerated_by(&pod.pod().spec.tolerations);
    node.node().spec.taints.iter().filter(hard).find(|taint| !tolerated(taint))
}
