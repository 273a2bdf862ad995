//! [`HostPorts`]: a port of a node belongs to one pod.

use crate::filter_score::{Filter, HostPort, NodeInfo, PodInfo, Reason};

/// Excludes a node on which another pod has one of the pod's host ports.
#[derive(Clone, Copy, Debug)]
pub struct HostPorts;

impl Filter for HostPorts {
    fn name(&self) -> &'static str {
        "HostPorts"
    }

    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
        match taken(pod, node) {
            Some(port) => Err(format!("with host port {port} taken").into()),
            None => Ok(()),
        }
    }

    fn hint(&self, pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
        let port = excluded.iter().find_map(|node| taken(pod, node))?;
        Some(format!("add a node, as host port {port} goes once per node, or reach the pod through a Service instead"))
    }
}

/// The first of the pod's ports that the node no longer has to give.
fn taken<'a>(pod: &'a PodInfo, node: &NodeInfo) -> Option<&'a HostPort> {
    pod.host_ports().iter().find(|port| node.host_ports().iter().any(|used| used.conflicts_with(port)))
}
