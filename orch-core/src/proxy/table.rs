//! [`ServiceTable`]: which addresses lead to which endpoints.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::ProxyError;
use crate::key::Key;
use crate::object::{Protocol, TrafficPolicy};

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
    /// Which endpoints the service's addresses may lead to.
    pub internal: TrafficPolicy,
    /// Which endpoints the port of the node may lead to.
    pub external: TrafficPolicy,
    /// Where it leads. An address stands here once.
    pub endpoints: Vec<Endpoint>,
}

impl ServicePort {
    /// The endpoints that new connections to the service's addresses go to: of those that the policy allows the ready
    /// ones, or if there is none, those that serve while they end.
    pub fn usable(&self) -> impl Iterator<Item = &Endpoint> {
        self.usable_by(self.internal)
    }

    /// The endpoints that new connections to the port of the node go to.
    pub fn usable_from_outside(&self) -> impl Iterator<Item = &Endpoint> {
        self.usable_by(self.external)
    }

    /// The endpoints that new connections to a place go to.
    pub fn usable_by(&self, policy: TrafficPolicy) -> impl Iterator<Item = &Endpoint> {
        let wanted = if self.allowed_by(policy).any(|endpoint| endpoint.state == EndpointState::Ready) {
            EndpointState::Ready
        } else {
            EndpointState::ServingTerminating
        };
        self.allowed_by(policy).filter(move |endpoint| endpoint.state == wanted)
    }

    /// The endpoints that a flow of datagrams to a place may go on to: those that answer, even if new flows go to others.
    pub fn answering_by(&self, policy: TrafficPolicy) -> impl Iterator<Item = &Endpoint> {
        self.allowed_by(policy).filter(|endpoint| endpoint.state != EndpointState::NotReady)
    }

    fn allowed_by(&self, policy: TrafficPolicy) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(move |endpoint| endpoint.is_local || policy == TrafficPolicy::Cluster)
    }

    /// Where it is reached.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let place = |address, port| Place { protocol: self.protocol, address, port };
        let node_port = self.node_port.map(|number| place(None, number));
        self.addresses.iter().map(move |address| place(Some(*address), self.port)).chain(node_port)
    }

    /// What is wrong with it by itself, whatever else is served.
    fn problem(&self) -> Option<String> {
        if self.places().any(|place| place.port == 0) {
            return Some("port 0 cannot be served: choose one from 1 to 65535".to_owned());
        }
        let mut seen = BTreeSet::new();
        let twice = self.endpoints.iter().find(|endpoint| !seen.insert(endpoint.address))?;
        Some(format!("endpoint {} is listed twice", twice.address))
    }
}

/// One place where clients reach a service port. It belongs to one service port at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// What is carried.
    pub protocol: Protocol,
    /// The address; `None` for every address of the node.
    pub address: Option<IpAddr>,
    /// The port at it.
    pub port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "port {} of {address}", self.port),
            None => write!(f, "port {} of the node", self.port),
        }
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
    /// Whether it is on the proxy's node.
    pub is_local: bool,
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
/// of it needs to look only at those. It also keeps watch over what contradicts itself, so that
/// [`validate`](Self::validate) costs nothing that grows with the table. Two tables are equal when they hold the same
/// service ports, however they came to.
#[derive(Clone, Debug, Default)]
pub struct ServiceTable {
    ports: BTreeMap<ServicePortName, Arc<ServicePort>>,
    version: TableVersion,
    /// The version before the first of `changes`.
    oldest: TableVersion,
    /// The names changed lately, each with the version that the change made, oldest first.
    changes: VecDeque<(TableVersion, ServicePortName)>,
    claims: BTreeMap<Place, BTreeSet<ServicePortName>>,
    /// The places that several service ports claim.
    contested: BTreeSet<Place>,
    /// The service ports that are wrong by themselves.
    wrong: BTreeMap<ServicePortName, String>,
}

/// One state of a table. No two different states of any tables in this process have the same version, so it does not
/// matter which table a version was taken from. All tables that were never changed have the default version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableVersion(u64);

impl TableVersion {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// How many changes a table remembers. A proxy that is further behind compares the whole table.
const CHANGES_KEPT: usize = 4_096;

impl ServiceTable {
    /// Puts a service port into the table, or takes it out. Returns whether that changed the table.
    pub fn set(&mut self, name: ServicePortName, port: Option<ServicePort>) -> bool {
        if self.ports.get(&name).map(|old| &**old) == port.as_ref() {
            return false;
        }
        if let Some(old) = self.ports.remove(&name) {
            self.withdraw(&name, &old);
        }
        if let Some(port) = port {
            self.claim(&name, &port);
            self.ports.insert(name.clone(), Arc::new(port));
        }
        self.version = TableVersion::next();
        self.changes.push_back((self.version, name));
        if self.changes.len() > CHANGES_KEPT
            && let Some((version, _)) = self.changes.pop_front()
        {
            self.oldest = version;
        }
        true
    }

    fn claim(&mut self, name: &ServicePortName, port: &ServicePort) {
        for place in port.places() {
            let names = self.claims.entry(place).or_default();
            names.insert(name.clone());
            if names.len() > 1 {
                self.contested.insert(place);
            }
        }
        if let Some(problem) = port.problem() {
            self.wrong.insert(name.clone(), problem);
        }
    }

    fn withdraw(&mut self, name: &ServicePortName, port: &ServicePort) {
        self.wrong.remove(name);
        for place in port.places() {
            let Some(names) = self.claims.get_mut(&place) else { continue };
            names.remove(name);
            if names.len() < 2 {
                self.contested.remove(&place);
            }
            if names.is_empty() {
                self.claims.remove(&place);
            }
        }
    }

    /// Which state of which table this is.
    #[must_use]
    pub fn version(&self) -> TableVersion {
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

    /// The names that changed since this table was at `version`. `None` when that is no longer known, or it never was
    /// at that version: then anything may differ.
    #[must_use]
    pub fn changed_since(&self, version: TableVersion) -> Option<BTreeSet<&ServicePortName>> {
        let first = if version == self.oldest {
            0
        } else {
            self.changes.binary_search_by_key(&version, |(version, _)| *version).ok()? + 1
        };
        Some(self.changes.range(first..).map(|(_, name)| name).collect())
    }

    /// Whether the table can be served: no place belongs to two service ports, no port is zero, no endpoint stands in
    /// a service port twice.
    ///
    /// # Errors
    /// [`ProxyError::InvalidTable`] with a service port that is wrong. The table can be made valid by taking out what
    /// it names, one after another.
    pub fn validate(&self) -> Result<(), ProxyError> {
        if let Some((name, problem)) = self.wrong.first_key_value() {
            return Err(ProxyError::InvalidTable { name: name.clone(), message: problem.clone() });
        }
        let Some(place) = self.contested.first() else { return Ok(()) };
        let mut names = self.claims.get(place).into_iter().flatten();
        let (Some(first), Some(second)) = (names.next(), names.next()) else { return Ok(()) };
        let message = format!("{place} belongs to {first} already");
        Err(ProxyError::InvalidTable { name: second.clone(), message })
    }
}

impl PartialEq for ServiceTable {
    fn eq(&self, other: &Self) -> bool {
        self.ports == other.ports
    }
}

impl Eq for ServiceTable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(service: &str) -> ServicePortName {
        let service = format!("services/shop/{service}").parse().expect("a key");
        ServicePortName { service, port: String::new() }
    }

    fn port(address: [u8; 4], number: u16) -> ServicePort {
        ServicePort {
            protocol: Protocol::Tcp,
            addresses: BTreeSet::from([address.into()]),
            port: number,
            node_port: None,
            affinity: Affinity::None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: Vec::new(),
        }
    }

    #[test]
    fn a_table_tells_what_changed_since_any_version_that_it_was_at() {
        let mut table = ServiceTable::default();
        let empty = table.version();
        assert!(table.set(name("web"), Some(port([10, 0, 0, 1], 80))));
        let one = table.version();
        assert!(!table.set(name("web"), Some(port([10, 0, 0, 1], 80))), "nothing changed");
        assert_eq!(table.version(), one);
        assert!(table.set(name("db"), Some(port([10, 0, 0, 2], 80))));
        assert_eq!(table.changed_since(empty), Some(BTreeSet::from([&name("db"), &name("web")])));
        assert_eq!(table.changed_since(one), Some(BTreeSet::from([&name("db")])));
        assert_eq!(table.changed_since(table.version()), Some(BTreeSet::new()));
    }

    #[test]
    fn a_table_does_not_take_the_version_of_another_one_for_its_own() {
        let mut table = ServiceTable::default();
        table.set(name("web"), Some(port([10, 0, 0, 1], 80)));
        let mut copy = table.clone();
        table.set(name("web"), None);
        copy.set(name("web"), Some(port([10, 0, 0, 1], 81)));
        assert_eq!(copy.changed_since(table.version()), None);
    }

    #[test]
    fn a_table_forgets_its_oldest_changes_and_says_so() {
        let mut table = ServiceTable::default();
        let empty = table.version();
        for round in 0..=u16::try_from(CHANGES_KEPT).expect("a small number") {
            table.set(name("web"), Some(port([10, 0, 0, 1], 1 + round)));
        }
        assert_eq!(table.changed_since(empty), None);
        assert_eq!(table.changed_since(table.oldest), Some(BTreeSet::from([&name("web")])));
    }

    #[test]
    fn a_place_that_two_service_ports_claim_is_refused_until_one_of_them_lets_go() {
        let mut table = ServiceTable::default();
        table.set(name("a"), Some(port([10, 0, 0, 1], 80)));
        table.set(name("b"), Some(port([10, 0, 0, 1], 80)));
        let error = table.validate().expect_err("both claim it");
        assert_eq!(error.to_string(), "service port shop/b: port 80 of 10.0.0.1 belongs to shop/a already");
        table.set(name("a"), Some(port([10, 0, 0, 1], 81)));
        table.validate().expect("each has its own");
    }

    #[test]
    fn a_service_port_that_is_wrong_by_itself_is_refused_until_it_is_put_right() {
        let mut table = ServiceTable::default();
        table.set(name("a"), Some(port([10, 0, 0, 1], 0)));
        table.validate().expect_err("port 0");
        let endpoint = Endpoint { address: ([10, 1, 0, 1], 8080).into(), is_local: false, state: EndpointState::Ready };
        table.set(name("a"), Some(ServicePort { endpoints: vec![endpoint; 2], ..port([10, 0, 0, 1], 80) }));
        table.validate().expect_err("an endpoint twice");
        table.set(name("a"), None);
        table.validate().expect("nothing is wrong any more");
    }
}
