//! [`VolumeMount`]: where a container sees a volume.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::null::{is_default, null_as_default};
use super::path::{parts, validate_absolute_path, validate_relative_path};
use super::volume::Volume;
use crate::validation::Problems;

/// Where a container sees a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    /// The name of one of the pod's volumes.
    pub name: String,
    /// The path in the container: absolute, without a colon, and each once.
    pub mount_path: String,
    /// Whether the container cannot write to it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// The path in the volume of what the container sees; all of it by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
}

impl VolumeMount {
    fn validate(&self, volumes: &[Volume], problems: &mut Problems) {
        if !volumes.iter().any(|volume| volume.name == self.name) {
            let message = format!("must be the name of one of the pod's volumes, got {:?}", self.name);
            problems.field("name", |problems| problems.report(message));
        }
        problems.field("mountPath", |problems| {
            validate_absolute_path(&self.mount_path, problems);
            if self.mount_path.contains(':') {
                problems.report(format!("must not contain ':', got {:?}", self.mount_path));
            }
            if self.mount_path.starts_with('/') && parts(&self.mount_path).is_empty() {
                problems.report("must not be the root: it would hide the image");
            }
        });
        if let Some(path) = self.sub_path.as_deref() {
            problems.field("subPath", |problems| validate_relative_path(path, problems));
        }
    }
}

/// Reports mounts of a container of a pod with these volumes that lead nowhere, or to the same place.
pub(super) fn validate_mounts(mounts: &[VolumeMount], volumes: &[Volume], problems: &mut Problems) {
    let mut paths = BTreeSet::new();
    problems.each("volumeMounts", mounts, |problems, mount| {
        mount.validate(volumes, problems);
        if !paths.insert(parts(&mount.mount_path)) {
            let message = format!("must differ from the container's other mounts, got {:?} again", mount.mount_path);
            problems.field("mountPath", |problems| problems.report(message));
        }
    });
}
