//! [`MemoryProxy`]: answers where a connection would go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orch_core::object::Protocol;
use orch_core::proxy::{Place, ProxyError, ServicePortName, ServiceProxy, ServiceTable, SyncReport};
use tokio::time::Instant;

use crate::balance::Balancer;
use crate::served::Served;

/// A proxy without a network: it keeps the table, and [`connect`](Self::connect) says where a connection would go.
/// For tests and simulations. It serves every protocol.
#[derive(Debug)]
pub struct MemoryProxy {
    node_addresses: BTreeSet<IpAddr>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    served: Served,
    /// One for a service's addresses, and one for its port of the node: they may lead elsewhere.
    balancers: BTreeMap<ServicePortName, [Balancer; 2]>,
    places: BTreeMap<Place, ServicePortName>,
    /// Set when the connections made so far are ended.
    ended: Arc<AtomicBool>,
}

/// A connection of a [`MemoryProxy`].
#[derive(Clone, Debug)]
pub struct MemoryConnection {
    endpoint: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl MemoryConnection {
    /// The endpoint that it leads to.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.endpoint
    }

    /// Whether the proxy still relays it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }
}

impl Default for MemoryProxy {
    /// A proxy on a node that has the address 127.0.0.1.
    fn default() -> Self {
        Self::new([Ipv4Addr::LOCALHOST.into()])
    }
}

impl MemoryProxy {
    /// A proxy on a node that has these addresses: node ports are served there.
    pub fn new(node_addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { node_addresses: node_addresses.into_iter().collect(), state: Mutex::default() }
    }

    /// Connects `client` to the service at `to`. `None` when the connection is refused.
    pub fn connect(&self, protocol: Protocol, client: IpAddr, to: SocketAddr) -> Option<MemoryConnection> {
        let mut state = self.state();
        let place = Place { protocol, address: Some(to.ip()), port: to.port() };
        let node_port = self.node_addresses.contains(&to.ip()).then_some(Place { address: None, ..place });
        let served = |place: Place| Some((place.address.is_none(), state.places.get(&place)?.clone()));
        let (by_node_port, name) = [Some(place), node_port].into_iter().flatten().find_map(served)?;
        let [inside, outside] = state.balancers.get_mut(&name)?;
        let balancer = if by_node_port { outside } else { inside };
        let endpoint = balancer.pick(client, Instant::now(), &[])?;
        Some(MemoryConnection { endpoint, ended: Arc::clone(&state.ended) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ServiceProxy for MemoryProxy {
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError> {
        let start = Instant::now();
        table.validate()?;
        let mut state = self.state();
        let changes = state.served.changes(&table);
        for old in changes.iter().filter_map(|change| change.old.as_ref()) {
            for place in old.places() {
                state.places.remove(&place);
            }
        }
        for change in &changes {
            let Some(new) = &change.new else {
                state.balancers.remove(&change.name);
                continue;
            };
            state.places.extend(new.places().map(|place| (place, change.name.clone())));
            let [inside, outside] = state.balancers.entry(change.name.clone()).or_default();
            inside.update(new, new.internal);
            outside.update(new, new.external);
        }
        let changed = changes.len();
        state.served.accept(&table, changes);
        Ok(SyncReport { changed, took: start.elapsed() })
    }

    async fn clear(&self) -> Result<(), ProxyError> {
        let state = std::mem::take(&mut *self.state());
        state.ended.store(true, Ordering::Release);
        Ok(())
    }
}
