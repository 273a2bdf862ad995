//! [`Node`]: a machine that runs pods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::condition::{NodeCondition, is_condition_true};
use super::container::validate_quantities;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::quantity::Quantity;
use super::taint::Taint;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// A machine that runs pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub spec: NodeSpec,
    /// What is.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub status: NodeStatus,
}

impl Object for Node {
    const KIND: Kind = Kind { api_version: "v1", name: "Node", collection: "nodes", scope: Scope::Cluster };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("spec", |problems| self.spec.validate(problems));
        problems.field("status", |problems| {
            problems.field("capacity", |problems| validate_quantities(&self.status.capacity, problems));
            problems.field("allocatable", |problems| validate_quantities(&self.status.allocatable, problems));
        });
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// What is asked for of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeSpec {
    /// The range that its pods' addresses come from.
    #[serde(rename = "podCIDR", skip_serializing_if = "Option::is_none")]
    pub pod_cidr: Option<String>,
    /// All ranges that its pods' addresses come from; the first is `podCIDR`.
    #[serde(rename = "podCIDRs", default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub pod_cidrs: Vec<String>,
    /// The machine's name with whoever provides it, as `provider://id`.
    #[serde(rename = "providerID", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Whether it is cordoned: no more pods are placed on it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub unschedulable: bool,
    /// What pods must tolerate to be placed on it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
}

impl NodeSpec {
    fn validate(&self, problems: &mut Problems) {
        problems.each("podCIDRs", &self.pod_cidrs, |problems, range| {
            if !is_cidr(range) {
                problems.report(format!("must be a range of addresses such as \"10.1.0.0/24\", got {range:?}"));
            }
        });
        if let Some(range) = &self.pod_cidr {
            problems.field("podCIDR", |problems| match self.pod_cidrs.first() {
                _ if !is_cidr(range) => {
                    problems.report(format!("must be a range of addresses such as \"10.1.0.0/24\", got {range:?}"));
                }
                Some(first) if first != range => {
                    problems.report(format!("must be the first of podCIDRs, which is {first:?}, got {range:?}"));
                }
                _ => {}
            });
        }
        let mut taints = BTreeSet::new();
        problems.each("taints", &self.taints, |problems, taint| {
            taint.validate(problems);
            if !taints.insert((&taint.key, taint.effect)) {
                let (key, effect) = (&taint.key, taint.effect);
                problems
                    .report(format!("must differ from the other taints in key or effect, got {key} {effect:?} again"));
            }
        });
    }
}

/// Whether `text` is a range of addresses: an address, a slash and the length of the prefix.
pub(super) fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u8>()) else { return false };
    length <= if address.is_ipv4() { 32 } else { 128 }
}

/// What is known of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeStatus {
    /// How much it has, by the name of the resource: `cpu`, `memory`, `pods`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity: BTreeMap<String, Quantity>,
    /// How much of it is for pods; see [`allocatable`](Self::allocatable).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub allocatable: BTreeMap<String, Quantity>,
    /// What is so about the node.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<NodeCondition>,
    /// Where it can be reached.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<NodeAddress>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_info: Option<NodeSystemInfo>,
    /// The images that it has.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ContainerImage>,
}

impl NodeStatus {
    /// How much of a resource is for pods; all that the node has, by default.
    #[must_use]
    pub fn allocatable(&self, resource: &str) -> Option<&Quantity> {
        self.allocatable.get(resource).or_else(|| self.capacity.get(resource))
    }

    /// Whether the node is healthy and accepts pods.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        is_condition_true(&self.conditions, NodeCondition::READY)
    }
}

/// Where a node can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeAddress {
    /// What kind of address it is.
    pub r#type: NodeAddressType,
    /// The address.
    pub address: String,
}

/// What kind of address an address of a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeAddressType {
    /// The name that the machine gives itself.
    Hostname,
    /// An address inside the cluster.
    #[default]
    #[serde(rename = "InternalIP")]
    InternalIp,
    /// An address outside the cluster.
    #[serde(rename = "ExternalIP")]
    ExternalIp,
    /// A name inside the cluster.
    #[serde(rename = "InternalDNS")]
    InternalDns,
    /// A name outside the cluster.
    #[serde(rename = "ExternalDNS")]
    ExternalDns,
}

/// What a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeSystemInfo {
    /// The machine's id within the cluster.
    #[serde(rename = "machineID")]
    pub machine_id: String,
    /// The machine's id by its hardware.
    #[serde(rename = "systemUUID")]
    pub system_uuid: String,
    /// The id of the present boot.
    #[serde(rename = "bootID")]
    pub boot_id: String,
    /// The version of its kernel.
    pub kernel_version: String,
    /// Its operating system, as the system calls itself.
    pub os_image: String,
    /// Its container runtime, as `name://version`.
    pub container_runtime_version: String,
    /// The version of the node's agent.
    pub kubelet_version: String,
    /// The version of the node's proxy.
    pub kube_proxy_version: String,
    /// Its operating system in one word: `linux`.
    pub operating_system: String,
    /// Its processor's architecture: `amd64`, `arm64`.
    pub architecture: String,
}

/// An image that a node has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerImage {
    /// The names by which it is known, with tags and digests.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How much room it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
}
