//! [`NodeBundle`]: what runs the containers of one node.

use std::path::PathBuf;
use std::sync::Arc;

use orch_controllers::node_agent::NodeParts;
use orch_core::network::InvalidDeviceName;
use orch_core::runtime::{Images, Interactive, Machine, Runtime, RuntimeError, VolumeError, Volumes};
use orch_runtime::containerd::{ContainerdConfig, ContainerdConfigError, ContainerdRuntime};
use orch_runtime::docker::{DockerConfig, DockerRuntime, ScopeError};
use orch_runtime::machine::{LinuxMachine, LinuxMachineConfig};
use orch_runtime::pod_network::{PodNetwork, PodNetworkError};
use orch_runtime::process::{AddressRangeError, ProcessConfig, ProcessNetwork, ProcessRuntime};
use orch_runtime::volumes::{NodeVolumes, NodeVolumesConfig};

use super::{LocalNode, RuntimeChoice, RuntimeKind};
use crate::layout::Layout;

/// What runs the containers of one node, whichever runtime it is, and where their files are.
#[derive(Clone, Debug)]
pub(crate) struct NodeBundle {
    node: LocalNode,
    kind: RuntimeKind,
    version: String,
    runtime: Arc<dyn Interactive>,
    images: Option<Arc<dyn Images>>,
    volumes: Arc<dyn Volumes>,
    machine: Arc<dyn Machine>,
    /// What gives back what no pod needs when it is closed, and not before: a folder, or a bridge.
    closing: Closing,
    folder: PathBuf,
}

/// A runtime that is to be closed.
#[derive(Clone, Debug)]
enum Closing {
    Process(ProcessRuntime),
    Docker(Arc<DockerRuntime>),
    Containerd(Arc<ContainerdRuntime>),
}

impl NodeBundle {
    /// The runtime of a node, over what an earlier run left of it.
    pub(crate) async fn open(layout: &Layout, node: &LocalNode, choice: &RuntimeChoice) -> Result<Self, OpenError> {
        let (name, number) = (&node.name, node.number);
        let folder = layout.node_dir(number, choice.kind());
        let failed = |source| OpenError::Runtime { node: name.clone(), source };
        let mut images: Option<Arc<dyn Images>> = None;
        let (runtime, version, closing): (Arc<dyn Interactive>, String, Closing) = match choice {
            RuntimeChoice::Process => {
                let mut config = ProcessConfig::new(folder.clone());
                config.network = match node.loopback {
                    _ if node.is_bridged => ProcessNetwork::Bridge(pod_network(layout, node)?),
                    Some(range) => ProcessNetwork::Loopback(range.to_string().parse()?),
                    None => ProcessNetwork::Host,
                };
                let opened = ProcessRuntime::open(config).await.map_err(failed)?;
                let version = format!("process://{}", env!("CARGO_PKG_VERSION"));
                (Arc::new(opened.clone()), version, Closing::Process(opened))
            }
            RuntimeChoice::Docker(socket) => {
                let mut config = DockerConfig::new(folder.clone(), layout.mark(number).parse()?);
                config.socket.clone_from(socket);
                config.network = node.is_bridged.then(|| pod_network(layout, node)).transpose()?;
                let opened = Arc::new(DockerRuntime::open(config).await.map_err(failed)?);
                images = Some(Arc::clone(&opened) as _);
                let version = opened.version();
                (Arc::clone(&opened) as _, version, Closing::Docker(opened))
            }
            RuntimeChoice::Containerd(socket) => {
                let mut config = ContainerdConfig::new(folder.clone());
                config.socket.clone_from(socket);
                config.namespace = layout.mark(number).parse()?;
                config.network = pod_network(layout, node)?;
                let opened = Arc::new(ContainerdRuntime::open(config).await.map_err(failed)?);
                images = Some(Arc::clone(&opened) as _);
                let version = opened.version();
                (Arc::clone(&opened) as _, version, Closing::Containerd(opened))
            }
        };
        let volumes = NodeVolumes::open(NodeVolumesConfig::new(layout.volumes_dir(number))).await;
        let volumes = volumes.map_err(|source| OpenError::Volumes { node: name.clone(), source })?;
        Ok(Self {
            kind: choice.kind(),
            version,
            runtime,
            images,
            volumes: Arc::new(volumes),
            machine: Arc::new(LinuxMachine::new(LinuxMachineConfig::new(layout.state_dir()))),
            closing,
            folder,
            node: node.clone(),
        })
    }

    /// The node's name.
    pub(crate) fn name(&self) -> &str {
        &self.node.name
    }

    /// What the rest of the cluster knows it by.
    pub(crate) fn node(&self) -> &LocalNode {
        &self.node
    }

    /// What it is.
    pub(crate) fn kind(&self) -> RuntimeKind {
        self.kind
    }

    /// Whether its pods have networks of their own on its bridge.
    pub(crate) fn has_bridge(&self) -> bool {
        self.node.has_bridge(self.kind)
    }

    /// Its name and version, as a node tells them: `docker://20.10.24`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// What runs containers, and what a person does with them.
    pub(crate) fn runtime(&self) -> &Arc<dyn Interactive> {
        &self.runtime
    }

    /// The images, if it has any.
    pub(crate) fn images(&self) -> Option<&Arc<dyn Images>> {
        self.images.as_ref()
    }

    /// Where the files of pods are.
    pub(crate) fn volumes(&self) -> &Arc<dyn Volumes> {
        &self.volumes
    }

    /// What it says of the machine.
    pub(crate) fn machine(&self) -> &Arc<dyn Machine> {
        &self.machine
    }

    /// What the node's agent works with.
    pub(crate) fn parts(&self) -> NodeParts {
        NodeParts {
            runtime: Arc::clone(&self.runtime) as Arc<dyn Runtime>,
            images: self.images.clone(),
            volumes: Some(Arc::clone(&self.volumes)),
            machine: Some(Arc::clone(&self.machine)),
        }
    }

    /// Gives the machine back what no pod needs, now that none runs; a pod that does keeps what it has.
    pub(crate) async fn give_back(&self) -> Result<(), RuntimeError> {
        match &self.closing {
            // It gives its folder back as well, for which it is too early.
            Closing::Process(_) if !self.has_bridge() => Ok(()),
            Closing::Process(process) => {
                process.clone().close().await;
                Ok(())
            }
            Closing::Docker(docker) => DockerRuntime::clone(docker).close().await,
            Closing::Containerd(containerd) => ContainerdRuntime::clone(containerd).close().await,
        }
    }

    /// Gives everything back, and removes the folder, of which nothing is needed any more.
    pub(crate) async fn close_for_good(self) {
        if let Err(error) = self.give_back().await {
            tracing::warn!(node = self.node.name, %error, "something of the node is left");
        }
        let Self { runtime, images, closing, folder, .. } = self;
        drop((runtime, images));
        if let Closing::Process(process) = closing {
            process.close().await;
        }
        // What is left is looked at again by the next run, and removed then.
        let _ = tokio::fs::remove_dir_all(folder).await;
    }
}

fn pod_network(layout: &Layout, node: &LocalNode) -> Result<PodNetwork, OpenError> {
    let network = PodNetwork::new(layout.bridge(node.number).parse()?, node.subnet)?;
    Ok(match node.mtu {
        Some(mtu) => network.with_mtu(mtu)?,
        None => network,
    })
}

/// Why a runtime could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OpenError {
    /// The runtime's own.
    #[error("cannot start {node}: {source} (another folder is chosen by --state-dir)")]
    Runtime { node: String, source: RuntimeError },
    /// The volumes' own.
    #[error("cannot start {node}: {source} (another folder is chosen by --state-dir)")]
    Volumes { node: String, source: VolumeError },
    /// What an earlier run left needs a daemon that does not answer.
    #[error("pods of an earlier run may still run as {kind} of {node}, and that is not to be reached: {source}")]
    Former { kind: &'static str, node: String, source: RuntimeError },
    /// The layout.
    #[error(transparent)]
    Addresses(#[from] AddressRangeError),
    /// The layout.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The layout.
    #[error(transparent)]
    Containerd(#[from] ContainerdConfigError),
    /// The layout.
    #[error(transparent)]
    Network(#[from] PodNetworkError),
    /// The layout.
    #[error(transparent)]
    Bridge(#[from] InvalidDeviceName),
}
