//! [`sources`] and [`mounts`]: which volumes a pod has, and where its containers see them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use orch_core::object::{
    Container, DownwardApiVolumeSource, HostPathType as Type, KeyToPath, Pod, Quantity, StorageMedium, Volume,
};
use orch_core::runtime::{HostPathType, VolumeFile, VolumeName, VolumeSource};

use super::downward::{field, lines, resource};
use super::environment::Surroundings;
use super::privileges::volume_group;

/// A volume that was made by this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) source: VolumeSource,
    /// Where it is on the node.
    pub(super) path: PathBuf,
}

/// Where a container sees a volume, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VolumeAt {
    pub(super) volume: VolumeName,
    /// Where the volume is on the node.
    pub(super) path: PathBuf,
    /// Which part of it.
    pub(super) sub_path: String,
    pub(super) target: PathBuf,
    pub(super) read_only: bool,
}

/// What is in each volume of a pod, or why that cannot be told, in Kubernetes' words.
pub(super) fn sources(pod: &Pod, around: Surroundings<'_>) -> Vec<(VolumeName, Result<VolumeSource, String>)> {
    let named = pod.spec.volumes.iter().filter_map(|volume| {
        let name: VolumeName = volume.name.parse().ok()?;
        let source = source(pod, volume, around);
        let failed = |why| format!("MountVolume.SetUp failed for volume \"{}\" : {why}", volume.name);
        Some((name, source.map_err(failed)))
    });
    named.collect()
}

/// Where a container sees the volumes of its pod, all of which are made.
///
/// # Errors
/// A message for people: it names a volume that the pod does not have.
pub(super) fn mounts(container: &Container, made: &BTreeMap<VolumeName, Made>) -> Result<Vec<VolumeAt>, String> {
    let mounts = container.volume_mounts.iter().map(|mount| {
        let found = mount.name.parse().ok().and_then(|name| Some((made.get(&name)?, name)));
        let Some((made, volume)) = found else {
            return Err(format!(
                "container {} mounts a volume {:?} that the pod does not have",
                container.name, mount.name
            ));
        };
        Ok(VolumeAt {
            volume,
            path: made.path.clone(),
            sub_path: mount.sub_path.clone().unwrap_or_default(),
            target: PathBuf::from(&mount.mount_path),
            read_only: mount.read_only,
        })
    });
    mounts.collect()
}

fn source(pod: &Pod, volume: &Volume, around: Surroundings<'_>) -> Result<VolumeSource, String> {
    let group = volume_group(pod)?;
    if let Some(folder) = &volume.empty_dir {
        let limit = folder.size_limit.map(Quantity::value).filter(|limit| *limit > 0);
        return Ok(VolumeSource::Empty {
            in_memory: folder.medium() == StorageMedium::Memory,
            limit_bytes: limit.and_then(|limit| u64::try_from(limit).ok()),
            group,
        });
    }
    if let Some(host) = &volume.host_path {
        return Ok(VolumeSource::HostPath { path: PathBuf::from(&host.path), expects: expected(host.path_type()) });
    }
    let files = if let Some(named) = &volume.config_map {
        let found = around.references.config_maps.get(&named.name);
        let values = found.map(|map| map.values().collect::<BTreeMap<_, _>>());
        let from =
            FileSource { kind: "configmap", name: &named.name, optional: named.optional, mode: named.default_mode() };
        from.files(values, &named.items)?
    } else if let Some(named) = &volume.secret {
        let found = around.references.secrets.get(&named.secret_name);
        let values = found.map(|secret| secret.values().collect::<BTreeMap<_, _>>());
        let from = FileSource {
            kind: "secret",
            name: &named.secret_name,
            optional: named.optional,
            mode: named.default_mode(),
        };
        from.files(values, &named.items)?
    } else if let Some(fields) = &volume.downward_api {
        downward(pod, fields, around)?
    } else {
        return Err("it has none of emptyDir, hostPath, configMap, secret and downwardAPI: give it one".to_owned());
    };
    Ok(VolumeSource::Files { files, group })
}

/// The object that the files of a volume come from.
struct FileSource<'a> {
    kind: &'static str,
    name: &'a str,
    optional: bool,
    mode: u32,
}

impl FileSource<'_> {
    fn files(
        &self,
        values: Option<BTreeMap<&str, &[u8]>>,
        items: &[KeyToPath],
    ) -> Result<BTreeMap<String, VolumeFile>, String> {
        let Some(values) = values else {
            let missing = || format!("{} \"{}\" not found", self.kind, self.name);
            return if self.optional { Ok(BTreeMap::new()) } else { Err(missing()) };
        };
        if items.is_empty() {
            let file = |(key, value): (&str, &[u8])| (key.to_owned(), file(value, self.mode));
            return Ok(values.into_iter().map(file).collect());
        }
        let mut files = BTreeMap::new();
        for item in items {
            match values.get(item.key.as_str()) {
                Some(value) => drop(files.insert(item.path.clone(), file(value, mode(item.mode, self.mode)))),
                None if self.optional => {}
                None => return Err(format!("{} references non-existent config key: {}", self.kind, item.key)),
            }
        }
        Ok(files)
    }
}

fn downward(
    pod: &Pod,
    fields: &DownwardApiVolumeSource,
    around: Surroundings<'_>,
) -> Result<BTreeMap<String, VolumeFile>, String> {
    let file = |item: &orch_core::object::DownwardApiVolumeFile| {
        let value = match (&item.field_ref, &item.resource_field_ref) {
            (Some(selector), _) if selector.field_path == "metadata.labels" => lines(&pod.metadata.labels),
            (Some(selector), _) if selector.field_path == "metadata.annotations" => lines(&pod.metadata.annotations),
            (Some(selector), _) => field(pod, selector, around)?,
            (None, Some(selector)) => resource(pod, selector, None, around.config)?,
            (None, None) => return Err(format!("{} has neither fieldRef nor resourceFieldRef", item.path)),
        };
        Ok((item.path.clone(), file(value.as_bytes(), mode(item.mode, fields.default_mode()))))
    };
    fields.items.iter().map(file).collect()
}

fn file(content: &[u8], mode: u32) -> VolumeFile {
    VolumeFile { content: Bytes::copy_from_slice(content), mode }
}

fn mode(own: Option<i32>, by_default: u32) -> u32 {
    own.and_then(|mode| u32::try_from(mode).ok()).map_or(by_default, |mode| mode & 0o777)
}

fn expected(path_type: Type) -> HostPathType {
    match path_type {
        Type::Unchecked => HostPathType::Any,
        Type::Directory => HostPathType::Directory,
        Type::DirectoryOrCreate => HostPathType::DirectoryOrCreate,
        Type::File => HostPathType::File,
        Type::FileOrCreate => HostPathType::FileOrCreate,
        Type::Socket => HostPathType::Socket,
        Type::CharDevice => HostPathType::CharDevice,
        Type::BlockDevice => HostPathType::BlockDevice,
    }
}

#[cfg(test)]
mod tests;
