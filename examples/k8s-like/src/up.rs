//! `k8s-like up`: a cluster that follows a manifest until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use orch_core::encoding::Kinds;
use orch_core::kind::AnyObject;
use orch_core::object::{ConfigMap, Deployment, Namespace, Pod, ReplicaSet, Secret, Service};

use crate::apply::Applier;
use crate::cli::Up;
use crate::cluster::Cluster;
use crate::layout::Layout;
use crate::lifetime::{Signals, failed, stop};
use crate::manifest::ManifestFile;
use crate::pulse;
use crate::show::{Voice, show};
use crate::store::StoreChoice;

/// How long after a failure the manifest is applied again.
const RETRY: Duration = Duration::from_millis(500);

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn up(options: Up) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot listen for signals: {error}")),
    };
    let kinds = kinds(&options.namespace);
    let mut file = ManifestFile::new(options.file.clone(), kinds.clone());
    let first = match file.changed().await {
        Ok(objects) => objects,
        Err(error) => return failed(&error.to_string()),
    };
    let layout = Layout::chosen(options.pods.state_dir.as_deref(), file.path());
    let (show, voice, shown) = show();
    let shown = tokio::spawn(shown);
    let store = options.store();
    let cluster = match signals.started(Cluster::start(&layout, &options, show, &voice)).await {
        Ok(cluster) => cluster,
        Err(code) => return code,
    };
    let nodes = if options.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", options.nodes) };
    let state_dir = layout.state_dir().display();
    let runtime = options.pods.runtime_at(options.pods.runtime);
    voice
        .say(&format!("{nodes}, pods as {runtime}, objects in {store}, state in {state_dir}; Ctrl-C stops everything"));
    let applier = Applier {
        client: cluster.client().clone(),
        kinds,
        // The same file is the same manifest, whatever it is called by and from where.
        manifest: std::fs::canonicalize(file.path()).unwrap_or_else(|_| file.path().to_owned()).display().to_string(),
        allocator: Arc::clone(cluster.allocator()),
    };
    let namespaces = [options.namespace.as_str(), "default"];
    for namespace in namespaces {
        if let Err(error) = cluster.ensure_namespace(namespace).await {
            voice.say(&format!("error: namespace {namespace}: {error}"));
        }
    }
    tokio::select! {
        biased;
        () = signals.any() => {}
        () = follow(&mut file, first, &applier, &voice) => {}
        () = pulse::follow(cluster.tenancy(), &voice), if store.is_durable() => {
            return lost(cluster, &store);
        }
    }
    let leaves_nothing = options.pods.state_dir.is_none() && !store.is_in_state_dir();
    let stopped = stop(cluster, &mut signals, &voice, &store, leaves_nothing.then(|| layout.state_dir())).await;
    drop((applier, voice));
    // What was said last is shown before the program ends.
    let _ = tokio::time::timeout(Duration::from_secs(1), shown).await;
    stopped
}

/// What a manifest may have.
fn kinds(namespace: &str) -> Kinds {
    Kinds::default()
        .with::<Namespace>()
        .with::<Pod>()
        .with::<ReplicaSet>()
        .with::<Deployment>()
        .with::<Service>()
        .with::<ConfigMap>()
        .with::<Secret>()
        .in_namespace(namespace.to_owned())
}

/// Applies the manifest, now and whenever it changes, for ever.
async fn follow(file: &mut ManifestFile, first: Vec<Arc<dyn AnyObject>>, applier: &Applier, voice: &Voice) {
    let name = file.path().display().to_string();
    let mut wanted = first;
    loop {
        let again = apply(&name, &wanted, applier, voice).await;
        let retry = async { if again { tokio::time::sleep(RETRY).await } else { std::future::pending().await } };
        tokio::select! {
            biased;
            changed = file.changed() => match changed {
                Ok(objects) => wanted = objects,
                Err(error) => {
                    voice.say(&format!("{error}\nerror: {name} is not applied; the cluster goes on as it is"));
                }
            },
            () = retry => {}
        }
    }
}

/// Applies the manifest once, and says what was done. Returns whether it is worth trying again.
async fn apply(name: &str, objects: &[Arc<dyn AnyObject>], applier: &Applier, voice: &Voice) -> bool {
    match applier.apply(objects).await {
        Ok(applied) => {
            for change in applied {
                voice.say(&change.to_string());
            }
            false
        }
        Err(error) if error.is_transient() => {
            tracing::debug!(%error, "the manifest is applied again");
            true
        }
        Err(error) => {
            voice.say(&format!("{name}: {error}\nerror: {name} is not applied wholly; mend it and save it again"));
            false
        }
    }
}

/// Leaves everything as it is: it is another one's now.
fn lost(cluster: Cluster, store: &StoreChoice) -> ExitCode {
    drop(cluster);
    eprintln!("error: the cluster in {store} does not run from this state folder any more: its lease was taken away");
    eprintln!("error: containers may still run; whoever has the cluster now knows nothing of them");
    ExitCode::FAILURE
}
