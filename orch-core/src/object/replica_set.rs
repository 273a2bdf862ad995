//! [`ReplicaSet`]: a number of pods, all alike.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::condition::ReplicaSetCondition;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::pod::PodTemplateSpec;
use super::selector::LabelSelector;
use crate::kind::{Kind, Object, Scope};

/// A number of pods, all alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaSet {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// What is asked for.
    pub spec: ReplicaSetSpec,
    /// What is.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub status: ReplicaSetStatus,
}

impl Object for ReplicaSet {
    const KIND: Kind =
        Kind { api_version: "apps/v1", name: "ReplicaSet", collection: "replicasets.apps", scope: Scope::Namespaced };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// What is asked for in a replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaSetSpec {
    /// How many pods; see [`replicas`](Self::replicas).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// How long a pod must be ready to count as available; see [`min_ready`](Self::min_ready).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ready_seconds: Option<i32>,
    /// Which pods belong to it. Never changes.
    pub selector: LabelSelector,
    /// How its pods are made.
    pub template: PodTemplateSpec,
}

impl ReplicaSetSpec {
    /// How many pods; 1 by default.
    #[must_use]
    pub fn replicas(&self) -> i32 {
        self.replicas.unwrap_or(1)
    }

    /// How long a pod must be ready to count as available; not at all by default.
    #[must_use]
    pub fn min_ready(&self) -> Duration {
        Duration::from_secs(self.min_ready_seconds.unwrap_or(0).max(0).unsigned_abs().into())
    }
}

/// What became of a replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaSetStatus {
    /// How many pods there are. Always written; none by default.
    #[serde(default)]
    pub replicas: i32,
    /// How many of them have all of the template's labels.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub fully_labeled_replicas: i32,
    /// How many of them are ready.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub ready_replicas: i32,
    /// How many of them are ready for long enough.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub available_replicas: i32,
    /// How many further pods are being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating_replicas: Option<i32>,
    /// The generation of the replica set that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is so about the replica set.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ReplicaSetCondition>,
}
