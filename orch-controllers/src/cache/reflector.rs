//! [`Reflector`]: keeps one kind of a cache up to date.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::controller::Change;
use orch_core::entropy::Entropy;
use orch_core::key::Key;
use orch_core::kind::AnyObject;
use orch_core::revision::Revision;
use orch_core::store::{Entry, ListFrom, ListOptions, Store, StoreError, WatchEvent};

use super::index::{Listed, StaleListing};
use super::{Cache, KindId};
use crate::backoff::Backoff;

const PAGE: NonZeroUsize = NonZeroUsize::new(500).expect("not zero");
const PAUSE: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(30) };

/// Keeps one kind of a cache up to date: lists it, then watches after the listing's revision, for ever.
///
/// When a watch cannot go on it is resumed after the last revision that came, or, if the store no longer has what
/// follows, the kind is listed again and the difference shown as changes.
#[derive(Debug)]
pub(crate) struct Reflector {
    pub(crate) cache: Arc<Cache>,
    pub(crate) kind: KindId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) listener: Arc<dyn Listener>,
}

/// Who hears of changes, after the cache shows them. Called by one task for each kind, in order.
pub(crate) trait Listener: Debug + Send + Sync {
    /// An object changed. `replay` marks those of the first listing, which tell what is rather than what changed.
    fn changed(&self, kind: KindId, change: &Change, replay: bool);

    /// All changes of the kind up to `revision` were told.
    fn reached(&self, kind: KindId, revision: Revision);
}

/// Why a listing or a watch ended.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stale(#[from] StaleListing),
    #[error("the watch ended without a word")]
    Silence,
}

impl Interruption {
    /// Whether a new watch can go on where the last one ended.
    fn resumable(&self) -> bool {
        match self {
            Self::Store(error) => !matches!(error, StoreError::Compacted { .. } | StoreError::FutureRevision { .. }),
            Self::Stale(_) | Self::Silence => false,
        }
    }

    /// Whether the store's history was merely shortened: nothing to wait for, nothing to worry about.
    fn is_compaction(&self) -> bool {
        matches!(self, Self::Store(StoreError::Compacted { .. }))
    }
}

impl Reflector {
    /// Runs until the store is closed.
    pub(crate) async fn run(self) {
        let collection = self.cache.kind(self.kind).collection;
        let mut failures = 0;
        let mut relist = true;
        loop {
            let ended = match if relist { self.list().await } else { Ok(()) } {
                Ok(()) => self.watch(&mut failures).await,
                Err(interruption) => interruption,
            };
            if matches!(ended, Interruption::Store(StoreError::Closed)) {
                tracing::warn!(collection, "the store is closed: no further changes will be seen");
                return;
            }
            failures += 1;
            relist = self.reached().is_none() || !ended.resumable();
            let pause = PAUSE.jittered(failures, &*self.entropy);
            if ended.is_compaction() && failures == 1 {
                tracing::debug!(collection, "{ended}");
                continue;
            }
            tracing::warn!(collection, ?pause, relist, "{ended}");
            tokio::time::sleep(pause).await;
        }
    }

    fn reached(&self) -> Option<Revision> {
        self.cache.index(self.kind).reached()
    }

    async fn list(&self) -> Result<(), Interruption> {
        let mut listed = Listed::new();
        let mut from = ListFrom::Latest;
        let revision = loop {
            let page = self.store.list(self.cache.prefix(self.kind), ListOptions { limit: Some(PAGE), from }).await?;
            for entry in page.entries {
                let object = self.decode(&entry);
                listed.insert(entry.key.clone(), object);
            }
            match page.next {
                Some(next) => from = ListFrom::Continue(next),
                None => break page.revision,
            }
        };
        let replay = self.reached().is_none();
        let changes = self.cache.index_mut(self.kind).replace(listed, revision)?;
        for change in &changes {
            self.listener.changed(self.kind, change, replay);
        }
        self.listener.reached(self.kind, revision);
        Ok(())
    }

    /// Follows the changes until the watch ends, and says why it did. Something having come, failures start anew.
    async fn watch(&self, failures: &mut u32) -> Interruption {
        let after = self.reached().unwrap_or_default();
        let mut watch = match self.store.watch(self.cache.prefix(self.kind), after).await {
            Ok(watch) => watch,
            Err(error) => return error.into(),
        };
        while let Some(event) = watch.next().await {
            match event {
                Ok(event) => {
                    *failures = 0;
                    self.apply(event);
                }
                Err(error) => return error.into(),
            }
        }
        Interruption::Silence
    }

    fn apply(&self, event: WatchEvent) {
        let revision = event.revision();
        let changes = match event {
            WatchEvent::Put { entry, .. } => match self.decode(&entry) {
                Some(object) => self.cache.index_mut(self.kind).put(entry.key.clone(), object),
                None => Vec::new(),
            },
            WatchEvent::Delete { key, .. } => self.cache.index_mut(self.kind).remove(&key).into_iter().collect(),
            WatchEvent::Progress(_) => Vec::new(),
        };
        self.cache.index_mut(self.kind).advance(revision);
        for change in &changes {
            self.listener.changed(self.kind, change, false);
        }
        self.listener.reached(self.kind, revision);
    }

    /// The object, unless it cannot be decoded: that is logged once for each key until it can.
    fn decode(&self, entry: &Entry) -> Option<Arc<dyn AnyObject>> {
        let decoder = self.cache.decoder(self.kind);
        let problem = match catch_unwind(AssertUnwindSafe(|| decoder(&entry.value))) {
            Ok(Ok(object)) => return Some(object),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its decoder panicked".to_owned(),
        };
        self.report(&entry.key, &problem);
        None
    }

    fn report(&self, key: &Key, problem: &str) {
        if self.cache.index_mut(self.kind).put_unreadable(key) {
            tracing::error!(%key, "an object cannot be read, and changes of it are not seen until it can: {problem}");
        }
    }
}
