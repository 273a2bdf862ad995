//! [`MemoryStore`]: a store in the memory of this process.
//!
//! How it works, room by room:
//! - `state`: the objects and the history. A write looks up its key, checks the expectation, and adds one change to the
//!   history.
//! - `index`: the objects by look-up and in order.
//! - `history`: the latest changes in order, at most so many as configured. Each knows what it replaced and where the
//!   change of the same key before it is. So a past state needs no copies: it is the present one, with the changes since
//!   undone on those keys that are asked for, and a page at a past revision costs what it returns.
//! - `watch`: a watch is a place in that history, not a queue. Writers do not know how many watches there are.
//!
//! One lock protects both. It is held for the time of a look-up, a page or a batch of events; never while anything
//! waits, and neither while objects are copied or freed.

mod bell;
mod config;
mod history;
mod index;
mod state;
mod watch;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use futures::stream;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Compact, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, Write,
};

pub use self::config::MemoryStoreConfig;
use self::state::{Aftermath, State};
use self::watch::Reader;

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
    shared: Arc<Shared>,
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
        let state = RwLock::new(State::new(config.history.get()));
        Self { shared: Arc::new(Shared { state, config }) }
    }

    /// What a write costs outside the lock, before it.
    fn prepare(&self, key: &Key, value: &mut Value) -> Result<(), StoreError> {
        let limit = self.shared.config.object_limit;
        if let Some(size) = value.encoded_len().filter(|size| *size > limit) {
            return Err(StoreError::TooLarge { key: key.clone(), size, limit });
        }
        value.unshare();
        Ok(())
    }

    /// Changes the state under the lock; then tells who waits for it and frees what was forgotten, without the lock.
    fn change<T>(&self, change: impl FnOnce(&mut State, &mut Aftermath) -> T) -> T {
        let mut after = Aftermath::default();
        let result = change(&mut self.shared.write(), &mut after);
        after.bells.iter().for_each(|bell| bell.ring());
        result
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.read();
        f.debug_struct("MemoryStore")
            .field("revision", &state.history.revision())
            .field("keys", &state.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Shared {
    state: RwLock<State>,
    config: MemoryStoreConfig,
}

impl Shared {
    /// A panic under the lock can only come from an object's own `metadata_mut`, which runs before anything is
    /// changed. So the state is whole even then.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.shared.read().get(key).cloned())
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.shared.read().list(prefix, &options)
    }

    async fn put(&self, key: &Key, mut value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.prepare(key, &mut value)?;
        let write = Write::Put { key: key.clone(), value, expect };
        let (entry, _) = self.change(|state, after| state.write(write, after))?;
        Ok(entry.expect("a put leaves an entry behind"))
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let write = Write::Delete { key: key.clone(), expect };
        self.change(|state, after| state.write(write, after)).map(|(_, revision)| revision)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let reader = Reader::subscribe(Arc::clone(&self.shared), prefix.clone(), after)?;
        Ok(Watch::new(stream::unfold(reader, |mut reader| async {
            let item = reader.next().await?;
            Some((item, reader))
        })))
    }
}

#[async_trait]
impl Compact for MemoryStore {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.change(|state, after| state.compact(revision, after))
    }
}

#[async_trait]
impl Transact for MemoryStore {
    async fn commit(&self, checks: &[Check], mut writes: Vec<Write>) -> Result<Revision, StoreError> {
        state::check_unique(&writes)?;
        for write in &mut writes {
            if let Write::Put { key, value, .. } = write {
                self.prepare(key, value)?;
            }
        }
        self.change(|state, after| state.commit(checks, writes, after))
    }
}
