//! [`NodeVolumesConfig`]: where the volumes are.

use std::path::PathBuf;

/// How [`NodeVolumes`](super::NodeVolumes) works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeVolumesConfig {
    /// The folder of all volumes. It is made if it is not there, readable by its owner only. One agent at a time may
    /// use it; opened again, it finds what is there.
    pub root: PathBuf,
    /// Whether the files of [`VolumeSource::Files`](orch_core::runtime::VolumeSource::Files), which may be secret, are
    /// kept in memory, so that none of them is on the disk ever. Without the privilege to mount they are on the disk
    /// all the same, readable by the agent's user only. To be turned off where the runtime's daemon does not see the
    /// agent's mounts.
    pub files_in_memory: bool,
}

impl NodeVolumesConfig {
    /// The defaults: files are kept in memory.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), files_in_memory: true }
    }
}
