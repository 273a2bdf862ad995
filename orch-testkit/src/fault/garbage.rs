//! [`GarbageCollector`]: an actor that removes what lost its owner.

use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use orch_core::client::Grace;
use orch_core::kind::Object;
use orch_core::object::Uid;

use super::{Actor, Cluster};

/// Deletes objects of one kind whose manager, of another kind, is gone, one at a time, in the order of their keys.
pub struct GarbageCollector<Owner, T>(PhantomData<fn() -> (Owner, T)>);

impl<Owner, T> GarbageCollector<Owner, T> {
    /// For objects of kind `T` that are managed by an `Owner`.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<Owner, T> Default for GarbageCollector<Owner, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Owner, T> fmt::Debug for GarbageCollector<Owner, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GarbageCollector")
    }
}

#[async_trait]
impl<Owner: Object, T: Object> Actor for GarbageCollector<Owner, T> {
    async fn act(&mut self, cluster: &Cluster) -> bool {
        let owners = cluster.list::<Owner>();
        let lives = |uid: &Uid| owners.iter().any(|owner| owner.metadata().uid.as_ref() == Some(uid));
        for object in cluster.list::<T>().into_iter().filter(|object| !object.metadata().is_deleting()) {
            let manager = object.metadata().controller().filter(|manager| manager.kind == Owner::KIND.name);
            let (Some(manager), Ok(key)) = (manager, object.key()) else { continue };
            if !lives(&manager.uid) && cluster.delete::<T>(&key, Grace::Own).await.is_ok() {
                return true;
            }
        }
        false
    }
}
