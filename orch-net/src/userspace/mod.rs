//! [`UserspaceProxy`]: listens on the services' addresses and relays TCP connections.

mod config;
mod listener;
mod plan;
mod relay;
mod target;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orch_core::proxy::{ProxyError, ServicePortName, ServiceProxy, ServiceTable, SyncReport};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

pub use config::UserspaceConfig;

use crate::served::Served;
use listener::Listener;
use plan::Moves;
use relay::Relay;
use target::Target;

/// A proxy in this process: it listens on the services' addresses, which must be addresses of the node (all of
/// 127.0.0.0/8 are, on Linux), and relays TCP connections to the endpoints in turn. It needs no privileges.
///
/// Beyond what every proxy promises:
///
/// - An endpoint that does not accept a connection is passed over, and the client does not notice: it fails only if
///   every usable endpoint was tried.
/// - A service port without a usable endpoint keeps its addresses, so that nobody else takes them meanwhile: a
///   connection is accepted and reset at once. A service port that is taken out of the table gives them up.
/// - Each direction of a connection is closed when its sender closes it. A connection that fails on one side is reset
///   on the other.
/// - Beyond [`connections_max`](UserspaceConfig::connections_max), clients wait.
///
/// Endpoints see the proxy's address in place of the client's. UDP and SCTP are refused as
/// [`ProxyError::Unsupported`]. Dropping the proxy ends everything, as [`clear`](ServiceProxy::clear) does.
#[derive(Debug, Default)]
pub struct UserspaceProxy {
    config: UserspaceConfig,
    /// Never held while waiting: a sync is one uninterrupted step.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    served: Served,
    targets: BTreeMap<ServicePortName, Arc<Target>>,
    listeners: BTreeMap<SocketAddr, Listener>,
    /// Ends all connections.
    end: watch::Sender<()>,
}

impl UserspaceProxy {
    /// A proxy that serves nothing yet.
    #[must_use]
    pub fn new(config: UserspaceConfig) -> Self {
        Self { config, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ServiceProxy for UserspaceProxy {
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError> {
        let start = Instant::now();
        let changed = self.state().sync(&table, &self.config)?;
        Ok(SyncReport { changed, took: start.elapsed() })
    }

    async fn clear(&self) -> Result<(), ProxyError> {
        let State { listeners, end, .. } = std::mem::take(&mut *self.state());
        drop(listeners);
        end.send_replace(());
        end.closed().await;
        Ok(())
    }
}

impl State {
    /// Opens what is new, then serves the table, then closes what is gone. Only the first can fail.
    fn sync(&mut self, table: &ServiceTable, config: &UserspaceConfig) -> Result<usize, ProxyError> {
        table.validate()?;
        let changes = self.served.changes(table);
        let owner = |address| self.listeners.get(&address).map(Listener::owner);
        let moves = Moves::plan(&changes, &config.node_addresses, owner)?;
        let opened = open(&moves.bind)?;

        for (name, port) in changes.iter().filter_map(|change| Some((&change.name, change.new.as_ref()?))) {
            let new = || Arc::new(Target::new(name.clone(), config.connections_max));
            self.targets.entry(name.clone()).or_insert_with(new).update(Some(port));
        }
        let relay = Relay { connect_timeout: config.connect_timeout, end: self.end.subscribe() };
        for ((address, name), socket) in moves.bind.iter().zip(opened) {
            if let Some(target) = self.targets.get(name) {
                let listener = Listener::start(socket, Arc::clone(target), relay.clone());
                self.listeners.insert(*address, listener);
            }
        }
        for (address, name) in &moves.hand_over {
            if let (Some(listener), Some(target)) = (self.listeners.get(address), self.targets.get(name)) {
                listener.hand_over(Arc::clone(target));
            }
        }
        for address in &moves.close {
            self.listeners.remove(address);
        }
        for change in changes.iter().filter(|change| change.new.is_none()) {
            if let Some(target) = self.targets.remove(&change.name) {
                target.update(None);
            }
        }
        let changed = changes.len();
        self.served.accept(table, changes);
        Ok(changed)
    }
}

/// Listens at all of the addresses, or at none.
fn open(addresses: &[(SocketAddr, ServicePortName)]) -> Result<Vec<TcpListener>, ProxyError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for (address, name) in addresses {
        sockets.push((listener::bind(*address, name)?, *address, name));
    }
    sockets.into_iter().map(|(socket, address, name)| listener::listen(socket, address, name)).collect()
}
