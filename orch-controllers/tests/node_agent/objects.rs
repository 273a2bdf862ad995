//! Pods to try the agent with.

use std::sync::Arc;

use orch_controllers::node_agent::{NodeAgentConfig, NodeAgentController, NodeParts};
use orch_core::controller::Controller;
use orch_core::key::Key;
use orch_core::object::{Container, ObjectMeta, Pod, PodSpec, RestartPolicy};
use orch_core::store::Store;

/// The node under test.
pub(crate) const NODE: &str = "node-1";

pub(crate) fn config() -> NodeAgentConfig {
    NodeAgentConfig::new(NODE, [127, 0, 0, 1].into())
}

pub(crate) fn agent_of(parts: NodeParts, store: Arc<dyn Store>) -> Arc<dyn Controller> {
    Arc::new(NodeAgentController::new(config(), parts, store).expect("a node's name"))
}

/// A pod that is bound to the node, with containers of these names.
pub(crate) fn pod(name: &str, policy: RestartPolicy, containers: &[&str]) -> Pod {
    let container = |name: &&str| Container {
        name: (*name).to_owned(),
        command: vec!["/bin/sleep".to_owned(), "1000".to_owned()],
        ..Container::default()
    };
    let metadata = ObjectMeta { name: name.into(), namespace: Some("shop".into()), ..ObjectMeta::default() };
    let spec = PodSpec {
        containers: containers.iter().map(container).collect(),
        restart_policy: Some(policy),
        node_name: Some(NODE.to_owned()),
        ..PodSpec::default()
    };
    Pod { metadata, spec, ..Pod::default() }
}

pub(crate) fn key(name: &str) -> Key {
    format!("pods/shop/{name}").parse().expect("a key")
}
