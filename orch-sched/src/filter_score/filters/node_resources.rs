//! [`NodeResources`]: a node gives no more than it has.

use orch_core::object::Quantity;

use crate::filter_score::{Filter, NodeInfo, PODS, PodInfo, Reason};

/// Excludes a node that has less free of any resource than the pod asks for: cpu, memory, ephemeral storage, extended
/// resources, places for pods. What a pod does not ask for is not looked at, even where a node holds more than it should.
#[derive(Clone, Copy, Debug)]
pub struct NodeResources;

impl Filter for NodeResources {
    fn name(&self) -> &'static str {
        "NodeResources"
    }

    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
        let lacking: Vec<&str> = lacking(pod, node).map(|(resource, _)| resource).collect();
        match lacking.as_slice() {
            [] => Ok(()),
            [PODS] => Err("with no place for another pod".into()),
            _ => Err(format!("insufficient {}", lacking.join(" and ")).into()),
        }
    }

    fn hint(&self, pod: &PodInfo, excluded: &[&NodeInfo]) -> Option<String> {
        let (resource, request) = excluded.iter().find_map(|node| lacking(pod, node).next())?;
        let largest = excluded.iter().map(|node| node.allocatable(resource)).max()?;
        let most_free = excluded.iter().map(|node| node.free(resource)).max()?;
        Some(match resource {
            PODS if largest.is_zero() => {
                "let the nodes report in status.allocatable.pods how many they hold: as yet, none".to_owned()
            }
            PODS => "remove other pods, or add a node".to_owned(),
            _ if largest.is_zero() => format!("add a node that has {resource}, none of them has any"),
            _ if largest < request => format!(
                "the pod asks for {request} {resource}, the most that any of them has is {largest}: ask for less, or \
                 add a larger node"
            ),
            _ => format!(
                "the pod asks for {request} {resource}, the most that any of them has free is {most_free}: ask for \
                 less, remove other pods, or add a node"
            ),
        })
    }
}

/// The resources of which the pod asks for more than the node has free, and how much it asks for.
fn lacking<'a>(pod: &'a PodInfo, node: &NodeInfo) -> impl Iterator<Item = (&'a str, Quantity)> {
    let asked = pod.requests().iter().filter(|(_, request)| !request.is_zero());
    asked.filter(|(resource, request)| **request > node.free(resource)).map(|(name, request)| (name.as_str(), *request))
}
