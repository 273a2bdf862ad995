//! [`DnsPolicy`], [`PodDnsConfig`], [`HostAlias`]: by what rules the containers of a pod find names.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::null::null_as_default;
use crate::runtime::ResolverWord;
use crate::validation::{Problems, is_dns_subdomain};

/// Whom the containers of a pod ask for names, before what its [`PodDnsConfig`] adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DnsPolicy {
    /// The cluster's name servers; with the network of the node, whom the node asks.
    #[default]
    ClusterFirst,
    /// The cluster's name servers, also with the network of the node.
    ClusterFirstWithHostNet,
    /// Whom the node asks.
    Default,
    /// Nobody but whom the pod names itself.
    None,
}

/// What a pod adds to what follows from its [`DnsPolicy`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodDnsConfig {
    /// Addresses of further name servers, at most [`NAMESERVERS_MAX`](Self::NAMESERVERS_MAX).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// Further domains in which names are looked for, at most [`SEARCHES_MAX`](Self::SEARCHES_MAX).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<String>,
    /// Options of the resolver. They replace those of the same name.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<PodDnsConfigOption>,
}

/// An option of the resolver: see `resolv.conf(5)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodDnsConfigOption {
    /// Its name: `ndots`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its value, if it has one: `2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Names that the containers of a pod find in `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostAlias {
    /// Where they lead.
    pub ip: String,
    /// The names.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
}

impl PodDnsConfig {
    /// The most name servers that the resolvers of all systems ask.
    pub const NAMESERVERS_MAX: usize = 3;
    /// The most domains in which names are looked for.
    pub const SEARCHES_MAX: usize = 32;
    /// The most characters that these domains may have, with a space between two.
    pub const SEARCHES_LENGTH_MAX: usize = 2048;

    fn validate(&self, problems: &mut Problems) {
        let most = |problems: &mut Problems, field: &str, what: &str, count: usize, most: usize| {
            if count > most {
                problems
                    .field(field, |problems| problems.report(format!("must have at most {most} {what}, got {count}")));
            }
        };
        most(problems, "nameservers", "addresses", self.nameservers.len(), Self::NAMESERVERS_MAX);
        problems.each("nameservers", &self.nameservers, |problems, address| validate_address(address, problems));
        most(problems, "searches", "domains", self.searches.len(), Self::SEARCHES_MAX);
        let length = self.searches.join(" ").chars().count();
        most(problems, "searches", "characters in all", length, Self::SEARCHES_LENGTH_MAX);
        problems.each("searches", &self.searches, |problems, domain| {
            if !is_search_domain(domain) {
                problems
                    .report(format!("must be a domain in lower case, as \"example.org\", or \".\", got {domain:?}"));
            }
        });
        problems.each("options", &self.options, |problems, option| option.validate(problems));
    }
}

impl PodDnsConfigOption {
    fn validate(&self, problems: &mut Problems) {
        let name = self.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            problems.field("name", |problems| problems.report("must be given"));
        }
        let values = self.value.as_deref().filter(|value| !value.is_empty());
        for (field, text) in [("name", name)].into_iter().chain(values.map(|value| ("value", value))) {
            // Kubernetes takes any text here, and writes it into the pod's configuration line by line.
            if !text.is_empty() && text.parse::<ResolverWord>().is_err() {
                let message = format!("must be a word, without spaces and line ends, got {text:?}");
                problems.field(field, |problems| problems.report(message));
            }
        }
    }
}

/// Reports what is wrong with the configuration that belongs to a policy.
pub(super) fn validate_dns(policy: DnsPolicy, config: Option<&PodDnsConfig>, problems: &mut Problems) {
    problems.field("dnsConfig", |problems| match config {
        None if policy == DnsPolicy::None => problems.report("must be given when dnsPolicy is None"),
        None => {}
        Some(config) => {
            if policy == DnsPolicy::None && config.nameservers.is_empty() {
                let message = "must have at least one address when dnsPolicy is None";
                problems.field("nameservers", |problems| problems.report(message));
            }
            config.validate(problems);
        }
    });
}

impl HostAlias {
    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.field("ip", |problems| validate_address(&self.ip, problems));
        problems.each("hostnames", &self.hostnames, |problems, name| {
            if !is_dns_subdomain(name) {
                problems.report(format!("must be a DNS subdomain, for example \"db.example.org\", got {name:?}"));
            }
        });
    }
}

fn validate_address(text: &str, problems: &mut Problems) {
    if text.parse::<IpAddr>().is_err() {
        problems.report(format!("must be an address, as 10.0.0.10 or fd00::a, got {text:?}"));
    }
}

/// A DNS subdomain, with or without a dot at its end, in which labels may have underscores; or the root alone.
fn is_search_domain(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    text == "." || is_dns_subdomain(&name.replace('_', "a"))
}
