//! Wrong volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use orch_core::runtime::{PodUid, VolumeError, VolumeFile, VolumeName, VolumeSource, VolumeUsage, Volumes};

use crate::suite::volumes::VolumesFixture;

/// What is wrong with [`FlawedVolumes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Makes every folder anew when the agent comes by: what containers wrote is gone.
    EmptiesFoldersThatExist,
    /// Writes files again that are the same: who watches them reads them again for nothing.
    RewritesWhatIsTheSame,
    /// Writes one file after the other: a certificate does not fit to its key for a moment.
    WritesOneFileAfterAnother,
    /// Never takes a file away that was once there.
    KeepsFilesThatAreNotWanted,
    /// Leaves out what has a hostile name, and does the rest: nobody learns of it.
    LeavesHostileNamesOut,
    /// Writes through a link that a container put in the place of a file.
    WritesThroughLinks,
    /// Follows links when it removes: a pod that is deleted takes the node's files along.
    RemovesThroughLinks,
    /// Leaves everything where it is.
    RemovesNothing,
    /// Knows only what it made itself: after a restart, volumes stay for ever.
    ForgetsWhenItEnds,
    /// Removes what is behind host paths too.
    RemovesHostPaths,
    /// Puts files where everybody can read them, as in a folder for temporary files.
    PutsFilesInTheOpen,
    /// Joins paths and looks at no link: as kubelet did before CVE-2017-1002101.
    JoinsPaths,
    /// Refuses every link, also one within the volume.
    RefusesEveryLink,
    /// Reads through a link that a container put in the place of a file: a container reads the node's secrets.
    ReadsThroughLinks,
    /// Leaves such a file where it is: one for each restart of a container piles up.
    KeepsFilesOfItsOwn,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 15] = [
        (Self::EmptiesFoldersThatExist, "V1"),
        (Self::RewritesWhatIsTheSame, "V1"),
        (Self::WritesOneFileAfterAnother, "V2"),
        (Self::KeepsFilesThatAreNotWanted, "V2"),
        (Self::LeavesHostileNamesOut, "V3"),
        (Self::WritesThroughLinks, "V3"),
        (Self::RemovesThroughLinks, "V3"),
        (Self::RemovesNothing, "V4"),
        (Self::ForgetsWhenItEnds, "V4"),
        (Self::RemovesHostPaths, "V4"),
        (Self::PutsFilesInTheOpen, "V5"),
        (Self::JoinsPaths, "V6"),
        (Self::RefusesEveryLink, "V6"),
        (Self::ReadsThroughLinks, "V7"),
        (Self::KeepsFilesOfItsOwn, "V7"),
    ];
}

/// Volumes with a flaw, or with none, over some that keep the contract.
pub struct FlawedVolumes<F: VolumesFixture> {
    flaw: Option<Flaw>,
    inner: F::Volumes,
    node: Arc<Node<F>>,
    /// Pods that this very agent made volumes of.
    own: Mutex<BTreeSet<PodUid>>,
}

/// A node with flawed volumes.
pub struct FlawedPlace<F> {
    flaw: Option<Flaw>,
    node: Arc<Node<F>>,
}

/// What the agents of one node share.
struct Node<F> {
    fixture: F,
    /// The links that containers made, and where they point to.
    links: Mutex<BTreeMap<PathBuf, PathBuf>>,
    host_paths: Mutex<BTreeMap<PodUid, PathBuf>>,
    /// Files that were once wanted, of one volume.
    files: Mutex<BTreeMap<PathBuf, BTreeMap<String, VolumeFile>>>,
}

impl<F> FlawedPlace<F> {
    /// A node whose volumes have this flaw, or none.
    pub fn new(flaw: Option<Flaw>, fixture: F) -> Self {
        let (links, host_paths, files) = Default::default();
        Self { flaw, node: Arc::new(Node { fixture, links, host_paths, files }) }
    }
}

impl<F> std::fmt::Debug for FlawedPlace<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlawedPlace").field("flaw", &self.flaw).finish_non_exhaustive()
    }
}

impl<F: VolumesFixture> std::fmt::Debug for FlawedVolumes<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlawedVolumes").field("flaw", &self.flaw).field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F: VolumesFixture> FlawedVolumes<F> {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Does what the flaw has it do before files are made, and says which are made then.
    async fn spoil(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        files: &BTreeMap<String, VolumeFile>,
    ) -> Result<BTreeMap<String, VolumeFile>, VolumeError> {
        let source = |files| VolumeSource::Files { files, group: None };
        let mut files = files.clone();
        let key = Path::new(pod.as_str()).join(name.as_str());
        let before = lock(&self.node.files).get(&key).cloned().unwrap_or_default();
        match self.flaw {
            Some(Flaw::RewritesWhatIsTheSame) => {
                self.inner.make(pod, name, &source(BTreeMap::new())).await?;
            }
            Some(Flaw::WritesOneFileAfterAnother) => {
                let mut mixed = before.clone();
                for (path, file) in &files {
                    mixed.insert(path.clone(), file.clone());
                    self.inner.make(pod, name, &source(mixed.clone())).await?;
                    tokio::task::yield_now().await;
                }
            }
            Some(Flaw::KeepsFilesThatAreNotWanted) => {
                let clashes = |path: &String| files.keys().any(|wanted| is_in_the_way(path, wanted));
                let kept: Vec<_> = before.into_iter().filter(|(path, _)| !clashes(path)).collect();
                files.extend(kept);
            }
            Some(Flaw::LeavesHostileNamesOut) => {
                let is_hostile = |path: &str| path.is_empty() || path.contains('\0') || path.contains("..");
                files.retain(|path, _| !is_hostile(path));
            }
            _ => {}
        }
        lock(&self.node.files).insert(key, files.clone());
        Ok(files)
    }

    fn write_through_links(&self, volume: &Path, files: &BTreeMap<String, VolumeFile>) {
        let links = lock(&self.node.links).clone();
        for (path, file) in files {
            if let Some(target) = links.get(&volume.join(path)) {
                self.node.fixture.write(target, &String::from_utf8_lossy(&file.content));
            }
        }
    }
}

/// Whether one of two paths is a folder of the other, or both are the same.
fn is_in_the_way(one: &str, other: &str) -> bool {
    Path::new(one).starts_with(other) || Path::new(other).starts_with(one)
}

#[async_trait]
impl<F: VolumesFixture> Volumes for FlawedVolumes<F> {
    async fn make(&self, pod: &PodUid, name: &VolumeName, source: &VolumeSource) -> Result<PathBuf, VolumeError> {
        lock(&self.own).insert(pod.clone());
        match source {
            VolumeSource::Empty { .. } if self.has(Flaw::EmptiesFoldersThatExist) => {
                self.inner.remove(pod).await?;
                self.inner.make(pod, name, source).await
            }
            VolumeSource::HostPath { .. } => {
                let path = self.inner.make(pod, name, source).await?;
                lock(&self.node.host_paths).insert(pod.clone(), path.clone());
                Ok(path)
            }
            VolumeSource::Files { files, group } => {
                let files = self.spoil(pod, name, files).await?;
                let source = VolumeSource::Files { files: files.clone(), group: *group };
                let path = self.inner.make(pod, name, &source).await?;
                if self.has(Flaw::WritesThroughLinks) {
                    self.write_through_links(&path, &files);
                }
                if self.has(Flaw::PutsFilesInTheOpen) {
                    let open = self.node.fixture.outside().join("volumes").join(name.as_str());
                    for (path, file) in &files {
                        self.node.fixture.write(&open.join(path), &String::from_utf8_lossy(&file.content));
                    }
                    return Ok(open);
                }
                Ok(path)
            }
            other => self.inner.make(pod, name, other).await,
        }
    }

    async fn resolve(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        volume: &Path,
        sub_path: &str,
    ) -> Result<PathBuf, VolumeError> {
        let joined = volume.join(sub_path);
        let is_there = self.node.fixture.is_folder(&joined) || self.node.fixture.read(&joined).is_some();
        let has_link = lock(&self.node.links).keys().any(|link| joined.starts_with(link));
        match self.flaw {
            Some(Flaw::JoinsPaths) if is_there => Ok(joined),
            Some(Flaw::RefusesEveryLink) if has_link => {
                Err(VolumeError::Refused { message: "there is a link in it".to_owned() })
            }
            _ => self.inner.resolve(pod, name, volume, sub_path).await,
        }
    }

    async fn touch(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<PathBuf, VolumeError> {
        self.inner.touch(pod, name, file).await
    }

    async fn read(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        file: &str,
        most: usize,
    ) -> Result<Option<Bytes>, VolumeError> {
        if self.has(Flaw::ReadsThroughLinks)
            && let Some(target) = lock(&self.node.links).values().next()
        {
            return Ok(self.node.fixture.read(target).map(Bytes::from));
        }
        self.inner.read(pod, name, file, most).await
    }

    async fn remove_file(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<(), VolumeError> {
        match self.flaw {
            Some(Flaw::KeepsFilesOfItsOwn) => Ok(()),
            _ => self.inner.remove_file(pod, name, file).await,
        }
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), VolumeError> {
        match self.flaw {
            Some(Flaw::RemovesNothing) => return Ok(()),
            Some(Flaw::ForgetsWhenItEnds) if !lock(&self.own).contains(pod) => return Ok(()),
            Some(Flaw::RemovesThroughLinks) => {
                lock(&self.node.links).values().for_each(|target| self.node.fixture.delete(target));
            }
            Some(Flaw::RemovesHostPaths) => {
                if let Some(path) = lock(&self.node.host_paths).remove(pod) {
                    self.node.fixture.delete(&path);
                }
            }
            _ => {}
        }
        self.inner.remove(pod).await
    }

    async fn usage(&self) -> Result<BTreeMap<PodUid, BTreeMap<VolumeName, VolumeUsage>>, VolumeError> {
        self.inner.usage().await
    }
}

#[async_trait]
impl<F: VolumesFixture> VolumesFixture for FlawedPlace<F> {
    type Volumes = FlawedVolumes<F>;

    async fn open(&self) -> FlawedVolumes<F> {
        let inner = self.node.fixture.open().await;
        FlawedVolumes { flaw: self.flaw, inner, node: Arc::clone(&self.node), own: Mutex::default() }
    }

    fn outside(&self) -> PathBuf {
        self.node.fixture.outside()
    }

    fn write(&self, path: &Path, content: &str) {
        self.node.fixture.write(path, content);
    }

    fn link(&self, path: &Path, target: &Path) {
        lock(&self.node.links).insert(path.to_owned(), target.to_owned());
        self.node.fixture.link(path, target);
    }

    fn delete(&self, path: &Path) {
        self.node.fixture.delete(path);
    }

    fn read(&self, path: &Path) -> Option<String> {
        self.node.fixture.read(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.node.fixture.is_folder(path)
    }

    fn files(&self, volume: &Path) -> BTreeMap<String, String> {
        self.node.fixture.files(volume)
    }

    fn stamp(&self, volume: &Path) -> String {
        self.node.fixture.stamp(volume)
    }

    fn others_can_read(&self, path: &Path) -> bool {
        self.node.fixture.others_can_read(path)
    }

    fn traces(&self) -> BTreeSet<String> {
        self.node.fixture.traces()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
