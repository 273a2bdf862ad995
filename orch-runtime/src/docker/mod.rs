//! [`DockerRuntime`]: containers of a Docker daemon on this machine.

mod attach;
mod client;
mod config;
mod convert;
mod end;
mod error;
mod events;
mod exec;
mod images;
mod import;
mod interactive;
mod kill;
mod ledger;
mod logs;
mod names;
mod network;
mod pods;
mod pull;
mod removal;
mod sandbox;
mod session;
mod start;
mod stats;
mod status;
mod stream;
mod version;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::runtime::{
    ContainerId, ContainerSpec, ExecOutput, LogOptions, LogStream, PodStats, PodUid, Runtime, RuntimeError,
    SandboxSpec, SandboxStatus,
};

use self::attach::Inputs;
use self::client::{Call, Client};
pub use self::config::DockerConfig;
use self::convert::Found;
use self::error::panicked;
use self::events::Listening;
use self::ledger::Ledger;
pub use self::names::{Scope, ScopeError};
use self::pods::Pods;
use crate::changes::Changes;
use crate::pod_network::{Netlink, Network};

/// Runs containers by a Docker daemon on this machine, 20.10 or later, over its unix socket.
///
/// A pod's sandbox is a container that does nothing: it holds the network, the host name and the shared memory that the
/// pod's containers join. Its network is one of Docker's, or one of [the runtime's own](DockerConfig::network), which Docker
/// knows nothing of. Its image is made here, so no registry is needed for it. Everything of this runtime carries its
/// [`Scope`] in name and labels, so several runtimes share a daemon without seeing one another, and nothing of anybody
/// else is touched. The daemon refuses a second container of a name, and the folder [`DockerConfig::root`] remembers what
/// was started after its container is gone: whatever may be killed at any moment, nothing is started twice.
///
/// Containers get no capability, privilege or device that their spec does not ask for beyond Docker's defaults, and
/// cannot gain privileges unless it says so. Docker itself never restarts them. Limits are kept by the kernel: processor
/// time, shares of it, memory (6 MiB at least, no swap), processes. Of a container that runs out of memory within
/// milliseconds of its start, containerd may miss the reason, on which Docker relies: its end is then told as a death by
/// signal, 137.
///
/// Whoever uses it must be able to see and signal the daemon's processes: it is meant to run as root, in the machine's
/// own process namespace. A command that takes too long is found there and killed.
#[derive(Clone, Debug)]
pub struct DockerRuntime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: DockerConfig,
    client: Client,
    version: String,
    pods: Arc<Pods>,
    /// That of pods, where it is not Docker's.
    network: Option<Network>,
    changes: Arc<Changes>,
    inputs: Inputs,
    _listening: Listening,
}

impl DockerRuntime {
    /// A runtime over a daemon and a root folder, with every pod that an earlier runtime left. To be called within a
    /// tokio runtime that has I/O and time enabled, and lasts.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`] when the daemon cannot be reached, does not answer or is too old, when another
    /// runtime uses the root folder, or when a record in it cannot be read.
    pub async fn open(config: DockerConfig) -> Result<Self, RuntimeError> {
        let netlink = config.network.as_ref().map(|_| Netlink::here()).transpose()?;
        let (client, version) = Client::connect(config.socket.clone(), config.timeout).await?;
        let root = config.root.clone();
        let (ledger, records) = tokio::task::spawn_blocking(move || Ledger::open(&root)).await.map_err(panicked)??;
        let network = config.network.clone().zip(netlink);
        let network = network
            .map(|(network, netlink)| Network::new(network, netlink, format!("docker/{}", config.scope), &config.root));
        let changes = Arc::default();
        let pods = Arc::new(Pods::new(ledger, records));
        let listening = events::listen(client.clone(), config.scope.clone(), &pods, Arc::clone(&changes)).await?;
        let inputs = Inputs::default();
        let shared =
            Arc::new(Shared { config, client, version, pods, network, changes, inputs, _listening: listening });
        shared.adopt_all().await?;
        shared.settle_addresses().await?;
        Ok(Self { shared })
    }

    /// The runtime's name and version as a node tells them: `docker://20.10.24`.
    #[must_use]
    pub fn version(&self) -> String {
        // What a distribution appends says nothing of Docker.
        let version = self.shared.version.split(['+', '~']).next().unwrap_or_default();
        format!("docker://{version}")
    }

    /// Gives the machine back what no pod needs any more: if there is no pod, the bridge of [`DockerConfig::network`] goes,
    /// unless somebody else made it or is joined to it. If there is one, everything stays, and containers go on. Clones may
    /// be left: what they need they make again.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`] when Linux refuses. What is left then does no harm, and the next runtime that is closed
    /// removes it.
    pub async fn close(self) -> Result<(), RuntimeError> {
        let shared = Arc::clone(&self.shared);
        Self::to_its_end(async move { shared.close_network().await }).await
    }

    /// Does something to its end, whether the caller waits for it or not: half of it would have to be found and
    /// repaired by the next call.
    async fn to_its_end<T: Send + 'static>(
        act: impl Future<Output = Result<T, RuntimeError>> + Send + 'static,
    ) -> Result<T, RuntimeError> {
        tokio::spawn(act).await.map_err(panicked)?
    }
}

impl Shared {
    /// One of our containers, by its name or id in Docker. One of that name which is not ours is nobody.
    async fn found(&self, docker_name: &str) -> Result<Option<Found>, RuntimeError> {
        let container = self.client.find(Call::get(format!("/containers/{docker_name}/json"))).await?;
        Ok(container.and_then(|container| convert::found(&self.config, &container)))
    }

    async fn find_attempt(&self, id: &ContainerId) -> Result<Option<Found>, RuntimeError> {
        self.found(&self.config.scope.container(id)).await
    }

    async fn find_sandbox(&self, pod: &PodUid) -> Result<Option<Found>, RuntimeError> {
        self.found(&self.config.scope.sandbox(pod)).await
    }

    /// An attempt that runs.
    async fn running(&self, id: &ContainerId) -> Result<Found, RuntimeError> {
        let found = self.find_attempt(id).await?.filter(|found| found.running);
        found.ok_or_else(|| RuntimeError::NoSuchContainer { id: id.clone() })
    }
}

#[async_trait]
impl Runtime for DockerRuntime {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        Self::to_its_end(sandbox::create(Arc::clone(&self.shared), spec.clone())).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        Self::to_its_end(start::start(Arc::clone(&self.shared), id.clone(), spec.clone())).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        self.shared.stop(id, grace).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        Self::to_its_end(removal::remove_container(Arc::clone(&self.shared), id.clone())).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        Self::to_its_end(removal::remove(Arc::clone(&self.shared), pod.clone())).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        self.shared.statuses(None).await
    }

    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError> {
        Ok(self.shared.statuses(Some(pod)).await?.pop())
    }

    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        self.shared.stats(pod).await
    }

    fn events(&self) -> BoxStream<'static, PodUid> {
        self.shared.changes.listen()
    }

    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        logs::read(Arc::clone(&self.shared), id.clone(), options).await
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        self.shared.exec(id, command, timeout).await
    }
}
