//! What is on disk, and where:
//!
//! ```text
//! ROOT/lock                                held by the runtime that uses the root
//! ROOT/addresses.json, addresses.lock      which pod has which address, and which rest, where pods have networks
//! ROOT/namespaces/net.UID                  the pod's network namespace, kept by a mount
//! ROOT/pods/UID/sandbox.json               the pod, its address
//! ROOT/pods/UID/resolv.conf, hosts         what its containers see there in place of the machine's, if anything
//! ROOT/pods/UID/containers/NAME/latest     the latest attempt, once an attempt was removed
//! ROOT/pods/UID/containers/NAME/ATTEMPT/   an attempt:
//!     request.json   what is to run: written before anything is started
//!     life           a FIFO that the shim holds open for as long as it lives
//!     shim.json      the shim's identity, its first act
//!     process.json   the program's identity, written by the process itself before it becomes the program
//!     input          a FIFO for what is sent as its input, if it has one
//!     log.N          output, in files of which the last two are kept, see `log_file`
//!     work/          the working folder, unless the container has another
//!     exit.json      how it ended: written after everything of it has ended
//! ROOT/removed/                            what is being deleted
//! ```
//!
//! Every record is written beside its place and renamed, so it is there in full or not at all. What has a meaning
//! after a loss of power is synchronised first; identities have none, as no process outlives the boot.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use orch_core::clock::Timestamp;
use orch_core::runtime::{ContainerName, ContainerSpec, ExitReason, Mount, PodUid, Privileges, SandboxSpec};
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
pub(super) use crate::record_file::{Durability, read, write};

/// `sandbox.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SandboxRecord {
    pub(super) spec: SandboxSpec,
    pub(super) ip: Option<Ipv4Addr>,
    /// Whether its containers are in a network namespace of the pod's own.
    #[serde(default)]
    pub(super) own_network: bool,
    pub(super) created_at: Timestamp,
}

/// `request.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) spec: ContainerSpec,
    pub(super) started_at: Timestamp,
    pub(super) launch: Launch,
    pub(super) log_bytes: u64,
}

/// A program to run, with everything that it gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Launch {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) working_dir: PathBuf,
    /// Where the program is looked up, when `env` has no `PATH`.
    pub(super) path: String,
    pub(super) memory_bytes: Option<u64>,
    /// The folder that is the container's own.
    #[serde(default)]
    pub(super) own_folder: PathBuf,
    #[serde(default)]
    pub(super) mounts: Vec<Mount>,
    #[serde(default)]
    pub(super) privileges: Privileges,
    /// The network namespace that it is in, if not the shim's.
    #[serde(default)]
    pub(super) network: Option<PathBuf>,
    /// Whether the kernel limits and counts what it uses.
    #[serde(default)]
    pub(super) cgroup: Option<Cgroup>,
    /// What it reads; nothing by default.
    #[serde(default)]
    pub(super) input: Option<PathBuf>,
    /// The terminal that is its input and output.
    #[serde(default)]
    pub(super) terminal: Option<PathBuf>,
}

/// `exit.json`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exit {
    pub(super) reason: ExitReason,
    pub(super) code: i32,
    pub(super) finished_at: Timestamp,
    pub(super) message: String,
}

/// The folder of an attempt.
#[derive(Clone, Debug)]
pub(super) struct AttemptFolder(pub(super) PathBuf);

impl AttemptFolder {
    pub(super) fn request(&self) -> PathBuf {
        self.0.join("request.json")
    }

    pub(super) fn life(&self) -> PathBuf {
        self.0.join("life")
    }

    pub(super) fn shim(&self) -> PathBuf {
        self.0.join("shim.json")
    }

    /// Where the shim's own troubles are written.
    pub(super) fn shim_log(&self) -> PathBuf {
        self.0.join("shim.log")
    }

    pub(super) fn process(&self) -> PathBuf {
        self.0.join("process.json")
    }

    pub(super) fn exit(&self) -> PathBuf {
        self.0.join("exit.json")
    }

    /// A FIFO for what is sent as its input.
    pub(super) fn input(&self) -> PathBuf {
        self.0.join("input")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }
}

/// The root folder.
#[derive(Clone, Debug)]
pub(super) struct RootFolder(pub(super) PathBuf);

impl RootFolder {
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn pods(&self) -> PathBuf {
        self.0.join("pods")
    }

    pub(super) fn pod(&self, pod: &PodUid) -> PathBuf {
        self.pods().join(pod.as_str())
    }

    pub(super) fn sandbox(&self, pod: &PodUid) -> PathBuf {
        self.pod(pod).join("sandbox.json")
    }

    pub(super) fn containers(&self, pod: &PodUid) -> PathBuf {
        self.pod(pod).join("containers")
    }

    pub(super) fn latest(&self, pod: &PodUid, name: &ContainerName) -> PathBuf {
        self.containers(pod).join(name.as_str()).join("latest")
    }

    pub(super) fn attempt(&self, pod: &PodUid, name: &ContainerName, attempt: u32) -> AttemptFolder {
        AttemptFolder(self.containers(pod).join(name.as_str()).join(attempt.to_string()))
    }

    /// Where networks of pods are.
    pub(super) fn namespaces(&self) -> PathBuf {
        self.0.join("namespaces")
    }

    /// The network namespace of a pod.
    pub(super) fn network(&self, pod: &PodUid) -> PathBuf {
        self.namespaces().join(format!("net.{pod}"))
    }

    pub(super) fn removed(&self) -> PathBuf {
        self.0.join("removed")
    }

    /// Takes a folder away in one step, and then deletes it. What a crash leaves is deleted by the next
    /// [`empty_removed`](Self::empty_removed).
    pub(super) fn remove(&self, folder: &Path, name: &str) -> io::Result<()> {
        let away = self.removed().join(name);
        delete(&away)?;
        match fs::rename(folder, &away) {
            Ok(()) => delete(&away),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes what an earlier runtime began to delete.
    pub(super) fn empty_removed(&self) -> io::Result<()> {
        delete(&self.removed())?;
        make_folder(&self.removed())
    }
}

/// Makes a folder, and those above it, for the owner only.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Deletes a folder with everything in it, also when its owner made parts of it unwritable.
fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_its_owner_closed_is_deleted_all_the_same() {
        let root = std::env::temp_dir().join(format!("orch-record-{}", std::process::id()));
        make_folder(&root.join("a/b/c")).expect("folders");
        fs::set_permissions(root.join("a/b"), fs::Permissions::from_mode(0o000)).expect("its own folder");
        delete(&root).expect("deleted");
        assert!(!root.exists());
    }
}
