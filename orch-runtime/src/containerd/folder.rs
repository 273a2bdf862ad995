//! What is in the root folder, and where:
//!
//! ```text
//! ROOT/addresses.json, addresses.lock       which pod has which address, and which rest
//! ROOT/locks/UID                            held while a pod is changed
//! ROOT/namespaces/net.UID, ipc.UID          the pod's namespaces, kept by a mount
//! ROOT/pods/UID/hosts, hostname, resolv.conf
//! ROOT/pods/UID/exec/                       the ends of commands' input and output
//! ROOT/pods/UID/containers/NAME/ATTEMPT/    the log of an attempt, and its input
//! ```

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use orch_core::runtime::{ContainerId, PodUid};

/// The root folder.
#[derive(Clone, Debug)]
pub(super) struct RootFolder(pub(super) PathBuf);

impl RootFolder {
    /// Makes the folders that all pods share.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        make_folder(path)?;
        let root = Self(path.canonicalize()?);
        for folder in [root.locks(), root.namespaces(), root.pods()] {
            make_folder(&folder)?;
        }
        Ok(root)
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.0.join("locks")
    }

    pub(super) fn lock(&self, pod: &PodUid) -> PathBuf {
        self.locks().join(pod.as_str())
    }

    pub(super) fn namespaces(&self) -> PathBuf {
        self.0.join("namespaces")
    }

    pub(super) fn namespace(&self, kind: &str, pod: &PodUid) -> PathBuf {
        self.namespaces().join(format!("{kind}.{pod}"))
    }

    pub(super) fn pods(&self) -> PathBuf {
        self.0.join("pods")
    }

    pub(super) fn pod(&self, pod: &PodUid) -> PathBuf {
        self.pods().join(pod.as_str())
    }

    pub(super) fn exec(&self, pod: &PodUid) -> PathBuf {
        self.pod(pod).join("exec")
    }

    pub(super) fn attempt(&self, id: &ContainerId) -> PathBuf {
        self.pod(&id.pod).join("containers").join(id.name.as_str()).join(id.attempt.to_string())
    }

    /// The pods of which there is a folder or a lock, whatever else there is.
    pub(super) fn pods_with_files(&self) -> io::Result<BTreeSet<PodUid>> {
        let mut pods = BTreeSet::new();
        for folder in [self.pods(), self.locks()] {
            for entry in fs::read_dir(folder)? {
                pods.extend(entry?.file_name().to_str().and_then(|name| name.parse().ok()));
            }
        }
        Ok(pods)
    }
}

/// Makes a folder, and those above it, readable by the owner only.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    gone_is_fine(fs::remove_dir_all(path))
}

pub(super) fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
