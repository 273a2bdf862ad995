//! [`ServiceProxy`]: makes services reachable on one node.

mod error;
mod table;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use error::ProxyError;
pub use table::{Affinity, Endpoint, EndpointState, Place, ServicePort, ServicePortName, ServiceTable, TableVersion};

/// Makes a whole [`ServiceTable`] true on one node: a connection to a service's address reaches one of its endpoints.
///
/// # What every proxy promises
///
/// - **P1** *Whole*: when [`sync`](ServiceProxy::sync) has returned, every service port of the table is served as the
///   table says, and no other is served by this proxy. What the proxy was shown before makes no difference.
/// - **P2** *Last good table*: when `sync` returns an error, what was served before is served on, all of it and nothing
///   else. A table that cannot be served wholly is not served in part.
/// - **P3** *Idempotent, at the cost of what changed*: a table that is already served changes nothing, and the
///   [`SyncReport`] counts what was changed.
/// - **P4** *Usable endpoints only*: a new connection goes to a [usable](ServicePort::usable) endpoint: a ready one, or
///   if there is none, one that serves while it ends; at the node's port, one that is usable
///   [from outside](ServicePort::usable_from_outside). While there is one, no connection is refused because of
///   endpoints that are not. Without one, new connections fail at once. (A proxy that makes the connection itself may
///   promise more: that a ready endpoint which does not answer is passed over.)
/// - **P5** *Spread*: connections spread evenly over the usable endpoints, unless affinity is asked for: then a client's
///   address keeps its endpoint for the affinity's time, as long as that endpoint is usable, across syncs too.
/// - **P6** *Draining*: connections to an endpoint that is removed go on until either side ends them.
/// - **P7** *Undisturbed*: a sync interrupts no connection, and while it happens the service ports that it leaves
///   unchanged go on taking connections.
/// - **P8** *Gone*: after [`clear`](ServiceProxy::clear) the node is as it was before the proxy, which can be used again.
/// - **P9** *Source address*: an endpoint sees the client's own address, except where it reaches itself through a service,
///   and at the node's port with the policy Cluster: there it sees one of the node. (A proxy that makes the connection
///   itself cannot promise this: its endpoints see the proxy's.)
#[async_trait]
pub trait ServiceProxy: Debug + Send + Sync + 'static {
    /// Serves `table` in place of what was served before. Concurrent calls happen one after another. When the future is
    /// dropped, either table may be served, wholly; the next call puts it right.
    ///
    /// A proxy that keeps no share of `table` once this has returned spares its owner a copy at the next change.
    ///
    /// # Errors
    /// [`ProxyError::InvalidTable`] as [`ServiceTable::validate`] says, [`ProxyError::Unsupported`],
    /// [`ProxyError::AddressInUse`], [`ProxyError::Unavailable`].
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError>;

    /// Serves nothing any more, and ends the connections that it relays.
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
