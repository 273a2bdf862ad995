//! The composition: which implementation stands behind which contract.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use orch_controllers::binding::BindingController;
use orch_controllers::deployment::DeploymentController;
use orch_controllers::endpoint_slice::EndpointSliceController;
use orch_controllers::engine::{Engine, EngineError, EngineHandle, RunOptions};
use orch_controllers::garbage::GarbageController;
use orch_controllers::namespace::NamespaceController;
use orch_controllers::node_agent::{NodeAgentConfig, NodeAgentController};
use orch_controllers::node_lifecycle::{NodeLifecycleConfig, NodeLifecycleController};
use orch_controllers::replica_set::ReplicaSetController;
use orch_controllers::service_proxy::ServiceProxyController;
use orch_core::client::{Client, ClientError};
use orch_core::clock::SystemClock;
use orch_core::entropy::SeededEntropy;
use orch_core::key::KeyError;
use orch_core::object::{Namespace, ObjectMeta, Quantity};
use orch_core::proxy::{ProxyError, ServiceProxy as _};
use orch_core::runtime::{Runtime as _, RuntimeError, SandboxStatus};
use orch_core::store::Store;
use orch_net::{UserspaceConfig, UserspaceProxy};
use orch_runtime::process::{AddressRangeError, ProcessConfig, ProcessRuntime};
use orch_sched::FilterScoreScheduler;
use orch_store::MemoryStore;

use crate::layout::{Layout, node_name};
use crate::machine::Machine;
use crate::show::ShowController;

/// A running cluster: a control plane, nodes, and the proxy of the machine that they share.
#[derive(Debug)]
pub(crate) struct Cluster {
    client: Client,
    proxy: Arc<UserspaceProxy>,
    runtimes: Vec<ProcessRuntime>,
    engines: Vec<EngineHandle>,
}

/// One for each pod that a node may have, and one for the node: a worker is taken for as long as a container is given to
/// end.
const AGENT_WORKERS: NonZeroUsize = NonZeroUsize::new(111).expect("not zero");
/// How long containers get to end when the cluster stops.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long the engines get before: their actions are short but for the stopping of containers, which goes on below.
const ENGINE_STOP: Duration = Duration::from_secs(2);

impl Cluster {
    /// Starts a cluster of `nodes` nodes; `show` looks at everything that happens in it.
    pub(crate) async fn start(layout: &Layout, nodes: u8, show: ShowController) -> Result<Self, StartError> {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let client = Client::new(Arc::clone(&store), Arc::new(SystemClock), Arc::new(SeededEntropy::from_os()));
        let proxy = Arc::new(UserspaceProxy::new(UserspaceConfig::default()));
        let mut cluster = Self { client, proxy, runtimes: Vec::new(), engines: Vec::new() };
        for node in 1..=nodes {
            cluster.runtimes.push(open_runtime(layout, node).await?);
        }
        // The objects that earlier runs had are gone. What they left on any node is stopped before anything is started
        // on any other: its replacement may be placed there.
        let mut with_leftovers = cluster.runtimes.clone();
        for node in (nodes..u8::MAX).map(|node| node + 1).filter(|node| layout.node_dir(*node).exists()) {
            with_leftovers.push(open_runtime(layout, node).await?);
        }
        let left = join_all(with_leftovers.iter().map(|runtime| stop_pods(runtime, true))).await;
        if let Some(error) = left.into_iter().flatten().next() {
            return Err(StartError::Leftovers(error));
        }
        cluster.engines.push(cluster.control_plane(show)?);
        let machine = Machine::measure();
        for (node, runtime) in (1..=nodes).zip(&cluster.runtimes) {
            let mut config = NodeAgentConfig::new(node_name(node), IpAddr::V4(Ipv4Addr::LOCALHOST));
            config.capacity.insert("cpu".to_owned(), Quantity::from_millis(machine.cpu_millis / i64::from(nodes)));
            config.capacity.insert("memory".to_owned(), Quantity::from_binary(machine.memory_bytes / i64::from(nodes)));
            config.environment.push(("PATH".to_owned(), search_path()));
            let agent = NodeAgentController::new(config, Arc::new(runtime.clone()), Arc::clone(&store))?;
            let options = RunOptions { workers: AGENT_WORKERS, budget: None, ..RunOptions::default() };
            let engine = Engine::builder(cluster.client.clone()).stop_within(ENGINE_STOP);
            cluster.engines.push(engine.controller_with(Arc::new(agent), options).start()?);
        }
        for engine in &cluster.engines {
            engine.listed().await;
        }
        Ok(cluster)
    }

    fn control_plane(&self, show: ShowController) -> Result<EngineHandle, EngineError> {
        let (store, proxy) = (self.client.store(), Arc::clone(&self.proxy));
        Engine::builder(self.client.clone())
            .stop_within(ENGINE_STOP)
            .controller(Arc::new(show))
            .controller(Arc::new(NamespaceController::new(Arc::clone(store))))
            .controller(Arc::new(DeploymentController))
            .controller(Arc::new(ReplicaSetController))
            .controller(Arc::new(BindingController::new(Box::new(FilterScoreScheduler::default()))))
            .controller(Arc::new(EndpointSliceController::default()))
            .controller(Arc::new(NodeLifecycleController::new(Arc::clone(store), NodeLifecycleConfig::default())))
            .controller(Arc::new(GarbageController::new(Arc::clone(store))))
            .controller(Arc::new(ServiceProxyController::new(proxy, None)))
            .start()
    }

    /// By which the cluster's objects are read and written.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Makes a namespace if it is not there.
    pub(crate) async fn ensure_namespace(&self, name: &str) -> Result<(), ClientError> {
        let metadata = ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() };
        match self.client.create(Namespace { metadata, ..Namespace::default() }).await {
            Ok(_) | Err(ClientError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Stops everything that was started: first what could start something anew, then the containers, gracefully.
    /// Returns what could not be stopped. With `forget`, nothing of the containers is left in the state folder.
    pub(crate) async fn stop(self, forget: bool) -> Vec<RuntimeError> {
        join_all(self.engines.into_iter().map(EngineHandle::shutdown)).await;
        let stopped = join_all(self.runtimes.iter().map(|runtime| stop_pods(runtime, forget))).await;
        // The process ends next, and with it every socket that the proxy still has.
        if let Err(error) = self.proxy.clear().await {
            tracing::warn!(%error, "the service proxy was not cleared");
        }
        stopped.into_iter().flatten().collect()
    }
}

async fn open_runtime(layout: &Layout, node: u8) -> Result<ProcessRuntime, StartError> {
    let mut config = ProcessConfig::new(layout.node_dir(node));
    config.addresses = Some(layout.pod_addresses(node).parse()?);
    ProcessRuntime::open(config).await.map_err(|source| StartError::Runtime { node: node_name(node), source })
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

/// Where containers look for programs: beside this one, then where this one would.
fn search_path() -> String {
    let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = beside.into_iter().chain(std::env::split_paths(&path)).collect();
    let joined = std::env::join_paths(folders).unwrap_or_else(|_| OsString::from(&path));
    joined.to_string_lossy().into_owned()
}

/// Why a cluster could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StartError {
    /// The runtime of a node.
    #[error("cannot start {node}: {source} (another folder is chosen by --state-dir)")]
    Runtime { node: String, source: RuntimeError },
    /// What an earlier run left.
    #[error("cannot stop what an earlier run left: {0}")]
    Leftovers(RuntimeError),
    /// The composition.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The layout.
    #[error(transparent)]
    Addresses(#[from] AddressRangeError),
    /// The name of a node.
    #[error(transparent)]
    Node(#[from] KeyError),
    /// The first objects.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}
