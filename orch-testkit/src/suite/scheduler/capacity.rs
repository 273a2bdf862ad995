//! S2: never over-committed.

use std::collections::BTreeMap;

use orch_core::kind::Object as _;
use orch_core::object::{Container, ContainerPort, Node, Pod, PodPhase, Quantity};
use orch_core::scheduler::{Decision, Scheduler, SupplyChange};
use proptest::prop_assert;

use super::generated::{for_all, shown};
use super::objects::{key, node, node_of, on, placed_on, pod, put_node, put_pod};
use crate::strategy::cluster::{Cluster, cluster};

/// No node gets more of any resource, or more pods, than it has allocatable.
pub async fn no_node_gets_more_of_a_resource_than_it_has<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, pending) = shown(new(), &cluster);
        for (node, before, added) in loads(&cluster, &scheduler.schedule(&pending)) {
            let all: Vec<&Pod> = before.into_iter().chain(added.iter().copied()).collect();
            // What nobody who came asked for may have been too much before.
            for (resource, amount) in sums(&added).into_iter().filter(|(_, amount)| !amount.is_zero()) {
                let (used, has) =
                    (sums(&all)[resource], node.status.allocatable(resource).copied().unwrap_or_default());
                let name = &node.metadata.name;
                prop_assert!(used <= has, "{name} has {has} {resource}, got {amount} more and now holds {used}");
            }
            let places = node.status.allocatable("pods").map_or(0, |places| places.value());
            let (name, count) = (&node.metadata.name, all.len() as i64);
            prop_assert!(count <= places, "{name} may hold {places} pods and now holds {count}");
        }
        Ok(())
    });
}

/// No node gets one host port twice; a port on all addresses is a port on each.
pub async fn no_node_gets_a_host_port_twice<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, pending) = shown(new(), &cluster);
        for (node, before, added) in loads(&cluster, &scheduler.schedule(&pending)) {
            for (position, pod) in added.iter().enumerate() {
                for other in before.iter().chain(&added[..position]) {
                    let clash = ports(pod).find(|port| ports(other).any(|other| clash(port, other)));
                    let (node, pod, other) = (&node.metadata.name, pod.key(), other.key());
                    prop_assert!(clash.is_none(), "{node} has both {pod:?} and {other:?}, which want {clash:?}");
                }
            }
        }
        Ok(())
    });
}

/// What pods used is free again when they end, are removed or lose their node.
pub async fn what_pods_used_is_free_when_they_end_or_go<S: Scheduler>(new: impl Fn() -> S) {
    let mut ended = on("node-1", pod("old", 3));
    ended.status.phase = Some(PodPhase::Failed);
    for (how, change) in [
        ("was removed", SupplyChange::PodRemoved(key(&pod("old", 3)))),
        ("has ended", SupplyChange::PodPut(ended.into())),
        ("has no node any more", SupplyChange::PodPut(pod("old", 3).into())),
        ("is on another node", SupplyChange::PodPut(on("node-2", pod("old", 3)).into())),
        ("asks for less", SupplyChange::PodPut(on("node-1", pod("old", 1)).into())),
    ] {
        let mut scheduler = new();
        put_node(&mut scheduler, node("node-1", 4));
        put_pod(&mut scheduler, on("node-1", pod("old", 3)));
        assert_eq!(
            placed_on(&mut scheduler, &pod("new", 3)),
            None,
            "1 of 4 cores is free, a pod that asks for 3 waits"
        );
        scheduler.observe(change);
        let place = placed_on(&mut scheduler, &pod("new", 3));
        assert_eq!(place.as_deref(), Some("node-1"), "what the pod used must be free once it {how}");
    }
}

/// A change of a node, or its return, leaves its pods where they are.
pub async fn a_change_of_a_node_leaves_its_pods_where_they_are<S: Scheduler>(new: impl Fn() -> S) {
    let mut scheduler = new();
    put_node(&mut scheduler, node("node-1", 4));
    put_pod(&mut scheduler, on("node-1", pod("old", 3)));
    put_node(&mut scheduler, node("node-1", 5));
    assert_eq!(placed_on(&mut scheduler, &pod("new", 3)), None, "3 of 5 cores are taken");
    scheduler.observe(SupplyChange::NodeRemoved("node-1".to_owned()));
    put_node(&mut scheduler, node("node-1", 4));
    assert_eq!(
        placed_on(&mut scheduler, &pod("new", 3)),
        None,
        "nobody said that the pod went: 3 of 4 cores are taken"
    );
}

/// Every node that got pods, with the pods that were there before and those that came.
fn loads<'a>(cluster: &'a Cluster, decisions: &[Decision]) -> Vec<(&'a Node, Vec<&'a Pod>, Vec<&'a Pod>)> {
    let mut loads = Vec::new();
    for node in &cluster.nodes {
        let name = Some(node.metadata.name.as_str());
        let here = |pod: &&Pod| pod.spec.node_name.as_deref() == name && !pod.status.phase().is_terminal();
        let before = cluster.placed.iter().filter(here).collect();
        let came = |(_, decision): &(&Pod, &Decision)| node_of(decision) == name;
        let added: Vec<&Pod> = cluster.pending.iter().zip(decisions).filter(came).map(|(pod, _)| pod).collect();
        if !added.is_empty() {
            loads.push((node, before, added));
        }
    }
    loads
}

/// What pods ask for together: requests, or limits where there are none. Of a pod, the sum over its containers, or what
/// an init container asks for, if that is more.
fn sums<'a>(pods: &[&'a Pod]) -> BTreeMap<&'a str, Quantity> {
    let mut sums: BTreeMap<&str, Quantity> = BTreeMap::new();
    let containers = |pod: &&'a Pod| pod.spec.containers.iter().chain(&pod.spec.init_containers);
    for container in pods.iter().flat_map(containers) {
        let resources = &container.resources;
        for resource in resources.requests.keys().chain(resources.limits.keys()) {
            sums.entry(resource).or_default();
        }
    }
    for (resource, sum) in &mut sums {
        for pod in pods {
            let of = |container: &Container| container.resources.request(resource).copied().unwrap_or_default();
            let together = pod.spec.containers.iter().map(of).fold(Quantity::default(), Quantity::saturating_add);
            let alone = pod.spec.init_containers.iter().map(of).max().unwrap_or_default();
            *sum = sum.saturating_add(alone.max(together));
        }
    }
    sums
}

fn ports(pod: &Pod) -> impl Iterator<Item = &ContainerPort> {
    pod.spec.containers.iter().flat_map(|container| &container.ports).filter(|port| port.host_port.is_some())
}

fn clash(one: &ContainerPort, other: &ContainerPort) -> bool {
    let everywhere = |port: &ContainerPort| matches!(port.host_ip.as_deref(), None | Some("0.0.0.0"));
    one.host_port == other.host_port
        && one.protocol() == other.protocol()
        && (everywhere(one) || everywhere(other) || one.host_ip == other.host_ip)
}
