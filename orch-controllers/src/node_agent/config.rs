//! [`NodeAgentConfig`]: what an agent must be told about its node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use orch_core::object::{NodeSystemInfo, Quantity};

use super::collection::ImageCollection;
use super::crash_loop::CrashLoopBackoff;
use super::names::ClusterDns;
use super::pressure::EvictionThresholds;

/// What an agent must be told about its node. All fields are public: start from [`new`](Self::new) and set what differs.
#[derive(Clone, Debug)]
pub struct NodeAgentConfig {
    /// The node's name: a DNS subdomain.
    pub node_name: String,
    /// The node's address. It is also the address of pods whose runtime gives them none of their own.
    pub host_ip: IpAddr,
    /// How much the node has, by the name of the resource, where that is not what the
    /// [machine](orch_core::runtime::Machine) is found to have. By default room for 110 pods.
    pub capacity: BTreeMap<String, Quantity>,
    /// How much of it is for pods, where that is not all.
    pub allocatable: BTreeMap<String, Quantity>,
    /// How much of what was measured is set aside for the machine itself, by the name of the resource.
    pub reserved: BTreeMap<String, Quantity>,
    /// How little may be left of something before the node ends pods, where it can be measured.
    pub thresholds: EvictionThresholds,
    /// When images that no pod uses are removed.
    pub image_collection: ImageCollection,
    /// How often the node is measured: what there is, what pods use, and what must be done about that.
    pub measure_every: Duration,
    /// Labels of the node, besides its host name, operating system and architecture.
    pub labels: BTreeMap<String, String>,
    /// What the node says about its machine. By default the operating system and the architecture.
    pub system: NodeSystemInfo,
    /// Variables that every container gets, before its own: a `PATH`, where containers are plain processes.
    pub environment: Vec<(String, String)>,
    /// How many processes and threads a container may have, so that one that forks without end disturbs no other.
    /// `None`: any number.
    pub processes_per_container: Option<u64>,
    /// How many images are fetched at a time.
    pub parallel_pulls: usize,
    /// What stands before `://` in the ids of containers: the name of the runtime.
    pub container_id_prefix: String,
    /// Whom pods ask for names that ask for the cluster's. `None`: it is not known, so they ask whom the node asks, and
    /// people are told.
    pub cluster_dns: Option<ClusterDns>,
    /// How long a container that ends again and again waits before it is started again.
    pub backoff: CrashLoopBackoff,
    /// How long containers are given to end whose pod does not exist any more, so that nobody can say how long they
    /// were promised. As in Kubernetes, 1 s.
    pub stray_grace: Duration,
    /// How often the runtime is asked for what its events failed to tell.
    pub relist_every: Duration,
    /// How the node shows that it is alive.
    pub heartbeat: Heartbeat,
}

impl NodeAgentConfig {
    /// The defaults, for a node of that name and address.
    #[must_use]
    pub fn new(node_name: impl Into<String>, host_ip: IpAddr) -> Self {
        Self {
            node_name: node_name.into(),
            host_ip,
            capacity: BTreeMap::from([("pods".to_owned(), Quantity::from_units(110))]),
            allocatable: BTreeMap::new(),
            reserved: BTreeMap::new(),
            thresholds: EvictionThresholds::default(),
            image_collection: ImageCollection::default(),
            measure_every: Duration::from_secs(10),
            labels: BTreeMap::new(),
            system: NodeSystemInfo {
                operating_system: std::env::consts::OS.to_owned(),
                architecture: go_architecture(std::env::consts::ARCH).to_owned(),
                ..NodeSystemInfo::default()
            },
            environment: Vec::new(),
            processes_per_container: Some(1024),
            parallel_pulls: 3,
            container_id_prefix: "process".to_owned(),
            cluster_dns: None,
            backoff: CrashLoopBackoff::default(),
            stray_grace: Duration::from_secs(1),
            relist_every: Duration::from_secs(5),
            heartbeat: Heartbeat::default(),
        }
    }

    /// How much of a resource is for pods.
    pub(super) fn allocatable(&self, resource: &str) -> Option<Quantity> {
        self.allocatable.get(resource).or_else(|| self.capacity.get(resource)).copied()
    }
}

/// How a node shows that it is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// How often the node's lease is renewed.
    pub renew_every: Duration,
    /// For how long a renewal counts: after that, others may take the node for lost. Whole seconds.
    pub lease_duration: Duration,
    /// How often the node's status is written although nothing in it changed.
    pub report_every: Duration,
}

/// As Kubernetes has it: renewed every 10 s, lost after 40 s, reported every 5 minutes.
impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            renew_every: Duration::from_secs(10),
            lease_duration: Duration::from_secs(40),
            report_every: Duration::from_secs(300),
        }
    }
}

/// Kubernetes' labels use Go's names of architectures.
fn go_architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
