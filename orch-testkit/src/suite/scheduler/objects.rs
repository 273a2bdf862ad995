//! Nodes and pods for clauses that tell a story.

use std::sync::Arc;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{
    ConditionStatus, Container, Node, NodeCondition, NodeStatus, ObjectMeta, Pod, PodSpec, Quantity,
    ResourceRequirements, Uid,
};
use orch_core::scheduler::{Decision, Outcome, Scheduler, SupplyChange};

/// A ready node with so many cores, 64 GiB of memory and places for 10 pods.
pub(super) fn node(name: &str, cores: i64) -> Node {
    let ready = NodeCondition {
        r#type: NodeCondition::READY.to_owned(),
        status: ConditionStatus::True,
        ..NodeCondition::default()
    };
    let allocatable = [
        ("cpu", Quantity::from_units(cores)),
        ("memory", Quantity::from_binary(64 << 30)),
        ("pods", Quantity::from_units(10)),
    ];
    Node {
        metadata: ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() },
        status: NodeStatus {
            allocatable: allocatable.into_iter().map(|(name, amount)| (name.to_owned(), amount)).collect(),
            conditions: vec![ready],
            ..NodeStatus::default()
        },
        ..Node::default()
    }
}

/// A pod that asks for so many cores.
pub(super) fn pod(name: &str, cores: i64) -> Pod {
    let requests = [("cpu".to_owned(), Quantity::from_units(cores))].into();
    let container = Container {
        name: "main".to_owned(),
        image: Some("web:1".to_owned()),
        resources: ResourceRequirements { requests, ..ResourceRequirements::default() },
        ..Container::default()
    };
    Pod {
        metadata: ObjectMeta {
            name: name.to_owned(),
            namespace: Some("shop".to_owned()),
            uid: Some(Uid::new(format!("uid-of-{name}"))),
            ..ObjectMeta::default()
        },
        spec: PodSpec { containers: vec![container], ..PodSpec::default() },
        ..Pod::default()
    }
}

/// The pod on that node.
pub(super) fn on(node: &str, mut pod: Pod) -> Pod {
    pod.spec.node_name = Some(node.to_owned());
    pod
}

pub(super) fn key(pod: &Pod) -> Key {
    pod.key().expect("the pods of these clauses have valid names")
}

pub(super) fn put_node(scheduler: &mut impl Scheduler, node: Node) {
    scheduler.observe(SupplyChange::NodePut(Arc::new(node)));
}

pub(super) fn put_pod(scheduler: &mut impl Scheduler, pod: Pod) {
    scheduler.observe(SupplyChange::PodPut(Arc::new(pod)));
}

/// The one decision about one pod.
///
/// # Panics
/// When there is not exactly one.
pub(super) fn decide(scheduler: &mut impl Scheduler, pod: &Pod) -> Decision {
    let mut decisions = scheduler.schedule(&[Arc::new(pod.clone())]);
    assert_eq!(decisions.len(), 1, "S1: one pod must get one answer: {decisions:?}");
    decisions.remove(0)
}

/// The node that the pod is placed on, if it is.
pub(super) fn placed_on(scheduler: &mut impl Scheduler, pod: &Pod) -> Option<String> {
    node_of(&decide(scheduler, pod)).map(str::to_owned)
}

/// The node that a decision places the pod on, if it does.
pub(super) fn node_of(decision: &Decision) -> Option<&str> {
    match &decision.outcome {
        Outcome::Place { node, .. } => Some(node),
        _ => None,
    }
}
