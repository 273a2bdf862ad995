//! [`EnvVar`]: environment variables of containers.

use serde::{Deserialize, Serialize};

use super::container::validate_no_nul;
use crate::validation::Problems;

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
        let printable = |b: u8| b != b'=' && (b.is_ascii_graphic() || b == b' ');
        if self.name.is_empty() || !self.name.bytes().all(printable) {
            let message = format!("must be one or more printable ASCII characters other than '=', got {:?}", self.name);
            problems.field("name", |problems| problems.report(message));
        }
        if let Some(value) = &self.value {
            problems.field("value", |problems| validate_no_nul(value, problems));
        }
        let Some(source) = &self.value_from else { return };
        problems.field("valueFrom", |problems| {
            if self.value.as_deref().is_some_and(|value| !value.is_empty()) {
                problems.report("must be left out when value is given");
            }
            match &source.field_ref {
                None => problems.report("must name its source, for example fieldRef: {fieldPath: metadata.name}"),
                Some(field) => problems.field("fieldRef", |problems| field.validate(problems)),
            }
        });
    }
}

/// Where the value of an environment variable comes from. Config maps and secrets do not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVarSource {
    /// A field of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<ObjectFieldSelector>,
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
