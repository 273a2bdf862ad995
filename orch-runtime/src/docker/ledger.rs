//! [`Ledger`]: what was started, on disk, so that it is known also when its container is gone.
//!
//! ```text
//! ROOT/lock             held by the runtime that uses the root
//! ROOT/pods/UID.json    a pod: its sandbox, and of each container the attempts and the latest of them
//! ROOT/pods/UID.resolv.conf    what its containers see at /etc/resolv.conf, if the pod says that
//! ```
//!
//! Docker alone cannot keep this: a container that was removed leaves nothing there, and an attempt must not be started
//! a second time because somebody removed it. A record is written beside its place, synchronised and renamed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::runtime::{ContainerId, ContainerName, ContainerSpec, PodUid, RuntimeError, SandboxDns, SandboxSpec};
use serde::{Deserialize, Serialize};

use crate::record_file::{self, Durability};

/// How long it is waited for a runtime that is being dropped.
const HANDOVER: Duration = Duration::from_secs(5);
/// Between two attempts to take the lock meanwhile.
const RETRY: Duration = Duration::from_millis(10);

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PodRecord {
    pub(super) spec: SandboxSpec,
    /// When its sandbox was made the first time.
    pub(super) created_at: Timestamp,
    pub(super) containers: BTreeMap<ContainerName, ContainerRecord>,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContainerRecord {
    /// The latest attempt that was started, whether it was removed or not.
    pub(super) latest: Option<u32>,
    /// The attempts that were started and not removed.
    pub(super) attempts: BTreeMap<u32, AttemptRecord>,
}

/// An attempt: written when its container is there, before it is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AttemptRecord {
    pub(super) spec: ContainerSpec,
    pub(super) at: Timestamp,
    /// Why it could not be started, if so. It has no container then.
    pub(super) failure: Option<String>,
}

impl PodRecord {
    pub(super) fn new(spec: SandboxSpec, created_at: Timestamp) -> Self {
        Self { spec, created_at, containers: BTreeMap::new() }
    }

    pub(super) fn attempt(&self, id: &ContainerId) -> Option<&AttemptRecord> {
        self.containers.get(&id.name)?.attempts.get(&id.attempt)
    }

    /// The latest attempt that was started.
    pub(super) fn latest(&self, id: &ContainerId) -> Option<ContainerId> {
        let attempt = self.containers.get(&id.name)?.latest?;
        Some(ContainerId { attempt, ..id.clone() })
    }

    /// Every attempt, in order.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (ContainerId, &AttemptRecord)> {
        self.containers.iter().flat_map(|(name, container)| {
            container.attempts.iter().map(|(attempt, record)| {
                let id = ContainerId { pod: self.spec.pod.clone(), name: name.clone(), attempt: *attempt };
                (id, record)
            })
        })
    }

    pub(super) fn insert(&mut self, id: &ContainerId, record: AttemptRecord) {
        let container = self.containers.entry(id.name.clone()).or_default();
        container.latest = Some(container.latest.unwrap_or_default().max(id.attempt));
        container.attempts.insert(id.attempt, record);
    }

    /// Forgets an attempt, but not that there was one of its number.
    pub(super) fn forget(&mut self, id: &ContainerId) -> bool {
        self.containers.get_mut(&id.name).is_some_and(|container| container.attempts.remove(&id.attempt).is_some())
    }
}

/// The folder of records.
#[derive(Debug)]
pub(super) struct Ledger {
    root: PathBuf,
    /// The kernel gives it back when the process ends, however it ends.
    lock: File,
}

impl Ledger {
    /// Takes a folder, and reads what is in it.
    pub(super) fn open(root: &Path) -> Result<(Self, BTreeMap<PodUid, PodRecord>), RuntimeError> {
        let failed = |error| unavailable("cannot use the root folder", root, error);
        DirBuilder::new().recursive(true).mode(0o700).create(root.join("pods")).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let lock = take_lock(&root)?;
        let ledger = Self { root, lock };
        let pods = ledger.read_all()?;
        Ok((ledger, pods))
    }

    pub(super) fn write(&self, record: &PodRecord) -> Result<(), RuntimeError> {
        let path = self.path(&record.spec.pod);
        let written = record_file::write(&path, record, Durability::Power);
        written.map_err(|error| unavailable("cannot write", &path, error))
    }

    /// The record goes last: as long as it is there, what is left of the pod is found.
    pub(super) fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        for path in [self.resolver_path(pod), self.path(pod)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unavailable("cannot remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The file that the containers of a pod see at `/etc/resolv.conf`, written if it is not there. One that is there is
    /// left as it is: containers have it open, and may have written to it.
    pub(super) fn resolver(&self, pod: &PodUid, dns: &SandboxDns) -> Result<PathBuf, RuntimeError> {
        let path = self.resolver_path(pod);
        if !path.exists() {
            write_for_all(&path, &dns.resolv_conf()).map_err(|error| unavailable("cannot write", &path, error))?;
        }
        Ok(path)
    }

    fn resolver_path(&self, pod: &PodUid) -> PathBuf {
        self.root.join("pods").join(format!("{pod}.resolv.conf"))
    }

    fn path(&self, pod: &PodUid) -> PathBuf {
        self.root.join("pods").join(format!("{pod}.json"))
    }

    fn read_all(&self) -> Result<BTreeMap<PodUid, PodRecord>, RuntimeError> {
        let folder = self.root.join("pods");
        let mut pods = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(|error| unavailable("cannot read", &folder, error))? {
            let path = entry.map_err(|error| unavailable("cannot read", &folder, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".new") {
                // It was being written, and nobody was told that it is there.
                fs::remove_file(&path).map_err(|error| unavailable("cannot remove", &path, error))?;
            } else if let Some(Ok(pod)) = name.strip_suffix(".json").map(str::parse::<PodUid>) {
                let record = record_file::read(&path).map_err(|error| unavailable("cannot read", &path, error))?;
                pods.extend(record.map(|record| (pod, record)));
            }
        }
        Ok(pods)
    }
}

impl Drop for Ledger {
    /// Closing would do, unless another thread is just starting a program, which has all files for a moment.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "cannot unlock the root folder");
        }
    }
}

fn take_lock(root: &Path) -> Result<File, RuntimeError> {
    let path = root.join("lock");
    let failed = |error| unavailable("cannot lock", &path, error);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
    let mut waited = Duration::ZERO;
    while let Err(refused) = file.try_lock() {
        if let TryLockError::Error(error) = refused {
            return Err(failed(error));
        }
        if waited >= HANDOVER {
            let message = format!("another runtime uses {}: end it, or choose another folder", root.display());
            return Err(RuntimeError::Unavailable { message, transient: true, source: None });
        }
        std::thread::park_timeout(RETRY);
        waited += RETRY;
    }
    Ok(file)
}

/// Containers may run as anybody, and read it.
fn write_for_all(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o644))?;
    fs::rename(&beside, path)
}

fn unavailable(doing: &str, path: &Path, error: io::Error) -> RuntimeError {
    let message = format!("{doing} {}: {error}", path.display());
    let transient = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    RuntimeError::Unavailable { message, transient, source: Some(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_a_number_is_not_forgotten_with_its_attempt() {
        let root = std::env::temp_dir().join(format!("orch-ledger-{}", std::process::id()));
        let (ledger, pods) = Ledger::open(&root).expect("a ledger");
        assert_eq!(pods, BTreeMap::new());
        let pod: PodUid = "a".parse().expect("a uid");
        let id = ContainerId { pod: pod.clone(), name: "web".parse().expect("a name"), attempt: 3 };
        let spec = SandboxSpec {
            pod: pod.clone(),
            namespace: "default".to_owned(),
            name: "a".to_owned(),
            hostname: "a".to_owned(),
            host_network: false,
            dns: None,
            domain: None,
            host_entries: Vec::new(),
        };
        let mut record = PodRecord::new(spec, Timestamp::UNIX_EPOCH);
        let attempt = AttemptRecord { spec: ContainerSpec::default(), at: Timestamp::UNIX_EPOCH, failure: None };
        record.insert(&id, attempt);
        assert!(record.forget(&id) && !record.forget(&id));
        ledger.write(&record).expect("written");
        let dns = SandboxDns { nameservers: vec![[10, 96, 0, 10].into()], ..SandboxDns::default() };
        let resolver = ledger.resolver(&pod, &dns).expect("written");
        fs::write(&resolver, "by a container").expect("written");
        ledger.resolver(&pod, &dns).expect("left");
        assert_eq!(fs::read_to_string(&resolver).expect("read"), "by a container");
        fs::write(root.join("pods/b.new"), "{").expect("what a crash leaves");
        drop(ledger);
        let (ledger, pods) = Ledger::open(&root).expect("a ledger");
        assert_eq!(pods, BTreeMap::from([(pod.clone(), record)]));
        assert_eq!(pods[&pod].latest(&ContainerId { attempt: 0, ..id.clone() }), Some(id));
        ledger.remove(&pod).expect("removed");
        ledger.remove(&pod).expect("removed twice");
        assert_eq!(fs::read_dir(root.join("pods")).expect("a folder").count(), 0);
        fs::remove_dir_all(&root).expect("removed");
    }
}
