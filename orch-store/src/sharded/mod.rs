//! [`ShardedStore`]: collections, or namespaces of a collection, in stores of their own.
//!
//! # Across shards
//! Each shard keeps every promise of the contract for the objects that live in it. Across them, S1 and S2 of [`Store`]
//! are all that is promised, and that is felt in four places:
//!
//! - *A request lies in one shard.* A listing or a watch of a collection whose namespaces are routed apart is refused as
//!   [`StoreError::SpansShards`], and so is a transaction, its checks included, that reaches into two shards. Whoever needs
//!   a collection whole, as the cache of the controllers does, needs it in one shard: route collections for those, as
//!   Kubernetes splits its etcd, and namespaces of a collection for programs that look at one namespace at a time.
//!   Separate control planes on one set of shards want [`ShardedStore::shard`], not routes.
//! - *A leader's fence guards its own shard.* A write that depends on a lease must be in the lease's shard; a leader that
//!   writes into another shard is refused at its first write there, and not let through unfenced.
//! - *A revision says nothing in another shard.* What was listed in one shard and is then watched, or listed at that
//!   revision, in another, gives [`StoreError::FutureRevision`] or [`StoreError::Compacted`] with luck, and otherwise the
//!   changes after an arbitrary point: the number alone does not tell where it is from. Watch a collection after the revision
//!   of a listing of that collection. (Marking revisions with their shard would show the mistake, and cost a copy of every
//!   object that is read, because objects carry their revision.)
//! - *There is no moment that all shards share.* Single reads and writes are linearizable across shards too: whoever sees
//!   a write in one shard, and then reads in another, sees what its writer had written there before. But no listing and no
//!   watch shows the writes of two shards in an order.
//!
//! A shard that does not answer fails the requests that go there, and disturbs no others.
//!
//! # Moving objects to another shard
//! A route says where objects are, it does not bring them there. To move a collection: stop everything that writes, copy
//! the objects (a get from the old shard, a put expecting [`Expect::Absent`] in the new one), delete them from the old
//! shard, start with the new route. [`ShardedStore::misplaced`] tells what was forgotten; ask it before anything acts on
//! the store, because to a controller an object that cannot be found is one that was deleted. The copies have revisions of
//! the new shard, so every revision of the collection that anybody outside kept is to be forgotten: clients list again.
//!
//! # What is not here
//! [`Compact`](orch_core::store::Compact): a revision to compact at means something in one shard only, so each of
//! [`ShardedStore::shards`] is compacted by itself. Spreading objects over shards by a hash of their name: a listing would
//! then always reach into all of them.

mod misplaced;
mod route;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{
    Check, Claim, Claimed, Entry, Expect, ListOptions, Page, Store, StoreError, Transact, Value, Watch, Write,
};

pub use self::misplaced::Misplaced;
use self::route::Routing;
pub use self::route::{Route, RoutingError};
use crate::mvcc;

/// Collections, or namespaces of a collection, in stores of their own: for more objects or writes than one store takes.
/// What holds across them is told at the [module](self).
///
/// It can what all its shards can: `ShardedStore<EtcdStore>` is whatever `EtcdStore` is, and of shards of several types,
/// `ShardedStore<dyn Store>` and `ShardedStore<dyn Transact>` are that much.
///
/// ```
/// use std::sync::Arc;
///
/// use orch_core::key::Prefix;
/// use orch_core::kind::Object as _;
/// use orch_core::object::{Event, Pod};
/// use orch_core::store::{ListOptions, Store as _, StoreError};
/// use orch_store::MemoryStore;
/// use orch_store::sharded::{Route, ShardedStore};
///
/// # orch_testkit::suite::run(async {
/// let shards = [("main", Arc::new(MemoryStore::new())), ("events", Arc::new(MemoryStore::new()))];
/// let routes = [Route::new(Prefix::all(), "main"), Route::new(Prefix::collection(&Event::KIND), "events")];
/// let store = ShardedStore::new(shards, &routes)?;
///
/// store.list(&Prefix::collection(&Pod::KIND), ListOptions::default()).await?;
/// let everything = store.list(&Prefix::all(), ListOptions::default()).await;
/// assert!(matches!(everything, Err(StoreError::SpansShards { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct ShardedStore<S: ?Sized = dyn Store> {
    shards: Vec<Shard<S>>,
    routing: Routing,
}

#[derive(Debug)]
struct Shard<S: ?Sized> {
    name: Arc<str>,
    store: Arc<S>,
}

impl<S: Store + ?Sized> ShardedStore<S> {
    /// The store that these shards, each with a name, make with these routes. One route must be of [`Prefix::all`]; a shard
    /// to which no route leads is allowed, and looked at by [`misplaced`](Self::misplaced).
    ///
    /// # Errors
    /// [`RoutingError`] when names or routes contradict each other.
    pub fn new<Name: Into<Arc<str>>>(
        shards: impl IntoIterator<Item = (Name, Arc<S>)>,
        routes: &[Route],
    ) -> Result<Self, RoutingError> {
        let shards: Vec<_> = shards.into_iter().map(|(name, store)| Shard { name: name.into(), store }).collect();
        let names: Vec<&str> = shards.iter().map(|shard| &*shard.name).collect();
        let routing = Routing::new(&names, routes)?;
        Ok(Self { shards, routing })
    }

    /// The shards, each with its name, in the order in which they were given.
    pub fn shards(&self) -> impl Iterator<Item = (&str, &Arc<S>)> {
        self.shards.iter().map(|shard| (&*shard.name, &shard.store))
    }

    /// The shard of that name.
    #[must_use]
    pub fn shard(&self, name: &str) -> Option<&Arc<S>> {
        self.shards().find(|(other, _)| *other == name).map(|(_, store)| store)
    }

    /// The name of the shard in which the object at `key` lives, if it exists.
    #[must_use]
    pub fn home(&self, key: &Key) -> &str {
        &self.at(key).name
    }

    fn at(&self, key: &Key) -> &Shard<S> {
        &self.shards[self.routing.home(key)]
    }

    /// The shard that `prefix` lies in.
    fn within(&self, verb: &str, prefix: &Prefix) -> Result<&Shard<S>, StoreError> {
        self.only(&self.routing.reach(prefix), || format!("{verb} {prefix}"))
    }

    fn only(&self, reached: &BTreeSet<usize>, request: impl FnOnce() -> String) -> Result<&Shard<S>, StoreError> {
        let mut shards = reached.iter().map(|number| &self.shards[*number]);
        match (shards.next(), shards.next()) {
            (Some(shard), None) => Ok(shard),
            _ => {
                let shards = reached.iter().map(|number| self.shards[*number].name.to_string()).collect();
                Err(StoreError::SpansShards { request: request(), shards })
            }
        }
    }
}

impl<S: ?Sized> Shard<S> {
    /// Tells which of the shards does not answer, or refuses.
    fn error(&self, error: StoreError) -> StoreError {
        at_shard(&self.name, error)
    }
}

fn at_shard(shard: &str, mut error: StoreError) -> StoreError {
    if let StoreError::Unavailable { message, .. } | StoreError::Refused { message, .. } = &mut error {
        *message = format!("shard {shard}: {message}");
    }
    error
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for ShardedStore<S> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let shard = self.at(key);
        shard.store.get(key).await.map_err(|error| shard.error(error))
    }

    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let shard = self.within("a listing of", prefix)?;
        shard.store.list(prefix, options).await.map_err(|error| shard.error(error))
    }

    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError> {
        let shard = self.at(key);
        shard.store.put(key, value, expect).await.map_err(|error| shard.error(error))
    }

    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let shard = self.at(key);
        shard.store.delete(key, expect).await.map_err(|error| shard.error(error))
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        let shard = self.within("a watch of", prefix)?;
        let watch = shard.store.watch(prefix, after).await.map_err(|error| shard.error(error))?;
        let name = Arc::clone(&shard.name);
        Ok(Watch::new(watch.map_err(move |error| at_shard(&name, error))))
    }
}

/// Transactions within one shard.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Transact + ?Sized> Transact for ShardedStore<S> {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        let keys = || checks.iter().map(|check| &check.key).chain(writes.iter().map(Write::key));
        let mut reached: BTreeSet<usize> = keys().map(|key| self.routing.home(key)).collect();
        if reached.is_empty() {
            // Nothing but the current revision is asked for: that of every shard.
            reached = self.routing.reach(&Prefix::all());
        }
        if reached.len() > 1 {
            mvcc::check_unique(&writes)?;
        }
        let shard = self.only(&reached, || match keys().next() {
            Some(_) => format!("a transaction over {}", keys().map(Key::as_str).collect::<Vec<_>>().join(", ")),
            None => "the revision that a transaction over nothing asks for".to_owned(),
        })?;
        shard.store.commit(checks, writes).await.map_err(|error| shard.error(error))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Claim + ?Sized> Claim for ShardedStore<S> {
    async fn claim(&self, key: &Key, value: Value, ttl: Duration) -> Result<Claimed, StoreError> {
        let shard = self.at(key);
        shard.store.claim(key, value, ttl).await.map_err(|error| shard.error(error))
    }

    async fn renew(&self, claimed: &Claimed) -> Result<(), StoreError> {
        let shard = self.at(&claimed.entry.key);
        shard.store.renew(claimed).await.map_err(|error| shard.error(error))
    }

    async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError> {
        let shard = self.at(&claimed.entry.key);
        shard.store.release(claimed).await.map_err(|error| shard.error(error))
    }
}
