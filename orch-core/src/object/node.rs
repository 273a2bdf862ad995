//! [`Node`]: a machine that runs pods.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::condition::{NodeCondition, is_condition_true};
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::quantity::Quantity;
use super::taint::Taint;
use crate::kind::{Kind, Object, Scope};

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
