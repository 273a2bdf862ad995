//! What clauses do again and again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orch_core::runtime::{HostPathType, PodUid, VolumeError, VolumeFile, VolumeName, VolumeSource, Volumes};

pub(super) const EMPTY: VolumeSource = VolumeSource::Empty { in_memory: false, limit_bytes: None, group: None };

pub(super) fn pod(name: &str) -> PodUid {
    name.parse().expect("a valid uid")
}

pub(super) fn name(name: &str) -> VolumeName {
    name.parse().expect("a valid name")
}

/// Files with this content.
pub(super) fn files(files: &[(&str, &str)]) -> VolumeSource {
    let file = |(path, content): &(&str, &str)| {
        let file = VolumeFile { content: (*content).to_owned().into(), mode: 0o644 };
        ((*path).to_owned(), file)
    };
    VolumeSource::Files { files: files.iter().map(file).collect(), group: None }
}

/// The same as they are read.
pub(super) fn text(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, content)| ((*path).to_owned(), (*content).to_owned())).collect()
}

pub(super) fn host_path(path: impl AsRef<Path>, expects: HostPathType) -> VolumeSource {
    VolumeSource::HostPath { path: path.as_ref().to_owned(), expects }
}

/// Makes the volume `data` of the pod `a`.
pub(super) async fn made(volumes: &impl Volumes, source: &VolumeSource) -> PathBuf {
    volumes.make(&pod("a"), &name("data"), source).await.expect("a volume")
}

/// Makes it, in vain.
pub(super) async fn refused(volumes: &impl Volumes, source: &VolumeSource) -> String {
    match volumes.make(&pod("a"), &name("data"), source).await {
        Err(VolumeError::Refused { message }) => message,
        other => panic!("{source:?} is not refused: {other:?}"),
    }
}

/// A part of it.
pub(super) async fn part(volumes: &impl Volumes, volume: &Path, path: &str) -> PathBuf {
    volumes.resolve(&pod("a"), &name("data"), volume, path).await.expect("a part of the volume")
}

/// A part of it, in vain.
pub(super) async fn no_part(volumes: &impl Volumes, volume: &Path, path: &str) {
    match volumes.resolve(&pod("a"), &name("data"), volume, path).await {
        Err(VolumeError::Refused { .. }) => {}
        other => panic!("V6: {path:?} is not refused: {other:?}"),
    }
}
