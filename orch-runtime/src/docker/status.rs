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
        let found = self.only_joined(self.find_all(only).await?).await?;
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

#[cfg(test)]
mod tests {
    use orch_core::clock::Timestamp;
    use orch_core::runtime::{ContainerSpec, SandboxSpec};

    use super::*;

    fn spec() -> SandboxSpec {
        SandboxSpec {
            pod: "a".parse().expect("a uid"),
            namespace: "default".to_owned(),
            name: "a".to_owned(),
            hostname: "a".to_owned(),
            host_network: false,
            dns: None,
            domain: None,
            host_entries: Vec::new(),
        }
    }

    fn id(attempt: u32) -> ContainerId {
        ContainerId { pod: spec().pod, name: "web".parse().expect("a name"), attempt }
    }

    fn record(attempts: &[(u32, Option<&str>)]) -> BTreeMap<PodUid, PodRecord> {
        let mut record = PodRecord::new(spec(), Timestamp::UNIX_EPOCH);
        for (attempt, failure) in attempts {
            let (spec, at, failure) = (ContainerSpec::default(), Timestamp::UNIX_EPOCH, failure.map(str::to_owned));
            record.insert(&id(*attempt), AttemptRecord { spec, at, failure });
        }
        [(spec().pod, record)].into()
    }

    fn found(role: Role, was_started: bool) -> Found {
        Found {
            docker_id: String::new(),
            sandbox: spec(),
            own_ip: None,
            role,
            created_at: Timestamp::UNIX_EPOCH,
            was_started,
            running: was_started,
            pid: None,
        }
    }

    fn attempt(number: u32, was_started: bool) -> Found {
        let state = ContainerState::Running { started_at: Timestamp::UNIX_EPOCH };
        let (spec, process, image_id) = Default::default();
        let status = ContainerStatus { id: id(number), spec, state, process, image_id };
        found(Role::Attempt(Box::new(status)), was_started)
    }

    /// What is told of the attempts of the only pod.
    fn told(
        before: &BTreeMap<PodUid, PodRecord>,
        after: &BTreeMap<PodUid, PodRecord>,
        attempts: Vec<Found>,
    ) -> Vec<(u32, Option<ExitReason>)> {
        let found = attempts.into_iter().chain([found(Role::Sandbox { ip: None }, true)]).collect();
        let containers = assemble(before, after, found).pop().expect("the pod").containers;
        let reason = |state| match state {
            ContainerState::Running { .. } => None,
            ContainerState::Exited { reason, .. } => Some(reason),
        };
        containers.into_iter().map(|container| (container.id.attempt, reason(container.state))).collect()
    }

    #[test]
    fn what_was_started_and_is_gone_has_ended_and_what_could_not_be_started_says_so() {
        let records = record(&[(0, None), (1, Some("no such program")), (2, None)]);
        let expected = [(0, Some(ExitReason::Unknown)), (1, Some(ExitReason::StartError)), (2, None)];
        assert_eq!(told(&records, &records, vec![attempt(2, true)]), expected);
    }

    #[test]
    fn what_is_being_started_or_removed_is_not_told_as_lost() {
        let (nothing, recorded) = (record(&[]), record(&[(0, None)]));
        assert_eq!(told(&nothing, &recorded, vec![]), [], "it was written down after Docker was asked");
        assert_eq!(told(&recorded, &nothing, vec![]), [], "it was removed meanwhile");
        assert_eq!(told(&recorded, &recorded, vec![attempt(0, false)]), [], "it is made, and not yet started");
    }

    #[test]
    fn a_pod_without_a_sandbox_is_not_ready_and_one_that_was_removed_is_not_told() {
        let (none, records) = (BTreeMap::new(), record(&[]));
        let ready = |pods: Vec<SandboxStatus>| pods.into_iter().map(|pod| pod.ready).collect::<Vec<_>>();
        assert_eq!(ready(assemble(&records, &records, vec![])), [false]);
        assert!(assemble(&records, &none, vec![found(Role::Sandbox { ip: None }, true)]).is_empty());
        assert!(assemble(&none, &records, vec![]).is_empty());
        assert_eq!(ready(assemble(&none, &none, vec![found(Role::Sandbox { ip: None }, true)])), [true]);
    }
}
