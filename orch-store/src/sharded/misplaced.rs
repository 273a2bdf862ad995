//! [`Misplaced`]: objects in a shard where nobody looks for them.

use std::fmt;
use std::num::NonZeroUsize;

use orch_core::key::{Key, Prefix};
use orch_core::store::{Continue, ListFrom, ListOptions, Store, StoreError};
use orch_core::validation::NAME_MAX;

use super::ShardedStore;

/// Objects in a shard where nobody looks for them, because their route leads to another one: the route was changed, the
/// addresses of two shards were confused, or a store that was used without shards before still has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The first of the objects. There may be more in the same collection, or in the same namespace of it.
    pub key: Key,
    /// The shard that it is in.
    pub found_in: String,
    /// The shard that its route leads to.
    pub home: String,
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, found_in, home } = self;
        write!(f, "{key} is in the shard {found_in} and is looked for in {home}: move it there, or change its route")
    }
}

impl<S: Store + ?Sized> ShardedStore<S> {
    /// The objects that are in a shard other than the one that their route leads to: one for each collection, or
    /// namespace of a collection that is routed apart, in each shard. None means that everything can be found.
    ///
    /// Ask before anything acts on the store. It costs a request for one object for each collection that a shard holds,
    /// and for each namespace of a collection that is routed apart. What is written by others meanwhile may be missed.
    ///
    /// # Errors
    /// As [`Store::list`] of all objects in each shard. A shard that consists of shards itself cannot be looked through,
    /// and says so.
    pub async fn misplaced(&self) -> Result<Vec<Misplaced>, StoreError> {
        let mut misplaced = Vec::new();
        for shard in &self.shards {
            let mut from = ListFrom::Latest;
            loop {
                let options = ListOptions { limit: Some(NonZeroUsize::MIN), from };
                let page = shard.store.list(&Prefix::all(), options).await.map_err(|error| shard.error(error))?;
                let after = match (page.entries.first(), page.next) {
                    (Some(entry), _) => {
                        misplaced.extend(self.misplacement(&entry.key, &shard.name));
                        self.last_alike(&entry.key)
                    }
                    (None, Some(next)) => next.after,
                    (None, None) => break,
                };
                from = ListFrom::Continue(Continue { revision: page.revision, after });
            }
        }
        Ok(misplaced)
    }

    fn misplacement(&self, key: &Key, found_in: &str) -> Option<Misplaced> {
        let home = self.home(key);
        let misplaced = || Misplaced { key: key.clone(), found_in: found_in.to_owned(), home: home.to_owned() };
        (home != found_in).then(misplaced)
    }

    /// The last of all keys that could be under the same route as this one and come one after another with it.
    fn last_alike(&self, key: &Key) -> Key {
        let collection = key.collection();
        let is_apart = self.routing.is_apart(collection);
        let last = match key.namespace() {
            Some(namespace) if is_apart => format!("{collection}/{namespace}/{}", last_name()),
            None if is_apart => return key.clone(),
            _ => format!("{collection}/{0}/{0}", last_name()),
        };
        last.parse().expect("a valid key, of parts that are names")
    }
}

/// The name that comes after every other.
fn last_name() -> String {
    let label = "z".repeat(63);
    let mut name = [&*label; 4].join(".");
    name.truncate(NAME_MAX);
    name
}
