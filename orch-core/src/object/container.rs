//! [`Container`]: what runs in a pod.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::env::EnvVar;
use super::env_from::EnvFromSource;
use super::image::ImagePullPolicy;
use super::int_or_string::validate_port_name;
use super::label::validate_label_key;
use super::lifecycle::Lifecycle;
use super::null::{is_default, null_as_default};
use super::path::validate_absolute_path;
use super::probe::Probe;
use super::quantity::Quantity;
use super::security_context::SecurityContext;
use super::volume_mount::VolumeMount;
use crate::validation::{Problems, is_dns_label};

/// What runs in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Unique within the pod: a DNS label.
    pub name: String,
    /// The image that it is started from. A runtime of plain processes needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is fetched; see [`image_pull_policy`](Self::image_pull_policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// What to start, instead of the image's entry point; no shell is involved.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The arguments, instead of the image's.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The folder it is started in, instead of the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The ports it listens on.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    /// Config maps and secrets whose values are environment variables; a later one wins, and `env` over all of them.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFromSource>,
    /// Environment variables; a later one of the same name wins.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// What it needs and what it may use.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub resources: ResourceRequirements,
    /// Where it sees which of the pod's volumes.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Fails: the container is restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// Fails: the pod gets no requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
    /// The other probes wait until this one has succeeded once; fails: the container is restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
    /// What is done after its start and before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// The file in it that tells, when it ends, why; see [`termination_message_path`](Self::termination_message_path).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_message_path: Option<String>,
    /// What tells why it ended; see [`termination_message_policy`](Self::termination_message_policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_message_policy: Option<TerminationMessagePolicy>,
    /// As whom it runs and what it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
    /// Whether its standard input stays open for those who attach; else reading it finds the end.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub stdin: bool,
    /// Whether its standard input is closed when the first who attached is gone.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub stdin_once: bool,
    /// Whether it has a terminal.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub tty: bool,
}

impl Container {
    /// The file that tells why a container ended, where it names none.
    pub const TERMINATION_MESSAGE_PATH: &str = "/dev/termination-log";

    /// When the image is fetched; by default, [as its tag says](ImagePullPolicy::default_for).
    #[must_use]
    pub fn image_pull_policy(&self) -> ImagePullPolicy {
        let by_default = || self.image.as_deref().map(ImagePullPolicy::default_for).unwrap_or_default();
        self.image_pull_policy.unwrap_or_else(by_default)
    }

    /// The file in the container that tells, when it ends, why;
    /// [`TERMINATION_MESSAGE_PATH`](Self::TERMINATION_MESSAGE_PATH) by default.
    #[must_use]
    pub fn termination_message_path(&self) -> &str {
        let path = self.termination_message_path.as_deref().filter(|path| !path.is_empty());
        path.unwrap_or(Self::TERMINATION_MESSAGE_PATH)
    }

    /// What tells why the container ended; [`TerminationMessagePolicy::File`] by default.
    #[must_use]
    pub fn termination_message_policy(&self) -> TerminationMessagePolicy {
        self.termination_message_policy.unwrap_or_default()
    }

    /// Checks what can be told from this container alone.
    pub(super) fn validate(&self, problems: &mut Problems) {
        if !is_dns_label(&self.name) {
            let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {:?}", self.name);
            problems.field("name", |problems| problems.report(message));
        }
        match self.image.as_deref() {
            None | Some("") if self.command.is_empty() => problems.field("image", |problems| {
                problems.report("must be given, unless command is: a runtime of plain processes needs no image");
            }),
            Some(image) if image.trim() != image => {
                problems.field("image", |image| image.report("must not begin or end with white space"));
            }
            _ => {}
        }
        problems.each("command", &self.command, |problems, word| validate_no_nul(word, problems));
        problems.each("args", &self.args, |problems, word| validate_no_nul(word, problems));
        problems.each("ports", &self.ports, |problems, port| port.validate(problems));
        problems.each("envFrom", &self.env_from, |problems, source| source.validate(problems));
        problems.each("env", &self.env, |problems, variable| variable.validate(problems));
        problems.field("resources", |problems| self.resources.validate(problems));
        self.validate_probes(problems);
        if let Some(lifecycle) = &self.lifecycle {
            problems.field("lifecycle", |problems| lifecycle.validate(&self.ports, problems));
        }
        if let Some(path) = self.termination_message_path.as_deref().filter(|path| !path.is_empty()) {
            problems.field("terminationMessagePath", |problems| validate_absolute_path(path, problems));
        }
        if let Some(context) = &self.security_context {
            problems.field("securityContext", |problems| context.validate(problems));
        }
    }

    /// Checks what can be told of an init container alone: it runs to its end, so nobody asks whether it is well.
    pub(super) fn validate_init(&self, problems: &mut Problems) {
        self.validate(problems);
        for (name, given) in [
            ("livenessProbe", self.liveness_probe.is_some()),
            ("readinessProbe", self.readiness_probe.is_some()),
            ("startupProbe", self.startup_probe.is_some()),
            ("lifecycle", self.lifecycle.is_some()),
        ] {
            if given {
                let message = "must be left out: an init container runs to its end before the others start";
                problems.field(name, |problems| problems.report(message));
            }
        }
    }

    fn validate_probes(&self, problems: &mut Problems) {
        for (name, probe) in [
            ("livenessProbe", &self.liveness_probe),
            ("readinessProbe", &self.readiness_probe),
            ("startupProbe", &self.startup_probe),
        ] {
            let Some(probe) = probe else { continue };
            problems.field(name, |problems| {
                probe.validate(&self.ports, problems);
                let readiness = name == "readinessProbe";
                if !readiness && probe.success_threshold() != 1 {
                    problems.field("successThreshold", |problems| problems.report("must be 1 for this probe"));
                }
                if readiness && probe.termination_grace_period_seconds.is_some() {
                    let message = "must be left out: a readiness probe ends no container";
                    problems.field("terminationGracePeriodSeconds", |problems| problems.report(message));
                }
            });
        }
    }
}

/// What tells why a container ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TerminationMessagePolicy {
    /// The file of its `terminationMessagePath`.
    #[default]
    File,
    /// The file, or the end of what it printed, if the file is empty and it ended badly.
    FallbackToLogsOnError,
}

/// Reports text that cannot be handed to a process.
pub(super) fn validate_no_nul(text: &str, problems: &mut Problems) {
    if text.contains('\0') {
        problems.report("must not contain a NUL character: no process can be given one");
    }
}

/// A port that a container listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerPort {
    /// A name by which services and probes can speak of it, unique within the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The port's number.
    pub container_port: i32,
    /// The protocol; see [`protocol`](Self::protocol).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// A port of the node that leads here; one pod per node can have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_port: Option<i32>,
    /// The address of the node on which the host port is bound; absent for all.
    #[serde(rename = "hostIP", skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
}

impl ContainerPort {
    /// The protocol; TCP by default.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol.unwrap_or_default()
    }

    fn validate(&self, problems: &mut Problems) {
        if let Some(name) = &self.name {
            problems.field("name", |problems| validate_port_name(name, problems));
        }
        problems.within("containerPort", Some(self.container_port), 1..=65_535);
        problems.within("hostPort", self.host_port, 1..=65_535);
        if let Some(address) = self.host_ip.as_deref().filter(|address| address.parse::<IpAddr>().is_err()) {
            problems.field("hostIP", |problems| problems.report(format!("must be an IP address, got {address:?}")));
        }
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

/// What a container needs and what it may use, by the name of the resource: `cpu`, `memory`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceRequirements {
    /// What is set aside for it; see [`request`](Self::request).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
    /// The most it may use.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
}

impl ResourceRequirements {
    /// How much of a resource is set aside; the limit, by default.
    #[must_use]
    pub fn request(&self, resource: &str) -> Option<&Quantity> {
        self.requests.get(resource).or_else(|| self.limits.get(resource))
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("requests", |problems| validate_quantities(&self.requests, problems));
        problems.field("limits", |problems| validate_quantities(&self.limits, problems));
        for (name, request) in &self.requests {
            let Some(limit) = self.limits.get(name).filter(|limit| *limit < request) else { continue };
            let message = format!("must be at most the limit of {limit}, got {request}");
            problems.field("requests", |problems| problems.key(name, |problems| problems.report(message)));
        }
    }
}

/// Reports names that no resource can have, and negative amounts.
pub(super) fn validate_quantities(quantities: &BTreeMap<String, Quantity>, problems: &mut Problems) {
    for (name, quantity) in quantities {
        problems.key(name, |problems| {
            validate_label_key(name, problems);
            if quantity.is_negative() {
                problems.report(format!("must not be negative, got {quantity}"));
            }
        });
    }
}
