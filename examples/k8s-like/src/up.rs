//! `k8s-like up`: a cluster that follows a manifest until it is told to stop.

use std::process::ExitCode;

use crate::cli::Up;
use crate::control_plane::{ControlPlane, ControlPlaneConfig};
use crate::follow::Follower;
use crate::layout::Layout;
use crate::lifetime::{Signals, failed, stop};
use crate::nodes::Nodes;
use crate::proxy::{ProxyContext, ProxyHandle, lacking};
use crate::pulse;
use crate::retire::retire_nodes;
use crate::runtimes::{LocalNode, RuntimeKind, Runtimes};
use crate::show::{Sight, Voice, show};
use crate::start_error::StartError;
use crate::store::{StoreChoice, client_of};
use crate::tenancy::Tenant;

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn up(options: Up) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot listen for signals: {error}")),
    };
    let mut manifest = match Follower::open(options.file.clone(), &options.namespace).await {
        Ok(manifest) => manifest,
        Err(error) => return failed(&error.to_string()),
    };
    let layout = Layout::chosen(options.pods.state_dir.as_deref(), &options.file);
    let (show, voice, shown) = show(Sight::Everything);
    let shown = tokio::spawn(shown);
    let store = options.store();
    let start = async {
        let (mut nodes, control_plane) = start(&layout, &options, &voice).await?;
        nodes.show(show)?;
        Ok((nodes, control_plane))
    };
    let (nodes, control_plane) = match signals.started(start).await {
        Ok(started) => started,
        Err(code) => return code,
    };
    let count = if options.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", options.nodes) };
    let state_dir = layout.state_dir().display();
    let runtime = options.pods.runtime_at(options.pods.runtime);
    voice
        .say(&format!("{count}, pods as {runtime}, objects in {store}, state in {state_dir}; Ctrl-C stops everything"));
    tokio::select! {
        biased;
        () = signals.any() => {}
        () = manifest.follow(&control_plane, &voice) => {}
        () = pulse::follow(async || nodes.tenancy().holds().await, &voice), if store.is_durable() => {
            return lost(nodes, &store);
        }
    }
    let leaves_nothing = options.pods.state_dir.is_none() && !store.is_in_state_dir();
    let forget = leaves_nothing.then(|| layout.state_dir());
    let stopped = stop(nodes.stop(forget.is_some()), &mut signals, &voice, &store, forget).await;
    drop((control_plane, voice));
    // What was said last is shown before the program ends.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), shown).await;
    stopped
}

/// Starts a cluster as the options say.
async fn start(layout: &Layout, options: &Up, voice: &Voice) -> Result<(Nodes, ControlPlane), StartError> {
    let (kind, pods) = (options.proxy, &options.pods);
    kind.check(pods.runtime, true)?;
    if let Some(trouble) = lacking(kind, pods.runtime == RuntimeKind::Docker) {
        voice.say(&format!("warning: {trouble}"));
    }
    let local: Vec<LocalNode> = (1..=options.nodes).map(|number| layout.node(number)).collect();
    // First, since it keeps every other process out of the folder.
    let runtimes = Runtimes::open(layout, &local, pods).await?;
    let choice = options.store();
    let store = choice.open(layout.state_dir()).await?;
    let client = client_of(&store);
    let services = if kind.is_kernels() { layout.kernel_service_addresses() } else { layout.service_addresses() };
    let config = ControlPlaneConfig { scheduler: options.scheduler, ..ControlPlaneConfig::default() };
    let control_plane = ControlPlane::new(store, services, config)?;
    let mut nodes = Nodes::open(layout, runtimes, client.clone(), (Tenant::Cluster, &choice), pods, voice).await?;
    // Before what ran on nodes that an earlier run had, and this one has not, is started elsewhere.
    for node in retire_nodes(&client, &local.into_iter().map(|node| node.name).collect()).await? {
        voice.say(&format!("{node} is no more, and what ran on it is stopped"));
    }
    // What the store says may be how things were before this program was stopped. So the agents say first what is so, then
    // the control plane makes all else agree with it, and only that is shown.
    nodes.start_names(voice).await?;
    nodes.start_agents()?;
    nodes.serve(layout)?;
    nodes.first_look().await;
    nodes.along(control_plane.start()?);
    let pods = kind.is_kernels().then(|| layout.pod_networks());
    let context = ProxyContext { services, pods, node: None, check_every: None };
    nodes.start_proxy(ProxyHandle::open(kind, layout, &context).await?, None)?;
    nodes.first_look().await;
    Ok((nodes, control_plane))
}

/// Leaves everything as it is: it is another one's now.
fn lost(nodes: Nodes, store: &StoreChoice) -> ExitCode {
    drop(nodes);
    eprintln!("error: the cluster in {store} does not run from this state folder any more: its lease was taken away");
    eprintln!("error: containers may still run; whoever has the cluster now knows nothing of them");
    ExitCode::FAILURE
}
