//! [`Entry`] and [`Value`]: what a store keeps at a key.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use crate::encoding::{self, DecodeError, EncodeError};
use crate::key::Key;
use crate::kind::{AnyObject, Object};
use crate::revision::Revision;

/// What a store keeps at a key: a pointer to the one [`Stored`] that all its readers share. Cloning is cheap.
#[derive(Clone)]
pub struct Entry(Arc<Stored>);

/// What an [`Entry`] points to.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where.
    pub key: Key,
    /// The last write to it.
    pub revision: Revision,
    /// The write that created it. An entry was just created when the two are equal.
    pub created: Revision,
    /// The object.
    pub value: Value,
}

impl Entry {
    /// Puts together what a store found: the value's object is marked as written at `revision`.
    #[must_use]
    pub fn new(key: Key, revision: Revision, created: Revision, mut value: Value) -> Self {
        value.set_revision(revision);
        Self(Arc::new(Stored { key, revision, created, value }))
    }

    /// The object as a `T`; see [`Value::decode`].
    ///
    /// # Errors
    /// [`DecodeError`] when it is no `T`.
    pub fn decode<T: Object>(&self) -> Result<Arc<T>, DecodeError> {
        self.value.decode()
    }
}

impl Deref for Entry {
    type Target = Stored;

    fn deref(&self) -> &Stored {
        &self.0
    }
}

/// The parts as they are: the value is not marked with the revision, as [`Entry::new`] does.
impl From<Stored> for Entry {
    fn from(stored: Stored) -> Self {
        Self(Arc::new(stored))
    }
}

/// The parts, copied if others share them.
impl From<Entry> for Stored {
    fn from(entry: Entry) -> Self {
        Arc::unwrap_or_clone(entry.0)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An object on its way to or from a store: either shared in memory or encoded as JSON, each turned into the other
/// only when somebody asks. A store in this process never encodes; a remote one never needs to know the type.
#[derive(Clone)]
pub struct Value(Repr);

#[derive(Clone)]
enum Repr {
    Object(Arc<dyn AnyObject>),
    Json { text: Bytes, revision: Option<Revision> },
}

impl Value {
    /// The value of an object.
    pub fn new<T: Object>(object: T) -> Self {
        Self(Repr::Object(Arc::new(object)))
    }

    /// The value of an object that others may hold too.
    #[must_use]
    pub fn shared(object: Arc<dyn AnyObject>) -> Self {
        Self(Repr::Object(object))
    }

    /// The value that this JSON encodes. It is decoded, and found to be wrong if it is, when somebody asks for it.
    #[must_use]
    pub fn from_json(text: Bytes) -> Self {
        Self(Repr::Json { text, revision: None })
    }

    /// How long the JSON is, if it is encoded already. An object shared in memory is not measured: that would cost as
    /// much as to encode it.
    #[must_use]
    pub fn encoded_len(&self) -> Option<usize> {
        match &self.0 {
            Repr::Object(_) => None,
            Repr::Json { text, .. } => Some(text.len()),
        }
    }

    /// Copies what is shared with others, so that [`set_revision`](Self::set_revision) has nothing to copy: for a
    /// store that does not want to do that while it holds a lock.
    pub fn unshare(&mut self) {
        if let Repr::Object(object) = &mut self.0
            && Arc::get_mut(object).is_none()
        {
            *object = object.clone_arc();
        }
    }

    /// Marks the object as written at `revision`; what is shared with others is copied first.
    pub fn set_revision(&mut self, revision: Revision) {
        match &mut self.0 {
            Repr::Object(object) => {
                if object.metadata().revision == Some(revision) {
                    return;
                }
                if Arc::get_mut(object).is_none() {
                    *object = object.clone_arc();
                }
                let object = Arc::get_mut(object).expect("an object just copied is shared with nobody");
                object.metadata_mut().revision = Some(revision);
            }
            Repr::Json { revision: mark, .. } => *mark = Some(revision),
        }
    }

    /// The object as a `T`: the shared object itself where it is one, otherwise decoded.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no `T`.
    pub fn decode<T: Object>(&self) -> Result<Arc<T>, DecodeError> {
        match &self.0 {
            Repr::Object(object) => match Arc::clone(object).downcast_arc::<T>() {
                Ok(object) => Ok(object),
                Err(other) => {
                    let revision = other.metadata().revision;
                    let text = other.to_json().map_err(DecodeError::from)?;
                    decode_at(&text, revision)
                }
            },
            Repr::Json { text, revision } => decode_at(text, *revision),
        }
    }

    /// The object as JSON, without the revision: a store keeps that beside it.
    ///
    /// # Errors
    /// [`EncodeError`] when the type's own `Serialize` fails.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        match &self.0 {
            Repr::Object(object) if object.metadata().revision.is_some() => {
                let mut object = object.clone_arc();
                let unshared = Arc::get_mut(&mut object).expect("an object just copied is shared with nobody");
                unshared.metadata_mut().revision = None;
                Ok(object.to_json()?.into())
            }
            Repr::Object(object) => Ok(object.to_json()?.into()),
            Repr::Json { text, .. } => Ok(text.clone()),
        }
    }
}

fn decode_at<T: Object>(text: &[u8], revision: Option<Revision>) -> Result<Arc<T>, DecodeError> {
    let mut object: T = encoding::from_own_json(text)?;
    object.metadata_mut().revision = revision;
    Ok(Arc::new(object))
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Object(object) => object.fmt(f),
            Repr::Json { text, .. } => String::from_utf8_lossy(text).fmt(f),
        }
    }
}
