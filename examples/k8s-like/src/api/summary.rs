//! [`Summary`]: what nodes, pods and containers use, in the shape of the kubelet's summary.

use orch_core::runtime::{ContainerStats, PodStats};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::runtimes::NodeBundle;

/// What the pods of all nodes use.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) pods: Vec<PodSummary>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodSummary {
    pub(crate) pod_ref: PodRef,
    pub(crate) node_name: String,
    pub(crate) containers: Vec<ContainerSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<NetworkSummary>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PodRef {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContainerSummary {
    pub(crate) name: String,
    pub(crate) cpu: CpuSummary,
    pub(crate) memory: MemorySummary,
    pub(crate) rootfs: DiskSummary,
    pub(crate) logs: DiskSummary,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CpuSummary {
    pub(crate) time: String,
    pub(crate) usage_core_nano_seconds: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemorySummary {
    pub(crate) usage_bytes: Option<u64>,
    pub(crate) working_set_bytes: Option<u64>,
    pub(crate) rss_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiskSummary {
    pub(crate) used_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkSummary {
    pub(crate) rx_bytes: u64,
    pub(crate) tx_bytes: u64,
    pub(crate) rx_errors: u64,
    pub(crate) tx_errors: u64,
}

impl Summary {
    /// Measured at this moment.
    pub(super) async fn measure(nodes: &[NodeBundle]) -> Result<Self, Problem> {
        let mut summary = Self::default();
        for node in nodes {
            for sandbox in node.runtime().list().await? {
                let Some(stats) = node.runtime().stats(&sandbox.spec.pod).await? else { continue };
                let pod_ref = PodRef {
                    name: sandbox.spec.name,
                    namespace: sandbox.spec.namespace,
                    uid: sandbox.spec.pod.to_string(),
                };
                summary.pods.push(pod(pod_ref, node.name(), &stats));
            }
        }
        Ok(summary)
    }
}

fn pod(pod_ref: PodRef, node_name: &str, stats: &PodStats) -> PodSummary {
    let container = |found: &ContainerStats| ContainerSummary {
        name: found.id.name.to_string(),
        cpu: CpuSummary { time: stats.at.to_string(), usage_core_nano_seconds: found.cpu_nanos },
        memory: MemorySummary {
            usage_bytes: found.memory_bytes,
            working_set_bytes: found.working_set_bytes,
            rss_bytes: found.rss_bytes,
        },
        rootfs: DiskSummary { used_bytes: found.root_bytes },
        logs: DiskSummary { used_bytes: found.log_bytes },
    };
    let network = stats.network.map(|network| NetworkSummary {
        rx_bytes: network.received_bytes,
        tx_bytes: network.sent_bytes,
        rx_errors: network.receive_errors,
        tx_errors: network.send_errors,
    });
    let containers = stats.containers.iter().map(container).collect();
    PodSummary { pod_ref, node_name: node_name.to_owned(), containers, network }
}
