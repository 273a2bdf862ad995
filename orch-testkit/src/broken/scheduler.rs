//! Wrong schedulers.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{
    ConditionStatus, Container, ContainerPort, Node, NodeCondition, Pod, Quantity, TaintEffect, find_condition,
};
use orch_core::scheduler::{Decision, Outcome, Refusal, RuleCount, Scheduler, SupplyChange};

/// What is wrong with a [`FlawedScheduler`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Pods that fit nowhere get no answer: they wait for ever, and nobody is told why.
    LeavesOutRefusedPods,
    /// All pods of a call are held against the supply as it was before: together they do not fit.
    OvercommitsWithinACall,
    /// Placements are counted before anybody has made them: a binding that fails leaks its room.
    RemembersDecisions,
    /// Pods that went are counted still, as where only additions are followed: the cluster fills up with nothing.
    IgnoresRemovedPods,
    /// Pods that ended are counted still: a cluster that runs jobs fills up.
    CountsEndedPods,
    /// Every change of a pod counts it once more: sums that are kept by adding drift.
    CountsAPodAgainAtEveryChange,
    /// A change of a node replaces what was known of it, its pods included: every heartbeat empties the node.
    ForgetsPodsAtANodeChange,
    /// A pod on a node that is not known yet is dropped: after a restart the order of the lists decides.
    ForgetsPodsShownBeforeTheirNode,
    /// Amounts are rounded down to whole units: a thousand pods of 500m use nothing.
    CountsWholeUnits,
    /// A port on all addresses and one on a single address pass for different.
    TakesPortsOnAllAddressesForAnother,
    /// Only `NoSchedule` taints are looked at: pods go to nodes that throw them out at once.
    IgnoresNoExecuteTaints,
    /// The first node with room gets the pod.
    IgnoresPreferences,
    /// The node is chosen before its room is looked at: a full node that is preferred blocks all others.
    ChoosesBeforeLookingForRoom,
    /// Only a few nodes are looked at: a pod waits although a node has room.
    LooksAtAFewNodes,
    /// A node that breaks two rules is counted twice: "5 of 3 nodes".
    CountsANodeForEveryRule,
    /// Equal nodes take turns over all calls: asking changes the next answer.
    TakesTurns,
    /// Equal nodes are drawn by chance without a seed, as by the order of a hash map: nothing can be replayed.
    DrawsLots,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 17] = [
        (Self::LeavesOutRefusedPods, "S1"),
        (Self::OvercommitsWithinACall, "S2"),
        (Self::RemembersDecisions, "S7"),
        (Self::IgnoresRemovedPods, "S2"),
        (Self::CountsEndedPods, "S2"),
        (Self::CountsAPodAgainAtEveryChange, "S6"),
        (Self::ForgetsPodsAtANodeChange, "S2"),
        (Self::ForgetsPodsShownBeforeTheirNode, "S6"),
        (Self::CountsWholeUnits, "S2"),
        (Self::TakesPortsOnAllAddressesForAnother, "S2"),
        (Self::IgnoresNoExecuteTaints, "S3"),
        (Self::IgnoresPreferences, "S4"),
        (Self::ChoosesBeforeLookingForRoom, "S9"),
        (Self::LooksAtAFewNodes, "S5"),
        (Self::CountsANodeForEveryRule, "S5"),
        (Self::TakesTurns, "S7"),
        (Self::DrawsLots, "S8"),
    ];
}

/// A scheduler that looks at every pod for every node, and has one flaw or none.
#[derive(Debug)]
pub struct FlawedScheduler {
    flaw: Option<Flaw>,
    nodes: BTreeMap<String, Arc<Node>>,
    placed: Placed,
    lots: SeededEntropy,
    turn: u64,
}

/// Pods with a node.
type Placed = Vec<(Key, Arc<Pod>)>;

impl FlawedScheduler {
    /// A scheduler that was shown nothing.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, nodes: BTreeMap::new(), placed: Vec::new(), lots: SeededEntropy::from_os(), turn: 0 }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn put_pod(&self, placed: &mut Placed, key: Key, pod: Arc<Pod>) {
        if !self.has(Flaw::CountsAPodAgainAtEveryChange) {
            placed.retain(|(known, _)| *known != key);
        }
        let Some(node) = &pod.spec.node_name else { return };
        let known = self.nodes.contains_key(node) || !self.has(Flaw::ForgetsPodsShownBeforeTheirNode);
        if known && (!pod.status.phase().is_terminal() || self.has(Flaw::CountsEndedPods)) {
            placed.push((key, pod));
        }
    }

    fn decide(&mut self, key: &Key, pod: &Pod, placed: &Placed) -> Outcome {
        let mut observed = placed.iter().filter(|(known, _)| known == key);
        let bound = observed.any(|(_, observed)| observed.metadata.uid == pod.metadata.uid);
        if bound || pod.spec.node_name.is_some() || pod.status.phase().is_terminal() || pod.metadata.is_deleting() {
            return Outcome::Refuse(Refusal { hint: Some("it is none to place".to_owned()), ..Refusal::default() });
        }
        let few = if self.has(Flaw::LooksAtAFewNodes) { 3 } else { usize::MAX };
        let (mut allowed, mut objections) = (Vec::new(), Vec::new());
        for node in self.nodes.values().take(few) {
            let found = self.objections(pod, node, placed);
            let counted = if self.has(Flaw::CountsANodeForEveryRule) { found.len() } else { 1 };
            if found.is_empty() {
                allowed.push(node);
            }
            objections.extend(found.into_iter().take(counted));
        }
        let best = allowed.iter().map(|node| self.preference(pod, node)).max();
        allowed.retain(|node| Some(self.preference(pod, node)) == best);
        let ties = allowed.len().max(1) as u64;
        let chosen = match self.flaw {
            Some(Flaw::TakesTurns) => self.turn % ties,
            Some(Flaw::DrawsLots) => self.lots.next_u64() % ties,
            _ => 0,
        };
        let Some(node) = allowed.get(chosen as usize) else {
            return Outcome::Refuse(refusal(self.nodes.len().min(few), objections));
        };
        let node = node.metadata.name.clone();
        self.turn += 1;
        Outcome::Place { node, score: best.unwrap_or(0) }
    }

    /// Every rule that the node breaks.
    fn objections(&self, pod: &Pod, node: &Node, placed: &Placed) -> Vec<&'static str> {
        let here = |(_, other): &&(Key, Arc<Pod>)| other.spec.node_name.as_deref() == Some(&node.metadata.name);
        let others: Vec<&Pod> = placed.iter().filter(here).map(|(_, pod)| pod.as_ref()).collect();
        let blocked = self.has(Flaw::ChoosesBeforeLookingForRoom) && {
            let preferred =
                |other: &Arc<Node>| self.allows(pod, other) && self.preference(pod, other) > self.preference(pod, node);
            self.nodes.values().any(preferred)
        };
        let rules = [
            ("not for this pod", !self.allows(pod, node)),
            ("less preferred", blocked),
            ("taken host port", self.port_taken(pod, &others)),
            ("insufficient resources", self.lacks_room(pod, node, &others)),
        ];
        rules.into_iter().filter(|(_, broken)| *broken).map(|(rule, _)| rule).collect()
    }

    fn allows(&self, pod: &Pod, node: &Node) -> bool {
        let Pod { spec, .. } = pod;
        let nodes = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required = nodes.and_then(|nodes| nodes.required_during_scheduling_ignored_during_execution.as_ref());
        let ready = find_condition(&node.status.conditions, NodeCondition::READY);
        let seen = |effect| match effect {
            TaintEffect::NoSchedule => true,
            TaintEffect::PreferNoSchedule => false,
            TaintEffect::NoExecute => !self.has(Flaw::IgnoresNoExecuteTaints),
        };
        let mut taints = node.spec.taints.iter().filter(|taint| seen(taint.effect));
        !node.spec.unschedulable
            && ready.is_none_or(|ready| ready.status == ConditionStatus::True)
            && spec.node_selector.iter().all(|(key, value)| node.metadata.labels.get(key) == Some(value))
            && required.is_none_or(|required| required.matches(node))
            && taints.all(|taint| spec.tolerates(taint))
    }

    fn port_taken(&self, pod: &Pod, others: &[&Pod]) -> bool {
        let everywhere = |port: &ContainerPort| matches!(port.host_ip.as_deref(), None | Some("0.0.0.0"));
        let overlap = |one: &ContainerPort, other: &ContainerPort| match (everywhere(one), everywhere(other)) {
            (false, false) => one.host_ip == other.host_ip,
            (true, true) => true,
            _ => !self.has(Flaw::TakesPortsOnAllAddressesForAnother),
        };
        let same = |one: &ContainerPort, other: &ContainerPort| {
            one.host_port == other.host_port && one.protocol() == other.protocol() && overlap(one, other)
        };
        host_ports(pod).any(|port| others.iter().copied().flat_map(host_ports).any(|other| same(port, other)))
    }

    fn lacks_room(&self, pod: &Pod, node: &Node, others: &[&Pod]) -> bool {
        let has = |resource: &str| node.status.allocatable(resource).copied().unwrap_or_default();
        let used = self.requests(others);
        let over = |(resource, asked): (&str, Quantity)| {
            !asked.is_zero() && used.get(resource).copied().unwrap_or_default().saturating_add(asked) > has(resource)
        };
        others.len() as i64 >= has("pods").value() || self.requests(&[pod]).into_iter().any(over)
    }

    fn requests<'a>(&self, pods: &[&'a Pod]) -> BTreeMap<&'a str, Quantity> {
        let mut sums: BTreeMap<&str, Quantity> = BTreeMap::new();
        for pod in pods {
            let mut asked: BTreeMap<&str, Quantity> = BTreeMap::new();
            for (name, amount) in pod.spec.containers.iter().flat_map(|container| self.amounts(container)) {
                let sum = asked.entry(name).or_default();
                *sum = sum.saturating_add(amount);
            }
            for (name, amount) in pod.spec.init_containers.iter().flat_map(|container| self.amounts(container)) {
                let most = asked.entry(name).or_default();
                *most = amount.max(*most);
            }
            for (name, amount) in asked {
                let sum = sums.entry(name).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        sums
    }

    fn amounts<'a>(&self, container: &'a Container) -> BTreeMap<&'a str, Quantity> {
        let resources = &container.resources;
        let names = resources.requests.keys().chain(resources.limits.keys());
        let counted = |name: &'a String| {
            let asked = resources.request(name).copied().unwrap_or_default();
            let whole = self.has(Flaw::CountsWholeUnits);
            (name.as_str(), if whole { Quantity::from_units(asked.millis() / 1_000) } else { asked })
        };
        names.map(counted).collect()
    }

    /// What the pod's affinity says for the node, less what the node's taints say against it.
    fn preference(&self, pod: &Pod, node: &Node) -> i64 {
        if self.has(Flaw::IgnoresPreferences) {
            return 0;
        }
        let nodes = pod.spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let terms = nodes.map_or(&[][..], |nodes| &nodes.preferred_during_scheduling_ignored_during_execution);
        let matching = terms.iter().filter(|term| term.preference.matches(node));
        let taints = node.spec.taints.iter().filter(|taint| taint.effect == TaintEffect::PreferNoSchedule);
        let untolerated = taints.filter(|taint| !taint.is_tolerated_by(&pod.spec.tolerations)).count();
        matching.map(|term| i64::from(term.weight)).sum::<i64>() - 100 * untolerated as i64
    }
}

impl Scheduler for FlawedScheduler {
    fn observe(&mut self, change: SupplyChange) {
        let mut placed = std::mem::take(&mut self.placed);
        match change {
            SupplyChange::NodePut(node) => {
                let name = node.metadata.name.clone();
                if self.has(Flaw::ForgetsPodsAtANodeChange) && self.nodes.contains_key(&name) {
                    placed.retain(|(_, pod)| pod.spec.node_name.as_ref() != Some(&name));
                }
                self.nodes.insert(name, node);
            }
            SupplyChange::NodeRemoved(name) => {
                self.nodes.remove(&name);
            }
            SupplyChange::PodPut(pod) => {
                if let Ok(key) = pod.key() {
                    self.put_pod(&mut placed, key, pod);
                }
            }
            SupplyChange::PodRemoved(key) if !self.has(Flaw::IgnoresRemovedPods) => {
                placed.retain(|(known, _)| *known != key);
            }
            _ => {}
        }
        self.placed = placed;
    }

    fn schedule(&mut self, pods: &[Arc<Pod>]) -> Vec<Decision> {
        let mut placed = self.placed.clone();
        let mut decisions = Vec::new();
        for pod in pods {
            let Ok(key) = pod.key() else { continue };
            let outcome = self.decide(&key, pod, &placed);
            if let Outcome::Place { node, .. } = &outcome {
                let mut pod = Pod::clone(pod);
                pod.spec.node_name = Some(node.clone());
                if !self.has(Flaw::OvercommitsWithinACall) {
                    self.put_pod(&mut placed, key.clone(), Arc::new(pod));
                }
            } else if self.has(Flaw::LeavesOutRefusedPods) {
                continue;
            }
            decisions.push(Decision { pod: key, uid: pod.metadata.uid.clone(), outcome });
        }
        if self.has(Flaw::RemembersDecisions) {
            self.placed = placed;
        }
        decisions
    }
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = &ContainerPort> {
    pod.spec.containers.iter().flat_map(|container| &container.ports).filter(|port| port.host_port.is_some())
}

fn refusal(nodes: usize, objections: Vec<&'static str>) -> Refusal {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for rule in objections {
        *counts.entry(rule).or_default() += 1;
    }
    let count = |(rule, nodes): (&'static str, usize)| RuleCount { rule, reason: rule.to_owned(), nodes };
    let mut rules: Vec<RuleCount> = counts.into_iter().map(count).collect();
    rules.sort_by_key(|count| std::cmp::Reverse(count.nodes));
    Refusal { nodes, rules, hint: None }
}
