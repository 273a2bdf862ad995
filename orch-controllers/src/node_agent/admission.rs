//! [`refusal`]: whether a node takes a pod that was bound to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::clock::Timestamp;
use orch_core::object::{Container, ContainerPort, Node, NodeCondition, Pod, Quantity, Taint};

use super::NodeAgentConfig;
use super::eviction::{EVICTED, is_critical};
use super::pressure::told;

/// Why the node, which says this of itself, does not take the pod beside those that it has taken: reason and message,
/// worded as Kubernetes words them. A scheduler sees to it that this does not happen; but several may decide at the same
/// time, and what a node is short of is known to it first.
pub(super) fn refusal(
    pod: &Pod,
    taken: &[Arc<Pod>],
    node: Option<&Node>,
    config: &NodeAgentConfig,
    now: Timestamp,
) -> Option<(String, String)> {
    let pressures = node.map(|node| told(node, &config.thresholds, now)).unwrap_or_default();
    if !bears(pod, &pressures) {
        let message = format!("The node had condition: [{}]. ", pressures.join(" "));
        return Some((EVICTED.to_owned(), message));
    }
    let count = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    let too_little = |resource: &str, requested: i64, used: i64, capacity: i64| {
        let message = format!(
            "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
        );
        (format!("OutOf{resource}"), message)
    };
    if let Some(capacity) = config.allocatable("pods").map(Quantity::value)
        && count >= capacity
    {
        return Some(too_little("pods", 1, count, capacity));
    }
    if taken.iter().any(|other| ports_clash(pod, other)) {
        let message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
        return Some(("NodePorts".to_owned(), message.to_owned()));
    }
    for resource in resources(pod) {
        let requested = request(pod, resource).unwrap_or(Quantity::from_units(i64::MAX));
        // What the agent was not told was measured, or put there by others.
        let found = node.and_then(|node| node.status.allocatable.get(resource)).copied();
        let capacity = config.allocatable(resource).or(found).unwrap_or_default();
        let used = taken.iter().try_fold(Quantity::default(), |sum, other| sum.checked_add(request(other, resource)?));
        let fits = used.and_then(|used| used.checked_add(requested)).is_some_and(|sum| sum <= capacity);
        if !requested.is_zero() && !fits {
            let unit = |quantity: Quantity| if resource == "cpu" { quantity.millis() } else { quantity.value() };
            return Some(too_little(resource, unit(requested), unit(used.unwrap_or_default()), unit(capacity)));
        }
    }
    None
}

/// Whether the pod may come to a node that is short of this: a critical one always, others if it is of nothing but memory
/// and they tolerate that.
fn bears(pod: &Pod, pressures: &[&str]) -> bool {
    let of_memory = || Taint { key: Taint::MEMORY_PRESSURE.to_owned(), ..Taint::default() };
    let tolerated = |condition: &str| condition == NodeCondition::MEMORY_PRESSURE && pod.spec.tolerates(&of_memory());
    is_critical(pod) || pressures.iter().all(|condition| tolerated(condition))
}

fn resources(pod: &Pod) -> BTreeSet<&str> {
    let resources = pod.spec.containers.iter().chain(&pod.spec.init_containers).map(|container| &container.resources);
    resources
        .flat_map(|resources| resources.requests.keys().chain(resources.limits.keys()))
        .map(String::as_str)
        .collect()
}

/// How much of a resource the pod asks for; `None` if that is more than a quantity can tell. The containers run at once;
/// an init container runs alone before them, so that its amount counts only if it is more than theirs together.
fn request(pod: &Pod, resource: &str) -> Option<Quantity> {
    let of = |container: &Container| container.resources.request(resource).copied();
    let together = pod.spec.containers.iter().filter_map(of).try_fold(Quantity::default(), Quantity::checked_add)?;
    let alone = pod.spec.init_containers.iter().filter_map(of).max().unwrap_or_default();
    Some(alone.max(together))
}

fn ports_clash(one: &Pod, other: &Pod) -> bool {
    host_ports(one).any(|one| host_ports(other).any(|other| clash(one, other)))
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = &ContainerPort> {
    pod.spec.containers.iter().flat_map(|container| &container.ports).filter(|port| port.host_port.is_some())
}

/// The same port of the same protocol, on the same address or one of them on all.
fn clash(one: &ContainerPort, other: &ContainerPort) -> bool {
    fn address(port: &ContainerPort) -> Option<&str> {
        port.host_ip.as_deref().filter(|ip| !["", "0.0.0.0", "::"].contains(ip))
    }
    let addresses_meet = match (address(one), address(other)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    one.host_port == other.host_port && one.protocol() == other.protocol() && addresses_meet
}

#[cfg(test)]
mod tests {
    use orch_core::object::{ConditionStatus, PodSpec, Toleration, TolerationOperator, Uid};

    use super::*;
    use crate::static_pods::CONFIG_HASH;

    fn pod(cpu: &str, memory: &str, port: Option<(i32, &str)>) -> Arc<Pod> {
        let mut container = Container::default();
        for (resource, amount) in [("cpu", cpu), ("memory", memory)] {
            container.resources.requests.insert(resource.into(), Quantity::parse(amount).expect("a quantity"));
        }
        container.ports.extend(port.map(|(port, ip)| ContainerPort {
            host_port: Some(port),
            host_ip: Some(ip.into()),
            ..ContainerPort::default()
        }));
        Arc::new(Pod { spec: PodSpec { containers: vec![container], ..PodSpec::default() }, ..Pod::default() })
    }

    fn refused(pod: &Pod, taken: &[Arc<Pod>]) -> Option<(String, String)> {
        refused_by(&Node::default(), pod, taken)
    }

    fn refused_by(node: &Node, pod: &Pod, taken: &[Arc<Pod>]) -> Option<(String, String)> {
        let mut config = NodeAgentConfig::new("node-1", [127, 0, 0, 1].into());
        for (resource, amount) in [("cpu", "1"), ("memory", "1Gi"), ("pods", "3")] {
            config.capacity.insert(resource.into(), Quantity::parse(amount).expect("a quantity"));
        }
        refusal(pod, taken, Some(node), &config, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_does_not_fit_is_refused_in_kubernetes_words() {
        let half = pod("500m", "1Mi", None);
        assert_eq!(refused(&half, std::slice::from_ref(&half)), None);
        let (reason, message) = refused(&half, &[half.clone(), half.clone()]).expect("too much");
        assert_eq!(reason, "OutOfcpu");
        assert_eq!(message, "Node didn't have enough resource: cpu, requested: 500, used: 1000, capacity: 1000");
        assert_eq!(refused(&pod("0", "2Gi", None), &[]).expect("too much").0, "OutOfmemory");
        let none = pod("0", "0", None);
        assert_eq!(refused(&none, &[none.clone(), none.clone(), none.clone()]).expect("too many").0, "OutOfpods");
        let mut other = Pod::clone(&none);
        other.spec.containers[0].resources.limits.insert("example.org/gpu".into(), Quantity::from_units(1));
        assert_eq!(refused(&other, &[]).expect("there is none").0, "OutOfexample.org/gpu");
        let mut node = Node::default();
        node.status.allocatable.insert("example.org/gpu".into(), Quantity::from_units(1));
        assert_eq!(refused_by(&node, &other, &[]), None, "the node has one, though nobody told its agent");
    }

    #[test]
    fn a_node_under_pressure_takes_only_who_can_bear_it() {
        const MEMORY: &str = NodeCondition::MEMORY_PRESSURE;
        const DISK: &str = NodeCondition::DISK_PRESSURE;
        const PID: &str = NodeCondition::PID_PRESSURE;
        let best_effort = pod("0", "0", None);
        let burstable = pod("100m", "0", None);
        let mut tolerant = Pod::clone(&best_effort);
        let toleration = Toleration { operator: Some(TolerationOperator::Exists), ..Toleration::default() };
        tolerant.spec.tolerations.push(toleration);
        let mut critical = Pod::clone(&best_effort);
        critical.spec.priority = Some(2_000_001_000);
        let mut fixed = Pod::clone(&best_effort);
        fixed.metadata.uid = Some(Uid::new("0123"));
        fixed.metadata.annotations.insert(CONFIG_HASH.to_owned(), "0123".to_owned());
        let mut claims_to_be_fixed = fixed.clone();
        claims_to_be_fixed.metadata.uid = Some(Uid::new("4567"));
        let message = |names: &str| Some((EVICTED.to_owned(), format!("The node had condition: [{names}]. ")));
        for (pressures, pod, expected) in [
            (&[][..], &*best_effort, None),
            (&[MEMORY], &best_effort, message("MemoryPressure")),
            (&[MEMORY], &burstable, None),
            (&[MEMORY], &tolerant, None),
            (&[MEMORY], &critical, None),
            (&[DISK], &burstable, message("DiskPressure")),
            (&[PID], &burstable, message("PIDPressure")),
            (&[PID], &tolerant, message("PIDPressure")),
            (&[MEMORY, DISK], &burstable, message("MemoryPressure DiskPressure")),
            (&[MEMORY, DISK, PID], &critical, None),
            (&[MEMORY, DISK, PID], &fixed, None),
            (&[DISK], &claims_to_be_fixed, message("DiskPressure")),
        ] {
            let mut node = Node::default();
            node.status.conditions.extend(pressures.iter().map(|name| NodeCondition {
                r#type: (*name).to_owned(),
                status: ConditionStatus::True,
                last_heartbeat_time: Some(Timestamp::UNIX_EPOCH.into()),
                ..NodeCondition::default()
            }));
            assert_eq!(refused_by(&node, pod, &[]), expected, "{pressures:?} {pod:?}");
        }
    }

    #[test]
    fn an_init_container_counts_only_if_it_asks_for_more_than_the_containers_together() {
        let with_init = |cpu: &str| {
            let mut with = Pod::clone(&pod("500m", "1Mi", None));
            with.spec.init_containers = pod(cpu, "1Mi", None).spec.containers.clone();
            with
        };
        let half = pod("500m", "1Mi", None);
        assert_eq!(refused(&with_init("500m"), std::slice::from_ref(&half)), None);
        let (_, message) = refused(&with_init("600m"), std::slice::from_ref(&half)).expect("too much");
        assert_eq!(message, "Node didn't have enough resource: cpu, requested: 600, used: 500, capacity: 1000");
        let (_, message) = refused(&half, &[with_init("600m").into()]).expect("too much");
        assert_eq!(message, "Node didn't have enough resource: cpu, requested: 500, used: 600, capacity: 1000");
    }

    #[test]
    fn ports_of_the_node_are_taken_once_for_each_address() {
        let port = |ip| pod("0", "0", Some((80, ip)));
        assert_eq!(refused(&port(""), &[port("10.0.0.1")]).expect("a clash").0, "NodePorts");
        assert_eq!(refused(&port("10.0.0.1"), &[port("10.0.0.1")]).expect("a clash").0, "NodePorts");
        assert_eq!(refused(&port("10.0.0.1"), &[port("10.0.0.2")]), None);
    }
}
