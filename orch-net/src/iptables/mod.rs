//! [`IptablesProxy`]: makes services rules of the kernel, through the programs of iptables.

mod client;
mod config;
mod diff;
mod dispatch;
mod error;
#[cfg(test)]
mod model;
mod name;
#[cfg(test)]
mod properties;
mod render;
mod rule;
mod session;
mod state;
mod tables;

use std::sync::{Arc, Mutex as Quick, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::proxy::{ProxyError, ServiceProxy, ServiceTable, SyncReport};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

pub use config::{IptablesConfig, NodeAddresses};

use crate::conntrack::{self, Stale};
use crate::netlink::Client as Netlink;
use client::Client;
use state::State;

/// How often the tables may change while they are read before a check holds syncs up.
const READINGS: usize = 3;

/// A proxy of the kernel: rules of iptables translate connections to services, of TCP, UDP and SCTP, in IPv4 and IPv6.
///
/// It takes root, and the programs `iptables-restore`, `ip6tables-restore` and the like. Packets must pass through the
/// node's network stack: pods whose packets a bridge carries directly need the kernel module `br_netfilter`. It opens no
/// firewall, forwards nothing by itself, and turns on nothing in the kernel: neither `ip_forward`, which pods need anyway,
/// nor `route_localnet`, which would open the node's loopback to its neighbours; so node ports are not served there.
///
/// Beyond what every proxy promises:
///
/// - Its chains begin with `ORCH-`, and nothing else is touched but one rule in each built-in chain. What was before is there
///   after [`clear`](ServiceProxy::clear), to the letter; empty tables that iptables made by itself may stay.
/// - When it is dropped, or its process ends, the rules stay and serve on. The next one takes over what it finds.
/// - What others change in its chains is found by a [`check`](Self::check), every minute by default, and put right.
/// - A change of an endpoint writes one chain, that of a service a few, whatever the number of services; and a packet passes
///   a few dozen rules.
/// - Names that users choose are in no rule.
/// - `iptables-restore` is started when there is something to change, stays, and waits for the next change; it ends with the
///   proxy, or when that is cleared. It works in the network namespace of the thread that made this change.
///
/// Affinity remembers as many clients of an endpoint as the kernel module `xt_recent` is told to: 100 by default. A client
/// whose address is that of an endpoint on another node is not told from others. A table is refused as
/// [`ProxyError::Unsupported`] when an address or endpoint of it is a loopback, multicast or unspecified one.
#[derive(Debug)]
pub struct IptablesProxy {
    inner: Arc<Inner>,
    /// The task that checks from time to time.
    checks: Quick<Option<AbortHandle>>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    /// Held while programs run, as syncs happen one after another.
    state: Mutex<State>,
    last: Quick<LastSync>,
}

/// What the last sync of an [`IptablesProxy`] that succeeded did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastSync {
    /// How many rules were written.
    pub rules: usize,
    /// How long it took.
    pub took: Duration,
}

impl IptablesProxy {
    /// A proxy that serves nothing yet. What another one left serves on until the first sync.
    #[must_use]
    pub fn new(config: IptablesConfig) -> Self {
        let inner = Inner { client: Client::new(config), state: Mutex::default(), last: Quick::default() };
        Self { inner: Arc::new(inner), checks: Quick::default() }
    }

    /// What the last sync that succeeded did.
    #[must_use]
    pub fn last_sync(&self) -> LastSync {
        *self.inner.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the rules and puts right what others changed. Returns how many chains, and rules by which packets reach them,
    /// were not as they should be.
    ///
    /// # Errors
    /// [`ProxyError::Unavailable`].
    pub async fn check(&self) -> Result<usize, ProxyError> {
        self.inner.check().await
    }

    /// Checks from time to time from now on.
    fn start_checks(&self) {
        let Some(interval) = self.inner.client.config().check_interval else { return };
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if checks.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let inner = Arc::downgrade(&self.inner);
        *checks = Some(tokio::spawn(check_often(inner, interval)).abort_handle());
    }
}

impl Default for IptablesProxy {
    fn default() -> Self {
        Self::new(IptablesConfig::default())
    }
}

impl Drop for IptablesProxy {
    fn drop(&mut self) {
        if let Some(task) = self.checks.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Has flows led anew that are led to endpoints that are gone, in the network of the calling thread.
async fn forget(stale: Stale) {
    let client = Netlink::open();
    let forgotten = tokio::task::spawn_blocking(move || conntrack::forget(&client?, &[stale])).await;
    match forgotten {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "datagrams of some clients may go on to endpoints that are gone"),
        Err(error) => tracing::warn!(%error, "the kernel's flows could not be looked through"),
    }
}

async fn check_often(inner: Weak<Inner>, interval: Duration) {
    loop {
        sleep(interval).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.check().await {
            tracing::warn!(%error, "the rules of services could not be checked");
        }
    }
}

impl Inner {
    async fn check(&self) -> Result<usize, ProxyError> {
        let client = &self.client;
        for _ in 0..READINGS {
            // Reading takes long where there are many rules, so syncs go on meanwhile.
            let generation = self.state.lock().await.generation;
            let found = state::read(client).await?;
            let mut state = self.state.lock().await;
            if state.generation == generation {
                return Ok(state.repair(&found, client).await?);
            }
        }
        let mut state = self.state.lock().await;
        let found = state::read(client).await?;
        Ok(state.repair(&found, client).await?)
    }
}

#[async_trait]
impl ServiceProxy for IptablesProxy {
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError> {
        let (start, inner) = (Instant::now(), &self.inner);
        table.validate()?;
        let mut state = inner.state.lock().await;
        let changes = state.served.changes(&table);
        for (name, port) in changes.iter().filter_map(|change| Some((&change.name, change.new.as_ref()?))) {
            render::check(name, port)?;
        }
        let stale = Stale::after(&changes);
        let (changed, rules) = if changes.is_empty() && state.tables.is_some() {
            state.served.accept(&table, changes);
            (0, 0)
        } else {
            state.serve(&table, changes, &inner.client).await?
        };
        if !stale.is_empty() {
            forget(stale).await;
        }
        drop(state);
        let took = start.elapsed();
        *inner.last.lock().unwrap_or_else(PoisonError::into_inner) = LastSync { rules, took };
        self.start_checks();
        Ok(SyncReport { changed, took })
    }

    async fn clear(&self) -> Result<(), ProxyError> {
        let mut state = self.inner.state.lock().await;
        let stale = Stale::after(&state.served.removals());
        state.clear(&self.inner.client).await?;
        if !stale.is_empty() {
            forget(stale).await;
        }
        Ok(())
    }
}
