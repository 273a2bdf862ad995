//! [`MemoryStore`]: a store in the memory of this process.
//!
//! It is `mvcc` and nothing else: how that works stands there.

mod config;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Claim, Claimed, Compact, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, Write,
};
use tokio::time::Instant;

pub use self::config::MemoryStoreConfig;
use crate::mvcc::{self, Mvcc};

/// A store in the memory of this process: fast, complete, and gone with it. Clones share the objects.
///
/// Objects are shared as they are and never encoded, so a reader gets the very object that was written. A watch needs
/// a tokio runtime with its timer enabled, for progress marks; nothing else needs any.
///
/// ```
/// use orch_core::kind::Object as _;
/// use orch_core::object::Namespace;
/// use orch_core::store::{Expect, Store as _, Value};
/// use orch_store::MemoryStore;
///
/// # orch_testkit::suite::run(async {
/// let store = MemoryStore::new();
/// let mut shop = Namespace::default();
/// shop.metadata.name = "shop".into();
/// let key = shop.key()?;
/// let entry = store.put(&key, Value::new(shop.clone()), Expect::Absent).await?;
/// assert!(store.put(&key, Value::new(shop), Expect::Absent).await.is_err(), "it is there already");
/// assert_eq!(store.get(&key).await?.map(|found| found.revision), Some(entry.revision));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    mvcc: Arc<Mvcc>,
    object_limit: usize,
}

impl MemoryStore {
    /// A new, empty store with the default [`MemoryStoreConfig`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_config(MemoryStoreConfig::default())
    }

    /// A new, empty store.
    #[must_use]
    pub fn with_config(config: MemoryStoreConfig) -> Self {
        let mvcc = Arc::new(Mvcc::new(config.history, config.progress_every));
        Self { mvcc, object_limit: config.object_limit }
    }

    /// What a write costs outside the lock, before it.
    fn prepare(&self, key: &Key, value: &mut Value) -> Result<(), StoreError> {
        let limit = self.object_limit;
        if let Some(size) = value.encoded_len().filter(|size| *size > limit) {
            return Err(StoreError::TooLarge { key: key.clone(), size, limit });
        }
        value.unshare();
        Ok(())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.mvcc.read();
        f.debug_struct("MemoryStore")
            .field("revision", &state.revision())
            .field("keys", &state.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.mvcc.read().get(key).cloned())
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.mvcc.read().list(prefix, &options)
    }

    async fn put(&self, key: &Key, mut value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.prepare(key, &mut value)?;
        let write = Write::Put { key: key.clone(), value, expect };
        let (entry, _) = self.mvcc.change(|state, after| state.write(write, after))?;
        Ok(entry.expect("a put leaves an entry behind"))
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let write = Write::Delete { key: key.clone(), expect };
        self.mvcc.change(|state, after| state.write(write, after)).map(|(_, revision)| revision)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.mvcc.watch(prefix, after)
    }
}

#[async_trait]
impl Compact for MemoryStore {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.mvcc.change(|state, after| state.compact(revision, after))
    }
}

#[async_trait]
impl Transact for MemoryStore {
    async fn commit(&self, checks: &[Check], mut writes: Vec<Write>) -> Result<Revision, StoreError> {
        mvcc::check_unique(&writes)?;
        for write in &mut writes {
            if let Write::Put { key, value, .. } = write {
                self.prepare(key, value)?;
            }
        }
        self.mvcc.change(|state, after| state.commit(checks, writes, after))
    }
}

/// Claims are ended by whoever uses the store next, and by watches, which wait for the next end too. So it takes no task,
/// and a store in which nothing is claimed pays nothing for it.
#[async_trait]
impl Claim for MemoryStore {
    async fn claim(&self, key: &Key, mut value: Value, ttl: Duration) -> Result<Claimed, StoreError> {
        self.prepare(key, &mut value)?;
        let entry = self.mvcc.change(|state, after| state.claim(key.clone(), value, end_of(ttl), after))?;
        Ok(Claimed { entry, ttl, handle: 0 })
    }

    async fn renew(&self, claimed: &Claimed) -> Result<(), StoreError> {
        self.mvcc.change(|state, _| state.renew(claimed, end_of(claimed.ttl)))
    }

    async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError> {
        let (_, revision) = self.mvcc.change(|state, after| state.write(state.release(claimed)?, after))?;
        Ok(revision)
    }
}

/// When a time to live that begins now ends; in a century, where no clock reaches so far.
fn end_of(ttl: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
    Instant::now() + ttl.min(CENTURY)
}
