//! [`Cache`]: the objects of several kinds in memory, kept up to date by a watch each.

mod index;
mod reflector;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use orch_core::controller::View;
use orch_core::key::{Key, Prefix};
use orch_core::kind::{AnyObject, Decoder, Kind};
use orch_core::object::Uid;
use orch_core::revision::Revision;

use index::Index;
pub(crate) use reflector::{Listener, Reflector};

/// The objects of several kinds in memory: each kind is listed and watched once, whoever looks at it.
///
/// Each kind has reached a revision of its own: the view of that kind is the store's state at that revision. It never
/// goes back, whatever the store says: a listing older than what was seen is not taken.
///
/// An object that cannot be decoded is logged once and kept out: the state of it that was seen before, if there is
/// one, stays, because an object that seems to be gone makes others be deleted or created.
///
/// Objects are shared: a reader holds the same allocation as the cache, and, where the store is in this process, as the
/// store. A lock is held only to look up or insert pointers, never while foreign code runs and never over an await.
#[derive(Debug)]
pub struct Cache {
    /// In the order in which the keys of the kinds sort.
    kinds: Vec<CachedKind>,
}

/// Which of a cache's kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KindId(pub(crate) usize);

#[derive(Debug)]
struct CachedKind {
    kind: &'static Kind,
    decoder: Decoder,
    prefix: Prefix,
    index: RwLock<Index>,
}

impl Cache {
    /// An empty cache of these kinds, each with what reads its objects. Of several with the same collection the first
    /// counts.
    #[must_use]
    pub(crate) fn new(kinds: impl IntoIterator<Item = (&'static Kind, Decoder)>) -> Self {
        let mut cached: Vec<CachedKind> = Vec::new();
        for (kind, decoder) in kinds {
            if cached.iter().all(|other| other.kind.collection != kind.collection) {
                let prefix = Prefix::collection(kind);
                cached.push(CachedKind { kind, decoder, prefix, index: RwLock::default() });
            }
        }
        cached.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        Self { kinds: cached }
    }

    /// The revision that the view of a kind has reached: `None` while it was not listed yet, or is not in this cache.
    #[must_use]
    pub fn reached(&self, kind: &Kind) -> Option<Revision> {
        self.index(self.id_of(kind.collection)?).reached()
    }

    /// The objects, of all kinds, whose last state could not be decoded, in the order of their keys.
    #[must_use]
    pub fn unreadable(&self) -> Vec<Key> {
        self.ids().flat_map(|id| self.index(id).unreadable()).collect()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = KindId> + use<> {
        (0..self.kinds.len()).map(KindId)
    }

    pub(crate) fn kind(&self, id: KindId) -> &'static Kind {
        self.kinds[id.0].kind
    }

    pub(crate) fn id_of(&self, collection: &str) -> Option<KindId> {
        self.kinds.iter().position(|cached| cached.kind.collection == collection).map(KindId)
    }

    fn prefix(&self, id: KindId) -> &Prefix {
        &self.kinds[id.0].prefix
    }

    fn decoder(&self, id: KindId) -> Decoder {
        self.kinds[id.0].decoder
    }

    fn index(&self, id: KindId) -> RwLockReadGuard<'_, Index> {
        self.kinds[id.0].index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self, id: KindId) -> RwLockWriteGuard<'_, Index> {
        self.kinds[id.0].index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View for Cache {
    fn get_any(&self, key: &Key) -> Option<Arc<dyn AnyObject>> {
        self.index(self.id_of(key.collection())?).get(key)
    }

    fn list_any(&self, prefix: &Prefix) -> Vec<Arc<dyn AnyObject>> {
        match prefix.as_str().split_once('/') {
            Some((collection, _)) => self.id_of(collection).map_or_else(Vec::new, |id| self.index(id).list(prefix)),
            None => self.ids().flat_map(|id| self.index(id).list(prefix)).collect(),
        }
    }

    fn controlled_any(&self, kind: &Kind, owner: &Uid) -> Vec<Arc<dyn AnyObject>> {
        self.id_of(kind.collection).map_or_else(Vec::new, |id| self.index(id).controlled(owner))
    }
}

/// A part of a cache: the kinds that one controller asked for. What it did not ask for it does not see, even where
/// another controller does, so that it behaves alike wherever it runs.
#[derive(Clone, Debug)]
pub(crate) struct PartialView {
    cache: Arc<Cache>,
    kinds: Vec<KindId>,
}

impl PartialView {
    pub(crate) fn new(cache: Arc<Cache>, kinds: Vec<KindId>) -> Self {
        Self { cache, kinds }
    }

    pub(crate) fn kinds(&self) -> &[KindId] {
        &self.kinds
    }

    /// Which kind this is, if it is seen.
    pub(crate) fn id_of(&self, kind: &Kind) -> Option<KindId> {
        self.cache.id_of(kind.collection).filter(|id| self.kinds.contains(id))
    }

    /// How many objects of a kind are seen.
    pub(crate) fn len(&self, kind: &Kind) -> usize {
        self.id_of(kind).map_or(0, |id| self.cache.index(id).len())
    }

    fn sees(&self, collection: &str) -> bool {
        let sees = self.cache.id_of(collection).is_some_and(|id| self.kinds.contains(&id));
        if !sees {
            tracing::error!(collection, "a controller looks for objects that none of its triggers makes it see");
        }
        sees
    }
}

impl View for PartialView {
    fn get_any(&self, key: &Key) -> Option<Arc<dyn AnyObject>> {
        if self.sees(key.collection()) { self.cache.get_any(key) } else { None }
    }

    fn list_any(&self, prefix: &Prefix) -> Vec<Arc<dyn AnyObject>> {
        match prefix.as_str().split_once('/') {
            Some((collection, _)) if self.sees(collection) => self.cache.list_any(prefix),
            Some(_) => Vec::new(),
            None => self.kinds.iter().flat_map(|id| self.cache.index(*id).list(prefix)).collect(),
        }
    }

    fn controlled_any(&self, kind: &Kind, owner: &Uid) -> Vec<Arc<dyn AnyObject>> {
        if self.sees(kind.collection) { self.cache.controlled_any(kind, owner) } else { Vec::new() }
    }
}
