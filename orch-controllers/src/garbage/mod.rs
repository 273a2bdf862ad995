//! [`GarbageController`]: objects go when all that they exist for is gone.

mod latest;
mod plan;

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Trigger, View};
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Decoder, Kind, Object, Scope, decoder};
use orch_core::object::{Deployment, EndpointSlice, Lease, Node, OwnerReference, Pod, ReplicaSet, Service, Uid};
use orch_core::store::Store;

use self::plan::{Hold, Owner};
use crate::reverse_index::ReverseIndex;

/// Deletes objects whose owners are all gone, and makes deletions wait for, or leave behind, what is owned.
///
/// # How a deletion goes
/// - *In the background*, by default: the owner goes, then what it owned.
/// - *In the foreground*, if the owner has the finalizer [`FOREGROUND`](Self::FOREGROUND) when its deletion is asked
///   for: what it owns goes first, all the way down; the owner waits for those that say `blockOwnerDeletion`.
/// - *Orphaning*, if it has the finalizer [`ORPHAN`](Self::ORPHAN): what it owns is taken the reference to it, and stays.
///
/// # When an owner counts as gone
/// An owner is named by kind, name and uid. It is gone when the store, asked at that moment, has no object of that uid
/// at that key. The view does not suffice: the kinds of a view are not equally fresh, so the view may show a new object
/// and not yet its owner. And comparing how far the views of the two kinds have got would be wrong in a system that
/// keeps its kinds in several stores, whose revisions cannot be compared. What the store says stays true: whoever wrote
/// the reference knew the uid, so the owner was there before, and a uid never comes back. One small read for each object
/// that is about to be deleted is the price.
///
/// For the same reason the store is listed before a finalizer is removed: an object that the view does not show yet
/// would lose the owner that it was to be unlinked from, and with it its life.
///
/// An owner of a kind that this controller does not see, or whose reference cannot be an object's address, counts as
/// being there. The reference from an object with one living owner to others that are gone is left in place.
#[derive(Debug)]
pub struct GarbageController {
    store: Arc<dyn Store>,
    kinds: Vec<OwnedKind>,
    owned: Arc<ReverseIndex<Uid>>,
}

/// A kind whose objects own and are owned.
#[derive(Clone, Copy, Debug)]
struct OwnedKind {
    kind: &'static Kind,
    decoder: Decoder,
    trigger: fn(Relations) -> Trigger,
}

impl GarbageController {
    /// The finalizer by which an owner waits for what it owns.
    pub const FOREGROUND: &str = "foregroundDeletion";
    /// The finalizer by which an owner leaves behind what it owns.
    pub const ORPHAN: &str = "orphan";

    /// A controller that sees the kinds of `orch-core` that own or are owned.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::without_kinds(store)
            .kind::<Deployment>()
            .kind::<ReplicaSet>()
            .kind::<Pod>()
            .kind::<Service>()
            .kind::<EndpointSlice>()
            .kind::<Node>()
            .kind::<Lease>()
    }

    /// A controller that sees no kind yet.
    #[must_use]
    pub fn without_kinds(store: Arc<dyn Store>) -> Self {
        let owners = |object: &dyn AnyObject| -> Vec<Uid> {
            object.metadata().owner_references.iter().map(|owner| owner.uid.clone()).collect()
        };
        Self { store, kinds: Vec::new(), owned: Arc::new(ReverseIndex::new(owners)) }
    }

    /// Sees objects of kind `T`, as owners and as owned.
    #[must_use]
    pub fn kind<T: Object>(mut self) -> Self {
        if self.kinds.iter().all(|known| known.kind.collection != T::KIND.collection) {
            let trigger = |relations: Relations| Trigger::to::<T>(move |object, view| relations.keys(object, view));
            self.kinds.push(OwnedKind { kind: &T::KIND, decoder: decoder::<T>(), trigger });
        }
        self
    }

    /// What holds a deleted owner, or nothing if the finalizer may go.
    async fn is_held(&self, owner: &dyn AnyObject, hold: Hold, view: &dyn View) -> Result<bool, ControllerError> {
        let Some(uid) = &owner.metadata().uid else { return Ok(true) };
        let seen = self.owned.keys(uid);
        if seen.iter().filter_map(|key| view.get_any(key)).any(|object| hold.is_by(object.metadata(), uid)) {
            return Ok(true);
        }
        for owned in &self.kinds {
            if latest::any_held(&*self.store, owned, owner, hold).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What became of the owners of an object, in the order of its references. The store is asked only if no owner is
    /// seen alive.
    async fn owners(&self, object: &dyn AnyObject, view: &dyn View) -> Result<Vec<Owner>, ControllerError> {
        let references = &object.metadata().owner_references;
        let namespace = object.metadata().namespace.as_deref();
        let places: Vec<Option<(&OwnedKind, Key)>> =
            references.iter().map(|reference| place(&self.kinds, reference, namespace)).collect();
        let seen: Vec<Option<Owner>> = places
            .iter()
            .zip(references)
            .map(|(place, reference)| match place {
                Some((_, key)) => view.get_any(key).and_then(|owner| plan::seen_as(&*owner, &reference.uid)),
                None => Some(Owner::Here),
            })
            .collect();
        if seen.contains(&Some(Owner::Here)) {
            return Ok(seen.into_iter().map(|owner| owner.unwrap_or(Owner::Here)).collect());
        }
        let mut owners = Vec::with_capacity(seen.len());
        for ((seen, place), reference) in seen.into_iter().zip(places).zip(references) {
            owners.push(match (seen, place) {
                (Some(owner), _) => owner,
                (None, Some((owned, key))) if latest::is_gone(&*self.store, owned, &key, &reference.uid).await? => {
                    Owner::Gone
                }
                _ => Owner::Here,
            });
        }
        Ok(owners)
    }
}

#[async_trait]
impl Controller for GarbageController {
    fn name(&self) -> &'static str {
        "garbage"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let kinds: Arc<[OwnedKind]> = self.kinds.clone().into();
        let relations = || Relations { kinds: Arc::clone(&kinds), owned: Arc::clone(&self.owned) };
        self.kinds.iter().map(|owned| (owned.trigger)(relations())).collect()
    }

    fn observe(&self, change: &Change) {
        self.owned.observe(change);
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let Some(object) = context.view.get_any(key) else { return Ok(Plan::nothing()) };
        if let Some(hold) = Hold::of(&*object)
            && !self.is_held(&*object, hold, context.view).await?
        {
            return Ok(plan::release(&object, hold)?);
        }
        let owners = self.owners(&*object, context.view).await?;
        let owns = object.metadata().uid.as_ref().is_some_and(|uid| !self.owned.keys(uid).is_empty());
        Ok(plan::follow(&object, &owners, owns)?)
    }
}

/// Where the owner that a reference names would be; `None` if that cannot be told.
fn place<'a>(
    kinds: &'a [OwnedKind],
    reference: &OwnerReference,
    namespace: Option<&str>,
) -> Option<(&'a OwnedKind, Key)> {
    let owned = kinds
        .iter()
        .find(|owned| owned.kind.name == reference.kind && owned.kind.api_version == reference.api_version)?;
    let namespace = namespace.filter(|_| owned.kind.scope == Scope::Namespaced);
    Some((owned, Key::new(owned.kind, namespace, &reference.name).ok()?))
}

/// Whom a change concerns.
#[derive(Clone, Debug)]
struct Relations {
    kinds: Arc<[OwnedKind]>,
    owned: Arc<ReverseIndex<Uid>>,
}

impl Relations {
    /// The object itself; what it owns, once it is going or gone; its owners that are going, which may wait for it.
    fn keys(&self, object: &dyn AnyObject, view: &dyn View) -> Vec<Key> {
        let metadata = object.metadata();
        let Ok(key) = object.key() else { return Vec::new() };
        let mut keys = Vec::new();
        let now = view.get_any(&key).filter(|now| now.metadata().uid == metadata.uid);
        if now.is_none_or(|now| now.metadata().is_deleting())
            && let Some(uid) = &metadata.uid
        {
            keys = self.owned.keys(uid);
        }
        for reference in &metadata.owner_references {
            let owner = place(&self.kinds, reference, metadata.namespace.as_deref());
            let going = |key: &Key| view.get_any(key).is_some_and(|owner| owner.metadata().is_deleting());
            keys.extend(owner.map(|(_, key)| key).filter(going));
        }
        keys.push(key);
        keys
    }
}
