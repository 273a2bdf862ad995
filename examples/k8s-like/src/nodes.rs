//! [`Nodes`]: the nodes of this process.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use orch_controllers::backoff::Backoff;
use orch_controllers::engine::{Engine, EngineHandle, RunOptions};
use orch_controllers::node_agent::{ClusterDns, Heartbeat, ImageCollection, NodeAgentConfig, NodeAgentController};
use orch_controllers::pod_routes::PodRoutesController;
use orch_controllers::service_proxy::ServiceProxyController;
use orch_core::client::Client;
use orch_core::dns::Zone;
use orch_core::object::Quantity;
use tokio::time::{sleep, timeout};

use crate::api::Api;
use crate::causes::with_causes;
use crate::cli::PodOptions;
use crate::layout::Layout;
use crate::machine::Machine;
use crate::names::{NodeNames, name_server};
use crate::proxy::ProxyHandle;
use crate::routes::RoutesHandle;
use crate::runtimes::{LocalNode, NodeBundle, RuntimeKind, Runtimes};
use crate::show::{ShowController, Voice};
use crate::start_error::{StartError, StopError};
use crate::store::StoreChoice;
use crate::tenancy::{Leftovers, Tenancy, Tenant};

/// The nodes that run from a state folder: what runs their pods, their agents, what the machine that they share does for the
/// network of pods, and what answers people.
#[derive(Debug)]
pub(crate) struct Nodes {
    client: Client,
    runtimes: Runtimes,
    tenancy: Tenancy,
    engines: Vec<EngineHandle>,
    proxy: Option<ProxyHandle>,
    routes: Option<RoutesHandle>,
    names: Names,
    heartbeat: Heartbeat,
    /// Answers what people ask.
    api: Option<Api>,
}

/// How pods of this machine find names of the cluster.
#[derive(Debug)]
enum Names {
    /// Not at all, by design: nobody would reach a name server of theirs alone, or there are no services.
    None,
    /// Not at all, although they should.
    Failed,
    /// They ask at their gateways.
    Answered(NodeNames),
}

/// How long engines get to stop: their actions are short but for the stopping of containers, which goes on after.
pub(crate) const ENGINE_STOP: Duration = Duration::from_secs(2);

/// One for each pod that a node may have, and one for the node: a worker is taken for as long as a container is given to
/// end.
const AGENT_WORKERS: NonZeroUsize = NonZeroUsize::new(111).expect("not zero");
/// How long an agent waits at most before it tries again what failed: when the store was away for long, the nodes must
/// be heard of before they count as lost.
const AGENT_BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };
/// How long those who were started first get to look before others are started, who hear too of what is said later.
const FIRST_LOOK: Duration = Duration::from_secs(5);

impl Nodes {
    /// Deals with what earlier runs left in the state folder that `runtimes` are opened from, and makes everything ready to
    /// run pods for this tenant.
    pub(crate) async fn open(
        layout: &Layout,
        runtimes: Runtimes,
        client: Client,
        (tenant, store): (Tenant, &StoreChoice),
        options: &PodOptions,
        voice: &Voice,
    ) -> Result<Self, StartError> {
        let (tenancy, leftovers) = Tenancy::begin(&client, layout.state_dir(), tenant, store).await?;
        let (engines, proxy, routes, api) = Default::default();
        let (names, heartbeat) = (Names::None, Heartbeat::default());
        let mut nodes = Self { client, runtimes, tenancy, engines, proxy, routes, names, heartbeat, api };
        nodes.sort_out(leftovers, store, voice).await?;
        nodes.runtimes.clear_former().await.map_err(StartError::Leftovers)?;
        for archive in &options.image_archive {
            nodes.runtimes.import(archive, voice).await?;
        }
        Ok(nodes)
    }

    /// Deals with what still runs from the folder: this tenant's pods are left to the agents, everything else is ended
    /// before anything is started anywhere.
    async fn sort_out(&mut self, leftovers: Leftovers, store: &StoreChoice, voice: &Voice) -> Result<(), StartError> {
        let running = self.runtimes.running().await.map_err(StartError::Leftovers)?;
        match leftovers {
            Leftovers::Own if running > 0 => voice.say(&format!("{running} pods still run and go on")),
            Leftovers::Own => {}
            Leftovers::Others(other) if running > 0 && store.is_durable() => {
                return Err(StartError::OtherTenant { running, other });
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

    /// Starts an agent for each.
    pub(crate) fn start_agents(&mut self) -> Result<(), StartError> {
        let machine = Machine::measure();
        for node in self.runtimes.nodes() {
            let mut config = agent_config(node, machine, self.runtimes.nodes().len());
            config.heartbeat = self.heartbeat;
            config.cluster_dns = self.cluster_dns(node);
            let agent = NodeAgentController::new(config, node.parts(), Arc::clone(self.client.store()))?;
            let options = RunOptions { workers: AGENT_WORKERS, backoff: AGENT_BACKOFF, budget: None };
            let engine = Engine::builder(self.client.clone()).stop_within(ENGINE_STOP);
            self.engines.push(engine.controller_with(Arc::new(agent), options).start()?);
        }
        Ok(())
    }

    /// From now on this machine leads to services. `node` is its name where it is one node.
    pub(crate) fn start_proxy(&mut self, proxy: ProxyHandle, node: Option<String>) -> Result<(), StartError> {
        let controller = ServiceProxyController::new(Arc::clone(proxy.proxy()), node);
        self.proxy = Some(proxy);
        let engine = Engine::builder(self.client.clone()).stop_within(ENGINE_STOP);
        self.engines.push(engine.controller(Arc::new(controller)).start()?);
        Ok(())
    }

    /// From now on this machine, which is one node, leads to pods of others.
    pub(crate) fn start_routes(&mut self, routes: RoutesHandle) -> Result<(), StartError> {
        if let (Some(routes), Some(node)) = (routes.routes(), self.runtimes.nodes().first()) {
            let controller = PodRoutesController::new(Arc::clone(routes), node.name());
            let engine = Engine::builder(self.client.clone()).stop_within(ENGINE_STOP);
            self.engines.push(engine.controller(Arc::new(controller)).start()?);
        }
        self.routes = Some(routes);
        Ok(())
    }

    /// How often nodes show that they are alive, which agents that are started later do.
    pub(crate) fn beat(&mut self, heartbeat: Heartbeat) {
        self.heartbeat = heartbeat;
    }

    /// From now on pods of this machine are answered for names, those that have networks of their own. Their agents, which
    /// are started later, tell them where.
    pub(crate) async fn start_names(&mut self, voice: &Voice) -> Result<(), StartError> {
        let bridged = self.runtimes.nodes().iter().filter(|node| node.has_bridge());
        let bridged: Vec<_> = bridged.collect();
        let Some(first) = bridged.first() else { return Ok(()) };
        let ranges: Vec<_> = bridged.iter().map(|node| node.node().subnet).collect();
        // They share the machine.
        self.names = match NodeNames::open(&ranges, &**first.machine()).await {
            Ok(names) => {
                let engine = Engine::builder(self.client.clone()).stop_within(ENGINE_STOP);
                self.engines.push(engine.controller(names.controller()).start()?);
                Names::Answered(names)
            }
            Err(error) => {
                voice.say(&format!("warning: pods are not answered for names: {}", with_causes(&error)));
                Names::Failed
            }
        };
        Ok(())
    }

    /// Whom pods of a node ask for names of the cluster. `None`: nobody, although they should.
    fn cluster_dns(&self, node: &NodeBundle) -> Option<ClusterDns> {
        let servers = match self.names {
            Names::Answered(_) if node.has_bridge() => vec![name_server(node.node().subnet).ok()?],
            Names::Failed if node.has_bridge() => return None,
            _ => Vec::new(),
        };
        Some(ClusterDns { servers, zone: Zone::default() })
    }

    /// Answers people.
    pub(crate) fn serve(&mut self, layout: &Layout) -> Result<(), StartError> {
        let (nodes, objects) = (self.runtimes.nodes().to_vec(), Arc::clone(self.client.store()));
        self.api = Some(Api::serve(layout.socket(), nodes, objects)?);
        Ok(())
    }

    /// Stops this too when the nodes stop.
    pub(crate) fn along(&mut self, engine: EngineHandle) {
        self.engines.push(engine);
    }

    /// From now on what happens is shown.
    pub(crate) fn show(&mut self, show: ShowController) -> Result<(), StartError> {
        self.engines.push(Engine::builder(self.client.clone()).controller(Arc::new(show)).start()?);
        Ok(())
    }

    /// Waits until everything that was started has looked at everything that there is, and has no more to say.
    pub(crate) async fn first_look(&self) {
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

    /// What ties their pods to the state folder.
    pub(crate) fn tenancy(&self) -> &Tenancy {
        &self.tenancy
    }

    /// Stops everything that was started: first what could start something anew, then the containers, gracefully.
    /// Returns what could not be done. With `forget`, nothing of the containers is left in the state folder.
    pub(crate) async fn stop(self, forget: bool) -> Vec<StopError> {
        drop(self.api);
        join_all(self.engines.into_iter().map(EngineHandle::shutdown)).await;
        let mut left: Vec<_> = self.runtimes.stop(forget).await.into_iter().map(StopError::Container).collect();
        if let Some(proxy) = self.proxy
            && let Err(error) = proxy.clear().await
        {
            tracing::warn!(%error, "the service proxy was not cleared");
        }
        if let Some(routes) = self.routes
            && let Err(error) = routes.clear().await
        {
            tracing::warn!(%error, "routes to pods of other nodes may be left");
        }
        if let Names::Answered(names) = self.names
            && let Err(error) = names.close().await
        {
            tracing::warn!(%error, "the address of the name server may still be this machine's");
        }
        if left.is_empty() {
            left.extend(self.tenancy.end().await.err().map(StopError::Tenancy));
        }
        left
    }
}

/// What the agent of one of so many nodes must know, which share this machine.
fn agent_config(node: &NodeBundle, machine: Machine, nodes: usize) -> NodeAgentConfig {
    let LocalNode { name, ip, .. } = node.node();
    let nodes = i64::try_from(nodes.max(1)).unwrap_or(i64::MAX);
    let mut config = NodeAgentConfig::new(name, *ip);
    config.capacity.insert("cpu".to_owned(), Quantity::from_millis(machine.cpu_millis / nodes));
    config.capacity.insert("memory".to_owned(), Quantity::from_binary(machine.memory_bytes / nodes));
    // A machine that people work on may be rather full, and this is not its only purpose.
    config.thresholds.disk_percent = 2;
    config.thresholds.inodes_percent = 2;
    config.image_collection = ImageCollection { high_percent: 97, low_percent: 95, ..ImageCollection::default() };
    config.container_id_prefix = node.kind().word().to_owned();
    config.system.container_runtime_version = node.version().to_owned();
    if node.kind() == RuntimeKind::Process {
        config.environment.push(("PATH".to_owned(), search_path()));
    }
    config
}

/// Where containers look for programs: beside this one, then where this one would.
fn search_path() -> String {
    let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = beside.into_iter().chain(std::env::split_paths(&path)).collect();
    let joined = std::env::join_paths(folders).unwrap_or_else(|_| OsString::from(&path));
    joined.to_string_lossy().into_owned()
}
