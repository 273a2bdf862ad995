//! Wrong service proxies.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::proxy::{
    Affinity, EndpointState, Place, ProxyError, ServicePort, ServicePortName, ServiceProxy, ServiceTable, SyncReport,
    TableVersion,
};

use crate::suite::proxy::{Connection, InMemory};

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
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 15] = [
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
    clients: BTreeMap<(ServicePortName, IpAddr), SocketAddr>,
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
        InMemory::new(Self::new(flaw), |proxy, client, to| Some(Box::new(proxy.connect(client, to)?)))
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, client: IpAddr, to: SocketAddr) -> Option<FlawedConnection> {
        let state = &mut *self.state();
        let node_port = to.ip() == Ipv4Addr::LOCALHOST && !self.has(Flaw::ForgetsNodePorts);
        let leads_here =
            |place: Place| place.port == to.port() && place.address.map_or(node_port, |address| address == to.ip());
        let (name, port) = state.ports.iter().find(|(_, port)| port.places().any(leads_here))?;
        let usable = self.usable(port);
        let turn = if self.has(Flaw::PrefersTheFirstEndpoint) { 0 } else { state.connections };
        state.connections += 1;
        let next = *usable.get(turn % usable.len().max(1))?;
        let keeps = port.affinity != Affinity::None && !self.has(Flaw::IgnoresAffinity);
        let endpoint = if keeps {
            let kept = state.clients.entry((name.clone(), client)).or_insert(next);
            if !usable.contains(kept) && !self.has(Flaw::KeepsClientsAtRemovedEndpoints) {
                *kept = next;
            }
            *kept
        } else {
            next
        };
        Some(FlawedConnection { endpoint, ended: Arc::clone(&state.ended) })
    }

    fn usable(&self, port: &ServicePort) -> Vec<SocketAddr> {
        if self.has(Flaw::SendsToEndpointsThatAreNotReady) {
            return port.endpoints.iter().map(|endpoint| endpoint.address).collect();
        }
        let mut usable: Vec<_> = port.usable().collect();
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
}
