//! [`Kinds`]: the kinds that a reader knows, listed by its caller.

use std::sync::Arc;

use super::list::{self, Items};
use crate::encoding::error::{DecodeError, Place};
use crate::encoding::explain::shorten;
use crate::encoding::suggestion::closest;
use crate::encoding::type_meta::Typed;
use crate::encoding::{json, yaml};
use crate::kind::{AnyObject, Kind, Object};
use crate::object;

/// The kinds that a reader knows.
///
/// The table is the caller's own: a kind from another crate needs no registration in this one.
///
/// ```
/// # use orch_core::key::Key;
/// # use orch_core::kind::{Kind, Object, Scope};
/// # use orch_core::object::ObjectMeta;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// # #[serde(deny_unknown_fields)]
/// # struct Database { metadata: ObjectMeta, engine: String }
/// # impl Object for Database {
/// #     const KIND: Kind = Kind {
/// #         api_version: "example.org/v1",
/// #         name: "Database",
/// #         collection: "databases.example.org",
/// #         scope: Scope::Namespaced,
/// #     };
/// #     fn metadata(&self) -> &ObjectMeta { &self.metadata }
/// #     fn metadata_mut(&mut self) -> &mut ObjectMeta { &mut self.metadata }
/// # }
/// use orch_core::encoding::Kinds;
///
/// let kinds = Kinds::default().with::<Database>().in_namespace("shop");
/// let objects = kinds.read("
/// apiVersion: example.org/v1
/// kind: Database
/// metadata: {name: orders}
/// engine: postgres
/// ---
/// apiVersion: example.org/v1
/// kind: Database
/// metadata: {name: users}
/// engine: postgres
/// ")?;
/// assert_eq!((objects[1].document, objects[1].line), (2, 7));
/// assert_eq!(objects[1].object.key()?, "databases.example.org/shop/users".parse::<Key>()?);
///
/// let errors = kinds.read("{apiVersion: example.org/v1, kind: Database, metadata: {name: a}, engin: x}").unwrap_err();
/// assert_eq!(
///     errors.to_string(),
///     "line 1, column 67: engin: unknown field, did you mean \"engine\"? (fields here: metadata, engine)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    pub(super) entries: Vec<Entry>,
    pub(super) namespace: Option<String>,
}

impl Kinds {
    /// All kinds of this crate.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
            .with::<object::Namespace>()
            .with::<object::Node>()
            .with::<object::Pod>()
            .with::<object::ReplicaSet>()
            .with::<object::Deployment>()
            .with::<object::ConfigMap>()
            .with::<object::Secret>()
            .with::<object::Service>()
            .with::<object::EndpointSlice>()
            .with::<object::Event>()
            .with::<object::Lease>()
            .with::<object::IpAddress>()
            .with::<object::ServiceNodePort>()
            .with::<object::PodCidr>()
            .with::<object::NodeMetrics>()
            .with::<object::PodMetrics>()
    }

    /// These kinds and `T`.
    #[must_use]
    pub fn with<T: Object>(mut self) -> Self {
        self.entries.retain(|entry| !entry.is(T::KIND.api_version, T::KIND.name));
        self.entries.push(Entry::of::<T>());
        self
    }

    /// The same kinds; an object of a manifest that lives in a namespace and names none is put into this one.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Reads the JSON of an object of a collection, as [`AnyObject::to_json`] wrote it: for stores, and therefore
    /// without a look at keys given twice.
    ///
    /// # Errors
    /// [`DecodeError`]: the collection is not known, or see [`from_json`](crate::encoding::from_json).
    pub fn decode(&self, collection: &str, json: &[u8]) -> Result<Arc<dyn AnyObject>, DecodeError> {
        match self.entries.iter().find(|entry| entry.kind.collection == collection) {
            Some(entry) => (entry.decode)(json),
            None => Err(DecodeError::UnknownCollection { collection: collection.to_owned() }),
        }
    }

    /// The kinds, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &'static Kind> {
        self.entries.iter().map(|entry| entry.kind)
    }

    /// The kind with these names, or an error that tells which there are.
    pub(super) fn find(&self, api_version: &str, kind: &str, place: Place) -> Result<&Entry, DecodeError> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.is(api_version, kind)) {
            return Ok(entry);
        }
        let known: Vec<String> = self.iter().map(full_name).collect();
        let same_name = self.iter().find(|known| known.name == kind);
        let suggestion = same_name.or_else(|| {
            let name = closest(kind, self.iter().map(|known| known.name))?;
            self.iter().find(|known| known.name == name)
        });
        Err(DecodeError::UnknownKind {
            place,
            found: shorten(&format!("{api_version} {kind}")).into(),
            suggestion: suggestion.map(|kind| full_name(kind).into()),
            known: known.into(),
        })
    }
}

fn full_name(kind: &Kind) -> String {
    format!("{} {}", kind.api_version, kind.name)
}

type Decoded = Result<Arc<dyn AnyObject>, DecodeError>;

/// A kind and how to read it, its type forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) kind: &'static Kind,
    decode: fn(&[u8]) -> Decoded,
    pub(super) read: fn(Source<'_>) -> Decoded,
    pub(super) read_items: fn(Source<'_>, &Items) -> Result<(), DecodeError>,
}

impl Entry {
    fn of<T: Object>() -> Self {
        Self {
            kind: &T::KIND,
            decode: |text| Ok(Arc::new(json::from_own_json::<T>(text)?)),
            read: |source| {
                Ok(match source {
                    Source::Json(text) => Arc::new(json::read(text.as_bytes(), Typed::<T>::new())?),
                    Source::Yaml(text) => Arc::new(yaml::read(text, Typed::<T>::new())?),
                })
            },
            read_items: list::read_items::<T>,
        }
    }

    fn is(&self, api_version: &str, name: &str) -> bool {
        self.kind.api_version == api_version && self.kind.name == name
    }
}

/// One document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Json(&'a str),
    Yaml(&'a str),
}
