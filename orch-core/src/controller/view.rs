//! [`View`]: the objects that a controller sees.

use std::fmt::Debug;
use std::sync::Arc;

use crate::key::{Key, KeyError, Prefix};
use crate::kind::{AnyObject, Kind, Object};
use crate::object::Uid;

/// The objects that a controller sees, all of them in memory: the kinds it has triggers for, as last heard of.
///
/// A view may lag behind the store, and never goes back.
pub trait View: Debug + Send + Sync {
    /// The object at `key`.
    fn get_any(&self, key: &Key) -> Option<Arc<dyn AnyObject>>;

    /// The objects under `prefix`, in the order of their keys.
    fn list_any(&self, prefix: &Prefix) -> Vec<Arc<dyn AnyObject>>;

    /// The objects of `kind` that name the object with this uid as the owner that manages them, in the order of their
    /// keys.
    fn controlled_any(&self, kind: &Kind, owner: &Uid) -> Vec<Arc<dyn AnyObject>>;
}

/// Typed reads on any view. An object that is no `T` is not seen.
pub trait ViewExt: View {
    /// The object at `key`.
    fn get<T: Object>(&self, key: &Key) -> Option<Arc<T>> {
        self.get_any(key)?.downcast_arc().ok()
    }

    /// The object of that name, in `namespace` if its kind lives in namespaces. Text that is no name finds nothing.
    fn find<T: Object>(&self, namespace: Option<&str>, name: &str) -> Option<Arc<T>> {
        self.get(&Key::new(&T::KIND, namespace, name).ok()?)
    }

    /// All objects of the kind.
    fn list<T: Object>(&self) -> Vec<Arc<T>> {
        typed(self.list_any(&Prefix::collection(&T::KIND)))
    }

    /// All objects of the kind in a namespace.
    ///
    /// # Errors
    /// [`KeyError`] when the kind has no namespaces or the text is no name.
    fn list_in<T: Object>(&self, namespace: &str) -> Result<Vec<Arc<T>>, KeyError> {
        Ok(typed(self.list_any(&Prefix::namespace(&T::KIND, namespace)?)))
    }

    /// All objects of the kind that the object with this uid manages.
    fn controlled_by<T: Object>(&self, owner: &Uid) -> Vec<Arc<T>> {
        typed(self.controlled_any(&T::KIND, owner))
    }
}

impl<V: View + ?Sized> ViewExt for V {}

fn typed<T: Object>(objects: Vec<Arc<dyn AnyObject>>) -> Vec<Arc<T>> {
    objects.into_iter().filter_map(|object| object.downcast_arc().ok()).collect()
}

/// One change of a view.
#[derive(Clone, Debug)]
pub enum Change {
    /// An object came or changed.
    Put {
        /// Where.
        key: Key,
        /// The object as it is since.
        object: Arc<dyn AnyObject>,
        /// The object as the view had it before.
        previous: Option<Arc<dyn AnyObject>>,
    },
    /// An object went.
    Removed {
        /// Where.
        key: Key,
        /// The object as the view had it before.
        previous: Arc<dyn AnyObject>,
    },
}

impl Change {
    /// Which object changed.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Removed { key, .. } => key,
        }
    }

    /// The object as it is since, `None` when it went.
    #[must_use]
    pub fn current(&self) -> Option<&Arc<dyn AnyObject>> {
        match self {
            Self::Put { object, .. } => Some(object),
            Self::Removed { .. } => None,
        }
    }

    /// The object as the view had it before, if it had it.
    #[must_use]
    pub fn previous(&self) -> Option<&Arc<dyn AnyObject>> {
        match self {
            Self::Put { previous, .. } => previous.as_ref(),
            Self::Removed { previous, .. } => Some(previous),
        }
    }
}
