//! `k8s-like node --name`: a node of a cluster on several hosts.

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use nix::unistd::geteuid;
use orch_controllers::node_agent::Heartbeat;
use orch_core::client::Client;
use orch_core::network::Cidr;

use super::address::own_address;
use super::docker_firewall;
use super::leave::leave;
use super::network::{PodNetworkKind, link_mtu};
use super::register::{Registration, come_back, register};
use crate::causes::with_causes;
use crate::charter::Charter;
use crate::cli::{Member, PodOptions};
use crate::layout::Layout;
use crate::lifetime::{Signals, failed, stop};
use crate::nodes::Nodes;
use crate::proxy::{ProxyContext, ProxyHandle};
use crate::pulse;
use crate::routes::{RoutesHandle, RoutesKind};
use crate::runtimes::{LocalNode, RuntimeKind, Runtimes};
use crate::show::{Sight, Voice, show};
use crate::start_error::StartError;
use crate::store::client_of;
use crate::tenancy::Tenant;

/// How often a node is heard of in the time for which its lease counts.
const RENEWALS: u32 = 4;

/// Runs until Ctrl-C or SIGTERM.
pub(super) async fn member(member: &Member, options: &PodOptions) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot listen for signals: {error}")),
    };
    let Member { name, store, .. } = member;
    // Of the same node of the same cluster the same one.
    let layout = Layout::chosen(options.state_dir.as_deref(), Path::new(&format!("/{store}/{name}")));
    let (show, voice, shown) = show(Sight::Node(name.clone()));
    let shown = tokio::spawn(shown);
    let start = async {
        let (mut nodes, client) = start(&layout, member, options, &voice).await?;
        nodes.show(show)?;
        Ok((nodes, client))
    };
    let (nodes, client) = match signals.started(start).await {
        Ok(started) => started,
        Err(code) => return code,
    };
    let (runtime, state_dir) = (options.runtime_at(options.runtime), layout.state_dir().display());
    voice.say(&format!(
        "node {name} of the cluster in {store}, pods as {runtime}, state in {state_dir}; Ctrl-C ends its pods"
    ));
    tokio::select! {
        biased;
        () = signals.any() => {}
        () = pulse::follow(async || nodes.tenancy().holds().await, &voice) => return lost(nodes, name),
    }
    let forget = options.state_dir.is_none().then(|| layout.state_dir());
    let end = async {
        if let Err(error) = leave(&client, name).await {
            let error = with_causes(&error);
            voice.say(&format!("the cluster was not told ({error}): it learns it when it hears nothing of {name}"));
        }
        nodes.stop(forget.is_some()).await
    };
    let stopped = stop(end, &mut signals, &voice, store, forget).await;
    drop(voice);
    // What was said last is shown before the program ends.
    let _ = tokio::time::timeout(Duration::from_secs(1), shown).await;
    stopped
}

/// Joins the cluster.
async fn start(
    layout: &Layout,
    member: &Member,
    options: &PodOptions,
    voice: &Voice,
) -> Result<(Nodes, Client), StartError> {
    let Member { name, store, .. } = member;
    if !store.is_shared() {
        return Err(StartError::NotShared(store.clone()));
    }
    let network = Network::chosen(member, options.runtime)?;
    let client = client_of(&store.open(layout.state_dir()).await?);
    let Registration { charter, range } = register(&client, name, voice).await?;
    let local = network.node(name, range).await?;
    let runtimes = Runtimes::open(layout, &[local], options).await?;
    let tenant = (Tenant::Node(name.clone()), store);
    let mut nodes = Nodes::open(layout, runtimes, client.clone(), tenant, options, voice).await?;
    if let Some(lease_duration) = member.node_lease_duration {
        let usual = Heartbeat::default();
        nodes.beat(Heartbeat { lease_duration, renew_every: lease_duration / RENEWALS, ..usual });
    }
    nodes.start_names(voice).await?;
    // What the store says may be how things were before this program was stopped, so the agent says first what is so.
    nodes.start_agents()?;
    nodes.serve(layout)?;
    network.start(layout, member, charter, &mut nodes).await?;
    if network.is_bridged
        && options.runtime == RuntimeKind::Docker
        && let Some(trouble) = docker_firewall::in_the_way(&layout.bridge(1)).await
    {
        voice.say(&format!("warning: {trouble}"));
    }
    nodes.first_look().await;
    come_back(&client, name).await?;
    Ok((nodes, client))
}

/// How pods of this node, and those of others, reach one another.
struct Network {
    ip: IpAddr,
    is_bridged: bool,
    routes: RoutesKind,
}

impl Network {
    /// Before anything is started: what was chosen, if it can be had.
    fn chosen(member: &Member, runtime: RuntimeKind) -> Result<Self, StartError> {
        let ip = own_address(member.node_ip)?;
        let is_bridged = PodNetworkKind::chosen(member.pod_network, runtime, ip)? == PodNetworkKind::Bridge;
        member.proxy.check(runtime, ip.is_loopback() && !is_bridged)?;
        // At a loopback address no other host is reached.
        let by_default = if geteuid().is_root() && !ip.is_loopback() { RoutesKind::Direct } else { RoutesKind::None };
        let routes = member.pod_routes.unwrap_or(by_default);
        routes.check()?;
        Ok(Self { ip, is_bridged, routes })
    }

    /// This node, to which a control plane gave this range of pod addresses.
    async fn node(&self, name: &str, range: Cidr) -> Result<LocalNode, StartError> {
        let Self { ip, is_bridged, routes } = *self;
        let link = link_mtu(ip).await.map_err(StartError::Link)?;
        let mtu = link.and_then(|link| routes.pod_mtu(link));
        Ok(LocalNode { number: 1, name: name.to_owned(), ip, loopback: None, subnet: range, is_bridged, mtu })
    }

    /// Starts what a node does for pods to reach one another and services.
    async fn start(
        &self,
        layout: &Layout,
        member: &Member,
        Charter { services, pods }: Charter,
        nodes: &mut Nodes,
    ) -> Result<(), StartError> {
        nodes.start_routes(RoutesHandle::open(self.routes, layout, member.sync_period).await?)?;
        let context = ProxyContext { services, pods: Some(pods), node: Some(self.ip), check_every: member.sync_period };
        nodes.start_proxy(ProxyHandle::open(member.proxy, layout, &context).await?, Some(member.name.clone()))
    }
}

/// Leaves everything as it is: it is another one's now.
fn lost(nodes: Nodes, name: &str) -> ExitCode {
    drop(nodes);
    eprintln!("error: node {name} does not run from this state folder any more: its lease was taken away");
    eprintln!("error: containers may still run; whoever is {name} now knows nothing of them");
    ExitCode::FAILURE
}
