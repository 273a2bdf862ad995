//! [`NodeSelection`]: pods go only to nodes that they ask for.

use orch_core::object::NodeSelector;

use crate::filter_score::{Filter, NodeInfo, PodInfo, Reason};

/// Excludes a node that lacks a label of the pod's `nodeSelector`, or does not match its required node affinity.
#[derive(Clone, Copy, Debug)]
pub struct NodeSelection;

impl Filter for NodeSelection {
    fn name(&self) -> &'static str {
        "NodeSelection"
    }

    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
        if let Some((key, value)) = missing_labels(pod, node).next() {
            return Err(format!("without the label {key}={value}").into());
        }
        match required_affinity(pod) {
            Some(required) if !required.matches(node.node()) => {
                Err("not matching the pod's required node affinity".into())
            }
            _ => Ok(()),
        }
    }

    fn hint(&self, pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
        let missing = excluded.iter().find_map(|node| missing_labels(pod, node).next());
        Some(match missing {
            Some((key, value)) => format!("label a node {key}={value}, or change the pod's nodeSelector"),
            None => "label a node as the pod's required node affinity asks, or change the affinity".to_owned(),
        })
    }
}

/// The labels that the pod's selector asks for and the node has not.
fn missing_labels<'a>(pod: &'a PodInfo, node: &NodeInfo) -> impl Iterator<Item = (&'a String, &'a String)> {
    let labels = &node.node().metadata.labels;
    pod.pod().spec.node_selector.iter().filter(|(key, value)| labels.get(*key) != Some(value))
}

fn required_affinity(pod: &PodInfo) -> Option<&NodeSelector> {
    let nodes = pod.pod().spec.affinity.as_ref()?.node_affinity.as_ref()?;
    nodes.required_during_scheduling_ignored_during_execution.as_ref()
}
