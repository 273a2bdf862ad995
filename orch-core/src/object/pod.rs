//! [`Pod`]: containers that are placed, started and ended together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::condition::{PodCondition, is_condition_true};
use super::container_status::ContainerStatus;
use super::label::{validate_annotations, validate_labels};
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::pod_spec::{PodSpec, RestartPolicy};
use super::qos::PodQosClass;
use super::time::Time;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// Containers that are placed, started and ended together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pod {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// What is asked for.
    pub spec: PodSpec,
    /// What is.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub status: PodStatus,
}

impl Object for Pod {
    const KIND: Kind = Kind { api_version: "v1", name: "Pod", collection: "pods", scope: Scope::Namespaced };

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

    /// A pod that is on a node and has not ended is ended by that node's agent.
    fn termination_grace(&self) -> Option<Duration> {
        let ended = matches!(self.status.phase, Some(PodPhase::Succeeded | PodPhase::Failed));
        (self.spec.node_name.is_some() && !ended).then(|| self.spec.termination_grace_period())
    }
}

/// Pods to be made, all alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodTemplateSpec {
    /// The labels and annotations of the pods; the name is given by who makes them.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub metadata: ObjectMeta,
    /// What is asked for in each pod.
    pub spec: PodSpec,
}

impl PodTemplateSpec {
    /// Checks the template of an object that keeps its pods running.
    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.field("metadata", |problems| {
            problems.field("labels", |problems| validate_labels(&self.metadata.labels, problems));
            problems.field("annotations", |problems| validate_annotations(&self.metadata.annotations, problems));
        });
        problems.field("spec", |problems| {
            self.spec.validate(problems);
            if self.spec.restart_policy() != RestartPolicy::Always {
                let message = format!("must be Always in a template, got {:?}", self.spec.restart_policy());
                problems.field("restartPolicy", |problems| problems.report(message));
            }
            if self.spec.active_deadline_seconds.is_some() {
                let message = "must be left out of a template: its pods are to run on";
                problems.field("activeDeadlineSeconds", |problems| problems.report(message));
            }
        });
    }
}

/// What became of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodStatus {
    /// Where the pod is in its life; see [`phase`](Self::phase).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PodPhase>,
    /// The generation of the pod that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is so about the pod.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<PodCondition>,
    /// Why it is in this phase, in one word in CamelCase, for programs: `Evicted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it is in this phase, in words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The address of its node.
    #[serde(rename = "hostIP", skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
    /// The pod's own address.
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<String>,
    /// All of the pod's addresses; the first is `podIP`.
    #[serde(rename = "podIPs", default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub pod_ips: Vec<PodIp>,
    /// When the node's agent took it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// What became of each init container.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// What became of each container.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub container_statuses: Vec<ContainerStatus>,
    /// How sure it can be of what it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos_class: Option<PodQosClass>,
}

impl PodStatus {
    /// The phase; [`PodPhase::Pending`] by default.
    #[must_use]
    pub fn phase(&self) -> PodPhase {
        self.phase.unwrap_or_default()
    }

    /// Whether the pod can be sent requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        is_condition_true(&self.conditions, PodCondition::READY)
    }
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PodPhase {
    /// Not all of its containers have started.
    #[default]
    Pending,
    /// It has a node, and a container runs or is about to.
    Running,
    /// All containers exited with 0 and are not restarted.
    Succeeded,
    /// All containers ended, one of them badly, and are not restarted.
    Failed,
    /// Its node does not tell.
    Unknown,
}

impl PodPhase {
    /// Whether the pod has ended for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// An address of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodIp {
    /// The address.
    pub ip: String,
}
