//! [`LeastAllocated`]: fill the emptiest node first.

use super::millionths_allocated;
use crate::filter_score::{CPU, MEMORY, NodeInfo, PODS, PodInfo, Score};

/// Prefers the node that would have the most left: the mean of the free parts of cpu, memory and places for pods.
///
/// Kubernetes' `NodeResourcesFit` with the strategy `LeastAllocated` takes the mean of cpu and memory, and assumes
/// 100 millicores and 200 MB for pods that ask for nothing. Here the places for pods count in place of that
/// assumption: they spread such pods, and nothing is made up.
#[derive(Clone, Copy, Debug)]
pub struct LeastAllocated;

impl Score for LeastAllocated {
    fn name(&self) -> &'static str {
        "LeastAllocated"
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let resources = [CPU, MEMORY, PODS];
        let allocated: i64 = resources.iter().map(|resource| millionths_allocated(resource, pod, node)).sum();
        100 - allocated / (10_000 * resources.len() as i64)
    }
}
