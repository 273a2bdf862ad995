//! Wrong service proxies.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{
    Affinity, EndpointState, Place, ProxyError, ServicePort, ServicePortName, ServiceProxy, ServiceTable, SyncReport,
    TableVersion,
};
use tokio::time::Instant;

use crate::suite::proxy::{Connection, InMemory, Source};

/// The address of the node.
const NODE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What is wrong with a [`FlawedProxy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Rules of removed endpoints stay, as where a proxy only ever adds: clients get time-outs for ever.
    SendsToRemovedEndpoints,
    /// Rules of removed services stay: whoever gets the address next shares it with the old one.
    KeepsRemovedServices,
    /// Rules are applied one by one until one is refused: half of the table is new and half is old.
    AppliesUntilTheFirstError,
    /// A table that cannot be read counts as an empty one: one bad value takes all services down.
    EmptiesTheTableOnAnError,
    /// The table is remembered as served before it is: after a refused one, its other changes are never made.
    RemembersRefusedTables,
    /// Tables are told apart by how many changes they saw: that of a new leader is taken for the old one.
    TrustsTheNumberOfChanges,
    /// Every sync starts from nothing: all connections end.
    DropsConnectionsAtASync,
    /// Every sync starts from nothing: clients are led elsewhere.
    ForgetsClientsAtASync,
    /// Affinity is not looked at.
    IgnoresAffinity,
    /// A client is led to its endpoint even when that is gone.
    KeepsClientsAtRemovedEndpoints,
    /// Readiness is not looked at: connections go to pods that are starting.
    SendsToEndpointsThatAreNotReady,
    /// Endpoints that serve while they end get nothing: the last pod of a rolling update refuses.
    RefusesWhileAllEndpointsEnd,
    /// The first endpoint gets everything.
    PrefersTheFirstEndpoint,
    /// Node ports are served only at the service's address.
    ForgetsNodePorts,
    /// Clearing only forgets what was served: rules stay behind when a node is drained.
    LeavesRulesBehindAtClear,
    /// Only what is forwarded is led, not what the node itself sends: its own programs reach no service.
    ForgetsTheNodeItself,
    /// UDP is served as if it were TCP, at the wrong protocol: names are not resolved any more.
    TakesAllForTcp,
    /// What is known of a client's datagrams is kept when its endpoint goes: a resolver sends into the void for as long as
    /// it goes on sending.
    KeepsDatagramsAtRemovedEndpoints,
    /// The same where there was no endpoint: who sent too early is refused for ever.
    KeepsRefusingDatagrams,
    /// The internal policy is not looked at.
    IgnoresTheInternalPolicy,
    /// The external policy is not looked at.
    IgnoresTheExternalPolicy,
    /// The external policy is taken for one of the whole service port.
    TakesTheExternalPolicyForBoth,
    /// Endpoints cannot reach themselves: their answers do not come back by the node.
    RefusesEndpointsOfTheirOwn,
    /// A client's endpoint is never forgotten.
    ForgetsNoClient,
    /// A client's endpoint is forgotten when its time is over, however often it came meanwhile.
    CountsFromTheFirstConnection,
    /// All endpoints see the node, whoever comes.
    HidesAllClients,
    /// No endpoint sees the node: what comes by another node's port is answered past it.
    HidesNoClient,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 27] = [
        (Self::SendsToRemovedEndpoints, "P4"),
        (Self::KeepsRemovedServices, "P1"),
        (Self::AppliesUntilTheFirstError, "P2"),
        (Self::EmptiesTheTableOnAnError, "P2"),
        (Self::RemembersRefusedTables, "P2"),
        (Self::TrustsTheNumberOfChanges, "P1"),
        (Self::DropsConnectionsAtASync, "P7"),
        (Self::ForgetsClientsAtASync, "P5"),
        (Self::IgnoresAffinity, "P5"),
        (Self::KeepsClientsAtRemovedEndpoints, "P5"),
        (Self::SendsToEndpointsThatAreNotReady, "P4"),
        (Self::RefusesWhileAllEndpointsEnd, "P4"),
        (Self::PrefersTheFirstEndpoint, "P5"),
        (Self::ForgetsNodePorts, "P1"),
        (Self::LeavesRulesBehindAtClear, "P8"),
        (Self::ForgetsTheNodeItself, "P1"),
        (Self::TakesAllForTcp, "P1"),
        (Self::KeepsDatagramsAtRemovedEndpoints, "P4"),
        (Self::KeepsRefusingDatagrams, "P4"),
        (Self::IgnoresTheInternalPolicy, "P4"),
        (Self::IgnoresTheExternalPolicy, "P4"),
        (Self::TakesTheExternalPolicyForBoth, "P4"),
        (Self::RefusesEndpointsOfTheirOwn, "P4"),
        (Self::ForgetsNoClient, "P5"),
        (Self::CountsFromTheFirstConnection, "P5"),
        (Self::HidesAllClients, "P9"),
        (Self::HidesNoClient, "P9"),
    ];
}

/// A proxy in memory that is plain and right, but for one flaw.
#[derive(Debug)]
pub struct FlawedProxy {
    flaw: Option<Flaw>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    version: Option<TableVersion>,
    /// How many changes it was shown, as a proxy counts that trusts in this.
    shown: usize,
    ports: BTreeMap<ServicePortName, ServicePort>,
    /// Where each client was led, and when that counts from.
    clients: BTreeMap<(ServicePortName, IpAddr), (SocketAddr, Instant)>,
    /// Where the datagrams of each socket are led; nowhere, where it was refused.
    flows: BTreeMap<(SocketAddr, SocketAddr), Option<SocketAddr>>,
    connections: usize,
    ended: Arc<AtomicBool>,
}

impl FlawedProxy {
    /// A proxy with this flaw, or a right one.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, state: Mutex::default() }
    }

    /// The proxy with the world that the suite needs around it.
    #[must_use]
    pub fn fixture(flaw: Option<Flaw>) -> InMemory<Self> {
        InMemory::new(Self::new(flaw), |proxy, protocol, client, to| {
            let endpoint = match protocol {
                Protocol::Udp => proxy.send(client, to)?,
                _ => proxy.pick(protocol, client.ip(), to)?,
            };
            Some(Box::new(proxy.connection(client.ip(), to, endpoint)))
        })
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a datagram goes: where the earlier ones of its socket went, as long as that is in the table.
    fn send(&self, client: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        let known = self.state().flows.get(&(client, to)).copied();
        match known {
            Some(Some(endpoint)) if self.has(Flaw::KeepsDatagramsAtRemovedEndpoints) => return Some(endpoint),
            Some(None) if self.has(Flaw::KeepsRefusingDatagrams) => return None,
            Some(Some(endpoint)) if self.usable_at(Protocol::Udp, to).contains(&endpoint) => return Some(endpoint),
            _ => {}
        }
        let picked = self.pick(Protocol::Udp, client.ip(), to);
        self.state().flows.insert((client, to), picked);
        picked
    }

    /// Where a new connection goes.
    fn pick(&self, protocol: Protocol, client: IpAddr, to: SocketAddr) -> Option<SocketAddr> {
        let usable = self.usable_at(protocol, to);
        let state = &mut *self.state();
        let (name, affinity) = self.served_at(state, protocol, to).map(|(name, port)| (name.clone(), port.affinity))?;
        if client == NODE && self.has(Flaw::ForgetsTheNodeItself) {
            return None;
        }
        let turn = if self.has(Flaw::PrefersTheFirstEndpoint) { 0 } else { state.connections };
        state.connections += 1;
        let next = *usable.get(turn % usable.len().max(1))?;
        let endpoint = match affinity {
            Affinity::ClientIp(time) if !self.has(Flaw::IgnoresAffinity) => {
                self.kept(&mut state.clients, (name, client), next, &usable, time)
            }
            _ => next,
        };
        let reaches_itself = endpoint.ip() == client && self.has(Flaw::RefusesEndpointsOfTheirOwn);
        (!reaches_itself).then_some(endpoint)
    }

    /// Where a client of a service port with affinity goes; `next` is for those who are new.
    fn kept(
        &self,
        clients: &mut BTreeMap<(ServicePortName, IpAddr), (SocketAddr, Instant)>,
        client: (ServicePortName, IpAddr),
        next: SocketAddr,
        usable: &[SocketAddr],
        time: Duration,
    ) -> SocketAddr {
        let now = Instant::now();
        let (kept, since) = clients.entry(client).or_insert((next, now));
        let is_over = now.duration_since(*since) >= time && !self.has(Flaw::ForgetsNoClient);
        let is_gone = !usable.contains(kept) && !self.has(Flaw::KeepsClientsAtRemovedEndpoints);
        if is_over || is_gone {
            (*kept, *since) = (next, now);
        } else if !self.has(Flaw::CountsFromTheFirstConnection) {
            *since = now;
        }
        *kept
    }

    fn connection(&self, client: IpAddr, to: SocketAddr, endpoint: SocketAddr) -> FlawedConnection {
        let state = self.state();
        let port = self.served_at(&state, Protocol::Tcp, to).map(|(_, port)| port);
        let by_the_node = port.is_some_and(|port| to.ip() == NODE && port.external == TrafficPolicy::Cluster);
        let hidden = (by_the_node || endpoint.ip() == client) && !self.has(Flaw::HidesNoClient);
        let seen = if hidden || self.has(Flaw::HidesAllClients) { NODE } else { client };
        FlawedConnection { endpoint, source: Source { client, seen }, ended: Arc::clone(&state.ended) }
    }

    /// The service port that is served at this address.
    fn served_at<'a>(
        &self,
        state: &'a State,
        protocol: Protocol,
        to: SocketAddr,
    ) -> Option<(&'a ServicePortName, &'a ServicePort)> {
        let node_port = to.ip() == NODE && !self.has(Flaw::ForgetsNodePorts);
        let protocol_of = |place: Place| if self.has(Flaw::TakesAllForTcp) { Protocol::Tcp } else { place.protocol };
        let leads_here = |place: Place| {
            let is_here = place.address.map_or(node_port, |address| address == to.ip());
            is_here && place.port == to.port() && protocol_of(place) == protocol
        };
        state.ports.iter().find(|(_, port)| port.places().any(leads_here))
    }

    fn usable_at(&self, protocol: Protocol, to: SocketAddr) -> Vec<SocketAddr> {
        let state = self.state();
        let Some((_, port)) = self.served_at(&state, protocol, to) else { return Vec::new() };
        if self.has(Flaw::SendsToEndpointsThatAreNotReady) {
            return port.endpoints.iter().map(|endpoint| endpoint.address).collect();
        }
        let policy = match self.flaw {
            Some(Flaw::IgnoresTheInternalPolicy) if to.ip() != NODE => TrafficPolicy::Cluster,
            Some(Flaw::IgnoresTheExternalPolicy) if to.ip() == NODE => TrafficPolicy::Cluster,
            Some(Flaw::TakesTheExternalPolicyForBoth) => port.external,
            _ if to.ip() == NODE => port.external,
            _ => port.internal,
        };
        let mut usable: Vec<_> = port.usable_by(policy).collect();
        if self.has(Flaw::RefusesWhileAllEndpointsEnd) {
            usable.retain(|endpoint| endpoint.state == EndpointState::Ready);
        }
        usable.into_iter().map(|endpoint| endpoint.address).collect()
    }

    /// What is to be looked at; everything, unless the flaw has the proxy believe that it knows better.
    fn names(&self, state: &State, table: &ServiceTable) -> BTreeSet<ServicePortName> {
        let all = || table.iter().map(|(name, _)| name).chain(state.ports.keys()).cloned().collect();
        let since = state.version.and_then(|version| table.changed_since(version));
        match (self.flaw, since) {
            (Some(Flaw::TrustsTheNumberOfChanges), None) if state.shown == changes_of(table) => BTreeSet::new(),
            (Some(Flaw::RemembersRefusedTables), Some(names)) => names.into_iter().cloned().collect(),
            _ => all(),
        }
    }
}

/// How many changes made the table, which is what a version was in the first design of it.
fn changes_of(table: &ServiceTable) -> usize {
    table.changed_since(TableVersion::default()).map_or(0, |names| names.len())
}

impl State {
    fn apply(&mut self, name: &ServicePortName, port: Option<&ServicePort>, flaw: Option<Flaw>) -> bool {
        let old = self.ports.get(name);
        if old == port {
            return false;
        }
        match (port, flaw) {
            (None, Some(Flaw::KeepsRemovedServices)) => {}
            (None, _) => {
                self.ports.remove(name);
            }
            (Some(port), _) => {
                let mut port = port.clone();
                if let (Some(old), Some(Flaw::SendsToRemovedEndpoints)) = (old, flaw) {
                    let gone = old.endpoints.iter().filter(|endpoint| !port.endpoints.contains(endpoint));
                    let gone: Vec<_> = gone.cloned().collect();
                    port.endpoints.extend(gone);
                }
                self.ports.insert(name.clone(), port);
            }
        }
        true
    }

    fn end_connections(&mut self) {
        std::mem::take(&mut self.ended).store(true, Ordering::Release);
    }
}

#[async_trait]
impl ServiceProxy for FlawedProxy {
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError> {
        let state = &mut *self.state();
        let names = self.names(state, &table);
        if let Err(error) = table.validate() {
            match self.flaw {
                Some(Flaw::EmptiesTheTableOnAnError) => state.ports.clear(),
                Some(Flaw::RemembersRefusedTables) => state.version = Some(table.version()),
                Some(Flaw::AppliesUntilTheFirstError) => {
                    let wrong = error.service_port().cloned();
                    for name in names.iter().take_while(|name| Some(*name) != wrong.as_ref()) {
                        state.apply(name, table.get(name).map(|port| &**port), self.flaw);
                    }
                }
                _ => {}
            }
            return Err(error);
        }
        let apply = |name: &&ServicePortName| state.apply(name, table.get(name).map(|port| &**port), self.flaw);
        let changed = names.iter().filter(apply).count();
        state.version = Some(table.version());
        state.shown = changes_of(&table);
        if self.has(Flaw::DropsConnectionsAtASync) {
            state.end_connections();
        }
        if self.has(Flaw::ForgetsClientsAtASync) {
            state.clients.clear();
        }
        Ok(SyncReport { changed, took: Duration::ZERO })
    }

    async fn clear(&self) -> Result<(), ProxyError> {
        let mut state = self.state();
        state.end_connections();
        let ports = std::mem::take(&mut *state).ports;
        if self.has(Flaw::LeavesRulesBehindAtClear) {
            state.ports = ports;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct FlawedConnection {
    endpoint: SocketAddr,
    source: Source,
    ended: Arc<AtomicBool>,
}

#[async_trait]
impl Connection for FlawedConnection {
    fn backend(&self) -> SocketAddr {
        self.endpoint
    }

    async fn is_open(&mut self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    fn source(&self) -> Option<Source> {
        Some(self.source)
    }
}
