//! Clusters: nodes, pods on them and pods to place, and changes of what a scheduler is shown.
//!
//! All of it is valid, and the words are few, so that labels meet selectors, taints meet tolerations, ports collide and
//! nodes fill up. Lists shrink by leaving out, amounts towards nothing.

use std::collections::BTreeMap;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::*;
use orch_core::scheduler::SupplyChange;
use proptest::collection::{SizeRange, vec};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// A cluster and what is asked of it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Nodes with different names.
    pub nodes: Vec<Node>,
    /// Pods with a node, some of them ended, some on a node that is not known, some more than their node should hold.
    pub placed: Vec<Pod>,
    /// Pods without a node; none has the name of one that is placed.
    pub pending: Vec<Pod>,
}

/// A small cluster: up to 5 nodes, 8 pods on them and 8 to place.
pub fn cluster() -> impl Strategy<Value = Cluster> {
    let placed = vec((pod_shape(), any::<Index>(), phase()), 0..8);
    (nodes(0..6), placed, pods(0..9)).prop_map(|(nodes, placed, pending)| {
        let name = |index: Index| match index.index(nodes.len() + 1) {
            unknown if unknown == nodes.len() => "node-unknown".to_owned(),
            known => nodes[known].metadata.name.clone(),
        };
        let put = |(number, (pod, index, phase)): (usize, (Pod, Index, PodPhase))| {
            let mut pod = named(pod, &format!("placed-{number}"));
            pod.spec.node_name = Some(name(index));
            pod.status.phase = Some(phase);
            pod
        };
        let placed = placed.into_iter().enumerate().map(put).collect();
        Cluster { nodes, placed, pending }
    })
}

/// Nodes with different names. Each reports cpu, memory and how many pods it holds.
pub fn nodes(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Node>> {
    vec(node_shape(), count).prop_map(|mut nodes| {
        for (number, node) in nodes.iter_mut().enumerate() {
            node.metadata.name = format!("node-{number}");
        }
        nodes
    })
}

/// Pods without a node, with different names.
pub fn pods(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Pod>> {
    vec(pod_shape(), count).prop_map(|pods| {
        pods.into_iter().enumerate().map(|(number, pod)| named(pod, &format!("pending-{number}"))).collect()
    })
}

/// Changes of up to 4 nodes and 5 pods, each of which comes, changes and goes in any order.
pub fn changes(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<SupplyChange>> {
    let node_name = || (0..4).prop_map(|number| format!("node-{number}"));
    let pod_name = || (0..5).prop_map(|number| format!("placed-{number}"));
    let put_node = (node_shape(), node_name()).prop_map(|(mut node, name)| {
        node.metadata.name = name;
        SupplyChange::NodePut(node.into())
    });
    let put_pod =
        (pod_shape(), pod_name(), weighted(0.9, node_name()), phase()).prop_map(|(pod, name, node, phase)| {
            let mut pod = named(pod, &name);
            pod.spec.node_name = node;
            pod.status.phase = Some(phase);
            SupplyChange::PodPut(pod.into())
        });
    let change = prop_oneof![
        4 => put_node,
        1 => node_name().prop_map(SupplyChange::NodeRemoved),
        4 => put_pod,
        2 => pod_name().prop_map(|name| SupplyChange::PodRemoved(pod_key(&name))),
    ];
    vec(change, count)
}

const NAMESPACE: &str = "shop";

fn pod_key(name: &str) -> Key {
    Key::new(&Pod::KIND, Some(NAMESPACE), name).expect("the names here are valid")
}

fn named(mut pod: Pod, name: &str) -> Pod {
    pod.metadata.name = name.to_owned();
    pod.metadata.uid = Some(Uid::new(format!("uid-of-{name}")));
    pod
}

/// A node without a name.
fn node_shape() -> impl Strategy<Value = Node> {
    let allocatable = (0_i64..=16, 0_i64..=16, 0_i64..=5, of(0_i64..=3)).prop_map(|(cpu, memory, pods, gpus)| {
        let mut allocatable = amounts(Some(cpu), Some(memory), gpus);
        allocatable.insert("pods".to_owned(), Quantity::from_units(pods));
        allocatable
    });
    let taints = prop_oneof![3 => Just(Vec::new()), 2 => subsequence(all_taints(), 1..=2)];
    let ready = prop_oneof![
        1 => Just(None),
        8 => Just(Some(ConditionStatus::True)),
        1 => select(vec![Some(ConditionStatus::False), Some(ConditionStatus::Unknown)]),
    ];
    (allocatable, labels(), taints, prop::bool::weighted(0.1), ready).prop_map(
        |(allocatable, labels, taints, unschedulable, ready)| Node {
            metadata: ObjectMeta { labels, ..ObjectMeta::default() },
            spec: NodeSpec { unschedulable, taints, ..NodeSpec::default() },
            status: NodeStatus {
                allocatable,
                conditions: ready.map(ready_condition).into_iter().collect(),
                ..NodeStatus::default()
            },
        },
    )
}

fn ready_condition(status: ConditionStatus) -> NodeCondition {
    NodeCondition { r#type: NodeCondition::READY.to_owned(), status, ..NodeCondition::default() }
}

/// A pod without a name.
fn pod_shape() -> impl Strategy<Value = Pod> {
    let selector = prop_oneof![4 => Just(BTreeMap::new()), 1 => labels()];
    let tolerations = prop_oneof![2 => Just(Vec::new()), 1 => vec(toleration(), 1..3)];
    let owner = weighted(0.5, select(vec!["web", "db"]));
    let affinity = weighted(0.3, affinity());
    let init = prop_oneof![2 => Just(Vec::new()), 1 => vec(container(), 1..3)];
    (vec(container(), 1..3), init, selector, affinity, tolerations, owner).prop_map(
        |(mut containers, mut init_containers, node_selector, affinity, tolerations, owner)| {
            for (number, container) in init_containers.iter_mut().enumerate() {
                container.name = format!("i{number}");
                container.ports.clear();
            }
            let mut taken = Vec::new();
            for (number, container) in containers.iter_mut().enumerate() {
                container.name = format!("c{number}");
                // One pod cannot have a port twice.
                container.ports.retain(|port| {
                    let new = !taken.contains(&port.host_port);
                    taken.push(port.host_port);
                    new
                });
            }
            Pod {
                metadata: ObjectMeta {
                    namespace: Some(NAMESPACE.to_owned()),
                    owner_references: owner.map(owner_reference).into_iter().collect(),
                    ..ObjectMeta::default()
                },
                spec: PodSpec {
                    containers,
                    init_containers,
                    node_selector,
                    affinity,
                    tolerations,
                    ..PodSpec::default()
                },
                status: PodStatus::default(),
            }
        },
    )
}

fn owner_reference(name: &str) -> OwnerReference {
    OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: "ReplicaSet".to_owned(),
        name: name.to_owned(),
        uid: Uid::new(format!("uid-of-{name}")),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// A container without a name.
fn container() -> impl Strategy<Value = Container> {
    let requests = (of(0_i64..=6), of(0_i64..=6), weighted(0.1, 0_i64..=2));
    let ports = prop_oneof![3 => Just(Vec::new()), 1 => vec(port(), 1..3)];
    (requests, any::<bool>(), ports).prop_map(|((cpu, memory, gpus), as_limits, ports)| {
        let amounts = amounts(cpu, memory, gpus);
        let resources = match as_limits {
            true => ResourceRequirements { limits: amounts, ..ResourceRequirements::default() },
            false => ResourceRequirements { requests: amounts, ..ResourceRequirements::default() },
        };
        Container { image: Some("web:1".to_owned()), resources, ports, ..Container::default() }
    })
}

fn port() -> impl Strategy<Value = ContainerPort> {
    let address = select(vec![None, Some("0.0.0.0"), Some("10.0.0.1"), Some("10.0.0.2")]);
    let protocol = select(vec![None, Some(Protocol::Tcp), Some(Protocol::Udp)]);
    (select(vec![80, 443]), protocol, address).prop_map(|(number, protocol, address)| ContainerPort {
        container_port: number,
        protocol,
        host_port: Some(number),
        host_ip: address.map(str::to_owned),
        ..ContainerPort::default()
    })
}

/// Amounts of cpu in quarters of a core, of memory in quarters of a GiB, and of an extended resource.
fn amounts(cpu: Option<i64>, memory: Option<i64>, gpus: Option<i64>) -> BTreeMap<String, Quantity> {
    let amounts = [
        ("cpu", cpu.map(|quarters| Quantity::from_millis(quarters * 250))),
        ("memory", memory.map(|quarters| Quantity::from_binary(quarters << 28))),
        ("example.org/gpu", gpus.map(Quantity::from_units)),
    ];
    amounts.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), amount?))).collect()
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let disk = of(select(vec!["ssd", "hdd"])).prop_map(|value| ("disk", value));
    let cores = of(select(vec!["2", "8"])).prop_map(|value| ("cores", value));
    (disk, cores).prop_map(|labels| {
        let present = |(key, value): (&str, Option<&str>)| Some((key.to_owned(), value?.to_owned()));
        [labels.0, labels.1].into_iter().filter_map(present).collect()
    })
}

fn all_taints() -> Vec<Taint> {
    let effects = [TaintEffect::NoSchedule, TaintEffect::PreferNoSchedule, TaintEffect::NoExecute];
    let taint = |effect| Taint { key: "team".to_owned(), value: Some("db".to_owned()), effect, time_added: None };
    let old = |effect| Taint { key: "old".to_owned(), value: None, effect, time_added: None };
    let short = Taint { key: Taint::MEMORY_PRESSURE.to_owned(), ..Taint::default() };
    effects.into_iter().flat_map(|effect| [taint(effect), old(effect)]).chain([short]).collect()
}

fn toleration() -> impl Strategy<Value = Toleration> {
    let effect = of(select(vec![TaintEffect::NoSchedule, TaintEffect::PreferNoSchedule, TaintEffect::NoExecute]));
    let which = select(vec![
        (Some("team"), TolerationOperator::Equal, Some("db")),
        (Some("team"), TolerationOperator::Equal, Some("web")),
        (Some("old"), TolerationOperator::Exists, None),
        (None, TolerationOperator::Exists, None),
    ]);
    (which, effect).prop_map(|((key, operator, value), effect)| Toleration {
        key: key.map(str::to_owned),
        operator: Some(operator),
        value: value.map(str::to_owned),
        effect,
        toleration_seconds: None,
    })
}

fn affinity() -> impl Strategy<Value = Affinity> {
    let required =
        weighted(0.5, vec(term(), 1..3).prop_map(|node_selector_terms| NodeSelector { node_selector_terms }));
    let preferred = (1..=100, term()).prop_map(|(weight, preference)| PreferredSchedulingTerm { weight, preference });
    (required, vec(preferred, 0..3)).prop_map(|(required, preferred)| Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: required,
            preferred_during_scheduling_ignored_during_execution: preferred,
        }),
    })
}

fn term() -> impl Strategy<Value = NodeSelectorTerm> {
    let requirement = select(vec![
        ("disk", NodeSelectorOperator::In, vec!["ssd"]),
        ("disk", NodeSelectorOperator::NotIn, vec!["ssd"]),
        ("disk", NodeSelectorOperator::Exists, vec![]),
        ("cores", NodeSelectorOperator::DoesNotExist, vec![]),
        ("cores", NodeSelectorOperator::Gt, vec!["4"]),
        ("cores", NodeSelectorOperator::Lt, vec!["4"]),
    ]);
    let requirement = requirement.prop_map(|(key, operator, values)| NodeSelectorRequirement {
        key: key.to_owned(),
        operator,
        values: values.into_iter().map(str::to_owned).collect(),
    });
    let name = (0..4).prop_map(|number| NodeSelectorRequirement {
        key: NodeSelectorTerm::NAME_FIELD.to_owned(),
        operator: NodeSelectorOperator::In,
        values: vec![format!("node-{number}")],
    });
    prop_oneof![
        4 => vec(requirement, 1..3).prop_map(|all| NodeSelectorTerm { match_expressions: all, match_fields: vec![] }),
        1 => name.prop_map(|name| NodeSelectorTerm { match_expressions: vec![], match_fields: vec![name] }),
    ]
}

fn phase() -> impl Strategy<Value = PodPhase> {
    prop_oneof![
        6 => select(vec![PodPhase::Pending, PodPhase::Running]),
        1 => select(vec![PodPhase::Succeeded, PodPhase::Failed, PodPhase::Unknown]),
    ]
}

#[cfg(test)]
mod tests {
    use orch_core::validation::Problems;

    use super::*;

    fn problems<T: orch_core::kind::Object>(object: &T) -> Vec<String> {
        let mut problems = Problems::default();
        problems.field("metadata", |problems| validate_metadata(object.metadata(), problems));
        object.validate(&mut problems);
        problems.into_result().err().map(|invalid| invalid.to_string()).into_iter().collect()
    }

    proptest! {
        #[test]
        fn all_of_a_cluster_is_valid(cluster in cluster()) {
            for node in &cluster.nodes {
                prop_assert_eq!(problems(node), Vec::<String>::new());
            }
            for pod in cluster.placed.iter().chain(&cluster.pending) {
                prop_assert_eq!(problems(pod), Vec::<String>::new());
                prop_assert!(pod.key().is_ok());
            }
        }
    }
}
