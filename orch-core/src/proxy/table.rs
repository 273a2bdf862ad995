//! [`ServiceTable`]: which addresses lead to which endpoints.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::ProxyError;
use crate::key::Key;
use crate::object::Protocol;

/// One port of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePortName {
    /// The service.
    pub service: Key,
    /// The port's name; empty if it has none.
    pub port: String,
}

impl fmt::Display for ServicePortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, name) = (self.service.namespace().unwrap_or_default(), self.service.name());
        write!(f, "{namespace}/{name}")?;
        if self.port.is_empty() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Where one port of a service is reached, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// What is carried.
    pub protocol: Protocol,
    /// The service's addresses, each served at `port`.
    pub addresses: BTreeSet<IpAddr>,
    /// The port at those addresses.
    pub port: u16,
    /// The port on every address of the node, if any.
    pub node_port: Option<u16>,
    /// Whether a client keeps its endpoint.
    pub affinity: Affinity,
    /// Where it leads. An address stands here once.
    pub endpoints: Vec<Endpoint>,
}

impl ServicePort {
    /// The endpoints that new connections go to: the ready ones, or if there is none, those that serve while they end.
    pub fn usable(&self) -> impl Iterator<Item = &Endpoint> {
        let wanted = if self.endpoints.iter().any(|endpoint| endpoint.state == EndpointState::Ready) {
            EndpointState::Ready
        } else {
            EndpointState::ServingTerminating
        };
        self.endpoints.iter().filter(move |endpoint| endpoint.state == wanted)
    }
}

/// Whether a client keeps its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// It does not.
    #[default]
    None,
    /// A client's address keeps its endpoint until it made no connection for this long.
    ClientIp(Duration),
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// The node that it runs on, if known.
    pub node: Option<String>,
    /// Whether it takes connections.
    pub state: EndpointState,
}

/// Whether an endpoint takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// It does.
    Ready,
    /// It is ending, and still answers.
    ServingTerminating,
    /// It does not.
    NotReady,
}

/// Which addresses lead to which endpoints: every service port of a cluster.
///
/// It is changed port by port and remembers which ones changed lately, so that a proxy which served an earlier version
/// of it needs to look only at those.
#[derive(Clone, Debug, Default)]
pub struct ServiceTable {
    ports: BTreeMap<ServicePortName, Arc<ServicePort>>,
    version: u64,
    /// The names changed by the last versions, oldest first, ending with `version`.
    changes: VecDeque<ServicePortName>,
}

/// How many changes a table remembers. A proxy that is further behind compares the whole table.
const CHANGES_KEPT: usize = 4_096;

impl ServiceTable {
    /// Puts a service port into the table, or takes it out. Returns whether that changed the table.
    pub fn set(&mut self, name: ServicePortName, port: Option<ServicePort>) -> bool {
        match port {
            Some(port) if self.ports.get(&name).is_some_and(|old| **old == port) => return false,
            Some(port) => {
                self.ports.insert(name.clone(), Arc::new(port));
            }
            None if self.ports.remove(&name).is_none() => return false,
            None => {}
        }
        self.version += 1;
        self.changes.push_back(name);
        if self.changes.len() > CHANGES_KEPT {
            self.changes.pop_front();
        }
        true
    }

    /// Counts the changes since the table was empty.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The service port of that name.
    #[must_use]
    pub fn get(&self, name: &ServicePortName) -> Option<&Arc<ServicePort>> {
        self.ports.get(name)
    }

    /// All service ports, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&ServicePortName, &Arc<ServicePort>)> {
        self.ports.iter()
    }

    /// How many service ports there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ports.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// The names that changed after `version` of this same table; `None` when that is no longer known.
    #[must_use]
    pub fn changed_since(&self, version: u64) -> Option<BTreeSet<&ServicePortName>> {
        let count = usize::try_from(self.version.checked_sub(version)?).ok()?;
        let first = self.changes.len().checked_sub(count)?;
        Some(self.changes.range(first..).collect())
    }

    /// Whether the table can be served: no address and port belongs to two service ports, none is zero, no endpoint
    /// stands in a service port twice.
    ///
    /// # Errors
    /// [`ProxyError::InvalidTable`] with the first service port that is wrong.
    pub fn validate(&self) -> Result<(), ProxyError> {
        let mut taken: BTreeMap<(Protocol, Option<IpAddr>, u16), &ServicePortName> = BTreeMap::new();
        for (name, port) in &self.ports {
            let invalid = |message: String| Err(ProxyError::InvalidTable { name: name.clone(), message });
            let node_port = port.node_port.map(|number| (port.protocol, None, number));
            let cluster = port.addresses.iter().map(|address| (port.protocol, Some(*address), port.port));
            for place in cluster.chain(node_port) {
                if place.2 == 0 {
                    return invalid("port 0 cannot be served: choose one from 1 to 65535".to_owned());
                }
                if let Some(other) = taken.insert(place, name) {
                    let address = place.1.map_or_else(|| "every address".to_owned(), |address| address.to_string());
                    return invalid(format!("port {} of {address} belongs to {other} already", place.2));
                }
            }
            let mut seen = BTreeSet::new();
            if let Some(twice) = port.endpoints.iter().find(|endpoint| !seen.insert(endpoint.address)) {
                return invalid(format!("endpoint {} is listed twice", twice.address));
            }
        }
        Ok(())
    }
}
