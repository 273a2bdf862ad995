//! [`EnvFromSource`]: all values of a config map or secret as environment variables.

use serde::{Deserialize, Serialize};

use super::env::{validate_reference, validate_variable_name};
use super::null::{is_default, null_as_default};
use crate::validation::Problems;

/// All values of a config map or secret as environment variables: exactly one of the two. A key that can be no
/// variable's name is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvFromSource {
    /// Put in front of each key; nothing by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// A config map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapEnvSource>,
    /// A secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretEnvSource>,
}

impl EnvFromSource {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if let Some(prefix) = self.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            problems.field("prefix", |problems| validate_variable_name(prefix, problems));
        }
        match (&self.config_map_ref, &self.secret_ref) {
            (Some(map), None) => problems.field("configMapRef", |problems| validate_reference(&map.name, problems)),
            (None, Some(secret)) => problems.field("secretRef", |problems| validate_reference(&secret.name, problems)),
            _ => problems.report("must have exactly one of configMapRef and secretRef"),
        }
    }
}

/// A config map whose values become variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapEnvSource {
    /// The config map, in the pod's namespace.
    pub name: String,
    /// Whether the container starts without it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub optional: bool,
}

/// A secret whose values become variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretEnvSource {
    /// The secret, in the pod's namespace.
    pub name: String,
    /// Whether the container starts without it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub optional: bool,
}
