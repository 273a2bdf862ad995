//! What an earlier runtime left in the root folder: read at opening, and watched from then on.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use orch_core::runtime::{ContainerId, ContainerName, PodUid, RuntimeError};

use super::Shared;
use super::attempt::{Attempt, Life, Phase};
use super::pod::{Ledger, Pod};
use super::record::{self, Request, RootFolder, SandboxRecord};
use super::start::forget;
use super::trouble::unavailable;

/// How long opening waits for an attempt of which it is not known yet whether it runs: its shim was started a moment
/// before the earlier runtime ended.
const SETTLING_TAKES: Duration = Duration::from_secs(5);

/// Every pod on record, with its attempts; those that have no end on record are `Starting`.
pub(super) fn pods(root: &RootFolder) -> Result<BTreeMap<PodUid, Arc<Pod>>, RuntimeError> {
    let mut pods = BTreeMap::new();
    for (uid, folder) in children::<PodUid>(&root.pods())? {
        let sandbox = root.sandbox(&uid);
        match read::<SandboxRecord>(&sandbox)? {
            Some(record) => {
                pods.insert(uid.clone(), Arc::new(pod(root, &uid, record)?));
            }
            // The sandbox was being made, and nobody was told that it is there.
            None => remove(root, &folder, uid.as_str())?,
        }
    }
    Ok(pods)
}

fn pod(root: &RootFolder, uid: &PodUid, record: SandboxRecord) -> Result<Pod, RuntimeError> {
    let mut ledger = Ledger::default();
    let mut attempts = Vec::new();
    for (name, folder) in children::<ContainerName>(&root.containers(uid))? {
        if let Some(latest) = read(&root.latest(uid, &name))? {
            ledger.latest.insert(name.clone(), latest);
        }
        for (number, folder) in children::<u32>(&folder)? {
            let id = ContainerId { pod: uid.clone(), name: name.clone(), attempt: number };
            match attempt(root, &id)? {
                Some(attempt) => attempts.push(attempt),
                // It was about to be written down what is to run.
                None => remove(root, &folder, &id.to_string().replace('/', "."))?,
            }
        }
    }
    let pod = Pod::new(record, ledger);
    for attempt in attempts {
        pod.insert(Arc::new(attempt));
    }
    Ok(pod)
}

fn attempt(root: &RootFolder, id: &ContainerId) -> Result<Option<Attempt>, RuntimeError> {
    let folder = root.attempt(&id.pod, &id.name, id.attempt);
    let Some(request) = read::<Request>(&folder.request())? else { return Ok(None) };
    let phase = read(&folder.exit())?.map_or(Phase::Starting, Phase::Ended);
    Ok(Some(Attempt::new(id.clone(), folder, request, phase)))
}

/// Watches every attempt that has no end on record, forgets those that never came to be, and returns when it is known
/// of each whether it runs.
pub(super) async fn take_over(shared: &Arc<Shared>) -> Result<(), RuntimeError> {
    let pods: Vec<Arc<Pod>> = shared.pods().values().cloned().collect();
    for attempt in pods.iter().flat_map(|pod| pod.attempts()).filter(|attempt| !attempt.has_ended()) {
        let failed = |error| unavailable("cannot open the sign of life in", &attempt.folder.0, error);
        let life = Life::open(&attempt.folder).map_err(failed)?;
        shared.watch(attempt, life, None);
    }
    let deadline = tokio::time::Instant::now() + SETTLING_TAKES;
    for pod in pods {
        let mut ledger = pod.ledger.lock().await;
        for attempt in pod.attempts() {
            if tokio::time::timeout_at(deadline, attempt.settled()).await.is_err() {
                tracing::warn!(container = %attempt.id, "it is not known yet whether it runs; its shim is alive");
            }
            if attempt.phase() == Phase::NeverStarted {
                forget(shared, &pod, &attempt.id, &attempt.folder).await?;
            } else {
                let latest = ledger.latest.entry(attempt.id.name.clone()).or_default();
                *latest = attempt.id.attempt.max(*latest);
            }
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, RuntimeError> {
    record::read(path).map_err(|error| unavailable("cannot read", path, error))
}

fn remove(root: &RootFolder, folder: &Path, name: &str) -> Result<(), RuntimeError> {
    root.remove(folder, name).map_err(|error| unavailable("cannot remove", folder, error))
}

/// What a folder holds that is named as such a thing; other names are not ours, and are left alone.
fn children<T: FromStr + Ord>(folder: &Path) -> Result<BTreeMap<T, PathBuf>, RuntimeError> {
    let failed = |error| unavailable("cannot read", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut children = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok());
        if let (Some(name), true) = (name, path.is_dir()) {
            children.insert(name, path);
        }
    }
    Ok(children)
}
