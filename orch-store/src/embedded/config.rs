//! [`EmbeddedStoreConfig`].

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use orch_core::store::PROGRESS_WITHIN;

/// Where an [`EmbeddedStore`](super::EmbeddedStore) or a [`BufferedStore`](super::BufferedStore) lives, and how much it
/// keeps and takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedStoreConfig {
    /// The folder of its files. It is made if it is not there, readable by its owner only. One store at a time may use
    /// it.
    pub folder: PathBuf,
    /// How many of the latest changes are kept, 65,536 by default: for watches that are behind, and for listings at
    /// past revisions, across restarts too. The changes of the latest transaction are kept even when there are more of
    /// them. Each change keeps the object that it replaced, in memory and in the checkpoint.
    pub history: NonZeroUsize,
    /// The largest object taken, in bytes of its JSON; 1.5 MiB by default, as etcd's.
    pub object_limit: usize,
    /// How long the log may grow, in bytes, before it is made into a checkpoint; 64 MiB by default. A store whose
    /// checkpoint is larger than that lets the log grow as long as the checkpoint, so that at most half of what is
    /// written is written for checkpoints.
    pub checkpoint_after: u64,
    /// How long a watch that has caught up waits before it acknowledges writes elsewhere; one second by default. More
    /// than [`PROGRESS_WITHIN`] counts as that.
    pub progress_every: Duration,
}

impl EmbeddedStoreConfig {
    /// The defaults for a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            history: NonZeroUsize::new(1 << 16).expect("not zero"),
            object_limit: 3 << 19,
            checkpoint_after: 64 << 20,
            progress_every: Duration::from_secs(1).min(PROGRESS_WITHIN),
        }
    }
}
