//! [`NodePreference`]: the nodes that the pod would rather have.

use crate::filter_score::{NodeInfo, Normalization, PodInfo, Score};

/// Prefers the node that matches the most of the pod's preferred node affinity, by weight.
#[derive(Clone, Copy, Debug)]
pub struct NodePreference;

impl Score for NodePreference {
    fn name(&self) -> &'static str {
        "NodePreference"
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let Some(nodes) = pod.pod().spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref()) else {
            return 0;
        };
        let terms = nodes.preferred_during_scheduling_ignored_during_execution.iter();
        terms.filter(|term| term.preference.matches(node.node())).map(|term| i64::from(term.weight)).sum()
    }

    fn normalization(&self) -> Normalization {
        Normalization::MoreIsBetter
    }
}
