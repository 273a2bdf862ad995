//! [`EnvVar`]: environment variables of containers.

use serde::{Deserialize, Serialize};

use super::config_map::validate_config_key;
use super::container::validate_no_nul;
use super::null::{is_default, null_as_default};
use super::quantity::Quantity;
use crate::validation::{Problems, is_dns_subdomain};

/// An environment variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVar {
    /// The variable's name.
    pub name: String,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where its value comes from, if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

impl EnvVar {
    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.field("name", |problems| validate_variable_name(&self.name, problems));
        if let Some(value) = &self.value {
            problems.field("value", |problems| validate_no_nul(value, problems));
        }
        let Some(source) = &self.value_from else { return };
        problems.field("valueFrom", |problems| {
            if self.value.as_deref().is_some_and(|value| !value.is_empty()) {
                problems.report("must be left out when value is given");
            }
            source.validate(problems);
        });
    }
}

/// Reports text that can be no environment variable's name.
pub(super) fn validate_variable_name(name: &str, problems: &mut Problems) {
    let printable = |b: u8| b != b'=' && (b.is_ascii_graphic() || b == b' ');
    if name.is_empty() || !name.bytes().all(printable) {
        problems.report(format!("must be one or more printable ASCII characters other than '=', got {name:?}"));
    }
}

/// Reports the name in a reference to a config map or secret that neither can have.
pub(super) fn validate_reference(name: &str, problems: &mut Problems) {
    if !is_dns_subdomain(name) {
        let message = format!("must be a DNS subdomain, for example \"settings\", got {name:?}");
        problems.field("name", |problems| problems.report(message));
    }
}

/// Where the value of an environment variable comes from: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVarSource {
    /// A field of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<ObjectFieldSelector>,
    /// What a container asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_field_ref: Option<ResourceFieldSelector>,
    /// A value of a config map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeySelector>,
    /// A value of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeySelector>,
}

impl EnvVarSource {
    fn validate(&self, problems: &mut Problems) {
        let sources = [
            self.field_ref.is_some(),
            self.resource_field_ref.is_some(),
            self.config_map_key_ref.is_some(),
            self.secret_key_ref.is_some(),
        ];
        match sources.into_iter().filter(|given| *given).count() {
            0 => problems.report("must name its source, for example fieldRef: {fieldPath: metadata.name}"),
            1 => {}
            several => {
                let names = "fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef";
                problems.report(format!("must have exactly one of {names}, got {several}"));
            }
        }
        if let Some(field) = &self.field_ref {
            problems.field("fieldRef", |problems| field.validate(problems));
        }
        if let Some(resource) = &self.resource_field_ref {
            problems.field("resourceFieldRef", |problems| resource.validate(problems));
        }
        if let Some(map) = &self.config_map_key_ref {
            problems.field("configMapKeyRef", |problems| {
                validate_reference(&map.name, problems);
                problems.field("key", |problems| validate_config_key(&map.key, problems));
            });
        }
        if let Some(secret) = &self.secret_key_ref {
            problems.field("secretKeyRef", |problems| {
                validate_reference(&secret.name, problems);
                problems.field("key", |problems| validate_config_key(&secret.key, problems));
            });
        }
    }
}

/// A value of a config map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapKeySelector {
    /// The config map, in the pod's namespace.
    pub name: String,
    /// The key of the value.
    pub key: String,
    /// Whether the container starts without it; then the variable is not set.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub optional: bool,
}

/// A value of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeySelector {
    /// The secret, in the pod's namespace.
    pub name: String,
    /// The key of the value.
    pub key: String,
    /// Whether the container starts without it; then the variable is not set.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub optional: bool,
}

/// What a container of the pod asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceFieldSelector {
    /// The container; in its own variables the container itself, by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// Which amount: `limits.cpu`, `requests.memory`. A limit that is not given is what the node has for pods.
    pub resource: String,
    /// In which unit it is told, rounded up; see [`divisor`](Self::divisor).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divisor: Option<Quantity>,
}

impl ResourceFieldSelector {
    /// The unit; 1, by default and for the 0 that Kubernetes writes.
    #[must_use]
    pub fn divisor(&self) -> Quantity {
        self.divisor.filter(|divisor| !divisor.is_zero()).unwrap_or(Quantity::from_units(1))
    }

    fn validate(&self, problems: &mut Problems) {
        if !RESOURCE_FIELDS.contains(&self.resource.as_str()) {
            let message = format!("must be one of {}, got {:?}", RESOURCE_FIELDS.join(", "), self.resource);
            problems.field("resource", |problems| problems.report(message));
        }
        if let Some(divisor) = self.divisor.filter(|divisor| divisor.is_negative()) {
            problems.field("divisor", |problems| problems.report(format!("must not be negative, got {divisor}")));
        }
    }

    /// The rules of [`validate`](Self::validate); and a volume belongs to no container, so that one must be named.
    pub(super) fn validate_in_volume(&self, problems: &mut Problems) {
        if self.container_name.as_deref().unwrap_or_default().is_empty() {
            problems.field("containerName", |problems| problems.report("must be given in a volume"));
        }
        self.validate(problems);
    }
}

/// A field of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectFieldSelector {
    /// The version of the object's kind; `v1` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The field's path: `metadata.name`, `status.podIP`, `metadata.labels['app']`.
    pub field_path: String,
}

impl ObjectFieldSelector {
    /// The map and the key, when one label or annotation is meant: `("metadata.labels", "app")`.
    #[must_use]
    pub fn map_key(&self) -> Option<(&str, &str)> {
        let (map, rest) = self.field_path.split_once("['")?;
        let key = rest.strip_suffix("']")?;
        (matches!(map, "metadata.labels" | "metadata.annotations") && !key.is_empty()).then_some((map, key))
    }

    fn validate(&self, problems: &mut Problems) {
        if self.api_version.as_deref().is_some_and(|version| version != "v1") {
            problems.field("apiVersion", |problems| problems.report("must be v1"));
        }
        let path = self.field_path.as_str();
        if !PLAIN_FIELDS.contains(&path) && self.map_key().is_none() {
            let fields = PLAIN_FIELDS.join(", ");
            let message = format!(
                "must be one of {fields}, metadata.labels['KEY'] and metadata.annotations['KEY'], got {path:?}"
            );
            problems.field("fieldPath", |problems| problems.report(message));
        }
    }
}

impl ObjectFieldSelector {
    /// The rules of a file in a volume, which can also hold all labels or annotations.
    pub(super) fn validate_in_volume(&self, problems: &mut Problems) {
        if !matches!(self.field_path.as_str(), "metadata.labels" | "metadata.annotations") {
            self.validate(problems);
        }
    }
}

/// The amounts of a container that a variable can have the value of.
const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
];

/// The fields of a pod, besides single labels and annotations, that a variable can have the value of.
const PLAIN_FIELDS: [&str; 7] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "status.hostIP",
    "status.podIP",
    "status.podIPs",
];
