//! `k8s-like node`: one node with the pods of a folder, until it is told to stop.

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::Node;
use crate::cluster::Cluster;
use crate::layout::Layout;
use crate::lifetime::{Signals, failed, stop};
use crate::show::show;
use crate::store::StoreChoice;

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn node(options: Node) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot listen for signals: {error}")),
    };
    let layout = Layout::chosen(options.pods.state_dir.as_deref(), &options.static_pods);
    let (show, voice, shown) = show();
    let shown = tokio::spawn(shown);
    let cluster = match signals.started(Cluster::start_node(&layout, &options, show, &voice)).await {
        Ok(cluster) => cluster,
        Err(code) => return code,
    };
    let (folder, state_dir) = (options.static_pods.display(), layout.state_dir().display());
    let runtime = options.pods.runtime_at(options.pods.runtime);
    voice.say(&format!("1 node, pods of {folder} as {runtime}, state in {state_dir}; Ctrl-C stops everything"));
    signals.any().await;
    let forget = options.pods.state_dir.is_none().then(|| layout.state_dir());
    let stopped = stop(cluster, &mut signals, &voice, &StoreChoice::StaticPods, forget).await;
    drop(voice);
    // What was said last is shown before the program ends.
    let _ = tokio::time::timeout(Duration::from_secs(1), shown).await;
    stopped
}
