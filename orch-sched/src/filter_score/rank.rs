//! [`best`]: the node with the highest score.

use orch_core::key::Key;

use super::{NodeInfo, PodInfo, Score};

/// A preference and how much it counts.
#[derive(Debug)]
pub(super) struct WeightedScore {
    pub(super) weight: u32,
    pub(super) plugin: Box<dyn Score>,
}

/// The node with the highest sum of weighted scores, and that sum; `None` if there are no nodes. Of nodes with the same
/// sum it is the one whose hash with seed and pod is greatest (Thaler, Ravishankar: "A name-based mapping scheme for
/// rendezvous", 1996): no state is kept between decisions, and another node makes little difference.
pub(super) fn best<'a>(
    seed: u64,
    pod_key: &Key,
    scores: &[WeightedScore],
    pod: &PodInfo,
    nodes: &[&'a NodeInfo],
) -> Option<(&'a NodeInfo, i64)> {
    let sums = weighted_sums(scores, pod, nodes);
    let greatest = sums.iter().copied().max()?;
    let ties = nodes.iter().zip(&sums).filter(|(_, sum)| **sum == greatest).map(|(node, _)| *node);
    // Where even the hashes are equal, the last name wins.
    let chosen = ties.max_by_key(|node| (hash(seed, pod_key.as_str(), node.name()), node.name()))?;
    Some((chosen, greatest))
}

/// The sum for each node. Weights have 32 bits and scores are at most 100, so no sum overflows.
fn weighted_sums(scores: &[WeightedScore], pod: &PodInfo, nodes: &[&NodeInfo]) -> Vec<i64> {
    let mut sums = vec![0; nodes.len()];
    for WeightedScore { weight, plugin } in scores.iter().filter(|score| score.weight > 0) {
        let raw: Vec<i64> = nodes.iter().map(|node| plugin.score(pod, node)).collect();
        for (sum, score) in sums.iter_mut().zip(plugin.normalization().apply(&raw)) {
            *sum += i64::from(*weight) * score;
        }
    }
    sums
}

/// FNV-1a over seed and names, then the finalizer of SplitMix64, since FNV alone hardly mixes the last bytes upwards.
/// The standard library's hasher may change between releases, and with it the answers.
fn hash(seed: u64, pod: &str, node: &str) -> u64 {
    const OFFSET_BASIS: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    let bytes = seed.to_le_bytes().into_iter().chain(pod.bytes()).chain([0]).chain(node.bytes());
    let mut z = bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_spread_evenly_over_the_nodes_and_follow_the_seed() {
        let winner = |seed: u64, pod: u32| (0..10).max_by_key(|n| hash(seed, &format!("p{pod}"), &format!("node-{n}")));
        let mut wins = [0; 10];
        for pod in 0..1_000 {
            wins[winner(1, pod).expect("one of ten")] += 1;
        }
        assert!(wins.iter().all(|wins| (70..=130).contains(wins)), "{wins:?}");
        assert!((0..100).any(|pod| winner(1, pod) != winner(2, pod)));
    }
}
