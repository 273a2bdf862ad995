//! [`Pod`]: containers that are placed, started and ended together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::affinity::Affinity;
use super::condition::{PodCondition, is_condition_true};
use super::container::Container;
use super::container_status::ContainerStatus;
use super::label::{validate_annotations, validate_labels};
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::taint::Toleration;
use super::time::Time;
use crate::kind::{Kind, Object, Scope};
use crate::validation::{Problems, is_dns_label, is_dns_subdomain};

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

/// What is asked for in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSpec {
    /// What runs in it: at least one container.
    pub containers: Vec<Container>,
    /// What happens when a container ends; see [`restart_policy`](Self::restart_policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// How long the containers are given to end; see [`termination_grace_period`](Self::termination_grace_period).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<i64>,
    /// How long the pod may run, from its start, before it is ended as failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_deadline_seconds: Option<i64>,
    /// Labels that its node must have.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Which nodes it needs or prefers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Which taints of nodes it tolerates.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// The node it was given. Set once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// Who chooses its node; see [`scheduler_name`](Self::scheduler_name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler_name: Option<String>,
    /// The host name its containers see; the pod's name by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The higher, the earlier it is placed; see [`priority`](Self::priority).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// The name of its priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

impl PodSpec {
    /// The scheduler of pods that name none.
    pub const DEFAULT_SCHEDULER: &str = "default-scheduler";

    /// What happens when a container ends; [`RestartPolicy::Always`] by default.
    #[must_use]
    pub fn restart_policy(&self) -> RestartPolicy {
        self.restart_policy.unwrap_or_default()
    }

    /// How long the containers are given to end once asked to; 30 s by default.
    #[must_use]
    pub fn termination_grace_period(&self) -> Duration {
        Duration::from_secs(self.termination_grace_period_seconds.unwrap_or(30).max(0).unsigned_abs())
    }

    /// Who chooses the node; [`DEFAULT_SCHEDULER`](Self::DEFAULT_SCHEDULER) by default.
    #[must_use]
    pub fn scheduler_name(&self) -> &str {
        self.scheduler_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(Self::DEFAULT_SCHEDULER)
    }

    /// The priority; 0 by default.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority.unwrap_or(0)
    }

    fn validate(&self, problems: &mut Problems) {
        if self.containers.is_empty() {
            problems.field("containers", |problems| problems.report("must hold at least one container"));
        }
        problems.each("containers", &self.containers, |problems, container| container.validate(problems));
        self.validate_unique(problems);
        problems.at_least("terminationGracePeriodSeconds", self.termination_grace_period_seconds, 0);
        problems.at_least("activeDeadlineSeconds", self.active_deadline_seconds, 1);
        problems.field("nodeSelector", |problems| validate_labels(&self.node_selector, problems));
        if let Some(affinity) = &self.affinity {
            problems.field("affinity", |problems| affinity.validate(problems));
        }
        problems.each("tolerations", &self.tolerations, |problems, toleration| toleration.validate(problems));
        for (field, name) in [("nodeName", &self.node_name), ("priorityClassName", &self.priority_class_name)] {
            if let Some(name) = name.as_deref().filter(|name| !name.is_empty() && !is_dns_subdomain(name)) {
                let message = format!("must be a DNS subdomain, for example \"node-1\", got {name:?}");
                problems.field(field, |problems| problems.report(message));
            }
        }
        if let Some(name) = self.hostname.as_deref().filter(|name| !name.is_empty() && !is_dns_label(name)) {
            let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {name:?}");
            problems.field("hostname", |problems| problems.report(message));
        }
    }

    /// Names of containers and ports, and ports of the node, are each used once in a pod.
    fn validate_unique(&self, problems: &mut Problems) {
        let (mut containers, mut names, mut host_ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        problems.each("containers", &self.containers, |problems, container| {
            if !containers.insert(&container.name) {
                let message = format!("must differ from the other containers' names, got {:?} again", container.name);
                problems.field("name", |problems| problems.report(message));
            }
            problems.each("ports", &container.ports, |problems, port| {
                if let Some(name) = port.name.as_ref().filter(|name| !names.insert(*name)) {
                    let message = format!("must differ from the other ports' names, got {name:?} again");
                    problems.field("name", |problems| problems.report(message));
                }
                let Some(host_port) = port.host_port else { return };
                if !host_ports.insert((host_port, port.protocol(), &port.host_ip)) {
                    let message = format!("must differ from the pod's other host ports, got {host_port} again");
                    problems.field("hostPort", |problems| problems.report(message));
                }
            });
        });
    }
}

/// What happens when a container ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// It is started again.
    #[default]
    Always,
    /// It is started again unless it exited with 0.
    OnFailure,
    /// It stays ended.
    Never,
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
    /// What became of each container.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub container_statuses: Vec<ContainerStatus>,
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
