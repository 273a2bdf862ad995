//! [`NameTable`]: which names lead where.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use super::shared_map::SharedMap;
use super::{PortNames, ServiceNames};
use crate::key::Key;
use crate::object::Protocol;

/// The version of the schema of names, of which `dns-version` in the zone tells.
pub const SCHEMA_VERSION: &str = "1.1.0";

/// Which names lead where: those of all services and pods of a cluster. It is changed service by service and pod by pod.
/// Copies share what they have in common, so one costs nothing, and a change what it touches, however large the table.
///
/// Names are without the zone, in lower case. A name without anything at it or under it does not exist.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    /// By `service.namespace`.
    services: SharedMap<String, Arc<ServiceNames>>,
    /// How many services a namespace has.
    namespaces: SharedMap<String, usize>,
    /// What the addresses of services and of endpoints are called: names under `svc`.
    reverse: SharedMap<IpAddr, Arc<BTreeSet<String>>>,
    /// The namespaces that have a pod with the address.
    pods: SharedMap<IpAddr, Arc<BTreeSet<String>>>,
    /// How many addresses of pods a namespace has.
    pod_namespaces: SharedMap<String, usize>,
    changes: u64,
}

/// What there is at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The name does not exist.
    Nothing,
    /// There is nothing at the name, but at names under it.
    Ancestor,
    /// The name that tells the version of the schema.
    Version,
    /// A service.
    Service {
        /// `service.namespace`.
        service: &'a str,
        /// Where its names lead.
        names: &'a ServiceNames,
    },
    /// One port of a service.
    Port {
        /// `service.namespace`.
        service: &'a str,
        /// Where the service's names lead.
        names: &'a ServiceNames,
        /// Where the port leads.
        port: &'a PortNames,
    },
    /// An endpoint of a headless service.
    Host(&'a [IpAddr]),
    /// A pod, by its address.
    Pod(IpAddr),
}

impl NameTable {
    /// Puts the names of a service into the table, or takes them out. Returns whether that changed the table.
    pub fn set_service(&mut self, service: &Key, names: Option<ServiceNames>) -> bool {
        let namespace = service.namespace().unwrap_or_default();
        let name = format!("{}.{namespace}", service.name());
        let names = names.filter(|names| !names.is_empty());
        let old = self.services.get(&name).cloned();
        if old.as_deref() == names.as_ref() {
            return false;
        }
        let (was, is) = (old.as_deref().map(reverse), names.as_ref().map(reverse));
        let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
        for (address, host) in was.difference(&is) {
            discard(&mut self.reverse, address, &full(*host, &name));
        }
        for (address, host) in is.difference(&was) {
            include(&mut self.reverse, *address, full(*host, &name));
        }
        match (old.is_some(), names.is_some()) {
            (false, true) => count(&mut self.namespaces, namespace, true),
            (true, false) => count(&mut self.namespaces, namespace, false),
            _ => {}
        }
        match names {
            Some(names) => self.services.insert(name, Arc::new(names)),
            None => self.services.remove(&name),
        }
        self.changes += 1;
        true
    }

    /// Says whether some pod of the namespace has the address. Returns whether that changed the table.
    pub fn set_pod(&mut self, namespace: &str, address: IpAddr, has_it: bool) -> bool {
        let had_it = self.pods.get(&address).is_some_and(|namespaces| namespaces.contains(namespace));
        if had_it == has_it {
            return false;
        }
        if has_it {
            include(&mut self.pods, address, namespace.to_owned());
        } else {
            discard(&mut self.pods, &address, namespace);
        }
        count(&mut self.pod_namespaces, namespace, has_it);
        self.changes += 1;
        true
    }

    /// How often this table was changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What there is at `name`, which is without the zone, in lower case.
    #[must_use]
    pub fn find<'a>(&'a self, name: &'a str) -> Found<'a> {
        match name.rsplit_once('.') {
            None => match name {
                // The zone itself.
                "" | "svc" | "pod" => Found::Ancestor,
                "dns-version" => Found::Version,
                _ => Found::Nothing,
            },
            Some((rest, "svc")) => self.find_service(rest),
            Some((rest, "pod")) => self.find_pod(rest),
            Some(_) => Found::Nothing,
        }
    }

    fn find_service<'a>(&'a self, name: &'a str) -> Found<'a> {
        let Some((start, _)) = name.rmatch_indices('.').nth(1) else {
            return match self.services.get(name) {
                Some(names) => Found::Service { service: name, names },
                None if self.namespaces.get(name).is_some() => Found::Ancestor,
                None => Found::Nothing,
            };
        };
        let (below, service) = (&name[..start], &name[start + 1..]);
        let Some(names) = self.services.get(service) else { return Found::Nothing };
        if let Some(addresses) = names.hosts.get(below) {
            return Found::Host(addresses);
        }
        let (port, protocol) = below.rsplit_once('.').map_or((None, below), |(port, rest)| (Some(port), rest));
        let mut ports = names.ports.iter().filter(|port| !port.name.is_empty() && label(port.protocol) == protocol);
        let Some(port) = port else {
            return if ports.next().is_some() { Found::Ancestor } else { Found::Nothing };
        };
        match ports.find(|candidate| port.strip_prefix('_') == Some(&candidate.name)) {
            Some(port) => Found::Port { service, names, port },
            None => Found::Nothing,
        }
    }

    fn find_pod(&self, name: &str) -> Found<'_> {
        let Some((host, namespace)) = name.split_once('.') else {
            return if self.pod_namespaces.get(name).is_some() { Found::Ancestor } else { Found::Nothing };
        };
        let Some(address) = address_of(host) else { return Found::Nothing };
        match self.pods.get(&address) {
            Some(namespaces) if namespaces.contains(namespace) => Found::Pod(address),
            _ => Found::Nothing,
        }
    }

    /// What the address of a service or of an endpoint is called: names under `svc`, in order. `None` if it is not
    /// known.
    #[must_use]
    pub fn names_of(&self, address: IpAddr) -> Option<impl Iterator<Item = &str>> {
        self.reverse.get(&address).map(|names| names.iter().map(String::as_str))
    }
}

impl PartialEq for NameTable {
    /// Whether the same names lead to the same places, however the tables came to be.
    fn eq(&self, other: &Self) -> bool {
        self.services == other.services && self.reverse == other.reverse && self.pods == other.pods
    }
}

impl Eq for NameTable {}

fn reverse(names: &ServiceNames) -> BTreeSet<(IpAddr, Option<&str>)> {
    names.reverse().collect()
}

fn full(host: Option<&str>, service: &str) -> String {
    host.map_or_else(|| service.to_owned(), |host| format!("{host}.{service}"))
}

fn include<K: Clone + Eq + Hash>(map: &mut SharedMap<K, Arc<BTreeSet<String>>>, key: K, name: String) {
    let mut names = map.get(&key).cloned().unwrap_or_default();
    Arc::make_mut(&mut names).insert(name);
    map.insert(key, names);
}

fn discard<K: Clone + Eq + Hash>(map: &mut SharedMap<K, Arc<BTreeSet<String>>>, key: &K, name: &str) {
    let Some(mut names) = map.get(key).cloned() else { return };
    Arc::make_mut(&mut names).remove(name);
    if names.is_empty() { map.remove(key) } else { map.insert(key.clone(), names) }
}

fn count(map: &mut SharedMap<String, usize>, key: &str, more: bool) {
    let now = map.get(key).copied().unwrap_or_default();
    match if more { now + 1 } else { now.saturating_sub(1) } {
        0 => map.remove(key),
        number => map.insert(key.to_owned(), number),
    }
}

/// A protocol as a part of a name.
fn label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "_tcp",
        Protocol::Udp => "_udp",
        Protocol::Sctp => "_sctp",
    }
}

/// The address that a label spells: `10-244-0-1`, `2001-db8--1`.
fn address_of(label: &str) -> Option<IpAddr> {
    let spelled = |separator: &str| label.replace('-', separator).parse::<IpAddr>().ok();
    if label.contains([':', '.']) { None } else { spelled(".").or_else(|| spelled(":")) }
}

#[cfg(test)]
mod tests;
