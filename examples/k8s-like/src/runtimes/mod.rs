//! [`Runtimes`]: what runs from a state folder.

mod choice;
mod import;
mod local_node;
mod node;

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use orch_core::runtime::{RuntimeError, SandboxStatus};

pub(crate) use self::choice::{RuntimeChoice, RuntimeKind};
pub(crate) use self::import::ImportError;
pub(crate) use self::local_node::LocalNode;
pub(crate) use self::node::{NodeBundle, OpenError};
use crate::cli::PodOptions;
use crate::layout::Layout;
use crate::show::Voice;

/// The runtimes over a state folder: of each node that this run has, and of those that only an earlier run had, or had with
/// another runtime. No other process can have the folder meanwhile.
#[derive(Debug)]
pub(crate) struct Runtimes {
    nodes: Vec<NodeBundle>,
    former: Vec<NodeBundle>,
}

/// How long containers get to end.
const STOP_GRACE: Duration = Duration::from_secs(10);

impl Runtimes {
    /// Opens those of these nodes, and of everything else that left records.
    pub(crate) async fn open(layout: &Layout, nodes: &[LocalNode], options: &PodOptions) -> Result<Self, OpenError> {
        let choice = options.runtime_at(options.runtime);
        let (mut current, mut former) = (Vec::new(), Vec::new());
        for node in nodes {
            current.push(NodeBundle::open(layout, node, &choice).await?);
        }
        for kind in RuntimeKind::ALL {
            let is_current = |number: u8| kind == choice.kind() && nodes.iter().any(|node| node.number == number);
            let left = (1..=u8::MAX).filter(|number| !is_current(*number));
            for number in left.filter(|number| layout.node_dir(*number, kind).exists()) {
                let known = nodes.iter().find(|node| node.number == number).cloned();
                let node = known.unwrap_or_else(|| layout.node(number));
                let opened = NodeBundle::open(layout, &node, &options.runtime_at(kind)).await;
                former.push(opened.map_err(|error| match error {
                    OpenError::Runtime { node, source } => OpenError::Former { kind: kind.word(), node, source },
                    other => other,
                })?);
            }
        }
        Ok(Self { nodes: current, former })
    }

    /// Of each node of this run, in their order.
    pub(crate) fn nodes(&self) -> &[NodeBundle] {
        &self.nodes
    }

    /// Takes images from an archive, for every node of this run.
    pub(crate) async fn import(&self, archive: &Path, voice: &Voice) -> Result<(), ImportError> {
        import::import(&self.nodes, archive, voice).await
    }

    /// How many pods run.
    pub(crate) async fn running(&self) -> Result<usize, RuntimeError> {
        let mut running = 0;
        for runtime in self.nodes.iter().chain(&self.former) {
            let pods = runtime.runtime().list().await?;
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
            runtime.close_for_good().await;
        }
        Ok(())
    }

    /// Ends everything, and returns what could not be ended. With `forget`, nothing of it is left in the state folder.
    pub(crate) async fn stop(&self, forget: bool) -> Vec<RuntimeError> {
        let stop = async |runtime: &NodeBundle| {
            let mut left = stop_pods(runtime, forget).await;
            if left.is_empty() {
                left.extend(runtime.give_back().await.err());
            }
            left
        };
        let stopped = join_all(self.nodes.iter().map(stop)).await;
        stopped.into_iter().flatten().collect()
    }
}

fn runs(pod: &SandboxStatus) -> bool {
    pod.containers.iter().any(|container| container.state.is_running())
}

/// Stops the containers of all pods of a node at the same time.
async fn stop_pods(node: &NodeBundle, forget: bool) -> Vec<RuntimeError> {
    let pods = match node.runtime().list().await {
        Ok(pods) => pods,
        Err(error) => return vec![error],
    };
    let results = join_all(pods.iter().map(|pod| stop_pod(node, pod, forget))).await;
    results.into_iter().filter_map(Result::err).collect()
}

async fn stop_pod(node: &NodeBundle, pod: &SandboxStatus, forget: bool) -> Result<(), RuntimeError> {
    let (runtime, uid) = (node.runtime(), &pod.spec.pod);
    let running = pod.containers.iter().filter(|container| container.state.is_running());
    for result in join_all(running.map(|container| runtime.stop(&container.id, STOP_GRACE))).await {
        result?;
    }
    if let Err(error) = node.volumes().remove(uid).await {
        let message = format!("cannot remove the volumes of pod {uid}: {error}");
        return Err(RuntimeError::Unavailable { message, transient: false, source: Some(Box::new(error)) });
    }
    // Of processes without networks of their own nothing is left but records in the state folder, in which the next run
    // finds their logs. Elsewhere a pod that is stopped still has its network, or a sandbox in a daemon that is not ours.
    if forget || node.kind() != RuntimeKind::Process || node.has_bridge() { runtime.remove(uid).await } else { Ok(()) }
}
