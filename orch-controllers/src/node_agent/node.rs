//! [`plan`]: what to do about the node's own objects.

use std::sync::Arc;

use orch_core::clock::Timestamp;
use orch_core::controller::{Action, ControllerError, Plan};
use orch_core::object::{
    ConditionStatus, Lease, MicroTime, Node, NodeAddress, NodeAddressType, NodeCondition, ObjectMeta, find_condition,
    set_condition,
};

use super::NodeAgentConfig;
use super::crash_loop::span;

/// The namespace in which nodes keep their leases.
pub const LEASE_NAMESPACE: &str = "kube-node-lease";

/// What to do about the node's own objects: the lease is renewed before the node is said to be ready, so that nobody who
/// watches leases contradicts. `trouble` is what keeps the node from running pods.
///
/// Of the node, everything that others may set is left alone: taints, cordon, labels and resources of other names.
pub(super) fn plan(
    config: &NodeAgentConfig,
    node: Option<&Arc<Node>>,
    lease: Option<&Arc<Lease>>,
    trouble: Option<&str>,
    now: Timestamp,
) -> Result<Plan, ControllerError> {
    let mut plan = Plan::nothing();
    let every = config.heartbeat.renew_every;
    let age = lease.and_then(|lease| renewed_at(lease, config)).filter(|renewed| *renewed <= now);
    let left = age.map(|renewed| every.saturating_sub(span(renewed, now))).filter(|left| !left.is_zero());
    match (lease, left) {
        (_, Some(left)) => plan.revisit(left),
        (None, None) => plan.then(Action::create(renewed(Lease::default(), config, now))),
        (Some(lease), None) => plan.then(Action::update(&**lease, renewed(Lease::clone(lease), config, now))?),
    }
    plan.revisit(every);
    match node {
        None => plan.then(Action::create(described(Node::default(), config, trouble, now))),
        Some(node) => {
            let new = described(Node::clone(node), config, trouble, now);
            if new != **node {
                plan.then(Action::update(&**node, new)?);
            }
        }
    }
    Ok(plan)
}

/// When the lease was last renewed as it should be.
fn renewed_at(lease: &Lease, config: &NodeAgentConfig) -> Option<Timestamp> {
    let holds = lease.spec.holder_identity.as_ref() == Some(&config.node_name);
    let lasts = lease.spec.lease_duration_seconds == Some(lease_seconds(config));
    lease.spec.renew_time.filter(|_| holds && lasts).map(MicroTime::timestamp)
}

fn lease_seconds(config: &NodeAgentConfig) -> i32 {
    i32::try_from(config.heartbeat.lease_duration.as_secs().max(1)).unwrap_or(i32::MAX)
}

fn renewed(mut lease: Lease, config: &NodeAgentConfig, now: Timestamp) -> Lease {
    lease.metadata.name.clone_from(&config.node_name);
    lease.metadata.namespace = Some(LEASE_NAMESPACE.to_owned());
    lease.spec.holder_identity = Some(config.node_name.clone());
    lease.spec.lease_duration_seconds = Some(lease_seconds(config));
    lease.spec.renew_time = Some(now.into());
    lease
}

fn described(mut node: Node, config: &NodeAgentConfig, trouble: Option<&str>, now: Timestamp) -> Node {
    node.metadata = ObjectMeta { name: config.node_name.clone(), ..node.metadata };
    for (name, value) in [
        ("kubernetes.io/hostname", &config.node_name),
        ("kubernetes.io/os", &config.system.operating_system),
        ("kubernetes.io/arch", &config.system.architecture),
    ] {
        node.metadata.labels.insert(name.to_owned(), value.clone());
    }
    node.metadata.labels.extend(config.labels.clone());
    node.status.capacity.extend(config.capacity.clone());
    node.status.allocatable.extend(config.capacity.clone());
    node.status.allocatable.extend(config.allocatable.clone());
    node.status.addresses = vec![
        NodeAddress { r#type: NodeAddressType::InternalIp, address: config.host_ip.to_string() },
        NodeAddress { r#type: NodeAddressType::Hostname, address: config.node_name.clone() },
    ];
    node.status.node_info = Some(config.system.clone());
    let (reason, message) = match trouble {
        None => ("KubeletReady", "the node agent is posting ready status".to_owned()),
        Some(trouble) => ("KubeletNotReady", trouble.to_owned()),
    };
    let confirmed = find_condition(&node.status.conditions, NodeCondition::READY)
        .and_then(|ready| ready.last_heartbeat_time)
        .filter(|confirmed| confirmed.timestamp() <= now)
        .filter(|confirmed| span(confirmed.timestamp(), now) < config.heartbeat.report_every);
    let condition = NodeCondition {
        r#type: NodeCondition::READY.to_owned(),
        status: ConditionStatus::from(trouble.is_none()),
        last_heartbeat_time: confirmed.or(Some(now.into())),
        last_transition_time: Some(now.into()),
        reason: Some(reason.to_owned()),
        message: Some(message),
    };
    set_condition(&mut node.status.conditions, condition);
    node
}

#[cfg(test)]
mod tests;
