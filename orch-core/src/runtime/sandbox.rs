//! [`SandboxSpec`] and [`SandboxStatus`]: what the containers of a pod share.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ContainerName, ContainerStatus, HostEntry, HostName, PodUid, SandboxDns};
use crate::clock::Timestamp;

/// What is asked for: the shared part of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// The pod's uid, by which everything is idempotent.
    pub pod: PodUid,
    /// The pod's namespace, for people who look at the node.
    pub namespace: String,
    /// The pod's name, for people who look at the node.
    pub name: String,
    /// The host name that the containers see, where the runtime can give them one.
    pub hostname: String,
    /// Whether the containers use the network of the node itself, in place of one of their own.
    #[serde(default)]
    pub host_network: bool,
    /// Whom its containers ask for names: what they see at `/etc/resolv.conf`, where the runtime can give them that.
    /// `None`: what the node has there, or the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<SandboxDns>,
    /// The domain in which the host name stands, where the pod has a name in the cluster's DNS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<HostName>,
    /// What its containers find in `/etc/hosts` besides, where the runtime can give them that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_entries: Vec<HostEntry>,
}

/// What there is: a sandbox with its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxStatus {
    /// What was asked for.
    pub spec: SandboxSpec,
    /// The address at which the pod's ports are reached from the node; `None` where pods have none of their own.
    pub ip: Option<IpAddr>,
    /// Whether what the containers share is there. If not, it was destroyed by others: no container of the pod can be
    /// started until those that run are stopped and [`create_sandbox`](super::Runtime::create_sandbox) has made it anew.
    pub ready: bool,
    /// When it was made, the first time.
    pub created_at: Timestamp,
    /// Every attempt that is known, ordered by container name and attempt.
    pub containers: Vec<ContainerStatus>,
}

impl SandboxStatus {
    /// The latest attempt of a container.
    #[must_use]
    pub fn latest(&self, name: &ContainerName) -> Option<&ContainerStatus> {
        self.containers
            .iter()
            .filter(|container| container.id.name == *name)
            .max_by_key(|container| container.id.attempt)
    }
}
