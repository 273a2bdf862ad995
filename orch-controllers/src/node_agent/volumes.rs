//! What a pod's volumes are to hold, and where its containers see them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use bytes::Bytes;
use orch_core::object::{self, Container, KeyToPath, Pod, StorageMedium, Volume};
use orch_core::runtime::{ContainerId, HostPathType, Mount, VolumeFile, VolumeName, VolumeSource};

use super::environment::{Surroundings, field, resource};
use super::materials::Materials;
use super::memory::MadeVolume;

/// Where containers leave their last words. No volume of a pod can have this name.
const TERMINATION_MESSAGES: &str = "orch-termination-messages";
/// Secrets are for the container's user alone, unless the pod says otherwise.
const SECRET_MODE: u32 = 0o600;

/// A part of a volume that a mount shows, found when the container is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubPath {
    /// Which of the mounts.
    pub(super) mount: usize,
    pub(super) volume: VolumeName,
    pub(super) path: String,
}

/// What must be there before a container starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts {
    pub(super) mounts: Vec<Mount>,
    pub(super) sub_paths: Vec<SubPath>,
    /// Which of the mounts is a file that is made for the attempt, for its last words.
    pub(super) message: Option<(usize, MessageFile)>,
}

/// Where an attempt leaves its last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageFile {
    pub(super) volume: VolumeName,
    pub(super) path: PathBuf,
    /// Its name within the volume.
    pub(super) file: String,
}

/// What each volume of the pod is to hold.
///
/// # Errors
/// Why a volume cannot be told yet, worded as Kubernetes words it.
pub(super) fn sources(
    pod: &Pod,
    materials: &Materials,
    around: Surroundings<'_>,
    with_messages: bool,
) -> Result<Vec<(VolumeName, VolumeSource)>, String> {
    let mut sources = Vec::new();
    for volume in &pod.spec.volumes {
        let failed = |why: String| format!("MountVolume.SetUp failed for volume {:?} : {why}", volume.name);
        let name: VolumeName = volume.name.parse().map_err(|error| failed(format!("{error}")))?;
        sources.push((name, source(pod, volume, materials, around).map_err(failed)?));
    }
    if with_messages {
        let empty = VolumeSource::Empty { in_memory: false, limit_bytes: None, group: None };
        sources.extend(messages_volume(pod).map(|name| (name, empty)));
    }
    Ok(sources)
}

/// The volume of last words, unless the pod has one of that name.
fn messages_volume(pod: &Pod) -> Option<VolumeName> {
    let taken = pod.spec.volumes.iter().any(|volume| volume.name == TERMINATION_MESSAGES);
    TERMINATION_MESSAGES.parse().ok().filter(|_| !taken)
}

fn source(pod: &Pod, volume: &Volume, materials: &Materials, around: Surroundings<'_>) -> Result<VolumeSource, String> {
    let group = pod.spec.security_context.as_ref().and_then(|context| context.fs_group);
    let group = group.and_then(|group| u32::try_from(group).ok());
    if let Some(empty) = &volume.empty_dir {
        let limit_bytes = empty.size_limit.and_then(|limit| u64::try_from(limit.value()).ok());
        return Ok(VolumeSource::Empty { in_memory: empty.medium() == StorageMedium::Memory, limit_bytes, group });
    }
    if let Some(host) = &volume.host_path {
        return Ok(VolumeSource::HostPath { path: PathBuf::from(&host.path), expects: expected(host.path_type()) });
    }
    if let Some(map) = &volume.config_map {
        let found = materials.config_maps.get(&map.name).cloned().flatten();
        let values = match &found {
            Some(found) => found.values().collect(),
            None if map.optional => BTreeMap::new(),
            None => return Err(format!("configmap {:?} not found", map.name)),
        };
        let optional = map.optional;
        return files(&values, &map.items, map.default_mode(), optional, group)
            .map_err(|key| format!("configmap references non-existent config key: {key}"));
    }
    if let Some(secret) = &volume.secret {
        let found = materials.secrets.get(&secret.secret_name).cloned().flatten();
        let values = match &found {
            Some(found) => found.values().collect(),
            None if secret.optional => BTreeMap::new(),
            None => return Err(format!("secret {:?} not found", secret.secret_name)),
        };
        let mode = secret.default_mode.map_or(SECRET_MODE, |_| secret.default_mode());
        return files(&values, &secret.items, mode, secret.optional, group)
            .map_err(|key| format!("references non-existent secret key: {key}"));
    }
    if let Some(fields) = &volume.downward_api {
        let mut files = BTreeMap::new();
        for item in &fields.items {
            let text = match (&item.field_ref, &item.resource_field_ref) {
                (Some(selector), _) => field(pod, selector, around)?,
                (None, Some(selector)) => resource(pod, None, selector, around)?,
                (None, None) => String::new(),
            };
            let mode = item.mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(fields.default_mode());
            files.insert(item.path.clone(), VolumeFile { content: Bytes::from(text), mode });
        }
        return Ok(VolumeSource::Files { files, group });
    }
    Err("it has no source that this node knows: use emptyDir, hostPath, configMap, secret or downwardAPI".to_owned())
}

/// All values as files of their names, or those that are asked for.
///
/// # Errors
/// The key that is asked for and not there.
fn files(
    values: &BTreeMap<&str, &[u8]>,
    items: &[KeyToPath],
    default_mode: u32,
    optional: bool,
    group: Option<u32>,
) -> Result<VolumeSource, String> {
    let file = |content: &[u8], mode| VolumeFile { content: Bytes::copy_from_slice(content), mode };
    if items.is_empty() {
        let files = values.iter().map(|(key, content)| ((*key).to_owned(), file(content, default_mode)));
        return Ok(VolumeSource::Files { files: files.collect(), group });
    }
    let mut files = BTreeMap::new();
    for item in items {
        match values.get(item.key.as_str()) {
            Some(content) => {
                let mode = item.mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default_mode);
                files.insert(item.path.clone(), file(content, mode));
            }
            None if optional => {}
            None => return Err(item.key.clone()),
        }
    }
    Ok(VolumeSource::Files { files, group })
}

fn expected(kind: object::HostPathType) -> HostPathType {
    match kind {
        object::HostPathType::Unchecked => HostPathType::Any,
        object::HostPathType::DirectoryOrCreate => HostPathType::DirectoryOrCreate,
        object::HostPathType::Directory => HostPathType::Directory,
        object::HostPathType::FileOrCreate => HostPathType::FileOrCreate,
        object::HostPathType::File => HostPathType::File,
        object::HostPathType::Socket => HostPathType::Socket,
        object::HostPathType::CharDevice => HostPathType::CharDevice,
        object::HostPathType::BlockDevice => HostPathType::BlockDevice,
    }
}

/// Where the container sees the volumes, which were made; `None` if one of them was not.
pub(super) fn mounts(
    pod: &Pod,
    container: &Container,
    id: &ContainerId,
    made: &BTreeMap<VolumeName, MadeVolume>,
) -> Option<Mounts> {
    let mut all = Mounts::default();
    for mount in &container.volume_mounts {
        let volume: VolumeName = mount.name.parse().ok()?;
        let source = made.get(&volume)?.path.clone();
        if let Some(path) = mount.sub_path.clone().filter(|path| !path.is_empty()) {
            all.sub_paths.push(SubPath { mount: all.mounts.len(), volume, path });
        }
        let target = PathBuf::from(&mount.mount_path);
        all.mounts.push(Mount { source, target, read_only: mount.read_only });
    }
    if let Some(message) = message_file(pod, id, made) {
        let target = PathBuf::from(container.termination_message_path());
        // A volume that the pod puts there is the pod's own matter.
        if all.mounts.iter().all(|mount| mount.target != target) {
            let source = message.path.join(&message.file);
            all.message = Some((all.mounts.len(), message));
            all.mounts.push(Mount { source, target, read_only: false });
        }
    }
    Some(all)
}

/// Where an attempt leaves its last words, if it can.
pub(super) fn message_file(
    pod: &Pod,
    id: &ContainerId,
    made: &BTreeMap<VolumeName, MadeVolume>,
) -> Option<MessageFile> {
    let volume = messages_volume(pod)?;
    let path = made.get(&volume)?.path.clone();
    Some(MessageFile { volume, path, file: format!("{}.{}", id.name, id.attempt) })
}

/// Tells one content from another, without keeping it: it may be large, and secret.
pub(super) fn fingerprint(source: &VolumeSource) -> u64 {
    let mut hasher = DefaultHasher::new();
    match source {
        VolumeSource::Files { files, group } => {
            for (path, file) in files {
                (path, file.mode, &file.content).hash(&mut hasher);
            }
            group.hash(&mut hasher);
        }
        other => format!("{other:?}").hash(&mut hasher),
    }
    hasher.finish()
}
