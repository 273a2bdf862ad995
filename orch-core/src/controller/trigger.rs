//! [`Trigger`]: which changes make a controller look at which keys.

use std::fmt;
use std::sync::Arc;

use super::{Change, View};
use crate::key::Key;
use crate::kind::{AnyObject, Decoder, Kind, Object, Scope, decoder};

type Keys = dyn Fn(&dyn AnyObject, &dyn View) -> Vec<Key> + Send + Sync;

/// Makes a controller see a kind, and look at certain keys when an object of it changes.
#[derive(Clone)]
pub struct Trigger {
    kind: &'static Kind,
    decoder: Decoder,
    keys: Arc<Keys>,
    priority: Priority,
}

/// Which of the waiting keys is looked at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A repeated look without a cause: resync, replay after a start.
    Low,
    /// A change.
    #[default]
    Normal,
    /// A failure that must be answered before ordinary work.
    High,
}

impl Trigger {
    /// A changed object is looked at itself.
    #[must_use]
    pub fn itself<T: Object>() -> Self {
        Self::to::<T>(|object, _| object.key().into_iter().collect())
    }

    /// The object of kind `Owner` that manages a changed object is looked at.
    #[must_use]
    pub fn owner<T: Object, Owner: Object>() -> Self {
        Self::to::<T>(|object, _| {
            let metadata = object.metadata();
            let owner = metadata
                .controller()
                .filter(|owner| owner.kind == Owner::KIND.name && owner.api_version == Owner::KIND.api_version);
            let namespace = match Owner::KIND.scope {
                Scope::Namespaced => metadata.namespace.as_deref(),
                Scope::Cluster => None,
            };
            owner.and_then(|owner| Key::new(&Owner::KIND, namespace, &owner.name).ok()).into_iter().collect()
        })
    }

    /// The keys that `map` names are looked at. It is asked for an object as it was before a change and as it is after.
    pub fn to<T: Object>(map: impl Fn(&T, &dyn View) -> Vec<Key> + Send + Sync + 'static) -> Self {
        Self {
            kind: &T::KIND,
            decoder: decoder::<T>(),
            keys: Arc::new(move |object, view| {
                object.downcast_ref::<T>().map_or_else(Vec::new, |object| map(object, view))
            }),
            priority: Priority::default(),
        }
    }

    /// The kind is seen, and its changes trigger nothing.
    #[must_use]
    pub fn see<T: Object>() -> Self {
        Self::to::<T>(|_, _| Vec::new())
    }

    /// The same trigger with another priority.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The kind that is seen.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// What reads its objects.
    #[must_use]
    pub fn decoder(&self) -> Decoder {
        self.decoder
    }

    /// How soon what it triggers is looked at.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The keys to look at after `change`, each once, in no particular order. `view` is as it is after the change.
    #[must_use]
    pub fn keys(&self, change: &Change, view: &dyn View) -> Vec<Key> {
        let objects = [change.previous(), change.current()].into_iter().flatten();
        let mut keys: Vec<Key> = objects.flat_map(|object| (self.keys)(&**object, view)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger")
            .field("kind", &self.kind.name)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}
