//! The objects that are measured with.

use std::sync::Arc;

use orch_core::object::{
    Container, Node, NodeCondition, NodeStatus, ObjectMeta, Pod, PodSpec, Quantity, ResourceRequirements, Uid,
};

/// A pod like those of an ordinary Deployment.
pub fn pod(name: &str) -> Pod {
    let requests = [("cpu", "100m"), ("memory", "500Mi")];
    let container = Container {
        name: "main".into(),
        image: Some("registry.example.org/pause:3.9".into()),
        resources: ResourceRequirements {
            requests: requests.iter().map(|(name, amount)| ((*name).into(), quantity(amount))).collect(),
            ..ResourceRequirements::default()
        },
        ..Container::default()
    };
    Pod {
        metadata: ObjectMeta {
            name: name.into(),
            namespace: Some("default".into()),
            uid: Some(Uid::new(name)),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            ..ObjectMeta::default()
        },
        spec: PodSpec { containers: vec![container], ..PodSpec::default() },
        ..Pod::default()
    }
}

/// A node that is ready and has room for many.
pub fn node(name: &str) -> Arc<Node> {
    let room = [("cpu", "32"), ("memory", "256Gi"), ("pods", "110")];
    let amounts: std::collections::BTreeMap<_, _> =
        room.iter().map(|(name, amount)| ((*name).to_owned(), quantity(amount))).collect();
    Arc::new(Node {
        metadata: ObjectMeta { name: name.into(), ..ObjectMeta::default() },
        status: NodeStatus {
            capacity: amounts.clone(),
            allocatable: amounts,
            conditions: vec![NodeCondition {
                r#type: NodeCondition::READY.into(),
                status: orch_core::object::ConditionStatus::True,
                ..NodeCondition::default()
            }],
            ..NodeStatus::default()
        },
        ..Node::default()
    })
}

fn quantity(text: &str) -> Quantity {
    text.parse().expect("a quantity")
}
