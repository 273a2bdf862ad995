//! The composition: which implementation stands behind which contract.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use orch_controllers::backoff::Backoff;
use orch_controllers::binding::BindingController;
use orch_controllers::deployment::DeploymentController;
use orch_controllers::endpoint_slice::EndpointSliceController;
use orch_controllers::engine::{Engine, EngineError, EngineHandle, RunOptions};
use orch_controllers::garbage::GarbageController;
use orch_controllers::namespace::NamespaceController;
use orch_controllers::node_agent::{ImageCollection, NodeAgentConfig, NodeAgentController};
use orch_controllers::node_lifecycle::{NodeLifecycleConfig, NodeLifecycleController};
use orch_controllers::replica_set::ReplicaSetController;
use orch_controllers::service_address::{
    AllocatorConfigError, ServiceAddressConfig, ServiceAddressController, ServiceAllocator,
};
use orch_controllers::service_proxy::ServiceProxyController;
use orch_controllers::static_pods::{PodFolder, PodSource as _, PodSourceError, StaticPodConfig, StaticPodController};
use orch_core::client::{Client, ClientError};
use orch_core::clock::SystemClock;
use orch_core::entropy::SeededEntropy;
use orch_core::key::KeyError;
use orch_core::object::{Namespace, ObjectMeta, Quantity};
use orch_core::proxy::ServiceProxy as _;
use orch_core::runtime::RuntimeError;
use orch_net::{UserspaceConfig, UserspaceProxy};
use orch_sched::FilterScoreScheduler;
use tokio::time::{sleep, timeout};

use crate::api::{Api, ServeError};
use crate::cli::{Node, PodOptions, Up};
use crate::layout::{Layout, node_name};
use crate::machine::Machine;
use crate::retire::retire_nodes;
use crate::runtimes::{ImportError, OpenError, RuntimeKind, Runtimes};
use crate::show::{ShowController, Voice};
use crate::store::{StoreChoice, StoreOpenError};
use crate::tenancy::{Leftovers, Tenancy, TenancyError};

/// A running cluster: a control plane, nodes, and the proxy of the machine that they share.
#[derive(Debug)]
pub(crate) struct Cluster {
    client: Client,
    allocator: Arc<ServiceAllocator>,
    services: ServiceAddressConfig,
    proxy: Arc<UserspaceProxy>,
    runtimes: Runtimes,
    engines: Vec<EngineHandle>,
    tenancy: Tenancy,
    /// Answers what people ask.
    api: Option<Api>,
}

/// One for each pod that a node may have, and one for the node: a worker is taken for as long as a container is given to
/// end.
const AGENT_WORKERS: NonZeroUsize = NonZeroUsize::new(111).expect("not zero");
/// How long an agent waits at most before it tries again what failed: when the store was away for long, the nodes must
/// be heard of before they count as lost.
const AGENT_BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };
/// How long those who were started first get to look before others are started, who hear too of what is said later.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// How long the engines get to stop: their actions are short but for the stopping of containers, which goes on after.
const ENGINE_STOP: Duration = Duration::from_secs(2);
/// How often the folder of static pods is looked at: somebody may sit before it.
const CHECK_FOLDER_EVERY: Duration = Duration::from_secs(1);

impl Cluster {
    /// Starts a cluster as the options say; `show` looks at everything that happens in it.
    pub(crate) async fn start(
        layout: &Layout,
        options: &Up,
        show: ShowController,
        voice: &Voice,
    ) -> Result<Self, StartError> {
        let mut cluster = Self::prepare(layout, options.nodes, &options.store(), &options.pods, voice).await?;
        // What the store says may be how things were before this program was stopped. So the agents say first what is so,
        // then the control plane makes all else agree with it, and only that is shown.
        cluster.start_agents()?;
        cluster.serve(layout)?;
        cluster.first_look().await;
        cluster.engines.push(cluster.control_plane()?);
        cluster.first_look().await;
        cluster.show(show)
    }

    /// Starts one node without a control plane, with the pods of a folder.
    pub(crate) async fn start_node(
        layout: &Layout,
        options: &Node,
        show: ShowController,
        voice: &Voice,
    ) -> Result<Self, StartError> {
        let folder = PodFolder::new(&options.static_pods);
        // With nothing known of any pod, the agent would end all that run.
        if let Err(error) = folder.files().await {
            return Err(StartError::Folder { path: options.static_pods.clone(), error });
        }
        let mut cluster = Self::prepare(layout, 1, &StoreChoice::StaticPods, &options.pods, voice).await?;
        // For the same reason the pods are in the store before the agent looks.
        cluster.start_static_pods(folder).await?;
        cluster.start_agents()?;
        cluster.serve(layout)?;
        cluster.first_look().await;
        cluster.show(show)
    }

    /// Opens what everything else stands on, and deals with what earlier runs left.
    async fn prepare(
        layout: &Layout,
        nodes: u8,
        store: &StoreChoice,
        options: &PodOptions,
        voice: &Voice,
    ) -> Result<Self, StartError> {
        // First, since it keeps every other process out of the folder.
        let choice = options.runtime_at(options.runtime);
        let runtimes = Runtimes::open(layout, nodes, &choice, |kind| options.runtime_at(kind)).await?;
        let opened = store.open(layout.state_dir()).await?;
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SeededEntropy::from_os()));
        let client = Client::new(Arc::clone(&opened) as _, clock.clone(), entropy.clone());
        let services =
            ServiceAddressConfig { ranges: vec![layout.service_addresses()], ..ServiceAddressConfig::default() };
        let allocator = Arc::new(ServiceAllocator::new(opened, clock, entropy, services.clone())?);
        let (tenancy, leftovers) = Tenancy::begin(&client, layout.state_dir(), store).await?;
        let proxy = Arc::new(UserspaceProxy::new(UserspaceConfig::default()));
        let mut cluster =
            Self { client, allocator, services, proxy, runtimes, engines: Vec::new(), tenancy, api: None };
        cluster.sort_out(leftovers, store, voice).await?;
        cluster.retire_others(voice).await?;
        for archive in &options.image_archive {
            cluster.runtimes.import(archive, voice).await?;
        }
        Ok(cluster)
    }

    /// Answers people.
    fn serve(&mut self, layout: &Layout) -> Result<(), ServeError> {
        let (nodes, objects) = (self.runtimes.nodes().to_vec(), Arc::clone(self.client.store()));
        self.api = Some(Api::serve(layout.socket(), nodes, objects)?);
        Ok(())
    }

    /// From now on what happens is shown.
    fn show(mut self, show: ShowController) -> Result<Self, StartError> {
        self.engines.push(Engine::builder(self.client.clone()).controller(Arc::new(show)).start()?);
        Ok(self)
    }

    /// Makes the pods of the folder, and returns when those that it has now are in the store.
    async fn start_static_pods(&mut self, folder: PodFolder) -> Result<(), StartError> {
        let mut config = StaticPodConfig::new(node_name(1));
        config.check_every = CHECK_FOLDER_EVERY;
        let controller = Arc::new(StaticPodController::new(config, Arc::new(folder))?);
        let engine = Engine::builder(self.client.clone()).stop_within(ENGINE_STOP);
        let options = RunOptions { budget: None, ..RunOptions::default() };
        let engine = engine.controller_with(Arc::clone(&controller) as _, options).start()?;
        while !(controller.has_looked() && engine.is_idle()) {
            sleep(Duration::from_millis(5)).await;
        }
        self.engines.push(engine);
        Ok(())
    }

    /// Deals with what still runs from the folder: this cluster's pods are left to the agents, everything else is ended
    /// before anything is started anywhere.
    async fn sort_out(&mut self, leftovers: Leftovers, store: &StoreChoice, voice: &Voice) -> Result<(), StartError> {
        let running = self.runtimes.running().await.map_err(StartError::Leftovers)?;
        match leftovers {
            Leftovers::Own if running > 0 => voice.say(&format!("{running} pods still run and go on")),
            Leftovers::Own => {}
            Leftovers::Others(other) if running > 0 && store.is_durable() => {
                return Err(StartError::OtherStore { running, other });
            }
            Leftovers::Nobodys | Leftovers::Others(_) => {
                if running > 0 {
                    voice.say(&format!("stopping {running} pods of an earlier run, which no object asks for any more"));
                }
                self.runtimes.clear().await.map_err(StartError::Leftovers)?;
            }
        }
        Ok(self.tenancy.settle()?)
    }

    /// Takes the nodes that an earlier run had and this one has not out of the cluster, before what ran on them is
    /// started elsewhere.
    async fn retire_others(&mut self, voice: &Voice) -> Result<(), StartError> {
        self.runtimes.clear_former().await.map_err(StartError::Leftovers)?;
        let names = self.runtimes.nodes().iter().map(|node| node.name().to_owned()).collect();
        for node in retire_nodes(&self.client, &names).await? {
            voice.say(&format!("{node} is no more, and what ran on it is stopped"));
        }
        Ok(())
    }

    /// Starts an agent for each node.
    fn start_agents(&mut self) -> Result<(), StartError> {
        let machine = Machine::measure();
        let nodes = i64::try_from(self.runtimes.nodes().len()).unwrap_or(i64::MAX);
        for node in self.runtimes.nodes() {
            let mut config = NodeAgentConfig::new(node.name(), IpAddr::V4(Ipv4Addr::LOCALHOST));
            config.capacity.insert("cpu".to_owned(), Quantity::from_millis(machine.cpu_millis / nodes));
            config.capacity.insert("memory".to_owned(), Quantity::from_binary(machine.memory_bytes / nodes));
            // A machine that people work on may be rather full, and this is not its only purpose.
            config.thresholds.disk_percent = 2;
            config.thresholds.inodes_percent = 2;
            config.image_collection =
                ImageCollection { high_percent: 97, low_percent: 95, ..ImageCollection::default() };
            config.container_id_prefix = node.kind().word().to_owned();
            config.system.container_runtime_version = node.version().to_owned();
            if node.kind() == RuntimeKind::Process {
                config.environment.push(("PATH".to_owned(), search_path()));
            }
            let agent = NodeAgentController::new(config, node.parts(), Arc::clone(self.client.store()))?;
            let options = RunOptions { workers: AGENT_WORKERS, backoff: AGENT_BACKOFF, budget: None };
            let engine = Engine::builder(self.client.clone()).stop_within(ENGINE_STOP);
            self.engines.push(engine.controller_with(Arc::new(agent), options).start()?);
        }
        Ok(())
    }

    /// Waits until everything that was started has looked at everything that there is, and has no more to say.
    async fn first_look(&self) {
        let looked = async {
            for engine in &self.engines {
                engine.listed().await;
                while !engine.is_idle() {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        };
        // Whoever does something slow has said so before, and the others need not wait for it.
        let _ = timeout(FIRST_LOOK, looked).await;
    }

    fn control_plane(&self) -> Result<EngineHandle, EngineError> {
        let (store, proxy) = (self.client.store(), Arc::clone(&self.proxy));
        Engine::builder(self.client.clone())
            .stop_within(ENGINE_STOP)
            .controller(Arc::new(NamespaceController::new(Arc::clone(store))))
            .controller(Arc::new(DeploymentController))
            .controller(Arc::new(ReplicaSetController))
            .controller(Arc::new(BindingController::new(Box::new(FilterScoreScheduler::default()))))
            .controller(Arc::new(EndpointSliceController::default()))
            .controller(Arc::new(NodeLifecycleController::new(Arc::clone(store), NodeLifecycleConfig::default())))
            .controller(Arc::new(ServiceAddressController::new(Arc::clone(store), self.services.clone())))
            .controller(Arc::new(GarbageController::new(Arc::clone(store))))
            .controller(Arc::new(ServiceProxyController::new(proxy, None)))
            .start()
    }

    /// By which the cluster's objects are read and written.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// By which its services are written.
    pub(crate) fn allocator(&self) -> &Arc<ServiceAllocator> {
        &self.allocator
    }

    /// Makes a namespace if it is not there.
    pub(crate) async fn ensure_namespace(&self, name: &str) -> Result<(), ClientError> {
        let metadata = ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() };
        match self.client.create(Namespace { metadata, ..Namespace::default() }).await {
            Ok(_) | Err(ClientError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What ties the cluster to its state folder.
    pub(crate) fn tenancy(&self) -> &Tenancy {
        &self.tenancy
    }

    /// Stops everything that was started: first what could start something anew, then the containers, gracefully.
    /// Returns what could not be done. With `forget`, nothing of the containers is left in the state folder.
    pub(crate) async fn stop(self, forget: bool) -> Vec<StopError> {
        drop(self.api);
        join_all(self.engines.into_iter().map(EngineHandle::shutdown)).await;
        let mut left: Vec<_> = self.runtimes.stop(forget).await.into_iter().map(StopError::Container).collect();
        // The process ends next, and with it every socket that the proxy still has.
        if let Err(error) = self.proxy.clear().await {
            tracing::warn!(%error, "the service proxy was not cleared");
        }
        if left.is_empty() {
            left.extend(self.tenancy.end().await.err().map(StopError::Tenancy));
        }
        left
    }
}

/// Where containers look for programs: beside this one, then where this one would.
fn search_path() -> String {
    let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = beside.into_iter().chain(std::env::split_paths(&path)).collect();
    let joined = std::env::join_paths(folders).unwrap_or_else(|_| OsString::from(&path));
    joined.to_string_lossy().into_owned()
}

impl From<ImportError> for StartError {
    fn from(error: ImportError) -> Self {
        Self::Import(Box::new(error))
    }
}

/// Why a cluster could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StartError {
    /// The runtimes of the nodes.
    #[error(transparent)]
    Runtimes(#[from] OpenError),
    /// What answers people.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The images.
    #[error(transparent)]
    Import(Box<ImportError>),
    /// The folder of static pods.
    #[error("{}: {error}; a folder without manifests is enough to start with", path.display())]
    Folder { path: PathBuf, error: PodSourceError },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    /// The state folder and the store do not belong together.
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    /// What runs from the state folder belongs to another store.
    #[error(
        "{running} pods still run from this state folder whose objects are in another store, {other}: start {}, or choose \
         another --state-dir; `k8s-like up --store memory` stops them",
        if *other == StoreChoice::StaticPods.to_string() {
            "`k8s-like node` with that folder".to_owned()
        } else {
            format!("`k8s-like up` with --store {other}")
        }
    )]
    OtherStore { running: usize, other: String },
    /// What an earlier run left.
    #[error("cannot stop what an earlier run left: {0}")]
    Leftovers(RuntimeError),
    /// What gives services their addresses.
    #[error(transparent)]
    Services(#[from] AllocatorConfigError),
    /// The composition.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The name of a node.
    #[error(transparent)]
    Node(#[from] KeyError),
    /// The first objects.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// What could not be done when a cluster was stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StopError {
    /// A container still runs.
    #[error(transparent)]
    Container(RuntimeError),
    /// Everything is stopped, but the store was not told.
    #[error("everything is stopped, but not on record as such: {0}; start again from the same state folder")]
    Tenancy(TenancyError),
}
