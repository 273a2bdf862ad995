//! [`NodeVolumes`]: volumes as folders of this machine. Linux.

mod config;
mod delete;
mod files;
mod folder;
mod host_path;
mod memory;
mod part;
mod record;
mod trouble;
mod turns;
mod usage;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use orch_core::runtime::{PodUid, VolumeError, VolumeName, VolumeSource, VolumeUsage, Volumes};

pub use self::config::NodeVolumesConfig;
use self::folder::Folder;
use self::record::{Kind, Record};
use self::trouble::unavailable;
use self::turns::Turns;
use super::checked::{FileSet, HostPath, SubPath, plain_name, refused};

const CONTENT: &str = "content";
const NEW: &str = "content.new";
const PARTS: &str = "parts";
/// The most memory that a volume of files takes: two versions of it, the smallest file being a page.
const FILES_BYTES: u64 = 128 << 20;
/// A folder that every user of the pod writes into. Kubernetes has no sticky bit there either.
const OPEN: u32 = 0o777;
/// The same with files that belong to the folder's group.
const OPEN_TO_GROUP: u32 = 0o2777;

/// Volumes as folders below a root folder that nobody but the agent can look into, so that what a volume's own modes
/// allow is allowed in the pod only.
///
/// Nothing is remembered in memory: what is there is found on the disk and in the kernel's mounts by whoever is opened
/// next over the same root.
///
/// With the privilege to mount, empty folders can be in memory, files are (see [`NodeVolumesConfig::files_in_memory`]),
/// and a part of a volume stays the same file whatever containers do to links later (V6). Without it, memory is refused,
/// and a container can still lead a part elsewhere between [`resolve`](Volumes::resolve) and its own start.
///
/// A write to the disk is not waited for: no pod outlives the boot, and what a loss of power damages is made anew before
/// the next container starts.
#[derive(Clone, Debug)]
pub struct NodeVolumes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    files_in_memory: bool,
    /// Why nothing can be mounted, if nothing can.
    no_mounts: Option<io::Error>,
    turns: Turns,
}

impl NodeVolumes {
    /// Volumes over the root folder, with those that are there already. To be called within a tokio runtime.
    ///
    /// # Errors
    /// [`VolumeError::Unavailable`] when the root folder cannot be made or used.
    pub async fn open(config: NodeVolumesConfig) -> Result<Self, VolumeError> {
        let shared = Arc::new(apart(move || Shared::open(config)).await?);
        Ok(Self { shared })
    }

    /// Does something when it is the pod's turn, to its end, whether the caller still waits for it or not.
    async fn in_turn<T: Send + 'static>(
        &self,
        pod: &PodUid,
        act: impl FnOnce(&Shared) -> Result<T, VolumeError> + Send + 'static,
    ) -> Result<T, VolumeError> {
        let turn = self.shared.turns.take(pod).await;
        let shared = Arc::clone(&self.shared);
        apart(move || {
            let _until_it_is_done = turn;
            act(&shared)
        })
        .await
    }
}

#[async_trait]
impl Volumes for NodeVolumes {
    async fn make(&self, pod: &PodUid, name: &VolumeName, source: &VolumeSource) -> Result<PathBuf, VolumeError> {
        let (uid, name, source) = (pod.clone(), name.clone(), source.clone());
        self.in_turn(pod, move |shared| shared.make(&uid, &name, &source)).await
    }

    async fn resolve(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        volume: &Path,
        sub_path: &str,
    ) -> Result<PathBuf, VolumeError> {
        let part = SubPath::new(sub_path)?;
        let (uid, name, volume) = (pod.clone(), name.clone(), volume.to_owned());
        self.in_turn(pod, move |shared| shared.resolve(&uid, &name, &volume, &part)).await
    }

    async fn touch(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<PathBuf, VolumeError> {
        let (uid, name, file) = (pod.clone(), name.clone(), plain_name(file)?.to_owned());
        self.in_turn(pod, move |shared| shared.touch(&uid, &name, &file)).await
    }

    async fn read(
        &self,
        pod: &PodUid,
        name: &VolumeName,
        file: &str,
        most: usize,
    ) -> Result<Option<Bytes>, VolumeError> {
        let (uid, name, file) = (pod.clone(), name.clone(), plain_name(file)?.to_owned());
        self.in_turn(pod, move |shared| shared.read(&uid, &name, &file, most)).await
    }

    async fn remove_file(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<(), VolumeError> {
        let (uid, name, file) = (pod.clone(), name.clone(), plain_name(file)?.to_owned());
        self.in_turn(pod, move |shared| shared.remove_file(&uid, &name, &file)).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), VolumeError> {
        let uid = pod.clone();
        self.in_turn(pod, move |shared| {
            let failed = |error| unavailable("cannot remove", &shared.pods().join(uid.as_str()), error);
            shared.remove(&uid).map_err(failed)
        })
        .await
    }

    async fn usage(&self) -> Result<BTreeMap<PodUid, BTreeMap<VolumeName, VolumeUsage>>, VolumeError> {
        let shared = Arc::clone(&self.shared);
        apart(move || shared.usage().map_err(|error| unavailable("cannot measure", &shared.pods(), error))).await
    }
}

impl Shared {
    fn open(config: NodeVolumesConfig) -> Result<Self, VolumeError> {
        let failed = |error| unavailable("cannot use the folder of volumes", &config.root, error);
        std::fs::create_dir_all(&config.root).map_err(failed)?;
        let root = config.root.canonicalize().map_err(failed)?;
        let prepare = || {
            let folder = Folder::open(&root)?;
            folder.hand_over(0o700, None)?;
            folder.own_folder(OsStr::new("pods"))?;
            folder.own_folder(OsStr::new("trial"))?;
            memory::unmount_all(&root.join("trial"))
        };
        prepare().map_err(failed)?;
        let trial = root.join("trial");
        let no_mounts = memory::mount_memory(&trial, Some(1), 0o700, None).err();
        memory::unmount_all(&trial).and_then(|()| std::fs::remove_dir(&trial)).map_err(failed)?;
        Ok(Self { root, files_in_memory: config.files_in_memory, no_mounts, turns: Turns::default() })
    }

    fn pods(&self) -> PathBuf {
        self.root.join("pods")
    }

    fn path(&self, pod: &PodUid, name: &VolumeName) -> PathBuf {
        self.pods().join(pod.as_str()).join(name.as_str())
    }

    fn make(&self, pod: &PodUid, name: &VolumeName, source: &VolumeSource) -> Result<PathBuf, VolumeError> {
        let path = self.path(pod, name);
        let failed = |error| unavailable("cannot make the volume", &path, error);
        match source {
            VolumeSource::HostPath { path, expects } => host_path::make(&HostPath::new(path)?, *expects),
            VolumeSource::Empty { in_memory, limit_bytes, group } => {
                let kind = if *in_memory { Kind::Memory } else { Kind::Disk };
                if let (Kind::Memory, Some(error)) = (kind, &self.no_mounts) {
                    return Err(refused(format!(
                        "volume {name} is to be in memory, and the agent may not mount: {error}; run it as root"
                    )));
                }
                let volume = self.volume(pod, name, Record { kind, limit_bytes: *limit_bytes })?;
                let mode = if group.is_some() { OPEN_TO_GROUP } else { OPEN };
                let made = match kind {
                    Kind::Memory => make_in_memory(&volume, &path, *limit_bytes, mode, *group),
                    _ => make_on_disk(&volume, mode, *group),
                };
                made.map_err(failed)?;
                Ok(path.join(CONTENT))
            }
            VolumeSource::Files { files, group } => {
                let files = FileSet::new(files, *group)?;
                let volume = self.volume(pod, name, Record { kind: Kind::Files, limit_bytes: None })?;
                let in_memory = self.files_in_memory && self.no_mounts.is_none();
                make_files(&volume, &path, &files, *group, in_memory).map_err(failed)?;
                Ok(path.join(CONTENT))
            }
            other => Err(refused(format!("volume {name}: this node does not know volumes like {other:?}"))),
        }
    }

    /// The agent's folder of a volume, which it makes and describes if it is not there.
    fn volume(&self, pod: &PodUid, name: &VolumeName, record: Record) -> Result<Folder, VolumeError> {
        let path = self.path(pod, name);
        let failed = |error| unavailable("cannot make the volume", &path, error);
        let volume = self.volume_folder(pod, name).map_err(failed)?;
        match record::read(&volume).map_err(failed)? {
            Some(found) if found.kind != record.kind => Err(refused(format!(
                "volume {name} of pod {pod} is there and of another kind: remove the pod's volumes first"
            ))),
            Some(_) => Ok(volume),
            None => record::write(&volume, record).map(|()| volume).map_err(failed),
        }
    }

    fn volume_folder(&self, pod: &PodUid, name: &VolumeName) -> io::Result<Folder> {
        Folder::open(&self.pods())?.own_folder(pod.as_str().as_ref())?.own_folder(name.as_str().as_ref())
    }

    fn resolve(&self, pod: &PodUid, name: &VolumeName, volume: &Path, part: &SubPath) -> Result<PathBuf, VolumeError> {
        if part.0.is_empty() {
            return Ok(volume.to_owned());
        }
        let path = self.path(pod, name);
        let is_files = || -> io::Result<bool> {
            let record = record::read(&self.volume_folder(pod, name)?)?;
            Ok(record.is_some_and(|record| record.kind == Kind::Files))
        };
        let failed = |error| unavailable("cannot use the volume", &path, error);
        let create = !is_files().map_err(failed)?;
        let found = part::find(volume, part, create)?;
        if self.no_mounts.is_some() {
            return part::real_path(&found, volume);
        }
        let folder = self.volume_folder(pod, name).map_err(failed)?;
        let parts = folder.own_folder(PARTS.as_ref()).map_err(failed)?;
        part::pin(&found, part, &parts, &path.join(PARTS))
    }

    fn touch(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<PathBuf, VolumeError> {
        let path = self.path(pod, name).join(CONTENT).join(file);
        let failed = |error| unavailable("cannot make the file", &path, error);
        let content =
            self.volume_folder(pod, name).and_then(|volume| volume.folder(CONTENT.as_ref())).map_err(failed)?;
        match content.create(file.as_ref(), 0o666) {
            // Whatever this process lets others do with its files.
            Ok(file) => file.set_permissions(Permissions::from_mode(0o666)).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                content.file(file.as_ref()).map_err(|_| refused(format!("{} is there and no file", path.display())))?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(path)
    }

    fn read(&self, pod: &PodUid, name: &VolumeName, file: &str, most: usize) -> Result<Option<Bytes>, VolumeError> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let volume = Folder::open(&self.path(pod, name).join(CONTENT));
        match volume.and_then(|content| content.read(file.as_ref(), most)) {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable("cannot read", &self.path(pod, name).join(CONTENT).join(file), error)),
        }
    }

    fn remove_file(&self, pod: &PodUid, name: &VolumeName, file: &str) -> Result<(), VolumeError> {
        let path = self.path(pod, name).join(CONTENT);
        match Folder::open(&path).and_then(|content| content.remove_file(file.as_ref())) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(refused(format!("{} is a folder and no file", path.join(file).display())))
            }
            Err(error) => Err(unavailable("cannot remove", &path.join(file), error)),
        }
    }

    fn remove(&self, uid: &PodUid) -> io::Result<()> {
        let pods = Folder::open(&self.pods())?;
        if pods.entry(uid.as_str().as_ref())?.is_none() {
            return Ok(());
        }
        let (pod, path) = (pods.folder(uid.as_str().as_ref())?, self.pods().join(uid.as_str()));
        for name in pod.names(usize::MAX)? {
            let (volume, path) = (pod.folder(&name)?, path.join(&name));
            if let Ok(parts) = volume.folder(PARTS.as_ref()) {
                let unmount = |part| memory::unmount_all(&path.join(PARTS).join(part));
                parts.names(usize::MAX)?.into_iter().try_for_each(unmount)?;
            }
            memory::unmount_all(&path.join(CONTENT))?;
            // The record goes last: until then the volume is known for what it is.
            [PARTS, NEW, CONTENT].into_iter().try_for_each(|name| delete::delete(&volume, name.as_ref()))?;
            delete::delete(&pod, &name)?;
        }
        pods.remove_folder(uid.as_str().as_ref())
    }

    fn usage(&self) -> io::Result<BTreeMap<PodUid, BTreeMap<VolumeName, VolumeUsage>>> {
        let pods = Folder::open(&self.pods())?;
        let mut usage = BTreeMap::new();
        for name in pods.names(usize::MAX)? {
            let uid = name.to_str().and_then(|name| name.parse().ok());
            // What is being removed meanwhile is not there any more.
            let (Some(uid), Ok(pod)) = (uid, pods.folder(&name)) else { continue };
            let volumes: &mut BTreeMap<_, _> = usage.entry(uid).or_default();
            for name in pod.names(usize::MAX)? {
                let parsed = name.to_str().and_then(|name| name.parse().ok());
                let (Some(parsed), Ok(volume)) = (parsed, pod.folder(&name)) else { continue };
                match volume_usage(&volume) {
                    Ok(Some(used)) => drop(volumes.insert(parsed, used)),
                    Ok(None) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(usage)
    }
}

fn make_on_disk(volume: &Folder, mode: u32, group: Option<u32>) -> io::Result<()> {
    if volume.entry(CONTENT.as_ref())?.is_some() {
        return Ok(());
    }
    delete::delete(volume, NEW.as_ref())?;
    volume.own_folder(NEW.as_ref())?.hand_over(mode, group)?;
    volume.rename(NEW.as_ref(), volume, CONTENT.as_ref())
}

fn make_in_memory(volume: &Folder, path: &Path, limit: Option<u64>, mode: u32, group: Option<u32>) -> io::Result<()> {
    let content = volume.own_folder(CONTENT.as_ref())?;
    if memory::is_mounted(volume, &content)? {
        return Ok(());
    }
    memory::mount_memory(&path.join(CONTENT), limit, mode, group)
}

fn make_files(volume: &Folder, path: &Path, files: &FileSet, group: Option<u32>, in_memory: bool) -> io::Result<()> {
    let content = volume.own_folder(CONTENT.as_ref())?;
    let mounted = memory::is_mounted(volume, &content)?;
    // What was begun on the disk stays there: containers may look at it.
    if in_memory && !mounted && content.names(1)?.is_empty() {
        memory::mount_memory(&path.join(CONTENT), Some(FILES_BYTES), 0o755, None)?;
    } else if !mounted {
        content.hand_over(0o755, None)?;
    }
    files::make(&volume.folder(CONTENT.as_ref())?, files, group)
}

fn volume_usage(volume: &Folder) -> io::Result<Option<VolumeUsage>> {
    let content = match volume.folder(CONTENT.as_ref()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let limit_bytes = record::read(volume)?.and_then(|record| record.limit_bytes);
    let used_bytes =
        if memory::is_mounted(volume, &content)? { memory::used(&content)? } else { usage::used(content)? };
    Ok(Some(VolumeUsage { used_bytes, limit_bytes }))
}

/// Does what waits for the disk on a thread of its own.
async fn apart<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeError> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| {
        let message = "a task of the volumes did not end as it should: please report it".to_owned();
        Err(VolumeError::Unavailable { message, transient: false, source: Some(Box::new(error)) })
    })
}
