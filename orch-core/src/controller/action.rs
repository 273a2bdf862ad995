//! [`Action`]: one step of a plan.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::ControllerError;
use crate::client::{ClientError, Grace, Precondition};
use crate::key::Key;
use crate::kind::{AnyObject, Kind, Object};
use crate::object::Uid;

/// One step of a plan: performed wholly or not at all, and harmless when performed twice.
#[derive(Clone, Debug)]
pub enum Action {
    /// Creates the object. That it exists already counts as done only if the controller finds it so when it looks
    /// again.
    Create(Arc<dyn AnyObject>),
    /// Creates the object with a uid that follows from the state as its name does, for an object that must be the same
    /// one after its store was lost; see [`Client::create_any_as`](crate::client::Client::create_any_as).
    CreateAs {
        /// The object.
        object: Arc<dyn AnyObject>,
        /// Its uid. No other object of the kind may have it at the same time.
        uid: Uid,
    },
    /// Replaces an object by another state of it.
    Update {
        /// The new state.
        object: Arc<dyn AnyObject>,
        /// The state that it was decided on.
        on: Precondition,
    },
    /// Asks for the deletion of this object, in the state in which it was read.
    Delete {
        /// The object as it was read.
        object: Arc<dyn AnyObject>,
        /// How much time it gets to end.
        grace: Grace,
    },
    /// Tells people about something, as an Event. Repeated reports are counted, not repeated. A report that cannot be
    /// written is dropped: nothing depends on it.
    Report(Report),
    /// Does something outside the store.
    Effect(Arc<dyn Effect>),
}

impl Action {
    /// Creates `object`.
    pub fn create<T: Object>(object: T) -> Self {
        Self::Create(Arc::new(object))
    }

    /// Creates `object` with this uid.
    pub fn create_as<T: Object>(object: T, uid: Uid) -> Self {
        Self::CreateAs { object: Arc::new(object), uid }
    }

    /// Replaces `old`, as it was read, by `new`.
    ///
    /// # Errors
    /// [`ClientError::NeverStored`] when `old` was not read from a store.
    pub fn update<T: Object>(old: &T, new: T) -> Result<Self, ClientError> {
        Ok(Self::Update { on: Precondition::of(old)?, object: Arc::new(new) })
    }

    /// Asks for the deletion of `object`, as it was read, with the time it asks for itself.
    pub fn delete<T: Object>(object: Arc<T>) -> Self {
        Self::Delete { object, grace: Grace::Own }
    }
}

/// Something to be done outside the store. It must be idempotent: the same effect may be performed again after it
/// succeeded, and after it was interrupted at any point.
#[async_trait]
pub trait Effect: Debug + Send + Sync + 'static {
    /// Does it.
    ///
    /// # Errors
    /// [`ControllerError`]; the rest of the plan is dropped and the key is looked at again with a growing pause.
    async fn perform(&self) -> Result<(), ControllerError>;
}

/// Something that people should know about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The kind of the object that it is about.
    pub kind: &'static Kind,
    /// Its key.
    pub key: Key,
    /// Its uid.
    pub uid: Uid,
    /// Whether all is well.
    pub event_type: EventType,
    /// Why, in one word that machines can look for: `FailedScheduling`.
    pub reason: &'static str,
    /// What, in a sentence for people.
    pub message: String,
}

/// Whether a report is about something that went as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// It did.
    Normal,
    /// It did not.
    Warning,
}

impl Report {
    /// A report about `object`.
    ///
    /// # Errors
    /// [`ClientError::Key`] when the object has no valid key.
    pub fn about(
        object: &dyn AnyObject,
        event_type: EventType,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            kind: object.kind(),
            key: object.key()?,
            uid: object.metadata().uid.clone().unwrap_or_default(),
            event_type,
            reason,
            message: message.into(),
        })
    }
}
