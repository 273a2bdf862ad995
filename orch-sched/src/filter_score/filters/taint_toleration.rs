//! [`TaintToleration`]: nodes turn away pods that do not tolerate their taints.

use orch_core::object::{Taint, TaintEffect};

use crate::filter_score::{Filter, NodeInfo, PodInfo, Reason};

/// Excludes a node with a taint of the effect `NoSchedule` or `NoExecute` that the pod does not tolerate, for however
/// long. What a pod tolerates without saying so stands at [`PodSpec::tolerates`](orch_core::object::PodSpec::tolerates).
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
        // Whoever puts these on takes them off, and would put them on again.
        match taint.key.as_str() {
            Taint::NOT_READY | Taint::UNREACHABLE => return Some("wait until a node is ready again".to_owned()),
            Taint::MEMORY_PRESSURE => {
                return Some("wait until a node has memory again, or let the pod ask for some".to_owned());
            }
            Taint::DISK_PRESSURE => return Some("wait until a node has disk again, or free some".to_owned()),
            Taint::PID_PRESSURE => return Some("wait until a node has processes again".to_owned()),
            _ => {}
        }
        let value = taint.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        Some(format!("add a toleration of {}{value}:{:?} to the pod, or remove the taint", taint.key, taint.effect))
    }
}

fn untolerated<'a>(pod: &PodInfo, node: &'a NodeInfo) -> Option<&'a Taint> {
    let hard = |taint: &&Taint| matches!(taint.effect, TaintEffect::NoSchedule | TaintEffect::NoExecute);
    node.node().spec.taints.iter().filter(hard).find(|taint| !pod.pod().spec.tolerates(taint))
}
