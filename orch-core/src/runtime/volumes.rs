//! [`Volumes`]: the files of pods that are on the node and not in an image.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;

use super::PodUid;
use crate::validation::is_dns_label;

/// Makes the volumes of pods exist on one node.
///
/// # What every implementation promises
///
/// - **V1** *Idempotent*: to make what is there changes nothing but, for [`VolumeSource::Files`], files whose content
///   differs. Folders that containers have written into keep what is in them.
/// - **V2** *Atomic*: whoever reads the files of a volume sees all of them as they were or all of them as they are,
///   also while they change and after a crash at any moment. Nobody sees half of a file.
/// - **V3** *Nothing escapes*: no name, path or symbolic link, whoever made it, leads to a file outside the volume, and
///   removal follows no link out of it.
/// - **V4** *Leaves nothing behind*: after [`remove`](Volumes::remove) no file and no mount of the pod is left. What is
///   behind a [`VolumeSource::HostPath`] is the node's and stays.
/// - **V5** *Private*: no user of the node but root and those that the pod's containers run as can read the files of a
///   volume.
/// - **V6** *A part stays within*: what [`resolve`](Volumes::resolve) returns is a part of the volume, whatever links
///   containers have made in there. An implementation says whether they can make it another one later.
/// - **V7** *A file of its own*: a file that [`touch`](Volumes::touch) made can be written by every user of the pod. What
///   [`read`](Volumes::read) returns is what is in that file, never in one that a link leads to. After
///   [`remove_file`](Volumes::remove_file) it is gone, and no other.
#[async_trait]
pub trait Volumes: Debug + Send + Sync + 'static {
    /// Makes a volume exist, and returns where it is on the node.
    ///
    /// # Errors
    /// [`VolumeError::Refused`] when the node has nothing of that path or kind, or must not give it;
    /// [`VolumeError::Unavailable`] when the disk does not do it. What was there stays as it was.
    async fn make(&self, pod: &PodUid, name: &VolumeName, source: &VolumeSource) -> Result<PathBuf, VolumeError>;

    /// Where a part of a volume is on the node: `sub_path` below `volume`, which is what [`make`](Volumes::make)
    /// returned. It is relative and without `..`; an empty one is the volume itself. Folders that are missing are made
    /// like the volume itself is, but not among [`VolumeSource::Files`]. A link is followed if it stays within the volume. To be asked again before each start
    /// of a container: what was there may have been replaced.
    ///
    /// # Errors
    /// [`VolumeError::Refused`] when the path leads out of the volume, to what is not there, or through what is not a folder;
    /// [`VolumeError::Unavailable`].
    async fn resolve(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        volume: &Path,
        sub_path: &str,
    ) -> Result<PathBuf, VolumeError>;

    /// Makes an empty file in a volume that was made as [`VolumeSource::Empty`], directly below it, and returns where it is
    /// on the node. A file that is there stays as it is.
    ///
    /// # Errors
    /// [`VolumeError::Refused`] for what is not one plain name, or is there and no file; [`VolumeError::Unavailable`].
    async fn touch(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<PathBuf, VolumeError>;

    /// What is in such a file, of one that is longer than `most` bytes the beginning; `None` if there is none.
    ///
    /// # Errors
    /// [`VolumeError::Refused`] for what is not one plain name; [`VolumeError::Unavailable`].
    async fn read(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        file: &str,
        most: usize,
    ) -> Result<Option<Bytes>, VolumeError>;

    /// Removes such a file. One that is not there is no error, and neither is a volume that is not; a link in its place is
    /// removed itself.
    ///
    /// # Errors
    /// [`VolumeError::Refused`] for what is not one plain name, or is no file; [`VolumeError::Unavailable`].
    async fn remove_file(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<(), VolumeError>;

    /// Removes every volume of a pod. A pod that is not known is no error.
    ///
    /// # Errors
    /// [`VolumeError::Unavailable`]; what was not removed is still listed.
    async fn remove(&self, pod: &PodUid) -> Result<(), VolumeError>;

    /// What each volume uses, of every pod that has any: in bytes on the disk or in memory. What is behind a
    /// [`VolumeSource::HostPath`] is not counted.
    ///
    /// # Errors
    /// [`VolumeError::Unavailable`].
    async fn usage(&self) -> Result<BTreeMap<PodUid, BTreeMap<VolumeName, VolumeUsage>>, VolumeError>;
}

/// What a volume uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeUsage {
    /// Bytes on the disk or in memory.
    pub used_bytes: u64,
    /// The most that it may use.
    pub limit_bytes: Option<u64>,
}

/// The name of a volume within its pod, checked: a DNS-1123 label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeName(String);

impl VolumeName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VolumeName {
    type Err = VolumeError;

    fn from_str(text: &str) -> Result<Self, VolumeError> {
        if is_dns_label(text) {
            return Ok(Self(text.to_owned()));
        }
        let message = format!("{text:?} is not the name of a volume: use at most 63 of a-z, 0-9 and '-'");
        Err(VolumeError::Refused { message })
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is in a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeSource {
    /// An empty folder at first, which the containers of the pod write into.
    Empty {
        /// Whether it is in memory in place of the disk.
        in_memory: bool,
        /// The most that it may hold. In memory the kernel enforces it; on the disk, [`Volumes::usage`] tells.
        limit_bytes: Option<u64>,
        /// The group that its files belong to, if that must be a certain one.
        group: Option<u32>,
    },
    /// A file or folder of the node.
    HostPath {
        /// Where it is: absolute, without `..`.
        path: PathBuf,
        /// What must be there.
        expects: HostPathType,
    },
    /// These files, by their paths below the volume. A path is relative and without `..`, and does not begin with `..`.
    Files {
        /// The files.
        files: BTreeMap<String, VolumeFile>,
        /// The group that they belong to, if that must be a certain one. It can read them, whatever their modes say.
        group: Option<u32>,
    },
}

/// What must be at a path of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostPathType {
    /// Anything that exists.
    #[default]
    Any,
    /// A folder.
    Directory,
    /// A folder, which is made if there is nothing.
    DirectoryOrCreate,
    /// A file.
    File,
    /// A file, which is made if there is nothing, in a folder that exists.
    FileOrCreate,
    /// A unix socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// One file of a volume. Its content is not shown by `Debug`: it may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct VolumeFile {
    /// What is in it.
    pub content: Bytes,
    /// Who may do what with it, as in `chmod`; at most 0o777.
    pub mode: u32,
}

impl Debug for VolumeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, mode {:o}", self.content.len(), self.mode)
    }
}

/// Why there is no volume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// What was asked for is not to be had on this node, whoever tries again.
    #[error("{message}")]
    Refused {
        /// What, why, and what to do.
        message: String,
    },
    /// The disk or the kernel does not do it.
    #[error("{message}")]
    Unavailable {
        /// What was tried, and what to look at.
        message: String,
        /// Whether trying again may help without anything being changed.
        transient: bool,
        /// The operating system's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl VolumeError {
    /// Whether the same request may succeed later without anything being changed by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { transient: true, .. })
    }
}
