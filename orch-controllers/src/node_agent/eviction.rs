//! [`victim`]: which pod is ended when a node is short of something.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use orch_core::object::{Pod, Quantity};
use orch_core::runtime::{ContainerStats, PodStats, VolumeName, VolumeUsage};

use super::pressure::{Pressure, Scarce};
use crate::static_pods::is_static;

/// What is known of a pod's use of the node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use<'a> {
    pub(super) pod: &'a Pod,
    pub(super) stats: Option<&'a PodStats>,
    pub(super) volumes: Option<&'a BTreeMap<VolumeName, VolumeUsage>>,
}

/// The reason in the status of a pod that was ended for want of something.
pub(super) const EVICTED: &str = "Evicted";
/// Pods of this priority keep the node or the cluster alive.
const CRITICAL_PRIORITY: i32 = 2_000_000_000;
/// The resource that a pod asks for disk under.
const DISK: &str = "ephemeral-storage";

/// Whether the node or the cluster needs the pod to stay alive: it is neither ended for others nor turned away for want
/// of something. A static pod counts as such: whoever owns the node put it there.
pub(super) fn is_critical(pod: &Pod) -> bool {
    pod.spec.priority() >= CRITICAL_PRIORITY || is_static(pod)
}

/// The pod that must go because it uses more disk than it may, and why; whether or not the node is short of anything.
pub(super) fn over_its_limit<'a>(uses: &[Use<'a>]) -> Option<(&'a Pod, String)> {
    uses.iter().find_map(|of| {
        let why = volume_over_its_limit(*of).or_else(|| container_over_its_limit(*of)).or_else(|| pod_over(*of))?;
        Some((of.pod, why))
    })
}

/// The pod that is ended for want of something, and why. As in Kubernetes: of those that use more than they asked for
/// the one of the lowest priority, and of these the one that uses the most beyond; only then the others.
pub(super) fn victim<'a>(pressure: Pressure, uses: &[Use<'a>]) -> Option<(&'a Pod, String)> {
    let candidates = uses.iter().filter(|of| !is_critical(of.pod));
    let chosen = candidates.min_by_key(|of| {
        let (used, asked) = (used(pressure.of, **of), asked(pressure.of, of.pod));
        // By name at last, so that every look finds the same one.
        let name = (&of.pod.metadata.namespace, &of.pod.metadata.name);
        (used <= asked, of.pod.spec.priority(), Reverse(used.saturating_sub(asked)), name)
    })?;
    Some((chosen.pod, explain(pressure, *chosen)))
}

fn used(of: Scarce, by: Use<'_>) -> u64 {
    let containers = by.stats.map_or(&[][..], |stats| &stats.containers);
    let sum = |amount: fn(&ContainerStats) -> Option<u64>| containers.iter().filter_map(amount).sum::<u64>();
    match of {
        Scarce::Memory => sum(memory),
        Scarce::Processes => sum(|container| container.processes),
        Scarce::Disk | Scarce::Inodes => {
            let volumes = by.volumes.into_iter().flat_map(BTreeMap::values).map(|volume| volume.used_bytes);
            sum(disk) + volumes.sum::<u64>()
        }
    }
}

fn memory(container: &ContainerStats) -> Option<u64> {
    container.working_set_bytes.or(container.memory_bytes)
}

fn disk(container: &ContainerStats) -> Option<u64> {
    Some(container.root_bytes.unwrap_or(0) + container.log_bytes.unwrap_or(0))
}

fn resource(of: Scarce) -> Option<&'static str> {
    match of {
        Scarce::Memory => Some("memory"),
        Scarce::Disk | Scarce::Inodes => Some(DISK),
        Scarce::Processes => None,
    }
}

fn asked(of: Scarce, pod: &Pod) -> u64 {
    let Some(resource) = resource(of) else { return 0 };
    let requests = pod.spec.containers.iter().filter_map(|container| container.resources.request(resource));
    requests.map(|quantity| bytes(*quantity)).sum()
}

fn bytes(quantity: Quantity) -> u64 {
    u64::try_from(quantity.value()).unwrap_or(0)
}

fn in_words(amount: u64) -> Quantity {
    Quantity::from_binary(i64::try_from(amount).unwrap_or(i64::MAX))
}

/// Worded as Kubernetes words it, so that whoever looks for it finds it.
fn explain(pressure: Pressure, of: Use<'_>) -> String {
    let name = match pressure.of {
        Scarce::Memory => "memory",
        Scarce::Disk => DISK,
        Scarce::Inodes => "inodes",
        Scarce::Processes => "pids",
    };
    let counted = matches!(pressure.of, Scarce::Inodes | Scarce::Processes);
    let amount = |amount: u64| if counted { amount.to_string() } else { in_words(amount).to_string() };
    let mut message = format!(
        "The node was low on resource: {name}. Threshold quantity: {}, available: {}. ",
        amount(pressure.threshold),
        amount(pressure.available)
    );
    let Some(resource) = resource(pressure.of).filter(|_| pressure.of != Scarce::Inodes) else { return message };
    for container in of.stats.into_iter().flat_map(|stats| &stats.containers) {
        let used = if pressure.of == Scarce::Memory { memory(container) } else { disk(container) }.unwrap_or(0);
        let spec = of.pod.spec.containers.iter().find(|spec| spec.name == container.id.name.as_str());
        let asked = spec.and_then(|spec| spec.resources.request(resource)).copied().unwrap_or_default();
        if used > bytes(asked) {
            let used = in_words(used);
            // Writing to a string does not fail.
            let _ = write!(
                message,
                "Container {} was using {used}, request is {asked}, has larger consumption of {resource}. ",
                container.id.name
            );
        }
    }
    message
}

fn volume_over_its_limit(of: Use<'_>) -> Option<String> {
    of.pod.spec.volumes.iter().find_map(|volume| {
        let (name, limit) = (&volume.name, volume.empty_dir.as_ref()?.size_limit?);
        let usage = of.volumes?.get(&name.parse::<VolumeName>().ok()?)?;
        let over = usage.used_bytes > bytes(limit);
        over.then(|| format!("Usage of EmptyDir volume {name:?} exceeds the limit \"{limit}\". "))
    })
}

fn container_over_its_limit(of: Use<'_>) -> Option<String> {
    of.stats?.containers.iter().find_map(|container| {
        let spec = of.pod.spec.containers.iter().find(|spec| spec.name == container.id.name.as_str())?;
        let limit = spec.resources.limits.get(DISK)?;
        let over = disk(container)? > bytes(*limit);
        over.then(|| format!("Container {} exceeded its local ephemeral storage limit \"{limit}\". ", spec.name))
    })
}

/// The pod as a whole, where each of its containers has a limit.
fn pod_over(of: Use<'_>) -> Option<String> {
    let limits = of.pod.spec.containers.iter().map(|container| container.resources.limits.get(DISK).copied());
    let limit =
        limits.collect::<Option<Vec<Quantity>>>()?.into_iter().fold(Quantity::default(), Quantity::saturating_add);
    let over = used(Scarce::Disk, of) > bytes(limit);
    over.then(|| format!("Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "))
}

#[cfg(test)]
mod tests;
