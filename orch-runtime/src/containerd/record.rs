//! [`SandboxRecord`] and [`AttemptRecord`]: what containerd keeps for us, as containers of which a task may run.
//!
//! Labels are what one looks for and what changes; they are short. What a spec says may be long, and is an extension.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bytes::Bytes;
use orch_core::clock::Timestamp;
use orch_core::runtime::{
    ContainerId, ContainerName, ContainerSpec, ContainerState, ContainerStatus, ExitReason, PodUid, SandboxSpec,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::Snapshotter;
use super::names;
use super::wire::{Any, Container, ContainerRuntime};

/// The shim of runc: what every task is run by.
const RUNC: &str = "io.containerd.runc.v2";
/// The specification of a container, as containerd calls its type.
const SPEC_TYPE: &str = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
/// What was asked for, as JSON.
const EXTENSION: &str = "orch";
/// The most of a message that is kept: a label has at most 4096 bytes.
const LONGEST_MESSAGE: usize = 2 << 10;

/// Whose record it is.
pub(super) const POD: &str = "orch/pod";
const POD_NAMESPACE: &str = "orch/pod-namespace";
const POD_NAME: &str = "orch/pod-name";
pub(super) const NAME: &str = "orch/name";
pub(super) const ATTEMPT: &str = "orch/attempt";
const IP: &str = "orch/ip";
const CREATED_AT: &str = "orch/created-at";
const STARTED_AT: &str = "orch/started-at";
const EXIT: &str = "orch/exit";
pub(super) const IMAGE_ID: &str = "orch/image-id";
const LATEST: &str = "orch/latest.";

/// A record of ours, of one kind or the other.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most records are of attempts")]
pub(super) enum Record {
    Sandbox(SandboxRecord),
    Attempt(AttemptRecord),
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SandboxRecord {
    pub(super) spec: SandboxSpec,
    pub(super) ip: Option<Ipv4Addr>,
    pub(super) created_at: Timestamp,
    /// The latest attempts of containers of which attempts were removed.
    pub(super) latest: BTreeMap<ContainerName, u32>,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AttemptRecord {
    /// What record, task and snapshot are called.
    pub(super) record: String,
    pub(super) id: ContainerId,
    pub(super) spec: ContainerSpec,
    pub(super) image_id: Option<String>,
    /// `None` as long as it is certain that it was not started.
    pub(super) started_at: Option<Timestamp>,
    pub(super) exit: Option<ExitRecord>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ExitRecord {
    pub(super) reason: ExitReason,
    pub(super) code: i32,
    pub(super) finished_at: Timestamp,
    pub(super) message: String,
}

impl SandboxRecord {
    pub(super) fn container(&self) -> Container {
        let Self { spec, ip, created_at, latest } = self;
        let mut labels = BTreeMap::from([
            (POD.to_owned(), spec.pod.to_string()),
            (POD_NAMESPACE.to_owned(), shortened(&spec.namespace, 256)),
            (POD_NAME.to_owned(), shortened(&spec.name, 256)),
            (CREATED_AT.to_owned(), created_at.to_string()),
        ]);
        labels.extend(ip.map(|ip| (IP.to_owned(), ip.to_string())));
        labels.extend(latest.iter().map(|(name, attempt)| (latest_label(name), attempt.to_string())));
        let extensions = BTreeMap::from([(EXTENSION.to_owned(), extension(spec))]);
        Container { labels, extensions, ..blank(&names::sandbox_record(&spec.pod)) }
    }

    fn from(container: &Container) -> Option<Self> {
        let label = |label: &str| container.labels.get(label);
        let latest = container
            .labels
            .iter()
            .filter_map(|(label, attempt)| Some((label.strip_prefix(LATEST)?.parse().ok()?, attempt.parse().ok()?)));
        Some(Self {
            spec: extended(container)?,
            ip: label(IP).and_then(|ip| ip.parse().ok()),
            created_at: label(CREATED_AT)?.parse().ok()?,
            latest: latest.collect(),
        })
    }
}

impl AttemptRecord {
    pub(super) fn container(&self, image: &str, snapshotter: Snapshotter, oci: Vec<u8>) -> Container {
        let mut labels = BTreeMap::from([
            (POD.to_owned(), self.id.pod.to_string()),
            (NAME.to_owned(), self.id.name.to_string()),
            (ATTEMPT.to_owned(), self.id.attempt.to_string()),
        ]);
        labels.extend(self.image_id.as_ref().map(|id| (IMAGE_ID.to_owned(), id.clone())));
        labels.extend(self.started_at.map(started_label));
        labels.extend(self.exit.as_ref().map(ExitRecord::label));
        Container {
            id: self.record.clone(),
            labels,
            image: image.to_owned(),
            runtime: Some(ContainerRuntime { name: RUNC.to_owned() }),
            spec: Some(Any { type_url: SPEC_TYPE.to_owned(), value: oci.into() }),
            snapshotter: snapshotter.as_str().to_owned(),
            snapshot_key: self.record.clone(),
            extensions: BTreeMap::from([(EXTENSION.to_owned(), extension(&self.spec))]),
        }
    }

    fn from(container: &Container) -> Option<Self> {
        let label = |label: &str| container.labels.get(label);
        Some(Self {
            record: container.id.clone(),
            id: ContainerId {
                pod: label(POD)?.parse().ok()?,
                name: label(NAME)?.parse().ok()?,
                attempt: label(ATTEMPT)?.parse().ok()?,
            },
            spec: extended(container)?,
            image_id: label(IMAGE_ID).cloned(),
            started_at: label(STARTED_AT).and_then(|time| time.parse().ok()),
            exit: label(EXIT).and_then(|exit| serde_json::from_str(exit).ok()),
        })
    }

    /// What is told of it: nothing if it was never started.
    pub(super) fn status(&self, process: Option<u32>) -> Option<ContainerStatus> {
        let started_at = self.started_at?;
        let state = match &self.exit {
            None => ContainerState::Running { started_at },
            Some(exit) => ContainerState::Exited {
                reason: exit.reason,
                code: exit.code,
                started_at,
                finished_at: exit.finished_at.max(started_at),
                message: exit.message.clone(),
            },
        };
        let process = process.filter(|_| self.exit.is_none());
        Some(ContainerStatus {
            id: self.id.clone(),
            spec: self.spec.clone(),
            state,
            process,
            image_id: self.image_id.clone(),
        })
    }
}

impl ExitRecord {
    pub(super) fn label(&self) -> (String, String) {
        let short = Self { message: shortened(&self.message, LONGEST_MESSAGE), ..self.clone() };
        (EXIT.to_owned(), serde_json::to_string(&short).unwrap_or_default())
    }
}

impl Record {
    /// `None` for what is not ours, or of a version that writes otherwise.
    pub(super) fn from(container: &Container) -> Option<Self> {
        if container.labels.contains_key(ATTEMPT) {
            AttemptRecord::from(container).map(Self::Attempt)
        } else {
            SandboxRecord::from(container).map(Self::Sandbox)
        }
    }

    pub(super) fn pod(&self) -> &PodUid {
        match self {
            Self::Sandbox(sandbox) => &sandbox.spec.pod,
            Self::Attempt(attempt) => &attempt.id.pod,
        }
    }
}

/// A record that says nothing.
pub(super) fn blank(id: &str) -> Container {
    Container {
        id: id.to_owned(),
        runtime: Some(ContainerRuntime { name: RUNC.to_owned() }),
        spec: Some(Any { type_url: SPEC_TYPE.to_owned(), value: Bytes::from_static(b"{}") }),
        ..Container::default()
    }
}

pub(super) fn started_label(time: Timestamp) -> (String, String) {
    (STARTED_AT.to_owned(), time.to_string())
}

pub(super) fn latest_label(name: &ContainerName) -> String {
    format!("{LATEST}{name}")
}

fn extension(spec: &impl Serialize) -> Any {
    // Maps with keys that are no text are the only thing that could fail, and there are none.
    Any { type_url: EXTENSION.to_owned(), value: serde_json::to_vec(spec).unwrap_or_default().into() }
}

fn extended<T: DeserializeOwned>(container: &Container) -> Option<T> {
    serde_json::from_slice(&container.extensions.get(EXTENSION)?.value).ok()
}

/// At most so many bytes of a text.
fn shortened(text: &str, most: usize) -> String {
    // As JSON a control character takes six times its length.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text[..text.floor_char_boundary(most)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let time: Timestamp = "2026-03-01T12:00:00.5Z".parse().expect("a time");
        let spec = SandboxSpec {
            pod: "a".parse().expect("a uid"),
            namespace: "n".into(),
            name: "a".into(),
            hostname: "h".into(),
            host_network: false,
            dns: None,
            domain: None,
            host_entries: Vec::new(),
        };
        let latest = BTreeMap::from([("web".parse().expect("a name"), 3)]);
        let sandbox = SandboxRecord { spec, ip: Some(Ipv4Addr::LOCALHOST), created_at: time, latest };
        assert_eq!(Record::from(&sandbox.container()), Some(Record::Sandbox(sandbox)));
        let id = ContainerId { pod: "a".parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: 3 };
        let message = "\n\u{1}é".repeat(5_000);
        let exit = ExitRecord { reason: ExitReason::StartError, code: 128, finished_at: time, message };
        let attempt = AttemptRecord {
            record: "a.web.3".into(),
            id,
            spec: ContainerSpec::default(),
            image_id: Some("sha256:1".into()),
            started_at: Some(time),
            exit: Some(exit),
        };
        let container = attempt.container("web", Snapshotter::Native, Vec::new());
        assert!(container.labels.iter().all(|(label, value)| label.len() + value.len() <= 4096));
        let Some(Record::Attempt(read)) = Record::from(&container) else { panic!("an attempt") };
        let short = |record: AttemptRecord| AttemptRecord { exit: None, ..record };
        assert!(read.exit.as_ref().is_some_and(|exit| exit.code == 128 && exit.message.len() > 1_000));
        assert_eq!(short(read), short(attempt));
        assert_eq!(Record::from(&Container::default()), None);
    }
}
