//! [`PodInfo`]: a pod, and what it asks of a node.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::object::{Container, Pod, Quantity};

use super::host_port::HostPort;

/// The resource that is CPU time, in cores.
pub const CPU: &str = "cpu";
/// The resource that is memory, in bytes.
pub const MEMORY: &str = "memory";
/// The resource that is places for pods; each pod takes one.
pub const PODS: &str = "pods";

/// A pod, and what it asks of a node.
#[derive(Clone, Debug)]
pub struct PodInfo {
    pod: Arc<Pod>,
    requests: BTreeMap<String, Quantity>,
    host_ports: Vec<HostPort>,
}

impl PodInfo {
    /// What this pod asks for.
    #[must_use]
    pub fn new(pod: Arc<Pod>) -> Self {
        let (requests, host_ports) = (requests(&pod), HostPort::all_of(&pod));
        Self { pod, requests, host_ports }
    }

    /// The pod.
    #[must_use]
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    pub(crate) fn shared(&self) -> Arc<Pod> {
        Arc::clone(&self.pod)
    }

    /// How much is set aside for the pod, by the name of the resource. One of [`PODS`] is among it.
    #[must_use]
    pub fn requests(&self) -> &BTreeMap<String, Quantity> {
        &self.requests
    }

    /// How much of a resource is set aside for the pod.
    #[must_use]
    pub fn request(&self, resource: &str) -> Quantity {
        self.requests.get(resource).copied().unwrap_or_default()
    }

    /// The ports of the node that the pod takes for itself.
    #[must_use]
    pub fn host_ports(&self) -> &[HostPort] {
        &self.host_ports
    }
}

/// The sum over the containers, as all of them run at once, or what an init container asks for, if that is more: each
/// runs alone before them. There is no overhead to count. An amount below zero, which validation refuses, counts as none:
/// nobody gains capacity by it.
fn requests(pod: &Pod) -> BTreeMap<String, Quantity> {
    let mut sums = BTreeMap::new();
    for (name, amount) in pod.spec.containers.iter().flat_map(amounts) {
        add(&mut sums, name, amount);
    }
    for (name, amount) in pod.spec.init_containers.iter().flat_map(amounts) {
        let most: &mut Quantity = sums.entry(name.clone()).or_default();
        *most = amount.max(*most);
    }
    sums.insert(PODS.to_owned(), Quantity::from_units(1));
    sums
}

/// What a container asks for: requests, and limits where there are none.
fn amounts(container: &Container) -> impl Iterator<Item = (&String, Quantity)> {
    let resources = &container.resources;
    let limits_only = resources.limits.iter().filter(|(name, _)| !resources.requests.contains_key(*name));
    resources.requests.iter().chain(limits_only).map(|(name, amount)| (name, (*amount).max(Quantity::default())))
}

/// Adds an amount of a resource to a sum.
pub(super) fn add(sums: &mut BTreeMap<String, Quantity>, resource: &str, amount: Quantity) {
    match sums.get_mut(resource) {
        Some(sum) => *sum = sum.saturating_add(amount),
        None => {
            sums.insert(resource.to_owned(), amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_of_a_pod_are_the_sums_over_its_containers_with_limits_for_missing_requests() {
        let pod: Pod = serde_json::from_str(
            r#"{"metadata": {"name": "web"}, "spec": {"containers": [
                {"name": "a", "resources": {"requests": {"cpu": "250m", "pods": 7}, "limits": {"cpu": 1, "memory": "1Gi"}}},
                {"name": "b", "resources": {"requests": {"cpu": "1", "memory": -5}, "limits": {"example.org/gpu": 2}}}]}}"#,
        )
        .expect("a pod");
        let info = PodInfo::new(Arc::new(pod));
        let asked: Vec<String> = info.requests().iter().map(|(name, amount)| format!("{name}={amount}")).collect();
        assert_eq!(asked, ["cpu=1250m", "example.org/gpu=2", "memory=1Gi", "pods=1"]);
    }

    #[test]
    fn an_init_container_runs_alone_so_that_only_the_greater_amount_counts() {
        let pod: Pod = serde_json::from_str(
            r#"{"metadata": {"name": "web"}, "spec": {
                "initContainers": [
                    {"name": "a", "resources": {"requests": {"cpu": "2", "memory": "1Gi"}}},
                    {"name": "b", "resources": {"requests": {"cpu": "1"}, "limits": {"example.org/gpu": 1}}}],
                "containers": [
                    {"name": "c", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
                    {"name": "d", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]}}"#,
        )
        .expect("a pod");
        let info = PodInfo::new(Arc::new(pod));
        let asked: Vec<String> = info.requests().iter().map(|(name, amount)| format!("{name}={amount}")).collect();
        assert_eq!(asked, ["cpu=2", "example.org/gpu=1", "memory=2Gi", "pods=1"]);
    }
}
