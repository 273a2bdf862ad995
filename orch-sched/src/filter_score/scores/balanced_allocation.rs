//! [`BalancedAllocation`]: use cpu and memory of a node alike.

use super::millionths_allocated;
use crate::filter_score::{CPU, MEMORY, NodeInfo, PodInfo, Score};

/// Prefers the node of which cpu and memory would be used to the same part: what is left fits more kinds of pods.
///
/// The score is 100 less the difference of the two parts in percent, as in Kubernetes'
/// `NodeResourcesBalancedAllocation` before it took standard deviations; for two resources those are half of it.
#[derive(Clone, Copy, Debug)]
pub struct BalancedAllocation;

impl Score for BalancedAllocation {
    fn name(&self) -> &'static str {
        "BalancedAllocation"
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let difference = millionths_allocated(CPU, pod, node).abs_diff(millionths_allocated(MEMORY, pod, node));
        // At most 1,000,000.
        100 - difference as i64 / 10_000
    }
}
