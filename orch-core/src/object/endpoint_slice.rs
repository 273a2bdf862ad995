//! [`EndpointSlice`]: where the pods of a service can be reached.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::container::Protocol;
use super::event::ObjectReference;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use crate::kind::{Kind, Object, Scope};
use crate::validation::{Problems, is_dns_label, is_dns_subdomain};

/// Where pods of a service can be reached. A service can have several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointSlice {
    /// What every object has; the label [`SERVICE_LABEL`](Self::SERVICE_LABEL) names the service.
    pub metadata: ObjectMeta,
    /// What kind of addresses the endpoints have. Never changes.
    pub address_type: AddressType,
    /// The endpoints, at most 1000.
    #[serde(deserialize_with = "null_as_default")]
    pub endpoints: Vec<Endpoint>,
    /// The ports that every endpoint has.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<EndpointPort>,
}

impl EndpointSlice {
    /// The label that names the service.
    pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";
    /// How many endpoints a slice can hold.
    pub const MAX_ENDPOINTS: usize = 1000;
    /// The label that names whoever keeps the slice up to date.
    pub const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
}

impl Object for EndpointSlice {
    const KIND: Kind = Kind {
        api_version: "discovery.k8s.io/v1",
        name: "EndpointSlice",
        collection: "endpointslices.discovery.k8s.io",
        scope: Scope::Namespaced,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        if self.endpoints.len() > Self::MAX_ENDPOINTS {
            let message = format!("must hold at most {}, make another slice", Self::MAX_ENDPOINTS);
            problems.field("endpoints", |problems| problems.report(message));
        }
        problems.each("endpoints", &self.endpoints, |problems, endpoint| {
            endpoint.validate(self.address_type, problems);
        });
        let mut names = BTreeSet::new();
        problems.each("ports", &self.ports, |problems, port| {
            let name = port.name.as_deref().unwrap_or_default();
            if !name.is_empty() && !is_dns_label(name) {
                let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {name:?}");
                problems.field("name", |problems| problems.report(message));
            }
            if !names.insert(name) {
                let message = format!("must differ from the other ports' names, got {name:?} again");
                problems.field("name", |problems| problems.report(message));
            }
            problems.within("port", port.port, 1..=65_535);
        });
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.address_type == other.address_type && self.endpoints == other.endpoints && self.ports == other.ports
    }
}

/// What kind of addresses endpoints have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AddressType {
    /// IPv4 addresses.
    #[default]
    #[serde(rename = "IPv4")]
    Ipv4,
    /// IPv6 addresses.
    #[serde(rename = "IPv6")]
    Ipv6,
    /// Names.
    #[serde(rename = "FQDN")]
    Fqdn,
}

/// Where one pod can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// Its addresses, at least one; all lead to the same pod.
    pub addresses: Vec<String>,
    /// Whether it can be sent requests.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub conditions: EndpointConditions,
    /// The host name of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The node that the pod is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// The pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<ObjectReference>,
}

impl Endpoint {
    fn validate(&self, address_type: AddressType, problems: &mut Problems) {
        if self.addresses.is_empty() || self.addresses.len() > 100 {
            problems.field("addresses", |problems| problems.report("must hold 1 to 100 addresses"));
        }
        problems.each("addresses", &self.addresses, |problems, address| {
            let (valid, wanted) = match address_type {
                AddressType::Ipv4 => (address.parse::<Ipv4Addr>().is_ok(), "an IPv4 address"),
                AddressType::Ipv6 => (address.parse::<Ipv6Addr>().is_ok(), "an IPv6 address"),
                AddressType::Fqdn => (is_dns_subdomain(address), "a host name"),
            };
            if !valid {
                problems.report(format!("must be {wanted}, as addressType says, got {address:?}"));
            }
        });
    }
}

/// Whether an endpoint can be sent requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointConditions {
    /// Whether it is to get new connections; see [`ready`](Self::ready).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Whether it answers, even while it is being ended; see [`serving`](Self::serving).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<bool>,
    /// Whether it is being ended; see [`terminating`](Self::terminating).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<bool>,
}

impl EndpointConditions {
    /// Whether it is to get new connections; so by default.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether it answers, even while it is being ended; as [`ready`](Self::ready) by default.
    #[must_use]
    pub fn serving(&self) -> bool {
        self.serving.unwrap_or_else(|| self.ready())
    }

    /// Whether it is being ended; not so by default.
    #[must_use]
    pub fn terminating(&self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

/// A port that every endpoint of a slice has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointPort {
    /// The name of the service's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The protocol; see [`protocol`](Self::protocol).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The number of the endpoints' port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

impl EndpointPort {
    /// The protocol; TCP by default.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol.unwrap_or_default()
    }
}
