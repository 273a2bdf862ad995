//! `k8s-like up`: a cluster that follows a manifest until it is told to stop.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use orch_core::encoding::Kinds;
use orch_core::kind::AnyObject;
use orch_core::object::{ConfigMap, Deployment, Namespace, Pod, ReplicaSet, Secret, Service};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::apply::Applier;
use crate::causes::with_causes;
use crate::cli::Up;
use crate::cluster::Cluster;
use crate::layout::Layout;
use crate::manifest::ManifestFile;
use crate::pulse;
use crate::show::{Voice, show};
use crate::store::StoreChoice;

/// How long after a failure the manifest is applied again.
const RETRY: Duration = Duration::from_millis(500);

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn up(options: Up) -> ExitCode {
    let (mut interrupt, mut terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => return failed(&format!("cannot listen for signals: {error}")),
    };
    let kinds = kinds(&options.namespace);
    let mut file = ManifestFile::new(options.file.clone(), kinds.clone());
    let first = match file.changed().await {
        Ok(objects) => objects,
        Err(error) => return failed(&error.to_string()),
    };
    let (state_dir, is_ours) = match &options.state_dir {
        Some(chosen) => (chosen.clone(), false),
        None => (Layout::default_state_dir(file.path()), true),
    };
    let layout = Layout::new(std::path::absolute(&state_dir).unwrap_or(state_dir));
    let (show, voice, shown) = show();
    let shown = tokio::spawn(shown);
    let store = options.store();
    let started = tokio::select! {
        biased;
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        started = Cluster::start(&layout, &options, show, &voice) => Some(started),
    };
    let cluster = match started {
        Some(Ok(cluster)) => cluster,
        Some(Err(error)) => return failed(&with_causes(&error)),
        None => {
            eprintln!("error: stopped while it was being started; what runs is left to the next run");
            return ExitCode::from(130);
        }
    };
    let nodes = if options.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", options.nodes) };
    let state_dir = layout.state_dir().display();
    let runtime = options.runtime_at(options.runtime);
    voice
        .say(&format!("{nodes}, pods as {runtime}, objects in {store}, state in {state_dir}; Ctrl-C stops everything"));
    let applier = Applier {
        client: cluster.client().clone(),
        kinds,
        // The same file is the same manifest, whatever it is called by and from where.
        manifest: std::fs::canonicalize(file.path()).unwrap_or_else(|_| file.path().to_owned()).display().to_string(),
        service_addresses: layout.service_addresses(),
    };
    let namespaces = [options.namespace.as_str(), "default"];
    for namespace in namespaces {
        if let Err(error) = cluster.ensure_namespace(namespace).await {
            voice.say(&format!("error: namespace {namespace}: {error}"));
        }
    }
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = follow(&mut file, first, &applier, &voice) => {}
        () = pulse::follow(cluster.tenancy(), &voice), if store.is_durable() => {
            return lost(cluster, &store);
        }
    }
    let leaves_nothing = is_ours && !store.is_in_state_dir();
    let stopped = stop(cluster, &mut interrupt, &voice, &store, leaves_nothing.then(|| layout.state_dir())).await;
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

/// Stops the cluster; a second Ctrl-C leaves at once, and the next run finds what is left.
async fn stop(
    cluster: Cluster,
    interrupt: &mut Signal,
    voice: &Voice,
    store: &StoreChoice,
    forget: Option<&Path>,
) -> ExitCode {
    voice.say("stopping every container; Ctrl-C again leaves them to the next run");
    let left = tokio::select! {
        biased;
        _ = interrupt.recv() => {
            let next = if store.is_durable() { "takes them over" } else { "stops them" };
            voice.say(&format!("left at once: containers may still run, the next run with this state folder {next}"));
            return ExitCode::from(130);
        }
        left = cluster.stop(forget.is_some()) => left,
    };
    for error in &left {
        voice.say(&format!("error: {error}"));
    }
    if !left.is_empty() {
        return ExitCode::FAILURE;
    }
    if let Some(state_dir) = forget {
        // Only what is empty but for our own records goes; a failure leaves an empty folder behind and nothing else.
        let _ = tokio::fs::remove_dir_all(state_dir).await;
    }
    voice.say("stopped");
    ExitCode::SUCCESS
}

/// Leaves everything as it is: it is another one's now.
fn lost(cluster: Cluster, store: &StoreChoice) -> ExitCode {
    drop(cluster);
    eprintln!("error: the cluster in {store} does not run from this state folder any more: its lease was taken away");
    eprintln!("error: containers may still run; whoever has the cluster now knows nothing of them");
    ExitCode::FAILURE
}

fn failed(message: &str) -> ExitCode {
    eprintln!("{message}");
    eprintln!("error: nothing was started");
    ExitCode::FAILURE
}
