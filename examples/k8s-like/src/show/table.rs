//! The rollout as a table: deployments, and the pods that run.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::key::Key;
use orch_core::kind::AnyObject;
use orch_core::object::{Deployment, Pod, PodPhase};

/// Most deployments and pods in the table: it must fit on an ordinary terminal, or it cannot be drawn anew.
const DEPLOYMENTS_MAX: usize = 6;
const PODS_MAX: usize = 12;
/// Widest line, so that no line of the table breaks in two on an ordinary terminal.
const WIDTH: usize = 79;

/// The table of these objects.
pub(super) fn table(objects: &BTreeMap<Key, Arc<dyn AnyObject>>) -> Vec<String> {
    let mut lines = vec!["─".repeat(WIDTH)];
    let deployments = objects.values().filter_map(|object| object.downcast_ref::<Deployment>());
    for deployment in deployments.clone().take(DEPLOYMENTS_MAX) {
        let (name, status) = (&deployment.metadata.name, &deployment.status);
        let (ready, wanted) = (status.ready_replicas, deployment.spec.replicas());
        lines.push(format!("{name:24.24} {} {ready}/{wanted} ready", bar(ready, wanted)));
    }
    lines.extend(more(deployments.count(), DEPLOYMENTS_MAX, "deployments"));
    let pods: Vec<&Pod> = objects.values().filter_map(|object| object.downcast_ref::<Pod>()).collect();
    for pod in pods.iter().take(PODS_MAX) {
        let node = pod.spec.node_name.as_deref().unwrap_or("-");
        let address = pod.status.pod_ip.as_deref().unwrap_or("-");
        let restarts: i32 = pod.status.container_statuses.iter().map(|status| status.restart_count).sum();
        lines.push(format!(
            "  {:28.28} {node:8.8} {address:15.15} {:9.9} {restarts} restarts",
            pod.metadata.name,
            state(pod)
        ));
    }
    lines.extend(more(pods.len(), PODS_MAX, "pods"));
    lines
}

fn more(all: usize, shown: usize, what: &str) -> Option<String> {
    (all > shown).then(|| format!("  and {} more {what}", all - shown))
}

fn bar(ready: i32, wanted: i32) -> String {
    const CELLS: usize = 20;
    let part = |number: i32| usize::try_from(number.max(0)).unwrap_or(0);
    let full = (part(ready) * CELLS).checked_div(part(wanted)).unwrap_or(CELLS).min(CELLS);
    format!("[{}{}]", "█".repeat(full), "·".repeat(CELLS - full))
}

fn state(pod: &Pod) -> &'static str {
    match pod.status.phase() {
        _ if pod.metadata.is_deleting() => "ending",
        PodPhase::Running if pod.status.is_ready() => "ready",
        PodPhase::Running => "running",
        PodPhase::Succeeded => "succeeded",
        PodPhase::Failed => "failed",
        PodPhase::Pending | PodPhase::Unknown if pod.spec.node_name.is_none() => "waiting",
        PodPhase::Pending | PodPhase::Unknown => "starting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_its_deployment_is_ready() {
        assert_eq!(bar(0, 4), "[····················]");
        assert_eq!(bar(1, 4), "[█████···············]");
        assert_eq!(bar(5, 4), "[████████████████████]");
        assert_eq!(bar(0, 0), "[████████████████████]");
    }
}
