//! [`PodRoutes`]: leads what is sent to pods of other hosts to those hosts.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::{HostTable, RoutesError};

/// Makes a whole [`HostTable`] true on one host: what is sent to an address of another host's pod range gets to that host.
/// The pods of a host are joined to it by its runtime; which range is whose is decided by others.
///
/// # What every implementation promises
///
/// - **R1** *Whole*: when [`sync`](PodRoutes::sync) has returned, every pod range of every other host of the table leads to
///   that host, and nothing leads elsewhere on behalf of these routes. Nothing leads away the ranges of the own host. What
///   was shown before makes no difference, be it to an implementation of an earlier process.
/// - **R2** *Last good table*: when `sync` returns an error, what held before still holds, all of it and nothing else. A
///   table that cannot hold wholly does not hold in part.
/// - **R3** *Idempotent, at the cost of what changed*: a table that already holds changes nothing, and the
///   [`RoutesReport`] counts the hosts for which something was changed.
/// - **R4** *Repaired*: what others altered or removed of it is put right by the next `sync`, of the same table too; and
///   [`drifted`](PodRoutes::drifted) tells that one is needed, before long and unasked.
/// - **R5** *Others untouched*: routes, devices and addresses of others are never changed or removed. If others lead a range
///   of the table elsewhere, that is [`RoutesError::Occupied`].
/// - **R6** *Gone*: after [`clear`](PodRoutes::clear) the host is as it was before, but for going on to forward packets, on
///   which others may rely by now. The implementation can be used again.
/// - **R7** *Undisturbed*: a `sync` interrupts nothing between hosts whose entries it leaves unchanged.
///
/// A host's network has one owner of such routes at a time: a second one takes the first one's for its own.
#[async_trait]
pub trait PodRoutes: Debug + Send + Sync + 'static {
    /// Makes `table` hold in place of the one before. Concurrent calls happen one after another. When the future is
    /// dropped, each host is led to as either table says, or not at all if one of them does not have it; the next call puts
    /// it right.
    ///
    /// # Errors
    /// [`RoutesError::InvalidTable`] as [`HostTable::validate`] says, [`RoutesError::Unsupported`],
    /// [`RoutesError::Occupied`], [`RoutesError::Unavailable`].
    async fn sync(&self, table: Arc<HostTable>) -> Result<RoutesReport, RoutesError>;

    /// Leads nothing any more.
    ///
    /// # Errors
    /// [`RoutesError::Unavailable`]; what could not be removed is removed by the next call.
    async fn clear(&self) -> Result<(), RoutesError>;

    /// Says each time when others may have altered what was made, so that [`sync`](PodRoutes::sync) is needed although no
    /// host has changed. It ends with the implementation. Where nobody else can alter anything it says nothing.
    fn drifted(&self) -> BoxStream<'static, ()> {
        stream::pending().boxed()
    }
}

/// What a sync changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoutesReport {
    /// For how many hosts something was added, changed, removed or put right.
    pub hosts: usize,
    /// Whether something was made or put right that all hosts share, such as a device.
    pub shared: bool,
    /// How long it took.
    pub took: Duration,
}

impl RoutesReport {
    /// Whether nothing was changed.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.hosts == 0 && !self.shared
    }
}
