//! [`ReplicaSet`]: a number of pods, all alike.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::condition::ReplicaSetCondition;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::pod::PodTemplateSpec;
use super::selector::LabelSelector;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

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

    fn validate(&self, problems: &mut Problems) {
        problems.field("spec", |problems| self.spec.validate(problems));
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

    fn validate(&self, problems: &mut Problems) {
        problems.at_least("replicas", self.replicas, 0);
        problems.at_least("minReadySeconds", self.min_ready_seconds, 0);
        validate_selected_template(&self.selector, &self.template, problems);
    }
}

/// Checks a selector, a template, and that the selector finds the pods that the template makes: else pods would be made
/// without end.
pub(super) fn validate_selected_template(
    selector: &LabelSelector,
    template: &PodTemplateSpec,
    problems: &mut Problems,
) {
    problems.field("selector", |problems| {
        if selector.is_empty() {
            problems.report("must not be empty: it would take every pod of the namespace for its own");
        }
        selector.validate(problems);
    });
    problems.field("template", |problems| {
        let labels = &template.metadata.labels;
        let mut mismatches = Vec::new();
        for (key, wanted) in selector.match_labels.iter().filter(|(key, wanted)| labels.get(*key) != Some(*wanted)) {
            let found = labels.get(key).map_or("no such label".to_owned(), |found| format!("{key}: {found}"));
            mismatches.push(format!("must have the label {key}: {wanted}, as spec.selector asks, got {found}"));
        }
        for requirement in selector.match_expressions.iter().filter(|requirement| !requirement.matches(labels)) {
            mismatches.push(format!("must meet {requirement}, as spec.selector asks"));
        }
        problems.field("metadata", |metadata| {
            metadata.field("labels", |labels| mismatches.into_iter().for_each(|message| labels.report(message)));
        });
        template.validate(problems);
    });
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
