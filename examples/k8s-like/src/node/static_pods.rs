//! `k8s-like node --static-pods`: one node with the pods of a folder, and nothing above it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use orch_controllers::engine::{Engine, RunOptions};
use orch_controllers::static_pods::{PodFolder, PodSource as _, StaticPodConfig, StaticPodController};
use orch_core::client::Client;
use tokio::time::sleep;

use crate::cli::PodOptions;
use crate::layout::{Layout, node_name};
use crate::lifetime::{Signals, failed, stop};
use crate::nodes::{ENGINE_STOP, Nodes};
use crate::runtimes::Runtimes;
use crate::show::{Sight, Voice, show};
use crate::start_error::StartError;
use crate::store::{StoreChoice, client_of};
use crate::tenancy::Tenant;

/// How often the folder of static pods is looked at: somebody may sit before it.
const CHECK_FOLDER_EVERY: Duration = Duration::from_secs(1);

/// Runs until Ctrl-C or SIGTERM.
pub(super) async fn static_pods(folder: &Path, options: &PodOptions) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot listen for signals: {error}")),
    };
    let layout = Layout::chosen(options.state_dir.as_deref(), folder);
    let (show, voice, shown) = show(Sight::Everything);
    let shown = tokio::spawn(shown);
    let start = async {
        let mut nodes = start(&layout, folder, options, &voice).await?;
        nodes.show(show)?;
        Ok(nodes)
    };
    let nodes = match signals.started(start).await {
        Ok(nodes) => nodes,
        Err(code) => return code,
    };
    let (place, state_dir) = (folder.display(), layout.state_dir().display());
    let runtime = options.runtime_at(options.runtime);
    voice.say(&format!("1 node, pods of {place} as {runtime}, state in {state_dir}; Ctrl-C stops everything"));
    signals.any().await;
    let forget = options.state_dir.is_none().then(|| layout.state_dir());
    let stopped = stop(nodes.stop(forget.is_some()), &mut signals, &voice, &StoreChoice::StaticPods, forget).await;
    drop(voice);
    // What was said last is shown before the program ends.
    let _ = tokio::time::timeout(Duration::from_secs(1), shown).await;
    stopped
}

async fn start(layout: &Layout, folder: &Path, options: &PodOptions, voice: &Voice) -> Result<Nodes, StartError> {
    let source = PodFolder::new(folder);
    // With nothing known of any pod, the agent would end all that run.
    if let Err(error) = source.files().await {
        return Err(StartError::Folder { path: folder.to_owned(), error });
    }
    let runtimes = Runtimes::open(layout, &[layout.node(1)], options).await?;
    let choice = StoreChoice::StaticPods;
    let client = client_of(&choice.open(layout.state_dir()).await?);
    let mut nodes = Nodes::open(layout, runtimes, client.clone(), (Tenant::Cluster, &choice), options, voice).await?;
    // For the same reason the pods are in the store before the agent looks.
    make_pods(&mut nodes, client, source).await?;
    nodes.start_agents()?;
    nodes.serve(layout)?;
    nodes.first_look().await;
    Ok(nodes)
}

/// Makes the pods of the folder, and returns when those that it has now are in the store.
async fn make_pods(nodes: &mut Nodes, client: Client, folder: PodFolder) -> Result<(), StartError> {
    let mut config = StaticPodConfig::new(node_name(1));
    config.check_every = CHECK_FOLDER_EVERY;
    let controller = Arc::new(StaticPodController::new(config, Arc::new(folder))?);
    let engine = Engine::builder(client).stop_within(ENGINE_STOP);
    let options = RunOptions { budget: None, ..RunOptions::default() };
    let engine = engine.controller_with(Arc::clone(&controller) as _, options).start()?;
    while !(controller.has_looked() && engine.is_idle()) {
        sleep(Duration::from_millis(5)).await;
    }
    nodes.along(engine);
    Ok(())
}
