//! [`UserspaceProxy`]: listens on the services' addresses and relays connections and datagrams.

mod config;
mod datagrams;
mod flows;
mod listener;
mod plan;
mod relay;
mod socket;
mod target;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orch_core::proxy::{ProxyError, ServicePortName, ServiceProxy, ServiceTable, SyncReport};
use tokio::sync::watch;
use tokio::time::Instant;

pub use config::{FlowLimits, UserspaceConfig};

use crate::served::Served;
use plan::{Entrance, Moves, Owner};
use socket::Socket;
use target::{Aim, Target};

/// A proxy in this process: it listens on the services' addresses, which must be addresses of the node (all of
/// 127.0.0.0/8 are, on Linux), and relays TCP connections and UDP datagrams to the endpoints in turn. It needs no
/// privileges.
///
/// Beyond what every proxy promises:
///
/// - An endpoint that does not accept a connection is passed over, and the client does not notice: it fails only if
///   every usable endpoint was tried.
/// - A service port without a usable endpoint keeps its addresses, so that nobody else takes them meanwhile: a
///   connection is accepted and reset at once, a datagram is refused by the kernel. A service port that is taken out of the
///   table gives them up.
/// - Each direction of a connection is closed when its sender closes it. A connection that fails on one side is reset
///   on the other.
/// - Beyond [`connections_max`](UserspaceConfig::connections_max), clients wait.
///
/// Of datagrams:
///
/// - Those of one client, which is an address and port, are a flow and go to one endpoint, from a socket that is the
///   flow's alone: what an endpoint answers reaches no other client. It ends when it was [silent](FlowLimits) for a while,
///   or its endpoint is gone; not when that is about to end and still answers.
/// - An endpoint that refuses a datagram (ICMP: port unreachable) is passed over for the next one of the flow; if the
///   refusal comes at once, as from an endpoint on this machine, for the same one.
/// - Nothing waits in a queue of the proxy: what a socket does not take at once is lost, as elsewhere on the way.
///
/// Endpoints see the proxy's address in place of the client's. SCTP is refused as [`ProxyError::Unsupported`]. Dropping the
/// proxy ends everything, as [`clear`](ServiceProxy::clear) does.
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
    sockets: BTreeMap<Entrance, Socket>,
    /// Ends all connections and flows.
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
        let State { sockets, end, .. } = std::mem::take(&mut *self.state());
        drop(sockets);
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
        let owner = |entrance| self.sockets.get(&entrance).map(Socket::owner);
        let moves = Moves::plan(&changes, &config.node_addresses, owner)?;
        let opened = socket::open(&moves.bind)?;

        let present = || changes.iter().filter_map(|change| Some((&change.name, change.new.as_ref()?)));
        for (name, port) in present() {
            let new = || Arc::new(Target::new(name.clone(), config.connections_max));
            self.targets.entry(name.clone()).or_insert_with(new).update(Some(port));
        }
        for ((entrance, owner), opened) in moves.bind.iter().zip(opened) {
            if let Some(aim) = self.aim(owner) {
                self.sockets.insert(*entrance, opened.start(*entrance, aim, config, self.end.subscribe()));
            }
        }
        for (entrance, owner) in &moves.hand_over {
            if let (Some(socket), Some(aim)) = (self.sockets.get(entrance), self.aim(owner)) {
                socket.hand_over(aim);
            }
        }
        for entrance in present().flat_map(|(_, port)| plan::entrances(port, &config.node_addresses).into_keys()) {
            if let Some(socket) = self.sockets.get(&entrance) {
                socket.follow();
            }
        }
        for entrance in &moves.close {
            self.sockets.remove(entrance);
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

    fn aim(&self, owner: &Owner) -> Option<Aim> {
        Some(Aim { target: Arc::clone(self.targets.get(&owner.name)?), side: owner.side })
    }
}
