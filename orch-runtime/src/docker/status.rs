//! What there is: Docker's containers and the ledger, put together.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use orch_core::runtime::{
    ContainerId, ContainerState, ContainerStatus, ExitReason, PodUid, RuntimeError, SandboxStatus,
};
use serde_json::json;

use super::client::Call;
use super::convert::{Found, Role};
use super::ledger::{AttemptRecord, PodRecord};
use super::names::label;
use super::{Shared, wire};

/// How many containers are asked for at once.
const AT_ONCE: usize = 8;

impl Shared {
    /// Every sandbox, or that of one pod.
    pub(super) async fn statuses(&self, only: Option<&PodUid>) -> Result<Vec<SandboxStatus>, RuntimeError> {
        // What is on record both before and after was there meanwhile, so that its container must be, too.
        let before = self.pods.records(only);
        let found = self.find_all(only).await?;
        let after = self.pods.records(only);
        Ok(assemble(&before, &after, found))
    }

    /// Every container of ours, or of one pod.
    pub(super) async fn find_all(&self, only: Option<&PodUid>) -> Result<Vec<Found>, RuntimeError> {
        let mut labels = vec![format!("{}={}", label::SCOPE, self.config.scope)];
        labels.extend(only.map(|pod| format!("{}={pod}", label::POD)));
        let call = Call::get("/containers/json").query("all", "1").filters(&json!({ "label": labels }));
        let listed: Vec<wire::Listed> = self.client.ask(call).await?;
        let found = stream::iter(listed).map(|listed| async move { self.found(&listed.id).await });
        found.buffered(AT_ONCE).try_filter_map(async |found| Ok(found)).try_collect().await
    }
}

#[derive(Default)]
struct Parts {
    sandbox: Option<Found>,
    attempts: Vec<Found>,
}

/// Puts together what is on record and what was found, ordered as the contract says.
fn assemble(
    before: &BTreeMap<PodUid, PodRecord>,
    after: &BTreeMap<PodUid, PodRecord>,
    found: Vec<Found>,
) -> Vec<SandboxStatus> {
    let mut pods: BTreeMap<PodUid, Parts> = BTreeMap::new();
    for found in found {
        let parts = pods.entry(found.sandbox.pod.clone()).or_default();
        match found.role {
            Role::Sandbox { .. } => parts.sandbox = Some(found),
            Role::Attempt(_) => parts.attempts.push(found),
        }
    }
    let uids: BTreeSet<PodUid> = pods.keys().chain(after.keys()).cloned().collect();
    let status = |uid: PodUid| {
        let parts = pods.remove(&uid).unwrap_or_default();
        match (before.get(&uid), after.get(&uid)) {
            // It was removed meanwhile.
            (Some(_), None) => None,
            // Somebody began to make it meanwhile, and has not yet been told that it is there.
            (None, Some(_)) if parts.sandbox.is_none() => None,
            (before, after) => pod(parts, before, after),
        }
    };
    uids.into_iter().filter_map(status).collect()
}

fn pod(parts: Parts, before: Option<&PodRecord>, after: Option<&PodRecord>) -> Option<SandboxStatus> {
    let Parts { sandbox, attempts } = parts;
    let (spec, created_at) = match (after, sandbox.as_ref().or(attempts.first())) {
        (Some(record), _) => (record.spec.clone(), record.created_at),
        (None, Some(found)) => (found.sandbox.clone(), found.created_at),
        (None, None) => return None,
    };
    let sandbox = sandbox.filter(|sandbox| sandbox.running);
    let ip = sandbox.as_ref().and_then(|sandbox| match sandbox.role {
        Role::Sandbox { ip } => ip,
        Role::Attempt(_) => None,
    });
    let mut containers: BTreeMap<ContainerId, ContainerStatus> = BTreeMap::new();
    let mut in_docker = BTreeSet::new();
    for found in attempts {
        let Role::Attempt(status) = found.role else { continue };
        in_docker.insert(status.id.clone());
        if found.was_started {
            containers.insert(status.id.clone(), *status);
        }
    }
    let recorded = |id: &ContainerId| before.is_some_and(|record| record.attempt(id).is_some());
    for (id, record) in after.into_iter().flat_map(PodRecord::attempts) {
        // What is about to be started is not told as one that runs or ran.
        if record.failure.is_some() || recorded(&id) && !in_docker.contains(&id) {
            containers.insert(id.clone(), without_container(id, record));
        }
    }
    let containers = containers.into_values().collect();
    Some(SandboxStatus { spec, ip, ready: sandbox.is_some(), created_at, containers })
}

/// An attempt that has no container: it could not be started, or somebody else removed it.
fn without_container(id: ContainerId, record: &AttemptRecord) -> ContainerStatus {
    let (reason, code, message) = match &record.failure {
        Some(message) => (ExitReason::StartError, 128, message.clone()),
        None => (ExitReason::Unknown, 137, "its container was removed by somebody else".to_owned()),
    };
    let state = ContainerState::Exited { reason, code, started_at: record.at, finished_at: record.at, message };
    ContainerStatus { id, spec: record.spec.clone(), state, process: None, image_id: None }
}
