//! [`ServiceProxy`]: makes services reachable on one node.

mod error;
mod table;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use error::ProxyError;
pub use table::{Affinity, Endpoint, EndpointState, ServicePort, ServicePortName, ServiceTable};

/// Makes a whole [`ServiceTable`] true on one node: a connection to a service's address reaches one of its endpoints.
///
/// # What every proxy promises
///
/// - **P1** *Whole*: when [`sync`](ServiceProxy::sync) has returned, every service port of the table is served as the
///   table says, and no other is served by this proxy. What the proxy was shown before makes no difference.
/// - **P2** *Last good table*: when `sync` returns an error, what was served before is served on. A table that cannot
///   be served wholly is not served in part.
/// - **P3** *Idempotent, at the cost of what changed*: a table that is already served changes nothing, and the
///   [`SyncReport`] counts what was changed.
/// - **P4** *Ready endpoints only*: a new connection goes to a ready endpoint. While one endpoint is ready, no connection
///   is refused because another is not reachable any more. Without a ready endpoint, new connections are refused at
///   once, unless some endpoint is serving while it ends: then they go there.
/// - **P5** *Spread*: connections spread evenly over the endpoints, unless affinity is asked for: then a client's
///   address keeps its endpoint for the affinity's time, as long as that endpoint is ready.
/// - **P6** *Draining*: connections to an endpoint that is removed go on until either side ends them.
/// - **P7** *Undisturbed*: a change of one service port does not interrupt connections of another.
/// - **P8** *Gone*: after [`clear`](ServiceProxy::clear) the node is as it was before the proxy.
#[async_trait]
pub trait ServiceProxy: Debug + Send + Sync + 'static {
    /// Serves `table` in place of what was served before. Concurrent calls happen one after another. When the future is
    /// dropped, either table may be served, wholly; the next call puts it right.
    ///
    /// # Errors
    /// [`ProxyError::InvalidTable`], [`ProxyError::AddressInUse`], [`ProxyError::Unavailable`].
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError>;

    /// Serves nothing any more, and ends all connections.
    ///
    /// # Errors
    /// [`ProxyError::Unavailable`]; what could not be removed is removed by the next call.
    async fn clear(&self) -> Result<(), ProxyError>;
}

/// What a sync changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// How many service ports were added, changed or removed.
    pub changed: usize,
    /// How long it took.
    pub took: Duration,
}
