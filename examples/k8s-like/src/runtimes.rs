//! [`Runtimes`]: what runs from a state folder.

use futures::future::join_all;
use orch_core::runtime::{Runtime as _, RuntimeError, SandboxStatus};
use orch_runtime::process::{AddressRangeError, ProcessConfig, ProcessRuntime};
use std::time::Duration;

use crate::layout::{Layout, node_name};

/// The runtimes over a state folder: of each node that this run has, and of those that only an earlier run had. No other
/// process can have the folder meanwhile.
#[derive(Debug)]
pub(crate) struct Runtimes {
    nodes: Vec<ProcessRuntime>,
    former: Vec<ProcessRuntime>,
}

/// How long containers get to end.
const STOP_GRACE: Duration = Duration::from_secs(10);

impl Runtimes {
    /// Opens those of nodes 1 to `nodes`, and of each further node that left records.
    pub(crate) async fn open(layout: &Layout, nodes: u8) -> Result<Self, OpenError> {
        let mut runtimes = Self { nodes: Vec::new(), former: Vec::new() };
        for node in 1..=nodes {
            runtimes.nodes.push(open(layout, node).await?);
        }
        for node in (nodes..u8::MAX).map(|node| node + 1).filter(|node| layout.node_dir(*node).exists()) {
            runtimes.former.push(open(layout, node).await?);
        }
        Ok(runtimes)
    }

    /// Of each node of this run, in their order.
    pub(crate) fn nodes(&self) -> &[ProcessRuntime] {
        &self.nodes
    }

    /// How many pods run.
    pub(crate) async fn running(&self) -> Result<usize, RuntimeError> {
        let mut running = 0;
        for runtime in self.nodes.iter().chain(&self.former) {
            let pods = runtime.list().await?;
            running += pods.iter().filter(|pod| runs(pod)).count();
        }
        Ok(running)
    }

    /// Ends and forgets everything.
    pub(crate) async fn clear(&self) -> Result<(), RuntimeError> {
        let all = self.nodes.iter().chain(&self.former);
        join_all(all.map(|runtime| stop_pods(runtime, true))).await.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    /// Ends and forgets everything of the nodes that this run does not have, and gives their folders back.
    pub(crate) async fn clear_former(&mut self) -> Result<(), RuntimeError> {
        let cleared = join_all(self.former.iter().map(|runtime| stop_pods(runtime, true))).await;
        if let Some(error) = cleared.into_iter().flatten().next() {
            return Err(error);
        }
        for runtime in self.former.drain(..) {
            runtime.close().await;
        }
        Ok(())
    }

    /// Ends everything, and returns what could not be ended. With `forget`, nothing of it is left in the state folder.
    pub(crate) async fn stop(&self, forget: bool) -> Vec<RuntimeError> {
        let stopped = join_all(self.nodes.iter().map(|runtime| stop_pods(runtime, forget))).await;
        stopped.into_iter().flatten().collect()
    }
}

async fn open(layout: &Layout, node: u8) -> Result<ProcessRuntime, OpenError> {
    let mut config = ProcessConfig::new(layout.node_dir(node));
    config.addresses = Some(layout.pod_addresses(node).parse()?);
    ProcessRuntime::open(config).await.map_err(|source| OpenError::Runtime { node: node_name(node), source })
}

fn runs(pod: &SandboxStatus) -> bool {
    pod.containers.iter().any(|container| container.state.is_running())
}

/// Stops the containers of all pods of a node at the same time.
async fn stop_pods(runtime: &ProcessRuntime, forget: bool) -> Vec<RuntimeError> {
    let pods = match runtime.list().await {
        Ok(pods) => pods,
        Err(error) => return vec![error],
    };
    let results = join_all(pods.iter().map(|pod| stop_pod(runtime, pod, forget))).await;
    results.into_iter().filter_map(Result::err).collect()
}

async fn stop_pod(runtime: &ProcessRuntime, pod: &SandboxStatus, forget: bool) -> Result<(), RuntimeError> {
    let running = pod.containers.iter().filter(|container| container.state.is_running());
    for result in join_all(running.map(|container| runtime.stop(&container.id, STOP_GRACE))).await {
        result?;
    }
    if forget { runtime.remove(&pod.spec.pod).await } else { Ok(()) }
}

/// Why a runtime could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OpenError {
    /// The runtime's own.
    #[error("cannot start {node}: {source} (another folder is chosen by --state-dir)")]
    Runtime { node: String, source: RuntimeError },
    /// The layout.
    #[error(transparent)]
    Addresses(#[from] AddressRangeError),
}
