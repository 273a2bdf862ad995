//! [`Filter`] and [`Score`]: the rules and preferences that a scheduler is composed of.

use std::borrow::Cow;
use std::fmt::{self, Debug};

use super::node_info::NodeInfo;
use super::pod_info::PodInfo;

/// A rule: on which nodes a pod may be placed.
///
/// A filter decides from what it is shown alone, and alike for alike, or the scheduler's promises do not hold. More
/// capacity on a node must not turn a yes into a no.
pub trait Filter: Debug + Send + Sync + 'static {
    /// The rule's name, unique within a scheduler: `NodeResources`.
    fn name(&self) -> &'static str;

    /// Whether the pod may be placed on the node.
    ///
    /// # Errors
    /// Why not. Nodes excluded for reasons of equal words are counted together, so a reason names what the nodes have
    /// in common, never the node.
    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason>;

    /// What would help a pod that found no node, in a sentence, given the nodes that this rule excluded (never none).
    fn hint(&self, pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
        let _ = (pod, excluded);
        None
    }
}

/// Why a rule excludes a node, in words for people that follow a count of nodes: `insufficient cpu`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Reason {
    fn from(words: &'static str) -> Self {
        Self(Cow::Borrowed(words))
    }
}

impl From<String> for Reason {
    fn from(words: String) -> Self {
        Self(Cow::Owned(words))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A preference: how well a node suits a pod, of those that every rule allows.
///
/// As with a [`Filter`], the answer follows from the arguments alone.
pub trait Score: Debug + Send + Sync + 'static {
    /// The preference's name, unique within a scheduler: `LeastAllocated`.
    fn name(&self) -> &'static str;

    /// How well the node suits the pod, in units of the plugin's choice.
    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64;

    /// How the scores of the allowed nodes are brought to a range from 0 to 100; as they are, by default.
    fn normalization(&self) -> Normalization {
        Normalization::AsIs
    }
}

/// How the scores that a plugin gives the allowed nodes are brought to a range from 0 to 100, the best.
///
/// Integers throughout, rounded down, as `DefaultNormalizeScore` of Kubernetes' scheduler does: no order hangs on the
/// last bit of a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalization {
    /// They are in that range already; what is outside is cut off.
    AsIs,
    /// In proportion to the greatest score, which gets 100. Scores below zero count as zero, which gets 0.
    MoreIsBetter,
    /// In proportion to the greatest score, which gets 0. Scores below zero count as zero, which gets 100.
    LessIsBetter,
}

/// The best normalized score.
const BEST: i64 = 100;

impl Normalization {
    /// The scores, each from 0 to 100.
    #[must_use]
    pub fn apply(self, scores: &[i64]) -> Vec<i64> {
        let greatest = scores.iter().copied().max().unwrap_or(0).max(0);
        let proportion = |score: i64| match greatest {
            0 => 0,
            // At most 100, since no score is greater than the greatest.
            _ => (i128::from(score.max(0)) * i128::from(BEST) / i128::from(greatest)) as i64,
        };
        let normalize = |score: &i64| match self {
            Self::AsIs => (*score).clamp(0, BEST),
            Self::MoreIsBetter => proportion(*score),
            Self::LessIsBetter => BEST - proportion(*score),
        };
        scores.iter().map(normalize).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized_scores_are_from_0_to_100() {
        for (normalization, scores, expected) in [
            (Normalization::AsIs, [-1, 0, 50, 100, 101], [0, 0, 50, 100, 100]),
            (Normalization::MoreIsBetter, [-7, 0, 1, 2, 3], [0, 0, 33, 66, 100]),
            (Normalization::LessIsBetter, [-7, 0, 1, 2, 3], [100, 100, 67, 34, 0]),
            (Normalization::MoreIsBetter, [0; 5], [0; 5]),
            (Normalization::LessIsBetter, [0; 5], [100; 5]),
            (Normalization::MoreIsBetter, [i64::MIN, 0, 1, i64::MAX / 2, i64::MAX], [0, 0, 0, 49, 100]),
        ] {
            assert_eq!(normalization.apply(&scores), expected, "{normalization:?} of {scores:?}");
        }
    }
}
