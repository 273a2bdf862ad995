//! [`ServiceNames`]: where the names of one service lead.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::object::Protocol;

/// Where the names of one service lead. Lists are in order and hold nothing twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceNames {
    /// Where the service's own name leads: the service's addresses, or those of all its endpoints if it is headless.
    pub addresses: Vec<IpAddr>,
    /// Of a headless service: where the names of its endpoints lead, which stand before the service's.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Where the names of its ports lead.
    pub ports: Vec<PortNames>,
}

impl ServiceNames {
    /// Whether no name leads anywhere. Then none of them exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// The addresses that `host` stands for, or the service itself if it is `None`.
    #[must_use]
    pub fn addresses_of(&self, host: Option<&str>) -> &[IpAddr] {
        match host {
            None => &self.addresses,
            Some(host) => self.hosts.get(host).map_or(&[], Vec::as_slice),
        }
    }

    /// The names that each address stands for: those of the endpoints, or the service's own if it has addresses itself.
    /// `None` is the service's own name.
    pub fn reverse(&self) -> impl Iterator<Item = (IpAddr, Option<&str>)> {
        let hosts = self.hosts.iter().flat_map(|(host, all)| all.iter().map(|address| (*address, Some(host.as_str()))));
        let own = self.addresses.iter().filter(|_| self.hosts.is_empty()).map(|address| (*address, None));
        hosts.chain(own)
    }
}

/// Where the name of one port leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortNames {
    /// The port's name. A port without one is found only by who asks for all ports of the service.
    pub name: String,
    /// What is carried.
    pub protocol: Protocol,
    /// Where it leads.
    pub targets: Vec<Target>,
}

/// Where a port is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The endpoint, one of [`ServiceNames::hosts`]; `None` for the service itself.
    pub host: Option<String>,
    /// The port's number there.
    pub port: u16,
}
