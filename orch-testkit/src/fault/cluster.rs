//! [`Cluster`]: what is simulated: a store, a clock, and chance that follows from what is done.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orch_core::client::{Client, ClientError, Grace, Precondition};
use orch_core::clock::{Clock as _, Timestamp};
use orch_core::entropy::{Entropy, SeededEntropy};
use orch_core::key::{Key, Prefix};
use orch_core::kind::{AnyObject, Object};
use orch_core::store::{Entry, Transact};

use super::clock::ManualClock;
use super::history::RecordedStore;

/// The annotation by which a fault changes an object of somebody else's, harmlessly. It must survive.
pub const TOUCHED: &str = "orch.test/touched";

/// A simulated cluster: one store, one clock. Actors, steps and invariants read and write it; reads see the latest
/// state.
#[derive(Debug)]
pub struct Cluster {
    pub(super) history: Arc<RecordedStore>,
    clock: Arc<ManualClock>,
    entropy: Arc<KeyedEntropy>,
    client: Client,
    /// How often an object of each name was created.
    incarnations: Mutex<BTreeMap<Key, u64>>,
}

impl Cluster {
    pub(super) fn new(store: Arc<dyn Transact>, start: Timestamp) -> Self {
        let history = Arc::new(RecordedStore::new(store));
        let clock = Arc::new(ManualClock::new(start));
        let entropy = Arc::new(KeyedEntropy::default());
        let client = Client::new(history.clone(), clock.clone(), entropy.clone());
        Self { history, clock, entropy, client, incarnations: Mutex::default() }
    }

    /// A client of the cluster's store, for what is outside the controllers: a runtime, an effect.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The cluster's store, for what makes several writes at once.
    #[must_use]
    pub fn transact(&self) -> Arc<dyn Transact> {
        Arc::clone(&self.history) as _
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The object at `key`, if it is there and is a `T`.
    #[must_use]
    pub fn get<T: Object>(&self, key: &Key) -> Option<Arc<T>> {
        self.history.entry(key)?.decode().ok()
    }

    /// All objects of the kind, in the order of their keys.
    #[must_use]
    pub fn list<T: Object>(&self) -> Vec<Arc<T>> {
        let entries = self.history.entries(&Prefix::collection(&T::KIND));
        entries.iter().filter_map(|entry| entry.decode().ok()).collect()
    }

    /// Everything there is, in the order of keys.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.history.entries(&Prefix::all())
    }

    /// Creates an object. Its uid follows from its key and from how many of that name there were before, so that it
    /// is the same whatever else happened on the way.
    ///
    /// # Errors
    /// As [`Client::create_any`].
    pub async fn create_any(&self, object: Arc<dyn AnyObject>) -> Result<(), ClientError> {
        let key = object.key()?;
        let count = || self.incarnations.lock().unwrap_or_else(PoisonError::into_inner);
        let incarnation = count().get(&key).copied().unwrap_or(0);
        self.entropy.follow_from(&key, incarnation);
        self.client.create_any(object).await?;
        count().insert(key, incarnation + 1);
        Ok(())
    }

    /// Creates an object; see [`create_any`](Self::create_any).
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn create<T: Object>(&self, object: T) -> Result<(), ClientError> {
        self.create_any(Arc::new(object)).await
    }

    /// Changes the object at `key` as it is now; does nothing if there is none, or if `change` changes nothing.
    ///
    /// # Errors
    /// As [`Client::update`].
    pub async fn update<T: Object>(&self, key: &Key, change: impl FnOnce(&mut T)) -> Result<(), ClientError> {
        let Some(old) = self.get::<T>(key) else { return Ok(()) };
        let mut new = T::clone(&old);
        change(&mut new);
        if new == *old {
            return Ok(());
        }
        self.client.update(new, Precondition::of(&*old)?).await.map(drop)
    }

    /// Asks for the deletion of the object at `key` as it is now; does nothing if there is none.
    ///
    /// # Errors
    /// As [`Client::delete`].
    pub async fn delete<T: Object>(&self, key: &Key, grace: Grace) -> Result<(), ClientError> {
        match self.get::<T>(key) {
            Some(object) => self.client.delete(&*object, grace).await.map(drop),
            None => Ok(()),
        }
    }

    /// Changes an object in a way that nobody minds: see [`TOUCHED`]. `like` tells the type of the object.
    pub(super) async fn touch(&self, like: &dyn AnyObject, mark: usize) -> Result<(), ClientError> {
        let key = like.key()?;
        let Some(entry) = self.history.entry(&key) else { return Ok(()) };
        let Ok(object) = (like.decoder())(&entry.value) else { return Ok(()) };
        let mut new = object.clone_arc();
        let Some(unshared) = Arc::get_mut(&mut new) else { return Ok(()) };
        unshared.metadata_mut().annotations.insert(TOUCHED.to_owned(), mark.to_string());
        self.client.update_any(new, &Precondition::of(&*object)?).await.map(drop)
    }

    pub(super) fn advance(&self, time: Duration) {
        self.clock.advance(time);
    }
}

/// Numbers that follow from the object that is about to be created.
#[derive(Debug, Default)]
struct KeyedEntropy(AtomicU64);

impl KeyedEntropy {
    fn follow_from(&self, key: &Key, incarnation: u64) {
        let mut hasher = DefaultHasher::new();
        (key, incarnation).hash(&mut hasher);
        self.0.store(hasher.finish(), Ordering::Relaxed);
    }
}

impl Entropy for KeyedEntropy {
    fn next_u64(&self) -> u64 {
        let number = SeededEntropy::new(self.0.load(Ordering::Relaxed)).next_u64();
        self.0.store(number, Ordering::Relaxed);
        number
    }
}
