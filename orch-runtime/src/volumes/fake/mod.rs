//! [`FakeVolumes`]: volumes in memory.

mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use orch_core::runtime::{HostPathType, PodUid, VolumeError, VolumeName, VolumeSource, VolumeUsage, Volumes};

use self::node::Node;
pub use self::node::NodeFile;
use super::checked::{FileSet, HostPath, SubPath, plain_name, refused};

/// Where volumes are, in the node that is in memory.
const ROOT: &str = "/volumes";

/// Volumes of a node that is in memory, of which a test can see and change every file. Clones are the same node.
#[derive(Clone, Debug, Default)]
pub struct FakeVolumes {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    node: Node,
    pods: BTreeMap<PodUid, BTreeMap<VolumeName, Made>>,
    /// How often files were written.
    writes: u64,
    trouble: Option<String>,
}

/// What was made. A host path is not: it was there, or is the node's own now.
#[derive(Clone, Debug)]
enum Made {
    Empty { limit_bytes: Option<u64> },
    Files { files: FileSet },
}

impl FakeVolumes {
    /// A node without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file at a path of the node, with the folders that it is in. What was there is replaced.
    pub fn put(&self, path: impl AsRef<Path>, file: NodeFile) {
        self.state().node.put(path.as_ref(), file);
    }

    /// What is at a path of the node; links are followed.
    #[must_use]
    pub fn get(&self, path: impl AsRef<Path>) -> Option<NodeFile> {
        let state = self.state();
        state.node.get(&state.node.real(path.as_ref())?).cloned()
    }

    /// Deletes what is at a path of the node, with everything in it.
    pub fn delete(&self, path: impl AsRef<Path>) {
        self.state().node.delete(path.as_ref());
    }

    /// Every path of the node at which something is.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<PathBuf> {
        self.state().node.paths().cloned().collect()
    }

    /// How often the files of volumes were written.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// From now on every call is [`VolumeError::Unavailable`], for this reason; or no call any more.
    pub fn fail(&self, trouble: Option<&str>) {
        self.state().trouble = trouble.map(str::to_owned);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless the node is to be in trouble.
    fn working(&self) -> Result<MutexGuard<'_, State>, VolumeError> {
        let state = self.state();
        match &state.trouble {
            None => Ok(state),
            Some(message) => Err(VolumeError::Unavailable { message: message.clone(), transient: true, source: None }),
        }
    }
}

#[async_trait]
impl Volumes for FakeVolumes {
    async fn make(&self, pod: &PodUid, name: &VolumeName, source: &VolumeSource) -> Result<PathBuf, VolumeError> {
        let mut state = self.working()?;
        let path = Path::new(ROOT).join(pod.as_str()).join(name.as_str());
        match source {
            VolumeSource::HostPath { path, expects } => return state.host_path(&HostPath::new(path)?.0, *expects),
            VolumeSource::Empty { limit_bytes, .. } => match state.made(pod, name) {
                None => {
                    state.node.put(&path, NodeFile::Folder);
                    state.remember(pod, name, Made::Empty { limit_bytes: *limit_bytes });
                }
                Some(Made::Empty { .. }) => {}
                Some(_) => return Err(of_another_kind(name)),
            },
            VolumeSource::Files { files, group } => {
                let files = FileSet::new(files, *group)?;
                match state.made(pod, name) {
                    Some(Made::Empty { .. }) => return Err(of_another_kind(name)),
                    Some(Made::Files { files: there }) if there == files && state.holds(&path, &files) => {}
                    _ => state.write(&path, &files),
                }
                state.remember(pod, name, Made::Files { files });
            }
            other => return Err(refused(format!("volume {name}: volumes like {other:?} are not known"))),
        }
        Ok(path)
    }

    async fn resolve(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        volume: &Path,
        sub_path: &str,
    ) -> Result<PathBuf, VolumeError> {
        let part = SubPath::new(sub_path)?;
        let mut state = self.working()?;
        let creates = !matches!(state.made(pod, name), Some(Made::Files { .. }));
        state.part(volume, &part, creates)
    }

    async fn touch(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<PathBuf, VolumeError> {
        let mut state = self.working()?;
        let path = Path::new(ROOT).join(pod.as_str()).join(name.as_str()).join(plain_name(file)?);
        match state.node.get(&path) {
            Some(NodeFile::File { .. }) => {}
            Some(other) => return Err(refused(format!("{} is {} and no file", path.display(), other.word()))),
            None => state.node.put(&path, NodeFile::File { content: Vec::new(), mode: 0o666 }),
        }
        Ok(path)
    }

    async fn read(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        file: &str,
        most: usize,
    ) -> Result<Option<Bytes>, VolumeError> {
        let state = self.working()?;
        let path = Path::new(ROOT).join(pod.as_str()).join(name.as_str()).join(plain_name(file)?);
        match state.node.get(&path) {
            Some(NodeFile::File { content, .. }) => {
                Ok(Some(Bytes::copy_from_slice(&content[..content.len().min(most)])))
            }
            Some(other) => Err(refused(format!("{} is {} and no file", path.display(), other.word()))),
            None => Ok(None),
        }
    }

    async fn remove_file(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<(), VolumeError> {
        let mut state = self.working()?;
        let path = Path::new(ROOT).join(pod.as_str()).join(name.as_str()).join(plain_name(file)?);
        if state.node.get(&path) == Some(&NodeFile::Folder) {
            return Err(refused(format!("{} is a folder and no file", path.display())));
        }
        state.node.delete(&path);
        Ok(())
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), VolumeError> {
        let mut state = self.working()?;
        state.node.delete(&Path::new(ROOT).join(pod.as_str()));
        state.pods.remove(pod);
        Ok(())
    }

    async fn usage(&self) -> Result<BTreeMap<PodUid, BTreeMap<VolumeName, VolumeUsage>>, VolumeError> {
        let state = self.working()?;
        let usage = |pod: &PodUid, name: &VolumeName, made: &Made| VolumeUsage {
            used_bytes: state.node.bytes(&Path::new(ROOT).join(pod.as_str()).join(name.as_str())),
            limit_bytes: match made {
                Made::Empty { limit_bytes } => *limit_bytes,
                Made::Files { .. } => None,
            },
        };
        let of_pod = |(pod, volumes): (&PodUid, &BTreeMap<VolumeName, Made>)| {
            let volumes = volumes.iter().map(|(name, made)| (name.clone(), usage(pod, name, made)));
            (pod.clone(), volumes.collect())
        };
        Ok(state.pods.iter().map(of_pod).collect())
    }
}

impl State {
    fn made(&self, pod: &PodUid, name: &VolumeName) -> Option<Made> {
        self.pods.get(pod)?.get(name).cloned()
    }

    fn remember(&mut self, pod: &PodUid, name: &VolumeName, made: Made) {
        self.pods.entry(pod.clone()).or_default().insert(name.clone(), made);
    }

    /// Whether the files of a volume are these, whatever containers did.
    fn holds(&self, volume: &Path, files: &FileSet) -> bool {
        let right = |(path, file): (&String, &_)| self.node.get(&volume.join(path)) == Some(&NodeFile::file(file));
        files.files.iter().all(right)
    }

    fn write(&mut self, volume: &Path, files: &FileSet) {
        self.writes += 1;
        self.node.delete(volume);
        self.node.put(volume, NodeFile::Folder);
        for (path, file) in &files.files {
            self.node.put(&volume.join(path), NodeFile::file(file));
        }
    }

    fn host_path(&mut self, path: &Path, expects: HostPathType) -> Result<PathBuf, VolumeError> {
        let (shown, wanted) = (path.display(), format!("{expects:?}"));
        if let Some(real) = self.node.real(path) {
            let found = self.node.get(&real);
            return match found.is_some_and(|found| found.is(expects)) {
                true => Ok(real),
                false => {
                    let found = found.map_or("nothing", NodeFile::word);
                    Err(refused(format!("host path {shown} is {found}, and {wanted} is expected")))
                }
            };
        }
        let made = match expects {
            HostPathType::DirectoryOrCreate => NodeFile::Folder,
            HostPathType::FileOrCreate if path.parent().is_some_and(|parent| self.node.real(parent).is_some()) => {
                NodeFile::File { content: Vec::new(), mode: 0o644 }
            }
            _ => return Err(refused(format!("host path {shown}: there is nothing, and {wanted} is expected"))),
        };
        let above = path.ancestors().skip(1).find_map(|above| self.node.real(above));
        if above.and_then(|above| self.node.get(&above)).is_some_and(|above| *above != NodeFile::Folder) {
            return Err(refused(format!("host path {shown} leads through what is not a folder")));
        }
        if self.node.get(path).is_some() {
            return Err(refused(format!("host path {shown} is a link that leads nowhere: remove or mend it")));
        }
        self.node.put(path, made);
        Ok(path.to_owned())
    }

    fn part(&mut self, volume: &Path, part: &SubPath, creates: bool) -> Result<PathBuf, VolumeError> {
        let mut found = volume.to_owned();
        for name in &part.0 {
            if self.node.get(&found) != Some(&NodeFile::Folder) {
                return Err(refused(format!("{} is not a folder", found.display())));
            }
            let next = found.join(name);
            found = match self.node.get(&next) {
                None if creates => {
                    self.node.put(&next, NodeFile::Folder);
                    next
                }
                Some(NodeFile::Link(target)) if target.is_absolute() => return Err(leads_out(&next)),
                Some(NodeFile::Link(_)) => {
                    let real = self.node.real(&next).filter(|real| real.starts_with(volume));
                    real.ok_or_else(|| leads_out(&next))?
                }
                Some(_) => next,
                None => return Err(refused(format!("{} is not there: the volume has no such file", next.display()))),
            };
        }
        Ok(found)
    }
}

fn of_another_kind(name: &VolumeName) -> VolumeError {
    refused(format!("volume {name} is there and of another kind: remove the pod's volumes first"))
}

fn leads_out(path: &Path) -> VolumeError {
    refused(format!("{} leads out of the volume, or nowhere, by a link that a container may have made", path.display()))
}
