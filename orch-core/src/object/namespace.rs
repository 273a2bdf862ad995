//! [`Namespace`]: a part of the cluster within which names are unique.

use serde::{Deserialize, Serialize};

use super::label::validate_label_key;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use crate::kind::{Kind, Object, Scope};
use crate::validation::{Problems, is_dns_label};

/// A part of the cluster within which names are unique.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Namespace {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub spec: NamespaceSpec,
    /// What is.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub status: NamespaceStatus,
}

impl Object for Namespace {
    const KIND: Kind = Kind { api_version: "v1", name: "Namespace", collection: "namespaces", scope: Scope::Cluster };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        if !self.metadata.name.is_empty() && !is_dns_label(&self.metadata.name) {
            let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {:?}", self.metadata.name);
            problems.field("metadata", |metadata| metadata.field("name", |name| name.report(message)));
        }
        problems.field("spec", |problems| {
            problems.each("finalizers", &self.spec.finalizers, |problems, name| validate_label_key(name, problems));
        });
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// What is asked for in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceSpec {
    /// What must be done before the namespace may go, each removed by whoever has done it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
}

/// What became of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceStatus {
    /// Where the namespace is in its life; see [`phase`](Self::phase).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<NamespacePhase>,
}

impl NamespaceStatus {
    /// The phase; [`NamespacePhase::Active`] by default.
    #[must_use]
    pub fn phase(&self) -> NamespacePhase {
        self.phase.unwrap_or_default()
    }
}

/// Where a namespace is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NamespacePhase {
    /// Objects can be made in it.
    #[default]
    Active,
    /// It is being deleted, with all that is in it.
    Terminating,
}
