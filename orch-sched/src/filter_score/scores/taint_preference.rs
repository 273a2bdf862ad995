//! [`TaintPreference`]: nodes that would rather not have the pod come last.

use orch_core::object::{Taint, TaintEffect};

use crate::filter_score::{NodeInfo, Normalization, PodInfo, Score};

/// Prefers the node with the fewest taints of the effect `PreferNoSchedule` that the pod does not tolerate.
#[derive(Clone, Copy, Debug)]
pub struct TaintPreference;

impl Score for TaintPreference {
    fn name(&self) -> &'static str {
        "TaintPreference"
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let soft = |taint: &&Taint| taint.effect == TaintEffect::PreferNoSchedule;
        let tolerated = |taint: &Taint| taint.is_tolerated_by(&pod.pod().spec.tolerations);
        let untolerated = node.node().spec.taints.iter().filter(soft).filter(|taint| !tolerated(taint)).count();
        i64::try_from(untolerated).unwrap_or(i64::MAX)
    }

    fn normalization(&self) -> Normalization {
        Normalization::LessIsBetter
    }
}
