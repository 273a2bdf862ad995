//! [`PodSpec`]: what is asked for in a pod.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::affinity::Affinity;
use super::container::Container;
use super::label::validate_labels;
use super::null::{is_default, null_as_default};
use super::pod_dns::{DnsPolicy, HostAlias, PodDnsConfig, validate_dns};
use super::qos::PodQosClass;
use super::security_context::PodSecurityContext;
use super::taint::{Taint, TaintEffect, Toleration};
use super::volume::Volume;
use super::volume_mount::validate_mounts;
use crate::validation::{Problems, is_dns_label, is_dns_subdomain};

/// What is asked for in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSpec {
    /// What runs in it: at least one container.
    pub containers: Vec<Container>,
    /// What runs before them, one after another, each until it ends with 0.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<Container>,
    /// The folders and files that its containers can share.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
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
    /// The headless service of which the pod is an endpoint with a name of its own: `HOST.SUBDOMAIN.NAMESPACE.svc.ZONE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// Whom its containers ask for names; see [`dns_policy`](Self::dns_policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_policy: Option<DnsPolicy>,
    /// What it adds to what follows from that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<PodDnsConfig>,
    /// Further names that its containers find in `/etc/hosts`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub host_aliases: Vec<HostAlias>,
    /// Whether it has the addresses and ports of its node instead of its own.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub host_network: bool,
    /// As whom its containers run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<PodSecurityContext>,
    /// Whether it wants a token for the API server. There is none; the field is read and kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// Whether it wants variables with the addresses of services. There are none; the field is read and kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_service_links: Option<bool>,
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

    /// Whom the containers ask for names; [`DnsPolicy::ClusterFirst`] by default.
    #[must_use]
    pub fn dns_policy(&self) -> DnsPolicy {
        self.dns_policy.unwrap_or_default()
    }

    /// The headless service of which the pod is an endpoint with a name of its own, if it says one.
    #[must_use]
    pub fn subdomain(&self) -> Option<&str> {
        self.subdomain.as_deref().filter(|name| !name.is_empty())
    }

    /// Whether the pod may come to a node with this taint, for however long.
    ///
    /// A node that is short of memory turns away only those who are content with what is left over: a pod that asks for
    /// something tolerates [`Taint::MEMORY_PRESSURE`] with the effect `NoSchedule` without saying so. Kubernetes writes
    /// that toleration into such pods when they are created; here it follows from what they ask for.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let is_short_of_memory = taint.key == Taint::MEMORY_PRESSURE && taint.effect == TaintEffect::NoSchedule;
        taint.is_tolerated_by(&self.tolerations)
            || is_short_of_memory && PodQosClass::of(self) != PodQosClass::BestEffort
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        if self.containers.is_empty() {
            problems.field("containers", |problems| problems.report("must hold at least one container"));
        }
        problems.each("containers", &self.containers, |problems, container| container.validate(problems));
        problems.each("initContainers", &self.init_containers, |problems, container| container.validate_init(problems));
        self.validate_names(problems);
        self.validate_ports(problems);
        self.validate_volumes(problems);
        if let Some(context) = &self.security_context {
            problems.field("securityContext", |problems| context.validate(problems));
        }
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
        for (field, name) in [("hostname", &self.hostname), ("subdomain", &self.subdomain)] {
            if let Some(name) = name.as_deref().filter(|name| !name.is_empty() && !is_dns_label(name)) {
                let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {name:?}");
                problems.field(field, |problems| problems.report(message));
            }
        }
        validate_dns(self.dns_policy(), self.dns_config.as_ref(), problems);
        problems.each("hostAliases", &self.host_aliases, |problems, alias| alias.validate(problems));
    }

    /// The names of containers, init containers among them, are each used once in a pod.
    fn validate_names(&self, problems: &mut Problems) {
        let mut names = BTreeSet::new();
        for (list, containers) in [("containers", &self.containers), ("initContainers", &self.init_containers)] {
            problems.each(list, containers, |problems, container| {
                if !names.insert(&container.name) {
                    let name = &container.name;
                    let message = format!("must differ from the other containers' names, got {name:?} again");
                    problems.field("name", |problems| problems.report(message));
                }
            });
        }
    }

    /// Names of ports, and ports of the node, are each used once in a pod. Init containers do not count: none of them
    /// runs beside another container.
    fn validate_ports(&self, problems: &mut Problems) {
        let (mut names, mut host_ports) = (BTreeSet::new(), BTreeSet::new());
        problems.each("containers", &self.containers, |problems, container| {
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
                if self.host_network && host_port != port.container_port {
                    let message =
                        format!("must be the containerPort {} under hostNetwork, got {host_port}", port.container_port);
                    problems.field("hostPort", |problems| problems.report(message));
                }
            });
        });
    }

    fn validate_volumes(&self, problems: &mut Problems) {
        let mut names = BTreeSet::new();
        problems.each("volumes", &self.volumes, |problems, volume| {
            volume.validate(problems);
            if !names.insert(&volume.name) {
                let message = format!("must differ from the other volumes' names, got {:?} again", volume.name);
                problems.field("name", |problems| problems.report(message));
            }
        });
        for (list, containers) in [("containers", &self.containers), ("initContainers", &self.init_containers)] {
            problems.each(list, containers, |problems, container| {
                validate_mounts(&container.volume_mounts, &self.volumes, problems);
            });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_something_tolerates_a_node_that_is_short_of_memory() {
        let taint = |key: &str, effect| Taint { key: key.to_owned(), effect, ..Taint::default() };
        let short = taint(Taint::MEMORY_PRESSURE, TaintEffect::NoSchedule);
        let pod = |text: &str| serde_json::from_str::<PodSpec>(text).expect("a pod");
        let nothing = pod(r#"{"containers": [{"name": "a"}]}"#);
        let asks = pod(r#"{"containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}]}"#);
        let says = pod(&format!(
            r#"{{"containers": [{{"name": "a"}}], "tolerations": [{{"key": "{}", "operator": "Exists"}}]}}"#,
            Taint::MEMORY_PRESSURE
        ));
        assert_eq!([&nothing, &asks, &says].map(|pod| pod.tolerates(&short)), [false, true, true]);
        let expels = taint(Taint::MEMORY_PRESSURE, TaintEffect::NoExecute);
        assert_eq!([&nothing, &asks, &says].map(|pod| pod.tolerates(&expels)), [false, false, true]);
        let of_disk = taint(Taint::DISK_PRESSURE, TaintEffect::NoSchedule);
        assert!(![nothing, asks, says].iter().any(|pod| pod.tolerates(&of_disk)));
    }
}
