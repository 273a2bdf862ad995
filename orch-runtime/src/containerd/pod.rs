//! [`Pod`]: what is known of a pod at one moment; and the calls that ask for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use orch_core::runtime::{ContainerId, ContainerName, ContainerStatus, PodUid, RuntimeError, SandboxStatus};

use super::error::{Failure, Unless as _};
use super::orphan::reap;
use super::record::{ATTEMPT, AttemptRecord, NAME, POD, Record, SandboxRecord};
use super::settle::{Life, look, look_at};
use super::wire::{Container, FieldMask, GetContainer, ListContainers, ListTasks, Task, UpdateContainer};
use super::{Shared, names};
use crate::namespace;
use crate::pod_network::Joined;

/// What is known of a pod at one moment.
#[derive(Debug)]
pub(super) struct Pod {
    /// `None` if somebody else removed its record.
    pub(super) sandbox: Option<SandboxRecord>,
    pub(super) attempts: Vec<(AttemptRecord, Life)>,
}

impl Pod {
    /// The latest attempt of a container that was started, whether it is still known or not.
    pub(super) fn latest(&self, name: &ContainerName) -> Option<u32> {
        let removed = self.sandbox.as_ref().and_then(|sandbox| sandbox.latest.get(name).copied());
        let known =
            self.attempts.iter().filter(|(attempt, life)| attempt.id.name == *name && *life != Life::NotStarted);
        known.map(|(attempt, _)| attempt.id.attempt).chain(removed).max()
    }

    /// An attempt that runs: of this container, or of any.
    pub(super) fn running(&self, name: Option<&ContainerName>) -> Option<&AttemptRecord> {
        let runs = |(attempt, life): &&(AttemptRecord, Life)| {
            matches!(life, Life::Running(_)) && name.is_none_or(|name| attempt.id.name == *name)
        };
        self.attempts.iter().find(runs).map(|(attempt, _)| attempt)
    }

    pub(super) fn status(&self, ready: bool) -> Option<SandboxStatus> {
        let sandbox = self.sandbox.as_ref()?;
        let told = |(attempt, life): &(AttemptRecord, Life)| {
            let process = match life {
                Life::NotStarted => return None,
                Life::Running(process) => Some(*process),
                Life::Ended => None,
            };
            attempt.status(process)
        };
        let mut containers: Vec<ContainerStatus> = self.attempts.iter().filter_map(told).collect();
        containers.sort_by(|a, b| a.id.cmp(&b.id));
        Some(SandboxStatus {
            spec: sandbox.spec.clone(),
            ip: sandbox.ip.map(IpAddr::V4),
            ready,
            created_at: sandbox.created_at,
            containers,
        })
    }
}

impl Shared {
    /// What is known of a pod; `None` if there is nothing.
    pub(super) async fn pod(self: &Arc<Self>, uid: &PodUid) -> Result<Option<Pod>, Failure> {
        let records = self.records(Some(uid)).await?;
        let Some((sandbox, attempts)) = sorted(records).remove(uid) else { return Ok(None) };
        let mut looked_at = Vec::new();
        for attempt in attempts {
            looked_at.push(look(self, attempt).await?);
        }
        Ok(Some(Pod { sandbox, attempts: looked_at }))
    }

    /// What is known of every pod.
    pub(super) async fn pods(self: &Arc<Self>) -> Result<Vec<Pod>, Failure> {
        // An attempt that is started in between has a record only in the second listing, or no task in the first: records
        // are listed first, so that each task that belongs to a record is certainly seen.
        let records = self.records(None).await?;
        let tasks = self.client.call(ListTasks {}).await?.tasks;
        let mut tasks: BTreeMap<String, Task> = tasks.into_iter().map(|task| (name_of(&task), task)).collect();
        let mut pods = Vec::new();
        for (sandbox, attempts) in sorted(records).into_values() {
            let mut looked_at = Vec::new();
            for attempt in attempts {
                let task = tasks.remove(&attempt.record);
                looked_at.push(look_at(self, attempt, task).await?);
            }
            pods.push(Pod { sandbox, attempts: looked_at });
        }
        for orphan in tasks.into_keys() {
            reap(self, &orphan).await?;
        }
        Ok(pods)
    }

    /// Whether what the containers of a pod share is there.
    pub(super) fn is_ready(&self, sandbox: &SandboxRecord, joined: &Joined) -> bool {
        let pod = &sandbox.spec.pod;
        if !self.root.pod(pod).join("resolv.conf").exists() {
            return false;
        }
        sandbox.spec.host_network
            || namespace::is_there(&self.root.namespace("ipc", pod))
                && self.network.is_joined(joined, pod, &self.root.namespace("net", pod))
    }

    /// Our records, of one pod or all.
    pub(super) async fn records(&self, pod: Option<&PodUid>) -> Result<Vec<Record>, Failure> {
        let filter = pod.map_or_else(|| format!("labels.\"{POD}\""), |pod| format!("labels.\"{POD}\"==\"{pod}\""));
        let found = self.client.call(ListContainers { filters: vec![filter] }).await?;
        Ok(found.containers.iter().filter_map(known).collect())
    }

    /// The record of an attempt; `None` if there is none, or it was never started.
    pub(super) async fn attempt(&self, id: &ContainerId) -> Result<Option<AttemptRecord>, Failure> {
        let is_started = |attempt: &AttemptRecord| attempt.id == *id && attempt.started_at.is_some();
        if let Some(attempt) = self.attempt_record(&names::container_record(id)).await?.filter(is_started) {
            return Ok(Some(attempt));
        }
        let ContainerId { pod, name, attempt } = id;
        let filter =
            format!("labels.\"{POD}\"==\"{pod}\",labels.\"{NAME}\"==\"{name}\",labels.\"{ATTEMPT}\"==\"{attempt}\"");
        let found = self.client.call(ListContainers { filters: vec![filter] }).await?;
        let attempts = found.containers.iter().filter_map(known).filter_map(|record| match record {
            Record::Attempt(attempt) => Some(attempt),
            Record::Sandbox(_) => None,
        });
        Ok({ attempts }.find(is_started))
    }

    /// What a record says of an attempt; `None` if there is none.
    pub(super) async fn attempt_record(&self, record: &str) -> Result<Option<AttemptRecord>, Failure> {
        let found = self.container(record).await?;
        Ok(match found.as_ref().and_then(known) {
            Some(Record::Attempt(attempt)) => Some(attempt),
            _ => None,
        })
    }

    pub(super) async fn container(&self, record: &str) -> Result<Option<Container>, Failure> {
        let found = self.client.call(GetContainer { id: record.to_owned() }).await.unless_missing()?;
        Ok(found.and_then(|found| found.container))
    }

    pub(super) async fn set_labels(
        &self,
        record: &str,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Failure> {
        let labels: BTreeMap<String, String> = labels.into_iter().collect();
        let paths = labels.keys().map(|label| format!("labels.{label}")).collect();
        let container = Container { id: record.to_owned(), labels, ..Container::default() };
        let update_mask = Some(FieldMask { paths });
        self.client.call(UpdateContainer { container: Some(container), update_mask }).await.map(drop)
    }
}

/// The pod that must be there.
pub(super) fn no_such_pod(pod: &PodUid) -> RuntimeError {
    RuntimeError::NoSuchPod { pod: pod.clone() }
}

fn known(container: &Container) -> Option<Record> {
    let record = Record::from(container);
    if record.is_none() {
        tracing::warn!(record = %container.id, "a record in our namespace is not one of this version, and left alone");
    }
    record
}

type Sorted = BTreeMap<PodUid, (Option<SandboxRecord>, Vec<AttemptRecord>)>;

fn sorted(records: Vec<Record>) -> Sorted {
    let mut sorted = Sorted::new();
    for record in records {
        let pod = sorted.entry(record.pod().clone()).or_default();
        match record {
            Record::Sandbox(sandbox) => pod.0 = Some(sandbox),
            Record::Attempt(attempt) => pod.1.push(attempt),
        }
    }
    sorted
}

/// containerd calls the process of a container by the container's name, in one field or the other.
pub(super) fn name_of(task: &Task) -> String {
    if task.container_id.is_empty() { task.id.clone() } else { task.container_id.clone() }
}
