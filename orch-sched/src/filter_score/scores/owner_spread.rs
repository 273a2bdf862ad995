//! [`OwnerSpread`]: pods of one owner on different nodes.

use crate::filter_score::{NodeInfo, Normalization, PodInfo, Score};

/// Prefers the node with the fewest pods that the pod's controlling owner has there, so that the loss of a node takes
/// few of them. Pods without such an owner have no preference.
#[derive(Clone, Copy, Debug)]
pub struct OwnerSpread;

impl Score for OwnerSpread {
    fn name(&self) -> &'static str {
        "OwnerSpread"
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let siblings = pod.pod().metadata.controller().map_or(0, |owner| node.pods_managed_by(&owner.uid));
        i64::try_from(siblings).unwrap_or(i64::MAX)
    }

    fn normalization(&self) -> Normalization {
        Normalization::LessIsBetter
    }
}
