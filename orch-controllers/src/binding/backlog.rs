//! [`Backlog`]: the pods that wait for a node, and what was decided about each.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::clock::Timestamp;
use orch_core::controller::Change;
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object};
use orch_core::object::{ConditionStatus, Node, NodeCondition, Pod, Time, find_condition};
use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};

/// How many pods are decided about at once: the most that one look at a pod costs.
const ROUND_MAX: usize = 128;

/// The pods that wait for a node, and the scheduler that decides about them.
///
/// What was decided holds until the pod changes, or, for a refusal, until the supply changes in a way that may help.
/// A pod that was placed is shown to the scheduler on its node at once, and stays there until it is shown bound, or
/// until it is certain that it will not be.
#[derive(Debug)]
pub(super) struct Backlog {
    scheduler: Box<dyn Scheduler>,
    scheduler_name: String,
    waiting: BTreeMap<Key, Waiting>,
    /// Those about which nothing is decided, the first to be served first.
    undecided: BTreeSet<Rank>,
    /// Pods that had been refused and are undecided again, which nobody was told of yet.
    released: Vec<Key>,
}

#[derive(Debug)]
struct Waiting {
    pod: Arc<Pod>,
    rank: Rank,
    verdict: Option<Verdict>,
}

/// Who is served first: the higher priority, then the older.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: Reverse<i32>,
    created: Option<Time>,
    key: Key,
}

/// What was decided about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes to this node.
    Placed {
        /// The node's name.
        node: String,
        /// Whether a binding was handed out, which may have happened.
        handed_out: bool,
    },
    /// It goes nowhere for now.
    Refused {
        /// Why.
        why: String,
        /// Since when.
        at: Timestamp,
    },
}

impl Backlog {
    pub(super) fn new(scheduler: Box<dyn Scheduler>, scheduler_name: String) -> Self {
        Self { scheduler, scheduler_name, waiting: BTreeMap::new(), undecided: BTreeSet::new(), released: Vec::new() }
    }

    /// Takes notice of a change of a pod or a node.
    pub(super) fn observe(&mut self, change: &Change) {
        let key = change.key();
        match change.current().or(change.previous()) {
            Some(object) if object.downcast_ref::<Node>().is_some() => {
                self.observe_node(key, typed(change.previous()), typed(change.current()));
            }
            _ => self.observe_pod(key, typed(change.previous()), typed(change.current())),
        }
    }

    fn observe_node(&mut self, key: &Key, previous: Option<Arc<Node>>, current: Option<Arc<Node>>) {
        let may_help = match (&previous, &current) {
            (Some(previous), Some(current)) => differs(previous, current),
            _ => true,
        };
        self.scheduler.observe(match current {
            Some(node) => SupplyChange::NodePut(node),
            None => SupplyChange::NodeRemoved(key.name().to_owned()),
        });
        if may_help {
            self.release();
        }
    }

    fn observe_pod(&mut self, key: &Key, previous: Option<Arc<Pod>>, current: Option<Arc<Pod>>) {
        let mut used = previous.as_deref().and_then(uses).map(str::to_owned);
        if let Some(before) = self.waiting.remove(key) {
            self.undecided.remove(&before.rank);
            // A pod that changed and has no node was not bound, and a binding of its earlier state cannot happen any more.
            if let Some(Verdict::Placed { node, .. }) = before.verdict {
                used = Some(node);
            }
        }
        let uses = current.as_deref().and_then(uses);
        let frees = used.is_some() && used.as_deref() != uses;
        self.scheduler.observe(match &current {
            Some(pod) if node_of(pod).is_some() => SupplyChange::PodPut(Arc::clone(pod)),
            _ => SupplyChange::PodRemoved(key.clone()),
        });
        if let Some(pod) = current.filter(|pod| self.is_to_place(pod)) {
            let rank = Rank {
                priority: Reverse(pod.spec.priority()),
                created: pod.metadata.creation_timestamp,
                key: key.clone(),
            };
            self.undecided.insert(rank.clone());
            self.waiting.insert(key.clone(), Waiting { pod, rank, verdict: None });
        }
        if frees {
            self.release();
        }
    }

    fn is_to_place(&self, pod: &Pod) -> bool {
        node_of(pod).is_none()
            && pod.spec.scheduler_name() == self.scheduler_name
            && !pod.status.phase().is_terminal()
            && !pod.metadata.is_deleting()
    }

    /// Whatever was refused is to be decided anew.
    fn release(&mut self) {
        for (key, waiting) in &mut self.waiting {
            if matches!(waiting.verdict, Some(Verdict::Refused { .. })) {
                waiting.verdict = None;
                self.undecided.insert(waiting.rank.clone());
                self.released.push(key.clone());
            }
        }
    }

    /// The pods that are undecided again, each told once.
    pub(super) fn take_released(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.released)
    }

    /// The pod that waits at `key`, as it was when it was last shown.
    pub(super) fn waiting(&self, key: &Key) -> Option<Arc<Pod>> {
        self.waiting.get(key).map(|waiting| Arc::clone(&waiting.pod))
    }

    /// What was decided about the pod at `key`. If nothing was, all that are undecided are decided now, so that a scheduler
    /// which divides nodes among several sees all who want some; `None` if too many of them are to be served before.
    pub(super) fn verdict(&mut self, key: &Key, now: Timestamp) -> Option<Verdict> {
        let waiting = self.waiting.get(key)?;
        if waiting.verdict.is_none() {
            let round: Vec<Key> = self.undecided.iter().take(ROUND_MAX).map(|rank| rank.key.clone()).collect();
            self.decide(&round, now);
        }
        self.waiting.get(key)?.verdict.clone()
    }

    fn decide(&mut self, round: &[Key], now: Timestamp) {
        let pods: Vec<Arc<Pod>> = round.iter().filter_map(|key| self.waiting(key)).collect();
        let mut decisions = self.scheduler.schedule(&pods).into_iter();
        for key in round {
            let Some(waiting) = self.waiting.get_mut(key) else { continue };
            self.undecided.remove(&waiting.rank);
            // One answer each, in the order given (S1); a scheduler that breaks that places nothing here.
            let outcome = decisions.next().filter(|decision| decision.pod == *key).map(|decision| decision.outcome);
            waiting.verdict = Some(match outcome {
                Some(Outcome::Place { node, .. }) => {
                    let mut placed = Pod::clone(&waiting.pod);
                    placed.spec.node_name = Some(node.clone());
                    self.scheduler.observe(SupplyChange::PodPut(Arc::new(placed)));
                    Verdict::Placed { node, handed_out: false }
                }
                Some(Outcome::Refuse(refusal)) => Verdict::Refused { why: refusal.to_string(), at: now },
                _ => Verdict::Refused { why: "the scheduler gave no answer about this pod".to_owned(), at: now },
            });
        }
    }

    /// A binding of the pod is handed out: from now on it may happen.
    pub(super) fn hand_out(&mut self, key: &Key) {
        if let Some(Verdict::Placed { handed_out, .. }) =
            self.waiting.get_mut(key).and_then(|waiting| waiting.verdict.as_mut())
        {
            *handed_out = true;
        }
    }

    /// Takes back what was decided about the pod. Not to be called once a binding was handed out.
    pub(super) fn withdraw(&mut self, key: &Key) {
        let Some(waiting) = self.waiting.get_mut(key) else { return };
        let verdict = waiting.verdict.take();
        self.undecided.insert(waiting.rank.clone());
        if matches!(verdict, Some(Verdict::Placed { .. })) {
            self.scheduler.observe(SupplyChange::PodRemoved(key.clone()));
            self.release();
        }
    }
}

fn typed<T: Object>(object: Option<&Arc<dyn AnyObject>>) -> Option<Arc<T>> {
    Arc::clone(object?).downcast_arc().ok()
}

/// The node that the pod was given; an empty name is none, as in Kubernetes.
fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.node_name.as_deref().filter(|name| !name.is_empty())
}

/// The node on which the pod takes room.
fn uses(pod: &Pod) -> Option<&str> {
    node_of(pod).filter(|_| !pod.status.phase().is_terminal())
}

/// Whether two states of a node may be answered differently: all but what an agent repeats from time to time.
fn differs(a: &Node, b: &Node) -> bool {
    let ready = |node: &Node| {
        find_condition(&node.status.conditions, NodeCondition::READY)
            .map_or(ConditionStatus::Unknown, |condition| condition.status)
    };
    a.metadata.uid != b.metadata.uid
        || a.metadata.labels != b.metadata.labels
        || a.metadata.annotations != b.metadata.annotations
        || a.spec != b.spec
        || a.status.capacity != b.status.capacity
        || a.status.allocatable != b.status.allocatable
        || ready(a) != ready(b)
}
