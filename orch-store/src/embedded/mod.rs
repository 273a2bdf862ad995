//! [`EmbeddedStore`] and [`BufferedStore`]: objects in files of this machine, without a server.
//!
//! # What survives what
//! | | the process is killed | the machine loses power |
//! |---|---|---|
//! | [`EmbeddedStore`] | every acknowledged write | every acknowledged write |
//! | [`BufferedStore`] | every acknowledged write | the writes up to some moment since the last checkpoint, or an error on opening |
//!
//! A write is acknowledged, and visible to anyone, only after that: nobody reads what a crash can take back. A
//! transaction is there wholly or not at all. After a crash, a write that was not acknowledged has happened or not. The
//! history comes back too, as long as it is configured to be: a watch goes on after its last revision across a restart. So
//! do compactions and claims; a claim lives for its whole time again.
//!
//! What was changed in the files by anything but the store is found when they are read, and refused with the file and the
//! place: a flipped bit, a lost or repeated block, a missing file. Two things cannot be told from a crash: that the last
//! frames of the last log are cut off as a whole, and that a whole sector of the very last one is zero.
//!
//! # Files
//! A folder holds a `lock`, a `log-N`, and for N > 1 a `checkpoint-N`; while a checkpoint is being written, the files of
//! two segments. A log holds the changes since its segment began, a checkpoint all that there was at that moment:
//! the objects before the first change that is kept, the changes since, and the claims. The format of both, byte by byte,
//! stands in `format/`.
//!
//! A log that has grown long is ended, and the next one begun; a checkpoint is written meanwhile, under another name until
//! it is complete, and then the files before it are removed.
//!
//! # How it works, room by room
//! - `staging`: a write is decided in its own thread, against what is durable and what is about to be, and added to the
//!   next frame.
//! - `writer`: a thread appends the frame and waits for the disk, then takes what has gathered meanwhile.
//! - `publisher`: another thread makes visible what is durable, in the same memory that
//!   [`MemoryStore`](crate::MemoryStore) has, and answers; when nothing waits for the disk, the thread that writes does
//!   so itself.
//! - `recovery`, `replay`: opening. `checkpoint`, `backup`: all of it in one file.
//! - `disk`: the few things that are asked of a file system, so that tests can crash it anywhere.
//!
//! When the disk is full, the write is taken back and refused, and writing works again when there is room. When syncing
//! fails, nobody knows what the disk has: the write's outcome is unknown, reads go on, and all writes are refused until the
//! store is opened again.

mod backup;
mod checkpoint;
mod claims;
mod config;
mod disk;
mod error;
mod files;
mod format;
mod handle;
mod log;
mod prepare;
mod publisher;
mod recovery;
mod replay;
mod shared;
mod staging;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Claim, Claimed, Compact, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, Write,
};

pub use self::config::EmbeddedStoreConfig;
use self::disk::Folder;
pub use self::error::EmbeddedStoreError;
use self::handle::Handle;
use self::log::Durability;

/// A store in files of this machine: a write that was acknowledged survives the loss of power. Clones share the objects.
///
/// Writes made at the same time share one wait for the disk, so the more there are, the less each costs. All objects are
/// in memory too, and reads never wait. A watch needs a tokio runtime with its timer enabled, for progress marks; nothing
/// else needs any. Two threads of its own write; when the last clone is dropped they end after what was handed in is
/// written, and [`close`](Self::close) waits for that.
///
/// ```
/// use orch_core::kind::Object as _;
/// use orch_core::object::Namespace;
/// use orch_core::store::{Expect, Store as _, Value};
/// use orch_store::embedded::{EmbeddedStore, EmbeddedStoreConfig};
///
/// # let folder = std::env::temp_dir().join(format!("orch-store-doc-{}", std::process::id()));
/// # orch_testkit::suite::run(async {
/// let config = EmbeddedStoreConfig::new(&folder);
/// let store = EmbeddedStore::open(config.clone()).await?;
/// let mut shop = Namespace::default();
/// shop.metadata.name = "shop".into();
/// let key = shop.key()?;
/// let entry = store.put(&key, Value::new(shop), Expect::Absent).await?;
/// store.close().await;
///
/// let store = EmbeddedStore::open(config).await?;
/// assert_eq!(store.get(&key).await?.map(|found| found.revision), Some(entry.revision));
/// # store.close().await;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    handle: Handle,
}

/// A store in files of this machine that does not wait for the disk: a write that was acknowledged survives the end of the
/// process, however it ends, but not the loss of power. For state that can be made again. Clones share the objects.
///
/// In all else it is an [`EmbeddedStore`], and either can open the files of the other.
#[derive(Clone, Debug)]
pub struct BufferedStore {
    handle: Handle,
}

impl EmbeddedStore {
    /// Makes a new store in a folder that is not there or empty, of a backup that either type of store made. Returns the
    /// revision that it begins with.
    ///
    /// That is far after the backup's, and nothing before it can be asked for: whoever saw a revision that the old store
    /// handed out after the backup is told to list again, and no revision ever means two things. Claims begin to live
    /// anew.
    ///
    /// # Errors
    /// [`EmbeddedStoreError::Occupied`] when the folder is not empty, even by what an attempt that failed left there.
    /// [`EmbeddedStoreError::Damaged`] and [`EmbeddedStoreError::NewerVersion`], before anything is made of it, when the
    /// backup is not as it was written.
    pub async fn restore(from: impl Into<PathBuf>, into: impl Into<PathBuf>) -> Result<Revision, EmbeddedStoreError> {
        let (from, into) = (from.into(), into.into());
        backup::aside(&from.clone(), move || backup::restore(&from, &into)).await
    }
}

async fn open(config: EmbeddedStoreConfig, durability: Durability) -> Result<Handle, EmbeddedStoreError> {
    let folder = config.folder.clone();
    backup::aside(&folder, move || {
        let disk = Arc::new(Folder::locked(&config.folder)?);
        Handle::open(disk, config, durability)
    })
    .await
}

/// What both types have in common: they hand on everything.
macro_rules! by_handle {
    (impl Claim, Compact, Transact, Store for $store:ident, $durability:ident) => {
        impl $store {
            /// Opens the store in a folder, or makes an empty one there. Reads all of it.
            ///
            /// # Errors
            /// [`EmbeddedStoreError`] says what is wrong with the folder or its files, and what to do.
            pub async fn open(config: EmbeddedStoreConfig) -> Result<Self, EmbeddedStoreError> {
                Ok(Self { handle: open(config, Durability::$durability).await? })
            }

            /// Closes the store for all clones: what was handed in is written, synced and answered, watches end, and the
            /// folder is free when this returns. Every later call is an error. Closing again is no error.
            ///
            /// If the future is dropped, all of that happens nevertheless.
            pub async fn close(self) {
                self.handle.close().await;
            }

            /// Writes all objects at one revision into a new file, while the store is in use, and returns that revision.
            /// The file is on the disk when this returns, and until then it is not there under that name.
            /// [`EmbeddedStore::restore`] makes a store of it.
            ///
            /// # Errors
            /// [`EmbeddedStoreError::Occupied`] when there is such a file; [`EmbeddedStoreError::Io`].
            pub async fn back_up(&self, to: impl AsRef<Path> + Send) -> Result<Revision, EmbeddedStoreError> {
                self.handle.back_up(to.as_ref()).await
            }
        }

        #[async_trait]
        impl Store for $store {
            async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
                self.handle.get(key)
            }

            async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
                self.handle.list(prefix, &options)
            }

            async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
                self.handle.put(key, value, expect).await
            }

            async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
                self.handle.delete(key, expect).await
            }

            async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
                self.handle.watch(prefix, after)
            }
        }

        #[async_trait]
        impl Compact for $store {
            async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
                self.handle.compact(revision).await
            }
        }

        #[async_trait]
        impl Transact for $store {
            async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
                self.handle.commit(checks, writes).await
            }
        }

        #[async_trait]
        impl Claim for $store {
            async fn claim(&self, key: &Key, value: Value, ttl: Duration) -> Result<Claimed, StoreError> {
                self.handle.claim(key, value, ttl).await
            }

            async fn renew(&self, claimed: &Claimed) -> Result<(), StoreError> {
                self.handle.renew(claimed)
            }

            async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError> {
                self.handle.release(claimed).await
            }
        }
    };
}

by_handle! {
    impl Claim, Compact, Transact, Store for EmbeddedStore, Synced
}
by_handle! {
    impl Claim, Compact, Transact, Store for BufferedStore, Buffered
}
