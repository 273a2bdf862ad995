//! [`NamespaceController`]: a namespace that is deleted takes all that is in it along.

mod plan;

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::client::ClientError;
use orch_core::controller::{Context, Controller, ControllerError, Plan, Trigger, View, ViewExt as _};
use orch_core::key::{Key, Prefix};
use orch_core::kind::{AnyObject, Kind, Object, Scope};
use orch_core::object::{Deployment, EndpointSlice, Event, Lease, Namespace, Pod, ReplicaSet, Service};
use orch_core::store::{ListFrom, ListOptions, Store};

/// Empties a namespace that is being deleted, then lets it go.
///
/// It puts the finalizer [`FINALIZER`](Self::FINALIZER) on every namespace that it sees, so that the deletion waits for
/// it; who creates namespaces for users should put it there at once, for a namespace deleted before that is gone without
/// what is in it. Kubernetes keeps its finalizer in `spec.finalizers` instead, which needs a request of its own to
/// remove; here the ordinary rule of finalizers suffices, and `spec.finalizers` is left alone.
///
/// # Order
/// The kinds go in the order in which they were named, each only after all before it are gone: first what makes pods,
/// then pods, then what pods rely on, such as services. A policy that keeps pods apart thus outlives the pods
/// (CVE-2024-7598), and a pod that needs time to end has its service as long. Events go last.
///
/// That a kind is gone is not concluded from the view, which may not show everything yet, but read from the store. What
/// is created in the namespace meanwhile is seen, and deleted too.
#[derive(Debug)]
pub struct NamespaceController {
    store: Arc<dyn Store>,
    kinds: Vec<ContainedKind>,
}

/// A kind whose objects are deleted with their namespace.
#[derive(Clone, Copy, Debug)]
struct ContainedKind {
    kind: &'static Kind,
    trigger: fn() -> Trigger,
}

impl NamespaceController {
    /// The finalizer by which a namespace waits to be emptied.
    pub const FINALIZER: &str = "kubernetes";

    /// A controller that deletes the kinds of `orch-core` that live in namespaces.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::without_kinds(store)
            .kind::<Deployment>()
            .kind::<ReplicaSet>()
            .kind::<Pod>()
            .kind::<Service>()
            .kind::<EndpointSlice>()
            .kind::<Lease>()
            .kind::<Event>()
    }

    /// A controller that deletes no kind yet.
    #[must_use]
    pub fn without_kinds(store: Arc<dyn Store>) -> Self {
        Self { store, kinds: Vec::new() }
    }

    /// Deletes objects of kind `T` too, after those of all kinds named before. A kind that does not live in namespaces is
    /// passed over.
    #[must_use]
    pub fn kind<T: Object>(mut self) -> Self {
        let known = self.kinds.iter().any(|known| known.kind.collection == T::KIND.collection);
        if !known && T::KIND.scope == Scope::Namespaced {
            let trigger = || Trigger::to::<T>(|object, view| namespace_of(object, view));
            self.kinds.push(ContainedKind { kind: &T::KIND, trigger });
        }
        self
    }

    /// The objects to be deleted next, or nothing if the view shows none, and whether the store has none either.
    async fn contents(&self, name: &str, view: &dyn View) -> Result<Contents, ControllerError> {
        for contained in &self.kinds {
            let prefix = Prefix::namespace(contained.kind, name)?;
            let seen = view.list_any(&prefix);
            if !seen.is_empty() {
                return Ok(Contents::Seen(seen));
            }
            let options = ListOptions { limit: Some(NonZeroUsize::MIN), from: ListFrom::Latest };
            let page = self.store.list(&prefix, options).await.map_err(ClientError::from)?;
            if !page.entries.is_empty() {
                return Ok(Contents::NotSeenYet);
            }
        }
        Ok(Contents::None)
    }
}

/// What is in a namespace.
#[derive(Clone, Debug)]
enum Contents {
    /// These, of the first kind that there are any of.
    Seen(Vec<Arc<dyn AnyObject>>),
    /// Something that the view does not show yet; once it does, the namespace is looked at again.
    NotSeenYet,
    /// Nothing.
    None,
}

#[async_trait]
impl Controller for NamespaceController {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let contained = self.kinds.iter().map(|contained| (contained.trigger)());
        std::iter::once(Trigger::itself::<Namespace>()).chain(contained).collect()
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let Some(namespace) = context.view.get::<Namespace>(key) else { return Ok(Plan::nothing()) };
        if let Some(plan) = plan::announce(&namespace)? {
            return Ok(plan);
        }
        if !namespace.metadata.is_deleting() {
            return Ok(Plan::nothing());
        }
        let contents = self.contents(&namespace.metadata.name, context.view).await?;
        Ok(plan::empty(&namespace, &contents)?)
    }
}

/// The namespace of a changed object, if it is being deleted: the others need no look.
fn namespace_of<T: Object>(object: &T, view: &dyn View) -> Vec<Key> {
    let name = object.metadata().namespace.as_deref().unwrap_or_default();
    let key = Key::new(&Namespace::KIND, None, name).ok();
    let is_deleting = |key: &Key| view.get::<Namespace>(key).is_some_and(|namespace| namespace.metadata.is_deleting());
    key.filter(is_deleting).into_iter().collect()
}
