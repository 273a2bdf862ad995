//! S5: explained.

use orch_core::scheduler::{Outcome, Scheduler};
use proptest::{prop_assert, prop_assert_eq};

use super::generated::{for_all, shown};
use super::objects::{decide, pod};
use crate::strategy::cluster::cluster;

/// A refusal counts every node for exactly one rule and reason, the most first.
pub async fn a_refusal_counts_every_node_once<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, pending) = shown(new(), &cluster);
        for decision in scheduler.schedule(&pending) {
            let Outcome::Refuse(refusal) = decision.outcome else { continue };
            prop_assert_eq!(refusal.nodes, cluster.nodes.len(), "every node is looked at: {}", refusal);
            let sum: usize = refusal.rules.iter().map(|count| count.nodes).sum();
            prop_assert_eq!(sum, refusal.nodes, "each node counts for one rule and one reason: {}", refusal);
            let sorted = refusal.rules.is_sorted_by(|one, next| one.nodes >= next.nodes);
            prop_assert!(sorted, "the rule that excluded the most nodes comes first: {}", refusal);
            for (position, count) in refusal.rules.iter().enumerate() {
                let said = !count.rule.is_empty() && !count.reason.is_empty() && count.nodes > 0;
                prop_assert!(said, "a count names a rule, a reason and at least one node: {:?}", count);
                let mut before = refusal.rules[..position].iter();
                let again = before.any(|other| (other.rule, &other.reason) == (count.rule, &count.reason));
                prop_assert!(!again, "one rule and reason is one count: {}", refusal);
            }
        }
        Ok(())
    });
}

/// With no nodes a pod is refused, and nothing is counted.
pub async fn a_refusal_without_nodes_counts_none<S: Scheduler>(new: impl Fn() -> S) {
    match decide(&mut new(), &pod("web", 1)).outcome {
        Outcome::Refuse(refusal) => {
            assert_eq!((refusal.nodes, refusal.rules.len()), (0, 0), "there is nothing to count: {refusal}");
        }
        placed => panic!("there is no node to place a pod on: {placed:?}"),
    }
}
