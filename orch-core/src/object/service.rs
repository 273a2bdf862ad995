//! [`Service`]: one address for many pods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::container::Protocol;
use super::int_or_string::{IntOrString, validate_port};
use super::label::validate_labels;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use crate::kind::{Kind, Object, Scope};
use crate::validation::{Problems, is_dns_label};

/// One address for many pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// What is asked for.
    pub spec: ServiceSpec,
    /// What is.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub status: ServiceStatus,
}

impl Object for Service {
    const KIND: Kind = Kind { api_version: "v1", name: "Service", collection: "services", scope: Scope::Namespaced };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        if !self.metadata.name.is_empty() && !is_dns_label(&self.metadata.name) {
            let message = format!("must be a DNS label, it becomes part of a host name, got {:?}", self.metadata.name);
            problems.field("metadata", |metadata| metadata.field("name", |name| name.report(message)));
        }
        problems.field("spec", |problems| self.spec.validate(problems));
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// What is asked for in a service.
///
/// Addresses outside the cluster (`externalIPs`, load balancers, external names) do not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// From where it can be reached; see [`service_type`](Self::service_type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<ServiceType>,
    /// The service's address inside the cluster; given at creation if absent. `None` for a headless service.
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// All addresses inside the cluster; the first is `clusterIP`.
    #[serde(
        rename = "clusterIPs",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub cluster_ips: Vec<String>,
    /// The labels of the pods that it leads to. Without any, its endpoints are made by somebody else.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// The ports that it answers on.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// Whether a client is led to the same pod each time; see [`session_affinity`](Self::session_affinity).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,
    /// For how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Where requests from outside may be led; see [`external_traffic_policy`](Self::external_traffic_policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,
    /// Where requests from inside may be led; see [`internal_traffic_policy`](Self::internal_traffic_policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_traffic_policy: Option<TrafficPolicy>,
    /// Whether pods that are not ready are led to as well.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub publish_not_ready_addresses: bool,
}

impl ServiceSpec {
    /// What `clusterIP` says for a service without an address of its own.
    pub const HEADLESS: &str = "None";

    /// From where the service can be reached; [`ServiceType::ClusterIp`] by default.
    #[must_use]
    pub fn service_type(&self) -> ServiceType {
        self.r#type.unwrap_or_default()
    }

    /// Whether the service has no address of its own by intent.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.cluster_ip.as_deref() == Some(Self::HEADLESS)
    }

    /// Whether a client is led to the same pod each time; [`SessionAffinity::None`] by default.
    #[must_use]
    pub fn session_affinity(&self) -> SessionAffinity {
        self.session_affinity.unwrap_or_default()
    }

    /// How long after its last request a client is led to the same pod; 3 hours by default.
    #[must_use]
    pub fn session_affinity_timeout(&self) -> Duration {
        let config = self.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
        let seconds = config.and_then(|config| config.timeout_seconds).unwrap_or(10_800);
        Duration::from_secs(seconds.max(0).unsigned_abs().into())
    }

    /// Where requests from outside may be led; [`TrafficPolicy::Cluster`] by default.
    #[must_use]
    pub fn external_traffic_policy(&self) -> TrafficPolicy {
        self.external_traffic_policy.unwrap_or_default()
    }

    /// Where requests from inside may be led; [`TrafficPolicy::Cluster`] by default.
    #[must_use]
    pub fn internal_traffic_policy(&self) -> TrafficPolicy {
        self.internal_traffic_policy.unwrap_or_default()
    }
}

impl ServiceSpec {
    fn validate(&self, problems: &mut Problems) {
        self.validate_addresses(problems);
        problems.field("selector", |problems| validate_labels(&self.selector, problems));
        if self.ports.is_empty() && !self.is_headless() {
            problems.field("ports", |problems| problems.report("must hold at least one port"));
        }
        self.validate_ports(problems);
        self.validate_affinity(problems);
        if self.external_traffic_policy.is_some() && self.service_type() != ServiceType::NodePort {
            let message = "must be left out unless the type is NodePort: nothing comes from outside";
            problems.field("externalTrafficPolicy", |problems| problems.report(message));
        }
    }

    fn validate_addresses(&self, problems: &mut Problems) {
        let valid = |address: &str| address == Self::HEADLESS || address.parse::<IpAddr>().is_ok();
        let address = self.cluster_ip.as_deref().unwrap_or_default();
        if !address.is_empty() && !valid(address) {
            let message = format!("must be an IP address, or None for a headless service, got {address:?}");
            problems.field("clusterIP", |problems| problems.report(message));
        }
        problems.each("clusterIPs", &self.cluster_ips, |problems, address| {
            if !valid(address) {
                problems.report(format!("must be an IP address, or None for a headless service, got {address:?}"));
            }
        });
        if self.cluster_ips.first().is_some_and(|first| first != address) {
            let message = format!("must begin with clusterIP, which is {address:?}");
            problems.field("clusterIPs", |problems| problems.report(message));
        }
        if self.is_headless() && self.service_type() == ServiceType::NodePort {
            let message = "must not be None when the type is NodePort: a headless service has no ports of its own";
            problems.field("clusterIP", |problems| problems.report(message));
        }
    }

    fn validate_ports(&self, problems: &mut Problems) {
        let (mut names, mut ports, mut node_ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        problems.each("ports", &self.ports, |problems, port| {
            port.validate(problems);
            let name = port.name.as_deref().unwrap_or_default();
            if name.is_empty() && self.ports.len() > 1 {
                problems.field("name", |name| name.report("must be given when there are several ports"));
            }
            if !name.is_empty() && !names.insert(name) {
                let message = format!("must differ from the other ports' names, got {name:?} again");
                problems.field("name", |problems| problems.report(message));
            }
            if !ports.insert((port.port, port.protocol())) {
                let message = format!("must differ from the other ports of its protocol, got {} again", port.port);
                problems.field("port", |problems| problems.report(message));
            }
            let Some(node_port) = port.node_port else { return };
            if self.service_type() != ServiceType::NodePort {
                let message = "must be left out unless the type is NodePort";
                problems.field("nodePort", |problems| problems.report(message));
            } else if !node_ports.insert((node_port, port.protocol())) {
                let message = format!("must differ from the other node ports, got {node_port} again");
                problems.field("nodePort", |problems| problems.report(message));
            }
        });
    }

    fn validate_affinity(&self, problems: &mut Problems) {
        let Some(config) = &self.session_affinity_config else { return };
        problems.field("sessionAffinityConfig", |problems| {
            if self.session_affinity() == SessionAffinity::None {
                problems.report("must be left out unless sessionAffinity is ClientIP");
            }
            if let Some(client) = &config.client_ip {
                problems.field("clientIP", |problems| {
                    problems.within("timeoutSeconds", client.timeout_seconds, 1..=86_400);
                });
            }
        });
    }
}

/// From where a service can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceType {
    /// From inside the cluster.
    #[default]
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// Also by a port of every node.
    NodePort,
}

/// A port that a service answers on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServicePort {
    /// The port's name, unique within the service; required if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The protocol; see [`protocol`](Self::protocol).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The port's number.
    pub port: i32,
    /// The port of the pods, by number or name; see [`target_port`](Self::target_port).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_port: Option<IntOrString>,
    /// The port of every node that leads here, for the type `NodePort`; given at creation if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_port: Option<i32>,
}

impl ServicePort {
    /// The protocol; TCP by default.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol.unwrap_or_default()
    }

    /// The port of the pods; the service's own port by default.
    #[must_use]
    pub fn target_port(&self) -> IntOrString {
        self.target_port.clone().unwrap_or(IntOrString::Int(self.port))
    }

    fn validate(&self, problems: &mut Problems) {
        if let Some(name) = self.name.as_deref().filter(|name| !name.is_empty() && !is_dns_label(name)) {
            let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {name:?}");
            problems.field("name", |problems| problems.report(message));
        }
        problems.within("port", Some(self.port), 1..=65_535);
        if let Some(port) = &self.target_port {
            problems.field("targetPort", |problems| validate_port(port, problems));
        }
        problems.within("nodePort", self.node_port, 1..=65_535);
    }
}

/// Whether a client is led to the same pod each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SessionAffinity {
    /// To any pod.
    #[default]
    None,
    /// To the same pod, by the client's address.
    #[serde(rename = "ClientIP")]
    ClientIp,
}

/// For how long a client is led to the same pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionAffinityConfig {
    /// When clients are told apart by their addresses.
    #[serde(rename = "clientIP", skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<ClientIpConfig>,
}

/// For how long a client, told apart by its address, is led to the same pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientIpConfig {
    /// Seconds from the last request, 1 to 86400; see [`ServiceSpec::session_affinity_timeout`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i32>,
}

/// Where requests may be led.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TrafficPolicy {
    /// To pods on any node.
    #[default]
    Cluster,
    /// Only to pods on the node where they come in.
    Local,
}

/// What became of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceStatus {
    /// The load balancer before it. No load balancers exist here; manifests written by tools have the empty field.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub load_balancer: LoadBalancerStatus,
}

/// The load balancer before a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancerStatus {
    /// Where it can be reached.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<LoadBalancerIngress>,
}

/// Where a load balancer can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancerIngress {
    /// By address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// By name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}
