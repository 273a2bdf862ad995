//! [`EtcdStore`]: a store in an etcd cluster.

mod claim;
mod compact;
mod config;
mod connection;
mod endpoint;
mod error;
mod members;
mod names;
mod read;
mod tls;
mod token;
mod url;
mod version;
mod watch;
mod wire;
mod write;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Entry, Expect, ListOptions, Page, Store, StoreError, Value, Watch};

pub use self::config::{EtcdConfig, EtcdConfigError, EtcdCredentials, EtcdIdentity, EtcdTls};
use self::members::Members;
use self::names::Names;
use self::watch::Progress;

/// A store in an etcd cluster, of etcd 3.4 or later. Clones share the connections.
///
/// An object is a key and a value that `etcdctl get --prefix /orch/` shows: the prefix with the object's [`Key`], and its
/// JSON. etcd's revision is the store's, `mod_revision` and `create_revision` are those of an [`Entry`].
///
/// It needs a tokio runtime with its timer and network enabled, and nothing else: it connects when it is first asked.
/// Whatever it starts ends when the store and its watches are dropped.
///
/// # When the cluster is away
/// - A read asks another member when one does not answer. It fails when none did within [`EtcdConfig::timeout`].
/// - A write asks another member only when it is certain that nothing happened: there was no connection, or the member
///   says that it has no leader. Otherwise it fails, and says that its outcome is unknown.
/// - A watch waits, for as long as it takes, and goes on after the last revision that it delivered, at whichever member
///   answers first. It ends with an error when that revision was compacted, when the cluster lost writes or is
///   another one, and when it is refused.
///
/// # Errors
/// | what happened | error | transient |
/// |---|---|---|
/// | no member can be connected to, or they have no leader; nothing happened | `Unavailable` | yes |
/// | no answer in time, or the connection broke; for a write the outcome is unknown | `Unavailable` | yes |
/// | the space quota is used up (the message says what to do), or the cluster is overloaded | `Unavailable` | yes |
/// | wrong user, password or certificate, no permission, not etcd, another cluster than before | `Refused` | no |
/// | a request is larger than [`EtcdConfig::request_limit`] | `TooLarge`, `TransactionTooLarge` | no |
/// | a transaction has more than [`EtcdConfig::transaction_limit`] checks and writes | `TransactionTooLarge` | no |
///
/// # Progress marks
/// While there are watches, the store asks its member once a second for the latest revision. A watch that is behind it
/// asks for progress. Servers before 3.4.31 and 3.5.13 answer that wrongly or not at all; of those, one more watch
/// of everything under the prefix is kept while there are any others, and marks are concluded from it. It costs each
/// process what all changes cost once: a reason to upgrade a large cluster.
///
/// Servers before 3.4.36 and 3.5.18 can leave out a deletion from a watch that is resumed at the very moment at which
/// that deletion's revision is compacted (etcd#19179).
///
/// Keys under the prefix that are no [`Key`]s belong to somebody else. They are left out, with one warning.
#[derive(Clone)]
pub struct EtcdStore {
    inner: Arc<Inner>,
}

/// What all clones and watches share.
#[derive(Debug)]
struct Inner {
    members: Members,
    names: Names,
    progress: Progress,
    request_limit: usize,
    transaction_limit: usize,
    watch_buffer: usize,
    warned_of_strangers: AtomicBool,
}

impl EtcdStore {
    /// A store that connects when it is first asked.
    ///
    /// # Errors
    /// [`EtcdConfigError`] when the configuration cannot be meant; whether the cluster can be reached shows later.
    pub fn new(config: EtcdConfig) -> Result<Self, EtcdConfigError> {
        let root = config.prefix.trim_end_matches('/');
        if root.is_empty() {
            return Err(EtcdConfigError::NoPrefix);
        }
        let inner = Inner {
            members: Members::new(&config)?,
            names: Names::under(&format!("{root}/")),
            progress: Progress::default(),
            request_limit: config.request_limit,
            transaction_limit: config.transaction_limit,
            watch_buffer: config.watch_buffer,
            warned_of_strangers: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Inner {
    /// The key that is called so, or `None` with a warning.
    fn key(&self, name: &[u8]) -> Option<Key> {
        let key = self.names.key(name);
        if key.is_none() && !self.warned_of_strangers.swap(true, Ordering::Relaxed) {
            let name = String::from_utf8_lossy(name);
            tracing::warn!(%name, "what stands here under the store's prefix is no object, and left out");
        }
        key
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore").field("names", &self.inner.names).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        self.inner.list(prefix, options).await
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        self.inner.put(key, value, expect, None).await
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        self.inner.delete(key, expect).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        watch::watch(&self.inner, prefix, after).await
    }
}
