//! Every decision is held against a scan of all nodes that is written independently of the scheduler.

use std::sync::Arc;

use orch_core::object::{
    ConditionStatus, Container, ContainerPort, Node, Pod, Quantity, ResourceRequirements, Taint, TaintEffect,
    Toleration, TolerationOperator,
};
use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};
use orch_sched::FilterScoreScheduler;
use orch_testkit::strategy::cluster::{Cluster, cluster};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_chosen_node_is_allowed_and_scores_highest_and_a_refused_pod_has_none(
        cluster in cluster(),
        seed in any::<u64>(),
    ) {
        let mut scheduler = shown(&cluster, seed);
        let pending: Vec<Arc<Pod>> = cluster.pending.iter().cloned().map(Arc::new).collect();
        let mut placed = cluster.placed.clone();
        for (pod, decision) in pending.iter().zip(scheduler.schedule(&pending)) {
            let scores = scan(pod, &cluster.nodes, &placed);
            let highest = scores.iter().map(|(_, score)| *score).max();
            match decision.outcome {
                Outcome::Place { node, score } => {
                    prop_assert_eq!(Some(score), highest, "{} of {:?}", node, scores);
                    prop_assert!(scores.contains(&(node.as_str(), score)), "{} is not among {:?}", node, scores);
                    let mut pod = Pod::clone(pod);
                    pod.spec.node_name = Some(node);
                    placed.push(pod);
                }
                outcome => prop_assert!(scores.is_empty(), "{:?}, allowed are {:?}", outcome, scores),
            }
        }
    }
}

fn shown(cluster: &Cluster, seed: u64) -> FilterScoreScheduler {
    let mut scheduler = FilterScoreScheduler::builder().seed(seed).build();
    for pod in &cluster.placed {
        scheduler.observe(SupplyChange::PodPut(Arc::new(pod.clone())));
    }
    for node in &cluster.nodes {
        scheduler.observe(SupplyChange::NodePut(Arc::new(node.clone())));
    }
    scheduler
}

/// The allowed nodes and their scores.
fn scan<'a>(pod: &Pod, nodes: &'a [Node], placed: &[Pod]) -> Vec<(&'a str, i64)> {
    let mut allowed = Vec::new();
    for node in nodes {
        let here = |other: &&Pod| other.spec.node_name.as_deref() == Some(&node.metadata.name);
        let others: Vec<&Pod> =
            placed.iter().filter(here).filter(|other| !other.status.phase().is_terminal()).collect();
        if wanted(pod, node) && welcome(pod, node) && ports_free(pod, &others) && fits(pod, node, &others) {
            allowed.push((node, others));
        }
    }
    let siblings = |others: &[&Pod]| match pod.metadata.owner_references.as_slice() {
        [owner] => others.iter().filter(|other| other.metadata.owner_references.contains(owner)).count() as i64,
        _ => 0,
    };
    let most_siblings = allowed.iter().map(|(_, others)| siblings(others)).max().unwrap_or(0);
    let most_preferred = allowed.iter().map(|(node, _)| preferred_weight(pod, node)).max().unwrap_or(0);
    let most_taints = allowed.iter().map(|(node, _)| soft_taints(pod, node)).max().unwrap_or(0);
    let percent = |part: i64, of: i64| if of == 0 { 0 } else { part * 100 / of };
    let score = |(node, others): &(&'a Node, Vec<&Pod>)| {
        let [cpu, memory, places] = ["cpu", "memory", "pods"].map(|resource| millionths(resource, pod, node, others));
        let least_allocated = 100 - (cpu + memory + places) / 30_000;
        let balanced = 100 - (cpu - memory).abs() / 10_000;
        let spread = 100 - percent(siblings(others), most_siblings);
        let preferred = percent(preferred_weight(pod, node), most_preferred);
        let untainted = 100 - percent(soft_taints(pod, node), most_taints);
        (node.metadata.name.as_str(), least_allocated + balanced + 2 * spread + 2 * preferred + 3 * untainted)
    };
    allowed.iter().map(score).collect()
}

/// Whether the pod wants to be there.
fn wanted(pod: &Pod, node: &Node) -> bool {
    let selected = pod.spec.node_selector.iter().all(|label| node.metadata.labels.iter().any(|other| other == label));
    let nodes = pod.spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    let required = nodes.and_then(|nodes| nodes.required_during_scheduling_ignored_during_execution);
    selected && required.is_none_or(|required| required.node_selector_terms.iter().any(|term| term.matches(node)))
}

/// Whether the node takes the pod: readiness and cordon are taints that need not be written.
fn welcome(pod: &Pod, node: &Node) -> bool {
    let mut taints = node.spec.taints.clone();
    let unwritten = |key: &str| Taint { key: key.to_owned(), ..Taint::default() };
    if node.spec.unschedulable {
        taints.push(unwritten("node.kubernetes.io/unschedulable"));
    }
    for condition in node.status.conditions.iter().filter(|condition| condition.r#type == "Ready") {
        match condition.status {
            ConditionStatus::True => {}
            ConditionStatus::False => taints.push(unwritten("node.kubernetes.io/not-ready")),
            ConditionStatus::Unknown => taints.push(unwritten("node.kubernetes.io/unreachable")),
        }
    }
    taints.iter().all(|taint| taint.effect == TaintEffect::PreferNoSchedule || tolerated(pod, taint))
}

fn tolerated(pod: &Pod, taint: &Taint) -> bool {
    let by = |toleration: &Toleration| {
        let effect = toleration.effect.is_none() || toleration.effect == Some(taint.effect);
        let key = toleration.key.is_none() || toleration.key.as_ref() == Some(&taint.key);
        let any_value = toleration.operator == Some(TolerationOperator::Exists);
        effect && key && (any_value || toleration.value == taint.value)
    };
    let asks = |container: &Container| {
        let ResourceRequirements { requests, limits } = &container.resources;
        requests
            .iter()
            .chain(limits)
            .any(|(name, amount)| ["cpu", "memory"].contains(&name.as_str()) && *amount != Quantity::default())
    };
    let implied = taint.key == "node.kubernetes.io/memory-pressure"
        && taint.effect == TaintEffect::NoSchedule
        && pod.spec.containers.iter().chain(&pod.spec.init_containers).any(asks);
    implied || pod.spec.tolerations.iter().any(by)
}

fn ports_free(pod: &Pod, others: &[&Pod]) -> bool {
    let ports =
        |pod: &Pod| -> Vec<ContainerPort> { pod.spec.containers.iter().flat_map(|c| c.ports.clone()).collect() };
    let all = |port: &ContainerPort| port.host_ip.is_none() || port.host_ip.as_deref() == Some("0.0.0.0");
    for mine in ports(pod) {
        for theirs in others.iter().flat_map(|other| ports(other)) {
            let same_number = mine.host_port == theirs.host_port && mine.protocol() == theirs.protocol();
            if same_number && (all(&mine) || all(&theirs) || mine.host_ip == theirs.host_ip) {
                return false;
            }
        }
    }
    true
}

fn fits(pod: &Pod, node: &Node, others: &[&Pod]) -> bool {
    ["cpu", "memory", "example.org/gpu", "pods"].iter().all(|resource| {
        let used: i128 = others.iter().map(|other| asked(other, resource)).sum();
        let asked = asked(pod, resource);
        asked == 0 || used + asked <= allocatable(node, resource)
    })
}

/// How many thousandths of a resource a pod asks for.
fn asked(pod: &Pod, resource: &str) -> i128 {
    if resource == "pods" {
        return 1_000;
    }
    let amount = |container: &orch_core::object::Container| {
        let resources = &container.resources;
        let amount = resources.requests.get(resource).or(resources.limits.get(resource));
        amount.map_or(0, |amount: &Quantity| i128::from(amount.millis()))
    };
    let alone = pod.spec.init_containers.iter().map(amount).max();
    pod.spec.containers.iter().map(amount).sum::<i128>().max(alone.unwrap_or(0))
}

/// How many thousandths of a resource a node has for pods.
fn allocatable(node: &Node, resource: &str) -> i128 {
    node.status.allocatable.get(resource).map_or(0, |amount| i128::from(amount.millis()))
}

fn millionths(resource: &str, pod: &Pod, node: &Node, others: &[&Pod]) -> i64 {
    let used: i128 = others.iter().map(|other| asked(other, resource)).sum::<i128>() + asked(pod, resource);
    match allocatable(node, resource) {
        0 => 1_000_000,
        has => i64::try_from((used * 1_000_000 / has).min(1_000_000)).expect("at most a million"),
    }
}

fn preferred_weight(pod: &Pod, node: &Node) -> i64 {
    let nodes = pod.spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let mut weight = 0;
    for term in nodes.into_iter().flat_map(|nodes| &nodes.preferred_during_scheduling_ignored_during_execution) {
        weight += if term.preference.matches(node) { i64::from(term.weight) } else { 0 };
    }
    weight
}

fn soft_taints(pod: &Pod, node: &Node) -> i64 {
    let soft = |taint: &&Taint| taint.effect == TaintEffect::PreferNoSchedule && !tolerated(pod, taint);
    node.spec.taints.iter().filter(soft).count() as i64
}
