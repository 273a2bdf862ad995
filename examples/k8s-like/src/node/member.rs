//! `k8s-like node --name`: a node of a cluster on several hosts.

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use orch_core::client::Client;
use orch_core::network::Cidr;

use super::address::own_address;
use super::leave::leave;
use super::register::{Registration, come_back, register};
use crate::causes::with_causes;
use crate::charter::Charter;
use crate::cli::{Member, PodOptions};
use crate::layout::Layout;
use crate::lifetime::{Signals, failed, stop};
use crate::names::NodeNames;
use crate::nodes::Nodes;
use crate::proxy::{ProxyHandle, Ranges, lacking};
use crate::pulse;
use crate::runtimes::{LocalNode, RuntimeKind, Runtimes};
use crate::show::{Sight, Voice, show};
use crate::start_error::StartError;
use crate::store::client_of;
use crate::tenancy::Tenant;

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
    let Member { name, store, node_ip, proxy } = member;
    if !store.is_shared() {
        return Err(StartError::NotShared(store.clone()));
    }
    let ip = own_address(*node_ip)?;
    proxy.check(options.runtime, ip.is_loopback())?;
    let client = client_of(&store.open(layout.state_dir()).await?);
    let Registration { charter, range } = register(&client, name, voice).await?;
    let local = LocalNode::member(name.clone(), ip, range);
    let runtimes = Runtimes::open(layout, &[local], options).await?;
    let tenant = (Tenant::Node(name.clone()), store);
    let mut nodes = Nodes::open(layout, runtimes, client.clone(), tenant, options, voice).await?;
    // What the store says may be how things were before this program was stopped, so the agent says first what is so.
    nodes.start_agents()?;
    nodes.serve(layout)?;
    start_network(layout, member, options, &mut nodes, (charter, range, ip), voice).await?;
    nodes.first_look().await;
    come_back(&client, name).await?;
    Ok((nodes, client))
}

/// Starts all that a node does for pods to reach one another and services, by address and by name.
async fn start_network(
    layout: &Layout,
    member: &Member,
    options: &PodOptions,
    nodes: &mut Nodes,
    (charter, range, ip): (Charter, Cidr, IpAddr),
    voice: &Voice,
) -> Result<(), StartError> {
    for trouble in lacking(member.proxy, options.runtime) {
        voice.say(&format!("warning: {trouble}"));
    }
    let ranges = Ranges { services: charter.services, pods: Some(charter.pods), node: Some(ip) };
    nodes.start_proxy(ProxyHandle::open(member.proxy, layout, &ranges).await?, Some(member.name.clone()))?;
    // Others have no address of the node's range to ask at.
    if options.runtime == RuntimeKind::Containerd {
        match NodeNames::open(range).await {
            Ok(names) => nodes.start_names(names)?,
            Err(error) => voice.say(&format!("warning: pods are not answered for names: {}", with_causes(&error))),
        }
    }
    Ok(())
}

/// Leaves everything as it is: it is another one's now.
fn lost(nodes: Nodes, name: &str) -> ExitCode {
    drop(nodes);
    eprintln!("error: node {name} does not run from this state folder any more: its lease was taken away");
    eprintln!("error: containers may still run; whoever is {name} now knows nothing of them");
    ExitCode::FAILURE
}
