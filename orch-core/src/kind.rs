//! [`Object`]: what makes a type a kind of object, and [`AnyObject`], the same without the type.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::encoding::{self, DecodeError, EncodeError};
use crate::key::{Key, KeyError};
use crate::object::ObjectMeta;
use crate::store::Value;
use crate::validation::Problems;

/// What a kind is called, and where its objects live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Group and version as manifests write them: `v1`, `apps/v1`.
    pub api_version: &'static str,
    /// The name as manifests write it: `Deployment`.
    pub name: &'static str,
    /// The plural with the group behind it: `pods`, `deployments.apps`. Unique among all kinds of a system.
    pub collection: &'static str,
    /// Whether its objects live in namespaces.
    pub scope: Scope,
}

/// Whether the objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One per cluster and name.
    Cluster,
    /// One per namespace and name.
    Namespaced,
}

/// A type whose values are objects: the one trait that adds a kind.
///
/// The type is a plain struct with a `metadata` field; its serde form is its JSON without `apiVersion` and `kind`,
/// which are written and checked from [`KIND`](Self::KIND). Put `#[serde(deny_unknown_fields)]` on it, so that a
/// misspelt field is refused rather than dropped.
///
/// ```
/// use orch_core::key::Key;
/// use orch_core::kind::{Kind, Object, Scope};
/// use orch_core::object::ObjectMeta;
/// use orch_core::validation::Problems;
/// use orch_core::encoding;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Database {
///     metadata: ObjectMeta,
///     engine: String,
/// }
///
/// impl Object for Database {
///     const KIND: Kind = Kind {
///         api_version: "example.org/v1",
///         name: "Database",
///         collection: "databases.example.org",
///         scope: Scope::Namespaced,
///     };
///     fn metadata(&self) -> &ObjectMeta {
///         &self.metadata
///     }
///     fn metadata_mut(&mut self) -> &mut ObjectMeta {
///         &mut self.metadata
///     }
///     fn validate(&self, problems: &mut Problems) {
///         if self.engine.is_empty() {
///             problems.field("engine", |engine| engine.report("must not be empty, for example \"postgres\""));
///         }
///     }
/// }
///
/// let text = br#"{"apiVersion": "example.org/v1", "kind": "Database",
///                 "metadata": {"name": "orders", "namespace": "shop"}, "engine": "postgres"}"#;
/// let database: Database = encoding::from_json(text)?;
/// assert_eq!(database.key()?, "databases.example.org/shop/orders".parse::<Key>()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Object: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static {
    /// What this kind is called, and where its objects live.
    const KIND: Kind;

    /// The object's metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// The object's metadata, to change.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;

    /// Reports everything that is wrong with this object's own fields; metadata is checked elsewhere.
    fn validate(&self, problems: &mut Problems) {
        let _ = problems;
    }

    /// Whether the two ask for the same thing: everything equal but `metadata` and `status`. It decides whether
    /// an update starts a new generation. A kind whose encoding is large may compare its fields instead.
    fn same_spec(&self, other: &Self) -> bool {
        fn spec<T: Serialize>(object: &T) -> Option<serde_json::Value> {
            let mut value = serde_json::to_value(object).ok()?;
            let fields = value.as_object_mut()?;
            fields.remove("metadata");
            fields.remove("status");
            Some(value)
        }
        spec(self) == spec(other)
    }

    /// How long the object must be given to end once its deletion was asked for; `None` if it may go at once. An
    /// object with such a time is only marked as deleting, and removed by whoever has ended it.
    fn termination_grace(&self) -> Option<Duration> {
        None
    }

    /// The address of this object.
    ///
    /// # Errors
    /// [`KeyError`] when name or namespace cannot be part of a key.
    fn key(&self) -> Result<Key, KeyError> {
        let metadata = self.metadata();
        Key::new(&Self::KIND, metadata.namespace.as_deref(), &metadata.name)
    }
}

/// An [`Object`] whose type is known only at run time. Implemented for every object; not to be implemented by hand.
pub trait AnyObject: Any + Debug + Send + Sync {
    /// What the kind is called.
    fn kind(&self) -> &'static Kind;
    /// The object's metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// The object's metadata, to change.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
    /// The address of this object; see [`Object::key`].
    ///
    /// # Errors
    /// [`KeyError`] when name or namespace cannot be part of a key.
    fn key(&self) -> Result<Key, KeyError>;
    /// Everything wrong with this object's own fields; see [`Object::validate`].
    fn validate(&self, problems: &mut Problems);
    /// How long the object must be given to end; see [`Object::termination_grace`].
    fn termination_grace(&self) -> Option<Duration>;
    /// What reads objects of this one's type.
    fn decoder(&self) -> Decoder;
    /// Whether `other` is of the same type and asks for the same thing; see [`Object::same_spec`].
    fn same_spec(&self, other: &dyn AnyObject) -> bool;
    /// Whether `other` is of the same type and equal in every field.
    fn equals(&self, other: &dyn AnyObject) -> bool;
    /// The object as JSON, with `apiVersion` and `kind`.
    ///
    /// # Errors
    /// [`EncodeError`] when the type's own `Serialize` fails.
    fn to_json(&self) -> Result<Vec<u8>, EncodeError>;
    /// A copy that shares nothing.
    fn clone_arc(&self) -> Arc<dyn AnyObject>;
}

impl<T: Object> AnyObject for T {
    fn kind(&self) -> &'static Kind {
        &T::KIND
    }
    fn metadata(&self) -> &ObjectMeta {
        Object::metadata(self)
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        Object::metadata_mut(self)
    }
    fn key(&self) -> Result<Key, KeyError> {
        Object::key(self)
    }
    fn validate(&self, problems: &mut Problems) {
        Object::validate(self, problems);
    }
    fn termination_grace(&self) -> Option<Duration> {
        Object::termination_grace(self)
    }
    fn decoder(&self) -> Decoder {
        decoder::<T>()
    }
    fn same_spec(&self, other: &dyn AnyObject) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| Object::same_spec(self, other))
    }
    fn equals(&self, other: &dyn AnyObject) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| self == other)
    }
    fn to_json(&self) -> Result<Vec<u8>, EncodeError> {
        encoding::to_json(self)
    }
    fn clone_arc(&self) -> Arc<dyn AnyObject> {
        Arc::new(self.clone())
    }
}

/// Reads what a store keeps as one type of object.
pub type Decoder = fn(&Value) -> Result<Arc<dyn AnyObject>, DecodeError>;

/// What reads objects of type `T`.
#[must_use]
pub fn decoder<T: Object>() -> Decoder {
    |value| Ok(value.decode::<T>()?)
}

impl dyn AnyObject {
    /// The object as a `T`, if it is one.
    #[must_use]
    pub fn downcast_ref<T: Object>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }

    /// The shared object as a `T`, or the object back if it is none.
    ///
    /// # Errors
    /// The same pointer, when the object is not a `T`.
    pub fn downcast_arc<T: Object>(self: Arc<Self>) -> Result<Arc<T>, Arc<Self>> {
        if self.downcast_ref::<T>().is_none() {
            return Err(self);
        }
        let any: Arc<dyn Any + Send + Sync> = self;
        Ok(any.downcast().expect("the type was checked above"))
    }
}
