//! [`NftablesProxy`]: has the kernel lead connections, by tables of nftables.

mod batch;
mod client;
mod config;
mod elements;
mod error;
mod expression;
mod family;
mod inspect;
mod plan;
mod state;
mod structure;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::proxy::{ProxyError, ServiceProxy, ServiceTable, SyncReport};
use tokio::time::{Instant, sleep};

pub use config::{InvalidTableName, NftablesConfig, TableName};

use state::State;
pub use state::Transaction;

/// A proxy of the kernel: tables of nftables, written by netlink and without any program. It needs the capability
/// `CAP_NET_ADMIN` and Linux 5.10 or later, and serves TCP, UDP and SCTP, IPv4 and IPv6.
///
/// Beyond what every proxy promises:
///
/// - A sync is one transaction of the kernel, at the cost of what changed: one endpoint that is replaced is one element,
///   however many services there are.
/// - It has two tables of its own, one a family, and looks at no other. A packet is never marked.
/// - What others do to its tables is noticed at the next sync, or before long, and put right by one transaction.
/// - Dropping it leaves the tables, and connections go on being led: a new one takes them over, in one transaction. Only
///   [`clear`](ServiceProxy::clear) removes them.
/// - Without a usable endpoint TCP is reset, and all else is answered by a message that the port is unreachable.
/// - Datagrams that come from one port for a long time are led anew when their endpoint is removed.
/// - An address leads to endpoints of its own family. A port of the node is served at all of its addresses but loopback.
///
/// It works in the network namespace of the thread that first syncs or clears.
#[derive(Debug)]
pub struct NftablesProxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: NftablesConfig,
    /// Never held while waiting. A sync is one uninterrupted step.
    state: Mutex<State>,
}

/// So many changes are made without giving way to other tasks: it takes milliseconds.
const CHANGES_AT_ONCE: usize = 500;

impl NftablesProxy {
    /// A proxy that serves nothing yet.
    #[must_use]
    pub fn new(config: NftablesConfig) -> Self {
        Self(Arc::new(Inner { config, state: Mutex::default() }))
    }

    /// Looks through the tables, if anybody changed any table since it last did, and puts right what was altered. Returns
    /// whether that was necessary. This happens by itself, too.
    ///
    /// # Errors
    /// [`ProxyError::Unavailable`].
    pub async fn check(&self) -> Result<bool, ProxyError> {
        let inner = Arc::clone(&self.0);
        apart(move || inner.state().check(&inner.config)).await
    }

    /// The last transaction that was made.
    #[must_use]
    pub fn last_transaction(&self) -> Option<Transaction> {
        self.0.state().last_transaction()
    }

    /// Checks by itself from now on, as long as the proxy is there.
    fn keep_checking(&self) {
        let mut state = self.0.state();
        if state.begin_checking() {
            tokio::spawn(keep_checking(Arc::downgrade(&self.0), self.0.config.check_every));
        }
    }
}

impl Default for NftablesProxy {
    fn default() -> Self {
        Self::new(NftablesConfig::default())
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ServiceProxy for NftablesProxy {
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError> {
        let start = Instant::now();
        table.validate()?;
        // Here, since another thread may be in another network.
        self.0.state().connect()?;
        let is_small = self.0.state().changes(&table) <= CHANGES_AT_ONCE;
        let changed = if is_small {
            self.0.state().sync(&table, &self.0.config)
        } else {
            let inner = Arc::clone(&self.0);
            apart(move || inner.state().sync(&table, &inner.config)).await
        }?;
        self.keep_checking();
        Ok(SyncReport { changed, took: start.elapsed() })
    }

    async fn clear(&self) -> Result<(), ProxyError> {
        self.0.state().connect()?;
        let inner = Arc::clone(&self.0);
        apart(move || inner.state().clear(&inner.config)).await
    }
}

/// Does something that takes long where it holds up no other task. It is done even if nobody waits any more.
async fn apart<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, ProxyError> + Send + 'static,
) -> Result<T, ProxyError> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| {
        let message = format!("nftables: a task ended early: {error}");
        Err(ProxyError::Unavailable { message, transient: true, source: Some(Box::new(error)) })
    })
}

async fn keep_checking(inner: Weak<Inner>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(inner) = inner.upgrade() else { return };
        match apart(move || inner.state().check(&inner.config)).await {
            Ok(true) => tracing::warn!("another program altered the tables of services: they were put right"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the tables of services cannot be looked through"),
        }
    }
}
