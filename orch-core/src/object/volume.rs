//! [`Volume`]: a folder or file that containers of a pod share.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::config_map::validate_config_key;
use super::env::{ObjectFieldSelector, ResourceFieldSelector};
use super::null::{is_default, null_as_default};
use super::path::{parts, validate_absolute_path, validate_file_path};
use super::quantity::Quantity;
use crate::validation::{Problems, is_dns_label, is_dns_subdomain};

/// A folder or file that containers of a pod share: exactly one of the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Unique within the pod: a DNS label.
    pub name: String,
    /// A folder that is empty at first and goes with the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDirVolumeSource>,
    /// Something that is on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_path: Option<HostPathVolumeSource>,
    /// The values of a config map, as files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapVolumeSource>,
    /// The values of a secret, as files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretVolumeSource>,
    /// Fields of the pod, as files.
    #[serde(rename = "downwardAPI", skip_serializing_if = "Option::is_none")]
    pub downward_api: Option<DownwardApiVolumeSource>,
}

impl Volume {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if !is_dns_label(&self.name) {
            let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {:?}", self.name);
            problems.field("name", |problems| problems.report(message));
        }
        let sources = [
            self.empty_dir.is_some(),
            self.host_path.is_some(),
            self.config_map.is_some(),
            self.secret.is_some(),
            self.downward_api.is_some(),
        ];
        let sources = sources.into_iter().filter(|given| *given).count();
        if sources != 1 {
            let names = "emptyDir, hostPath, configMap, secret and downwardAPI";
            problems.report(format!("must have exactly one of {names}, got {sources}"));
        }
        if let Some(folder) = &self.empty_dir {
            problems.field("emptyDir", |problems| folder.validate(problems));
        }
        if let Some(host) = &self.host_path {
            problems.field("hostPath", |problems| {
                problems.field("path", |problems| validate_absolute_path(&host.path, problems));
            });
        }
        if let Some(map) = &self.config_map {
            problems.field("configMap", |problems| {
                validate_source("name", &map.name, &map.items, map.default_mode, problems);
            });
        }
        if let Some(secret) = &self.secret {
            problems.field("secret", |problems| {
                validate_source("secretName", &secret.secret_name, &secret.items, secret.default_mode, problems);
            });
        }
        if let Some(fields) = &self.downward_api {
            problems.field("downwardAPI", |problems| fields.validate(problems));
        }
    }
}

/// A folder that is empty at first and goes with the pod. It outlives restarts of containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmptyDirVolumeSource {
    /// Where it is; see [`medium`](Self::medium).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<StorageMedium>,
    /// The most that it may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_limit: Option<Quantity>,
}

impl EmptyDirVolumeSource {
    /// Where the folder is; [`StorageMedium::Node`] by default.
    #[must_use]
    pub fn medium(&self) -> StorageMedium {
        self.medium.unwrap_or_default()
    }

    fn validate(&self, problems: &mut Problems) {
        if let Some(limit) = self.size_limit.filter(|limit| limit.is_negative()) {
            problems.field("sizeLimit", |problems| problems.report(format!("must not be negative, got {limit}")));
        }
    }
}

/// Where an empty folder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StorageMedium {
    /// Wherever the node keeps such folders.
    #[default]
    #[serde(rename = "")]
    Node,
    /// In memory; what it holds counts as memory of the containers.
    Memory,
}

/// Something that is on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPathVolumeSource {
    /// Its path on the node.
    pub path: String,
    /// What must be there; see [`path_type`](Self::path_type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<HostPathType>,
}

impl HostPathVolumeSource {
    /// What must be there; anything by default, see [`HostPathType::Unchecked`].
    #[must_use]
    pub fn path_type(&self) -> HostPathType {
        self.r#type.unwrap_or_default()
    }
}

/// What must be at a path of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HostPathType {
    /// Anything: nothing is checked.
    #[default]
    #[serde(rename = "")]
    Unchecked,
    /// A folder, which is made if nothing is there.
    DirectoryOrCreate,
    /// A folder.
    Directory,
    /// A file, which is made if nothing is there. Its folder must be there.
    FileOrCreate,
    /// A file.
    File,
    /// A Unix socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// The values of a config map, each as a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapVolumeSource {
    /// The config map, in the pod's namespace.
    pub name: String,
    /// Which values there are and in which files; without any, each value is in the file of its key's name.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<KeyToPath>,
    /// The permissions of files that name none; see [`default_mode`](Self::default_mode).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_mode: Option<i32>,
    /// Whether the pod starts without the config map, or without a value of it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub optional: bool,
}

impl ConfigMapVolumeSource {
    /// The permissions of files that name none; 0644 by default.
    #[must_use]
    pub fn default_mode(&self) -> u32 {
        mode(self.default_mode)
    }
}

/// The values of a secret, each as a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretVolumeSource {
    /// The secret, in the pod's namespace.
    pub secret_name: String,
    /// Which values there are and in which files; without any, each value is in the file of its key's name.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<KeyToPath>,
    /// The permissions of files that name none; see [`default_mode`](Self::default_mode).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_mode: Option<i32>,
    /// Whether the pod starts without the secret, or without a value of it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub optional: bool,
}

impl SecretVolumeSource {
    /// The permissions of files that name none; 0644 by default.
    #[must_use]
    pub fn default_mode(&self) -> u32 {
        mode(self.default_mode)
    }
}

/// Which value is in which file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyToPath {
    /// The key of the value.
    pub key: String,
    /// The file, relative to the volume.
    pub path: String,
    /// The file's permissions; the volume's default, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<i32>,
}

/// Fields of the pod, each as a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DownwardApiVolumeSource {
    /// The files.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<DownwardApiVolumeFile>,
    /// The permissions of files that name none; see [`default_mode`](Self::default_mode).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_mode: Option<i32>,
}

impl DownwardApiVolumeSource {
    /// The permissions of files that name none; 0644 by default.
    #[must_use]
    pub fn default_mode(&self) -> u32 {
        mode(self.default_mode)
    }

    fn validate(&self, problems: &mut Problems) {
        validate_mode("defaultMode", self.default_mode, problems);
        let mut paths = BTreeSet::new();
        problems.each("items", &self.items, |problems, item| {
            validate_item_path(&item.path, &mut paths, problems);
            validate_mode("mode", item.mode, problems);
            match (&item.field_ref, &item.resource_field_ref) {
                (Some(field), None) => problems.field("fieldRef", |problems| field.validate_in_volume(problems)),
                (None, Some(resource)) => {
                    problems.field("resourceFieldRef", |problems| resource.validate_in_volume(problems));
                }
                _ => problems.report("must have exactly one of fieldRef and resourceFieldRef"),
            }
        });
    }
}

/// A field of the pod, as a file: exactly one of `field_ref` and `resource_field_ref`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DownwardApiVolumeFile {
    /// The file, relative to the volume.
    pub path: String,
    /// A field of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<ObjectFieldSelector>,
    /// What a container of the pod asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_field_ref: Option<ResourceFieldSelector>,
    /// The file's permissions; the volume's default, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<i32>,
}

fn mode(mode: Option<i32>) -> u32 {
    mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644) & 0o777
}

fn validate_source(field: &str, name: &str, items: &[KeyToPath], default_mode: Option<i32>, problems: &mut Problems) {
    if !is_dns_subdomain(name) {
        let message = format!("must be a DNS subdomain, for example \"settings\", got {name:?}");
        problems.field(field, |problems| problems.report(message));
    }
    validate_mode("defaultMode", default_mode, problems);
    let mut paths = BTreeSet::new();
    problems.each("items", items, |problems, item| {
        problems.field("key", |problems| validate_config_key(&item.key, problems));
        validate_item_path(&item.path, &mut paths, problems);
        validate_mode("mode", item.mode, problems);
    });
}

fn validate_item_path<'a>(path: &'a str, paths: &mut BTreeSet<Vec<&'a str>>, problems: &mut Problems) {
    problems.field("path", |problems| {
        validate_file_path(path, problems);
        if !paths.insert(parts(path)) {
            problems.report(format!("must differ from the other items' paths, got {path:?} again"));
        }
    });
}

/// Permissions and nothing else: no file of a volume sets a user or group.
fn validate_mode(field: &str, mode: Option<i32>, problems: &mut Problems) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let message = format!("must be from 0 to 511, which is 0777 in octal, got {mode}");
        problems.field(field, |problems| problems.report(message));
    }
}
