//! [`HostTable`]: the hosts of a cluster, and which pod addresses each has.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Cidr, RoutesError};

/// The hosts of a cluster as one of them sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostTable {
    own: String,
    hosts: BTreeMap<String, Host>,
}

/// One host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Where the other hosts reach it. Of several of a family the first is used.
    pub addresses: Vec<IpAddr>,
    /// The ranges that its pods' addresses come from. A host that has none yet is not led to.
    pub pod_ranges: Vec<Cidr>,
}

impl Host {
    /// The address at which it takes what is for a pod range: of the same family.
    #[must_use]
    pub fn address_for(&self, range: &Cidr) -> Option<IpAddr> {
        self.address(range.is_ipv4())
    }

    /// Its first address of a family.
    #[must_use]
    pub fn address(&self, is_ipv4: bool) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| address.is_ipv4() == is_ipv4)
    }

    /// What is wrong with it by itself, whatever other hosts there are.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let is_nowhere = |address: &&IpAddr| {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.to_canonical() != **address
        };
        if let Some(address) = self.addresses.iter().find(is_nowhere) {
            return Some(format!("other hosts cannot reach it at {address}: give it an address of its network"));
        }
        let lacking = self.pod_ranges.iter().find(|range| self.address_for(range).is_none())?;
        let (family, given) = if lacking.is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        let has = if self.addresses.is_empty() { "none at all" } else { given };
        Some(format!(
            "its pod range {lacking} is of {family}, and of its addresses none is ({has}): give it an {family} address, or \
             a pod range of a family that it has"
        ))
    }
}

impl HostTable {
    /// A table without hosts, for the host of this name.
    #[must_use]
    pub fn new(own: impl Into<String>) -> Self {
        Self { own: own.into(), hosts: BTreeMap::new() }
    }

    /// The name of the host that the table is for.
    #[must_use]
    pub fn own_name(&self) -> &str {
        &self.own
    }

    /// The host that the table is for, if it is known already.
    #[must_use]
    pub fn own(&self) -> Option<&Host> {
        self.hosts.get(&self.own)
    }

    /// The host of this name, the own one too.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// All hosts in the order of their names, with the own one.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Host)> {
        self.hosts.iter().map(|(name, host)| (name.as_str(), host))
    }

    /// All hosts but the own one.
    pub fn others(&self) -> impl Iterator<Item = (&str, &Host)> {
        self.iter().filter(|(name, _)| *name != self.own)
    }

    /// How many hosts there are, with the own one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Puts a host in, in place of the one of the same name, or takes it out.
    pub fn set(&mut self, name: impl Into<String>, host: Option<Host>) {
        let name = name.into();
        match host {
            Some(host) => self.hosts.insert(name, host),
            None => self.hosts.remove(&name),
        };
    }

    /// Whether it can hold: each host by itself is in order, no address is two hosts', and no pod address.
    ///
    /// # Errors
    /// [`RoutesError::InvalidTable`], which names the hosts.
    pub fn validate(&self) -> Result<(), RoutesError> {
        let invalid = |host: &str, message| RoutesError::InvalidTable { host: host.to_owned(), message };
        let mut owners = BTreeMap::new();
        for (name, host) in self.iter() {
            if let Some(problem) = host.problem() {
                return Err(invalid(name, problem));
            }
            for address in &host.addresses {
                let Some(other) = owners.insert(*address, name) else { continue };
                return Err(invalid(name, twice(format_args!("its address {address}"), name, other)));
            }
        }
        let mut ranges: Vec<_> = self.iter().flat_map(|(name, host)| ranges_of(name, host)).collect();
        ranges.sort_unstable();
        // In this order one that overlaps others overlaps its neighbour, since ranges lie in each other or apart.
        for pair in ranges.windows(2) {
            let [(one, first), (other, second)] = pair else { continue };
            if !one.overlaps(other) {
                continue;
            }
            let ((mine, name), (theirs, whose)) =
                if first > second { ((one, first), (other, second)) } else { ((other, second), (one, first)) };
            let message = twice(format_args!("its pod range {mine} overlaps {theirs}, which"), name, whose);
            return Err(invalid(name, message));
        }
        Ok(())
    }
}

fn ranges_of<'a>(name: &'a str, host: &'a Host) -> impl Iterator<Item = (Cidr, &'a str)> {
    host.pod_ranges.iter().map(move |range| (*range, name))
}

fn twice(what: std::fmt::Arguments<'_>, name: &str, other: &str) -> String {
    if name == other {
        format!("{what} is listed twice")
    } else {
        format!("{what} is also of host {other}: one of the two must get another")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(addresses: &[&str], ranges: &[&str]) -> Host {
        Host {
            addresses: addresses.iter().map(|text| text.parse().expect(text)).collect(),
            pod_ranges: ranges.iter().map(|text| text.parse().expect(text)).collect(),
        }
    }

    fn refused<const N: usize>(hosts: [(&str, Host); N]) -> Option<String> {
        let mut table = HostTable::new("a");
        for (name, host) in hosts {
            table.set(name, Some(host));
        }
        table.validate().err().map(|error| error.to_string())
    }

    #[test]
    fn a_table_in_order_is_accepted() {
        let both = host(&["192.0.2.1", "2001:db8::1"], &["10.244.0.0/24", "fd00:244::/64"]);
        let hosts = [
            ("a", both),
            ("b", host(&["192.0.2.2"], &["10.244.1.0/24", "10.245.0.0/16"])),
            ("c", host(&["2001:db8::3"], &["fd00:244:1::/64"])),
            ("new", host(&[], &[])),
        ];
        assert_eq!(refused(hosts), None);
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_both_hosts() {
        let one = || host(&["192.0.2.1"], &["10.244.0.0/16"]);
        for (other, said) in [
            (
                host(&["192.0.2.2"], &["10.244.7.0/24"]),
                "host b: its pod range 10.244.7.0/24 overlaps 10.244.0.0/16, which \
                                                       is also of host a: one of the two must get another",
            ),
            (
                host(&["192.0.2.2"], &["10.0.0.0/8"]),
                "host b: its pod range 10.0.0.0/8 overlaps 10.244.0.0/16, which is \
                                                    also of host a: one of the two must get another",
            ),
            (
                host(&["192.0.2.1"], &[]),
                "host b: its address 192.0.2.1 is also of host a: one of the two must get another",
            ),
            (host(&["192.0.2.2", "192.0.2.2"], &[]), "host b: its address 192.0.2.2 is listed twice"),
            (
                host(&["192.0.2.2"], &["10.1.0.0/24", "10.1.0.0/25"]),
                "host b: its pod range 10.1.0.0/25 overlaps \
                                                                    10.1.0.0/24, which is listed twice",
            ),
        ] {
            assert_eq!(refused([("a", one()), ("b", other)]).as_deref(), Some(said));
        }
    }

    #[test]
    fn a_host_that_nobody_can_reach_is_refused_with_what_it_lacks() {
        for (lacking, said) in [
            (host(&["192.0.2.1"], &["fd00::/64"]), "is of IPv6, and of its addresses none is (IPv4)"),
            (host(&["2001:db8::1"], &["10.1.0.0/24"]), "is of IPv4, and of its addresses none is (IPv6)"),
            (host(&[], &["10.1.0.0/24"]), "(none at all): give it an IPv4 address"),
            (host(&["127.0.0.1"], &[]), "cannot reach it at 127.0.0.1"),
            (host(&["::"], &[]), "cannot reach it at ::"),
            (host(&["::ffff:192.0.2.1"], &[]), "cannot reach it at ::ffff:192.0.2.1"),
        ] {
            let refused = refused([("b", lacking)]).expect(said);
            assert!(refused.starts_with("host b: ") && refused.contains(said), "{refused}");
        }
    }
}
