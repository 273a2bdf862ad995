//! [`names`]: how the containers of a pod find names. Pure.

use std::net::IpAddr;

use orch_core::dns::Zone;
use orch_core::object::{DnsPolicy, Pod, PodDnsConfig, PodDnsConfigOption};
use orch_core::runtime::{HostEntry, HostName, ResolverWord, SandboxDns};

use super::NodeAgentConfig;

/// The cluster's name servers, as pods of this node reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDns {
    /// Their addresses. None where the cluster has no name servers by design: its pods find names as their nodes do, and
    /// nobody is told.
    pub servers: Vec<IpAddr>,
    /// The domain of the cluster.
    pub zone: Zone,
}

/// How the containers of a pod find names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Whom they ask; `None` for whomever the runtime lets them ask.
    pub(super) dns: Option<SandboxDns>,
    /// The domain in which the pod has a name.
    pub(super) domain: Option<HostName>,
    pub(super) host_entries: Vec<HostEntry>,
    /// What people are told about it: reason and message.
    pub(super) warnings: Vec<(&'static str, String)>,
}

/// What a pod adds to what follows from its policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Additions {
    dns: SandboxDns,
    host_entries: Vec<HostEntry>,
}

/// As in Kubernetes: names of services are looked for in the pod's namespace first, and a name with four dots, as
/// `web.shop.svc.cluster.local` has, in the cluster's domains before the world's.
const CLUSTER_OPTION: &str = "ndots:5";

/// What is wrong with what the pod says about names. Only pods that were never validated are so.
pub(super) fn check(pod: &Pod) -> Result<(), String> {
    additions(pod).map(drop)
}

/// How the containers of a pod find names, as a kubelet has it. `node` is how the node does, if that is known.
pub(super) fn names(pod: &Pod, config: &NodeAgentConfig, node: Option<&SandboxDns>) -> Names {
    let cluster = config.cluster_dns.as_ref();
    // What cannot be read was refused.
    let additions = additions(pod).unwrap_or_default();
    let mut warnings = Vec::new();
    let base = match (origin(pod), cluster) {
        (Origin::Nobody, _) => Some(SandboxDns::default()),
        (Origin::Node, _) => node.cloned(),
        (Origin::Cluster, Some(cluster)) if cluster.servers.is_empty() => node.cloned(),
        (Origin::Cluster, Some(cluster)) => Some(of_cluster(pod, cluster, node)),
        (Origin::Cluster, None) => {
            let policy = pod.spec.dns_policy();
            let message = format!(
                "the node agent does not know the cluster's name servers, which dnsPolicy {policy:?} asks for: the pod \
                 finds names as its node does, as under dnsPolicy Default"
            );
            warnings.push(("MissingClusterDNS", message));
            node.cloned()
        }
    };
    let merged = match (base, pod.spec.dns_config.is_some()) {
        (None, false) => None,
        (base, _) => Some(fitting(merge(base.unwrap_or_default(), additions.dns), &mut warnings)),
    };
    Names { dns: merged, domain: domain(pod, cluster), host_entries: additions.host_entries, warnings }
}

/// Where the answers come from, before what the pod adds.
enum Origin {
    Cluster,
    Node,
    Nobody,
}

fn origin(pod: &Pod) -> Origin {
    match pod.spec.dns_policy() {
        DnsPolicy::None => Origin::Nobody,
        DnsPolicy::Default => Origin::Node,
        DnsPolicy::ClusterFirst if pod.spec.host_network => Origin::Node,
        DnsPolicy::ClusterFirst | DnsPolicy::ClusterFirstWithHostNet => Origin::Cluster,
    }
}

fn of_cluster(pod: &Pod, cluster: &ClusterDns, node: Option<&SandboxDns>) -> SandboxDns {
    let (zone, namespace) = (&cluster.zone, pod.metadata.namespace.as_deref().unwrap_or_default());
    let own = [format!("{namespace}.svc.{zone}"), format!("svc.{zone}"), zone.to_string()];
    let mut searches: Vec<ResolverWord> = own.iter().filter_map(|domain| domain.parse().ok()).collect();
    add_new(&mut searches, node.map(|node| node.searches.clone()).unwrap_or_default());
    let options = CLUSTER_OPTION.parse().into_iter().collect();
    SandboxDns { nameservers: cluster.servers.clone(), searches, options }
}

fn merge(mut base: SandboxDns, more: SandboxDns) -> SandboxDns {
    let servers = std::mem::take(&mut base.nameservers);
    add_new(&mut base.nameservers, servers);
    add_new(&mut base.nameservers, more.nameservers);
    add_new(&mut base.searches, more.searches);
    more.options.into_iter().for_each(|option| base.set(option));
    base
}

fn add_new<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

/// What resolvers would not read is left out, and people are told, in Kubernetes' words.
fn fitting(mut dns: SandboxDns, warnings: &mut Vec<(&'static str, String)>) -> SandboxDns {
    const REASON: &str = "DNSConfigForming";
    if dns.nameservers.len() > PodDnsConfig::NAMESERVERS_MAX {
        dns.nameservers.truncate(PodDnsConfig::NAMESERVERS_MAX);
        let line = dns.nameservers.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ");
        let message =
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is";
        warnings.push((REASON, format!("{message}: {line}")));
    }
    let line = |searches: &[ResolverWord]| searches.iter().map(ResolverWord::as_str).collect::<Vec<_>>().join(" ");
    let asked = dns.searches.len();
    dns.searches.truncate(PodDnsConfig::SEARCHES_MAX);
    while line(&dns.searches).len() > PodDnsConfig::SEARCHES_LENGTH_MAX {
        dns.searches.pop();
    }
    if dns.searches.len() < asked {
        let message =
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is";
        warnings.push((REASON, format!("{message}: {}", line(&dns.searches))));
    }
    dns
}

/// With the node's network a pod has the node's name.
fn domain(pod: &Pod, cluster: Option<&ClusterDns>) -> Option<HostName> {
    let subdomain = pod.spec.subdomain().filter(|_| !pod.spec.host_network)?;
    let namespace = pod.metadata.namespace.as_deref()?;
    format!("{subdomain}.{namespace}.svc.{}", cluster?.zone).parse().ok()
}

fn additions(pod: &Pod) -> Result<Additions, String> {
    let mut additions = Additions::default();
    if let Some(PodDnsConfig { nameservers, searches, options }) = &pod.spec.dns_config {
        let dns = &mut additions.dns;
        dns.nameservers = nameservers.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
        dns.searches = searches.iter().map(|text| word(text)).collect::<Result<_, _>>()?;
        for said in options {
            dns.set(option(said)?);
        }
    }
    for alias in &pod.spec.host_aliases {
        let names = alias.hostnames.iter().map(|name| name.parse().map_err(to_text)).collect::<Result<_, _>>()?;
        additions.host_entries.push(HostEntry { ip: address(&alias.ip)?, names });
    }
    Ok(additions)
}

fn option(PodDnsConfigOption { name, value }: &PodDnsConfigOption) -> Result<ResolverWord, String> {
    let name = name.as_deref().unwrap_or_default();
    match value.as_deref().filter(|value| !value.is_empty()) {
        Some(value) => word(&format!("{name}:{value}")),
        None => word(name),
    }
}

fn word(text: &str) -> Result<ResolverWord, String> {
    text.parse().map_err(to_text)
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address: write one as 10.0.0.10 or fd00::a"))
}

fn to_text(error: orch_core::runtime::ResolverError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
