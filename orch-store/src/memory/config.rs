//! [`MemoryStoreConfig`].

use std::num::NonZeroUsize;
use std::time::Duration;

use orch_core::store::PROGRESS_WITHIN;

/// How much a [`MemoryStore`](super::MemoryStore) keeps and takes.
///
/// ```
/// use std::num::NonZeroUsize;
/// use orch_store::memory::{MemoryStore, MemoryStoreConfig};
///
/// let history = NonZeroUsize::new(1_000).expect("not zero");
/// let store = MemoryStore::with_config(MemoryStoreConfig { history, ..MemoryStoreConfig::default() });
/// # drop(store);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryStoreConfig {
    /// How many of the latest changes are kept, 65,536 by default: for watches that are behind, and for listings at
    /// past revisions. The changes of the latest transaction are kept even when there are more of them. Each change
    /// keeps the object that it replaced in memory.
    pub history: NonZeroUsize,
    /// The largest JSON text taken as an object, in bytes; 1.5 MiB by default, as etcd's. An object handed over as
    /// one shared in memory is not measured: that would mean to encode it, which this store never does.
    pub object_limit: usize,
    /// How long a watch that has caught up waits before it acknowledges writes elsewhere; one second by default. More
    /// than [`PROGRESS_WITHIN`] counts as that.
    pub progress_every: Duration,
}

impl Default for MemoryStoreConfig {
    fn default() -> Self {
        Self {
            history: NonZeroUsize::new(1 << 16).expect("not zero"),
            object_limit: 3 << 19,
            progress_every: Duration::from_secs(1).min(PROGRESS_WITHIN),
        }
    }
}
