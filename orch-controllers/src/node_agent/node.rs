//! [`plan`]: what to do about the node's own objects.

mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::clock::Timestamp;
use orch_core::controller::{Action, ControllerError, Plan};
use orch_core::object::{
    ConditionStatus, ContainerImage, Lease, MicroTime, Node, NodeAddress, NodeAddressType, NodeCondition, NodeMetrics,
    NodeSystemInfo, ObjectMeta, Quantity, find_condition, set_condition,
};
use orch_core::runtime::{Image, MachineStats};

use super::NodeAgentConfig;
use super::crash_loop::span;
use super::gauge::Measured;
use super::pressure::{self, pressures};

/// The namespace in which nodes keep their leases.
pub const LEASE_NAMESPACE: &str = "kube-node-lease";

/// How many images a node tells of, the largest first.
const MOST_IMAGES: usize = 50;

/// What a decision about the node's own objects is made on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) config: &'a NodeAgentConfig,
    pub(super) node: Option<&'a Arc<Node>>,
    pub(super) lease: Option<&'a Arc<Lease>>,
    pub(super) metrics: Option<&'a Arc<NodeMetrics>>,
    /// What keeps the node from running pods.
    pub(super) trouble: Option<&'a str>,
    /// What was measured last, where the node can be measured.
    pub(super) measured: Option<&'a Measured>,
    pub(super) now: Timestamp,
}

/// What to do about the node's own objects: the lease is renewed before the node is said to be ready, so that nobody who
/// watches leases contradicts. What the node really uses comes last.
///
/// Of the node, everything that others may set is left alone: taints, cordon, labels and resources of other names.
pub(super) fn plan(look: Look<'_>) -> Result<Plan, ControllerError> {
    let Look { config, node, lease, now, .. } = look;
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
        None => plan.then(Action::create(described(Node::default(), look))),
        Some(node) => {
            let new = described(Node::clone(node), look);
            if new != **node {
                plan.then(Action::update(&**node, new)?);
            }
        }
    }
    if let Some(action) = look.measured.and_then(|measured| usage::action(look, measured)).transpose()? {
        plan.then(action);
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

fn described(mut node: Node, look: Look<'_>) -> Node {
    let Look { config, trouble, now, .. } = look;
    let machine = look.measured.map(|measured| &measured.machine);
    let system = merged(&config.system, machine.map(|machine| &machine.system));
    node.metadata = ObjectMeta { name: config.node_name.clone(), ..node.metadata };
    for (name, value) in [
        ("kubernetes.io/hostname", &config.node_name),
        ("kubernetes.io/os", &system.operating_system),
        ("kubernetes.io/arch", &system.architecture),
    ] {
        node.metadata.labels.insert(name.to_owned(), value.clone());
    }
    node.metadata.labels.extend(config.labels.clone());
    let capacity = capacity(config, machine);
    node.status.allocatable.extend(allocatable(config, &capacity, machine));
    node.status.capacity.extend(capacity);
    node.status.addresses = vec![
        NodeAddress { r#type: NodeAddressType::InternalIp, address: config.host_ip.to_string() },
        NodeAddress { r#type: NodeAddressType::Hostname, address: config.node_name.clone() },
    ];
    node.status.node_info = Some(system);
    if let Some(measured) = look.measured {
        node.status.images = images(&measured.images);
        let conditions = &mut node.status.conditions;
        let pressures = pressures(&config.thresholds, &measured.machine);
        pressure::tell(conditions, &pressures, &config.thresholds, config.heartbeat.report_every, now);
    }
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

/// What the node has: what it was told, and for the rest what was measured.
pub(super) fn capacity(config: &NodeAgentConfig, machine: Option<&MachineStats>) -> BTreeMap<String, Quantity> {
    let mut capacity = BTreeMap::new();
    if let Some(machine) = machine {
        capacity.insert("cpu".to_owned(), Quantity::from_millis(signed(machine.cpu_millis)));
        capacity.insert("memory".to_owned(), Quantity::from_binary(signed(machine.memory.capacity)));
        let disk = machine.disk.map(|disk| Quantity::from_binary(signed(disk.capacity)));
        capacity.extend(disk.map(|disk| ("ephemeral-storage".to_owned(), disk)));
    }
    capacity.extend(config.capacity.clone());
    capacity
}

/// What of it is for pods: what is left beside what is set aside, and beside what the node must have left to live on.
pub(super) fn allocatable(
    config: &NodeAgentConfig,
    capacity: &BTreeMap<String, Quantity>,
    machine: Option<&MachineStats>,
) -> BTreeMap<String, Quantity> {
    let mut allocatable = capacity.clone();
    let mut set_aside = |resource: &str, amount: Quantity| {
        let Some(left) = allocatable.get_mut(resource) else { return };
        *left = left.checked_sub(amount).filter(|left| !left.is_negative()).unwrap_or_default();
    };
    for (resource, amount) in &config.reserved {
        set_aside(resource, *amount);
    }
    if machine.is_some() && !config.capacity.contains_key("memory") {
        set_aside("memory", Quantity::from_binary(signed(config.thresholds.memory_bytes)));
    }
    allocatable.extend(config.allocatable.clone());
    allocatable
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// What the node was told about its machine, and for the rest what was found.
fn merged(told: &NodeSystemInfo, found: Option<&NodeSystemInfo>) -> NodeSystemInfo {
    let found = found.cloned().unwrap_or_default();
    let or = |told: &String, found: String| if told.is_empty() { found } else { told.clone() };
    NodeSystemInfo {
        machine_id: or(&told.machine_id, found.machine_id),
        system_uuid: or(&told.system_uuid, found.system_uuid),
        boot_id: or(&told.boot_id, found.boot_id),
        kernel_version: or(&told.kernel_version, found.kernel_version),
        os_image: or(&told.os_image, found.os_image),
        operating_system: or(&told.operating_system, found.operating_system),
        architecture: or(&told.architecture, found.architecture),
        ..told.clone()
    }
}

fn images(images: &[Image]) -> Vec<ContainerImage> {
    let mut images: Vec<&Image> = images.iter().collect();
    images.sort_by(|one, other| (other.size_bytes, &one.id).cmp(&(one.size_bytes, &other.id)));
    let told = |image: &Image| ContainerImage {
        names: image.names.iter().map(ToString::to_string).collect(),
        size_bytes: Some(signed(image.size_bytes)),
    };
    images.into_iter().take(MOST_IMAGES).map(told).collect()
}

#[cfg(test)]
mod tests;
