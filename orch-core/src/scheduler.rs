//! [`Scheduler`]: decides on which node a pod runs.

use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::key::Key;
use crate::object::{Node, Pod, Uid};

/// Decides on which node a pod runs, on the supply that it is shown. It decides and does nothing else: no I/O, no
/// clock, no threads.
///
/// It is shown the supply by [`observe`](Scheduler::observe): all nodes, and all pods that have a node. Who uses it
/// shows it its own decisions the same way: a pod with its node filled in while the binding is under way, and the pod's
/// removal if the binding fails.
///
/// # What every scheduler promises
///
/// - **S1** *One answer each*: `schedule` answers every pod once, in the order given.
/// - **S2** *Never over-committed*: counting the pods observed and those placed earlier in the same call, no node gets
///   more of any resource than it has allocatable, more pods than it may hold, or one host port twice. A pod counts with
///   the sum over its containers, or with what one of its init containers asks for, if that is more.
/// - **S3** *Rules hold*: a pod is placed only where every rule of the scheduler allows it at that moment.
/// - **S4** *Best*: where rules allow several nodes, the chosen one has the highest score of all of them.
/// - **S5** *Explained*: a refusal counts, rule by rule, the nodes that the rule excluded, each node once; the counts
///   add up to the number of nodes.
/// - **S6** *Level-triggered*: the answers follow from the last state shown of each node and pod. How often and in
///   which order changes of different objects were shown makes no difference. Removing what is not there, or showing a
///   pod on a node that is not known yet, is no error.
/// - **S7** *Forgetful*: decisions are not remembered after the call. Scheduling pods together gives the same answers
///   as scheduling them one by one and showing each placement as it was decided.
/// - **S8** *Deterministic*: two schedulers of the same configuration and seed that were shown the same give the same
///   answers.
/// - **S9** *Monotone*: more capacity on a node, or one more node, never makes a placeable pod unplaceable.
///
/// A scheduler that divides the supply among several frameworks before each places its own pods, as Mesos's two levels do,
/// keeps S4, the second half of S7 and S9 for pods of one framework that has the cluster for itself. Of several, a pod
/// goes to the best node that its framework was offered; pods of different frameworks in one call share the room that
/// they would get one after the other by coming first; and what is more for one may be less for another. Whose pods these
/// are must be said by the scheduler.
pub trait Scheduler: Debug + Send + 'static {
    /// Takes notice of a change of the supply.
    fn observe(&mut self, change: SupplyChange);

    /// Decides about pending pods, the first in the slice first.
    ///
    /// A pod that has a node already (by its own word, or as the pod that was observed), that has ended or is being
    /// deleted, is refused without a look at any node. The pods are such as a store gives: one whose name is no part of
    /// a [`Key`] is left out of the answers.
    fn schedule(&mut self, pods: &[Arc<Pod>]) -> Vec<Decision>;
}

/// A change of the supply that a scheduler decides on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SupplyChange {
    /// A node came or changed.
    NodePut(Arc<Node>),
    /// The node of this name went.
    NodeRemoved(String),
    /// A pod that has a node came or changed. A pod that has ended frees what it used; a pod without a node counts as
    /// removed.
    PodPut(Arc<Pod>),
    /// The pod at this key went.
    PodRemoved(Key),
}

/// What was decided about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which pod.
    pub pod: Key,
    /// Its uid: a decision is about this pod, not about a later one of that name.
    pub uid: Option<Uid>,
    /// Where it goes, or why nowhere.
    pub outcome: Outcome,
}

/// Where a pod goes, or why nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// On this node.
    Place {
        /// The node's name.
        node: String,
        /// Its score; greater is better, comparable only among the nodes of one decision.
        score: i64,
    },
    /// On none, for now.
    Refuse(Refusal),
}

/// Why no node takes a pod.
///
/// ```
/// use orch_core::scheduler::{Refusal, RuleCount};
///
/// let refusal = Refusal {
///     nodes: 5,
///     rules: vec![
///         RuleCount { rule: "NodeResources", reason: "insufficient cpu".into(), nodes: 3 },
///         RuleCount { rule: "TaintToleration", reason: "untolerated taint {dedicated: db}".into(), nodes: 2 },
///     ],
///     hint: Some("the pod asks for 4 cpu, the most any node has free is 2".into()),
/// };
/// assert_eq!(
///     refusal.to_string(),
///     "0/5 nodes are available: 3 insufficient cpu, 2 untolerated taint {dedicated: db}; \
///      the pod asks for 4 cpu, the most any node has free is 2"
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// How many nodes were looked at: all of them, or none if the pod is not one to place.
    pub nodes: usize,
    /// How many nodes each rule excluded, the most first. A node counts for the first rule that excluded it.
    pub rules: Vec<RuleCount>,
    /// What would help, if that can be said in a sentence.
    pub hint: Option<String>,
}

/// How many nodes a rule excluded for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCount {
    /// The rule's name: `NodeResources`.
    pub rule: &'static str,
    /// The reason, in words for people.
    pub reason: String,
    /// How many nodes.
    pub nodes: usize,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0/{} nodes are available", self.nodes)?;
        for (index, count) in self.rules.iter().enumerate() {
            let separator = if index == 0 { ": " } else { ", " };
            write!(f, "{separator}{} {}", count.nodes, count.reason)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}
