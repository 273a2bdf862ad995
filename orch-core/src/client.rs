//! [`Client`]: writes of objects, under the rules that every write obeys, on any [`Store`].

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;
use crate::key::{Key, KeyError};
use crate::kind::{AnyObject, Decoder, Object};
use crate::object::{ObjectMeta, Time, Uid, validate_metadata};
use crate::revision::Revision;
use crate::store::{Expect, Store, StoreError, Transact, Value, Write};
use crate::validation::{Invalid, Problems};

/// Writes objects under the rules that every write obeys, whatever the store:
///
/// - what is written is valid, and its name fits its kind; all that is wrong with it is told at once;
/// - a new object gets a uid, a creation time and generation 1, which nobody changes afterwards; the generation counts
///   changes of what is asked for;
/// - an update or a deletion names the uid and the revision it was decided on, and happens to that object in that
///   state or not at all;
/// - an object with finalizers, or one that needs time to end, is only marked as deleting. It is removed by the write
///   that takes away its last finalizer, or by a deletion with [`Grace::Now`]. From the mark on, it gets no new finalizer.
#[derive(Clone, Debug)]
pub struct Client {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Client {
    /// A client of `store`, which takes times from `clock` and uids from `entropy`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, clock, entropy }
    }

    /// The store, to read from.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The clock that gives the times.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Creates an object and returns it as it was stored.
    ///
    /// # Errors
    /// [`ClientError::AlreadyExists`], [`ClientError::Invalid`], or the store's own.
    pub async fn create<T: Object>(&self, object: T) -> Result<Arc<T>, ClientError> {
        Ok(typed(self.create_any(Arc::new(object)).await?))
    }

    /// [`create`](Self::create) for an object whose type is known only at run time.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_any(&self, object: Arc<dyn AnyObject>) -> Result<Arc<dyn AnyObject>, ClientError> {
        self.create_any_as(object, Uid::random(&*self.entropy)).await
    }

    /// [`create_any`](Self::create_any) with a uid that the creator vouches for, in place of a random one. It is for what
    /// is created again after its store was lost, and must be known for the same by whoever outlived the store: a static
    /// pod whose containers still run.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_any_as(&self, object: Arc<dyn AnyObject>, uid: Uid) -> Result<Arc<dyn AnyObject>, ClientError> {
        let (key, object) = self.begun(object, uid)?;
        self.write(&key, object, Expect::Absent).await
    }

    /// The write by which [`create_any`](Self::create_any) would create `object`, to be made together with others; see
    /// [`commit`](Self::commit).
    ///
    /// # Errors
    /// [`ClientError::Invalid`].
    pub fn staged_create(&self, object: Arc<dyn AnyObject>) -> Result<Write, ClientError> {
        let (key, object) = self.begun(object, Uid::random(&*self.entropy))?;
        Ok(Write::Put { key, value: Value::shared(object), expect: Expect::Absent })
    }

    /// A new object as it is written, and where.
    fn begun(&self, mut object: Arc<dyn AnyObject>, uid: Uid) -> Result<(Key, Arc<dyn AnyObject>), ClientError> {
        let new = unshared(&mut object);
        let metadata = new.metadata_mut();
        metadata.uid = Some(uid);
        metadata.creation_timestamp = Some(self.clock.now().into());
        metadata.generation = Some(1);
        metadata.revision = None;
        metadata.deletion_timestamp = None;
        metadata.deletion_grace_period_seconds = None;
        let key = checked(&*object, Problems::default())?;
        Ok((key, object))
    }

    /// Replaces the object that `on` names by `object` and returns it as it was stored, or as it was last, with
    /// the revision of its removal, if this took away the last finalizer of an object that was being deleted. An update
    /// that changes nothing is a write nevertheless: renewing a lease is one, on a machine whose clock stands still.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] or [`ClientError::NotFound`] when the object is not the one that `on` names, or no
    /// longer in that state; [`ClientError::Invalid`], or the store's own.
    pub async fn update<T: Object>(&self, object: T, on: Precondition) -> Result<Arc<T>, ClientError> {
        Ok(typed(self.update_any(Arc::new(object), &on).await?))
    }

    /// [`update`](Self::update) for an object whose type is known only at run time.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn update_any(
        &self,
        object: Arc<dyn AnyObject>,
        on: &Precondition,
    ) -> Result<Arc<dyn AnyObject>, ClientError> {
        let (key, mut object) = self.changed(object, on).await?;
        if has_ended(object.metadata()) {
            let revision = self.remove(&key, on).await?;
            unshared(&mut object).metadata_mut().revision = Some(revision);
            return Ok(object);
        }
        self.write(&key, object, Expect::Revision(on.revision)).await
    }

    /// The write by which [`update_any`](Self::update_any) would replace the object that `on` names, to be made together
    /// with others; see [`commit`](Self::commit).
    ///
    /// # Errors
    /// As [`update_any`](Self::update_any).
    pub async fn staged_update(&self, object: Arc<dyn AnyObject>, on: &Precondition) -> Result<Write, ClientError> {
        let (key, object) = self.changed(object, on).await?;
        Ok(match has_ended(object.metadata()) {
            true => Write::Delete { key, expect: on.revision },
            false => Write::Put { key, value: Value::shared(object), expect: Expect::Revision(on.revision) },
        })
    }

    /// Makes all of these writes at one revision, or none. `store` is this client's.
    ///
    /// # Errors
    /// That of the first write that cannot happen, or the store's own.
    pub async fn commit(&self, store: &dyn Transact, writes: Vec<Write>) -> Result<Revision, ClientError> {
        let expected: Vec<(Key, Expect)> = writes.iter().map(|write| (write.key().clone(), write.expect())).collect();
        store.commit(&[], writes).await.map_err(|error| match &error {
            StoreError::Conflict { key, .. } => {
                let expect = expected.iter().find(|(written, _)| written == key).map(|(_, expect)| *expect);
                ClientError::of_write(error, expect.unwrap_or(Expect::Absent))
            }
            _ => ClientError::Store(error),
        })
    }

    /// Another state of an object as it is written, and where.
    async fn changed(
        &self,
        mut object: Arc<dyn AnyObject>,
        on: &Precondition,
    ) -> Result<(Key, Arc<dyn AnyObject>), ClientError> {
        let key = object.key()?;
        let old = self.current(&key, on, object.decoder()).await?;
        let same_spec = object.same_spec(&*old);
        let metadata = unshared(&mut object).metadata_mut();
        let before = old.metadata();
        metadata.uid.clone_from(&before.uid);
        metadata.creation_timestamp = before.creation_timestamp;
        metadata.deletion_timestamp = before.deletion_timestamp;
        metadata.deletion_grace_period_seconds = before.deletion_grace_period_seconds;
        let generation = before.generation.unwrap_or(1);
        metadata.generation = Some(if same_spec { generation } else { generation.saturating_add(1) });
        metadata.revision = Some(on.revision);
        let mut problems = Problems::default();
        new_finalizers(before, metadata, &mut problems);
        let key = checked(&*object, problems)?;
        Ok((key, object))
    }

    /// Asks for the deletion of `object`, in the state in which it was read. It is removed at once unless it has
    /// finalizers or needs time to end; then it is marked as deleting, once. Returns the revision of the removal or of
    /// the mark.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] or [`ClientError::NotFound`] when the object is no longer in that state;
    /// [`ClientError::NeverStored`], or the store's own.
    pub async fn delete(&self, object: &dyn AnyObject, grace: Grace) -> Result<Revision, ClientError> {
        let on = Precondition::of(object)?;
        let key = object.key()?;
        let mut current = self.current(&key, &on, object.decoder()).await?;
        match deletion(&*current, grace) {
            Deletion::Remove => self.remove(&key, &on).await,
            Deletion::Nothing => Ok(on.revision),
            Deletion::Mark(time) => {
                let metadata = unshared(&mut current).metadata_mut();
                let end = deadline(self.clock.now(), time);
                metadata.deletion_timestamp = Some(metadata.deletion_timestamp.map_or(end, |before| before.min(end)));
                metadata.deletion_grace_period_seconds = Some(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
                let marked = self.write(&key, current, Expect::Revision(on.revision)).await?;
                Ok(marked.metadata().revision.unwrap_or(on.revision))
            }
        }
    }

    /// The object at `key` as it is in the store, if it is the one that `on` names, in that state.
    async fn current(&self, key: &Key, on: &Precondition, decoder: Decoder) -> Result<Arc<dyn AnyObject>, ClientError> {
        let Some(entry) = self.store.get(key).await? else {
            return Err(ClientError::NotFound { key: key.clone() });
        };
        let object = decoder(&entry.value).map_err(|source| StoreError::Corrupt { key: key.clone(), source })?;
        if entry.revision != on.revision || object.metadata().uid.as_ref() != Some(&on.uid) {
            return Err(ClientError::Conflict { key: key.clone() });
        }
        Ok(object)
    }

    async fn write(
        &self,
        key: &Key,
        object: Arc<dyn AnyObject>,
        expect: Expect,
    ) -> Result<Arc<dyn AnyObject>, ClientError> {
        let decoder = object.decoder();
        let entry = self.store.put(key, Value::shared(object), expect).await;
        let entry = entry.map_err(|error| ClientError::of_write(error, expect))?;
        let object = decoder(&entry.value);
        Ok(object.map_err(|source| StoreError::Corrupt { key: key.clone(), source })?)
    }

    async fn remove(&self, key: &Key, on: &Precondition) -> Result<Revision, ClientError> {
        let removed = self.store.delete(key, on.revision).await;
        removed.map_err(|error| ClientError::of_write(error, Expect::Revision(on.revision)))
    }
}

/// The object that a decision was made on, and the state in which it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// Which object.
    pub uid: Uid,
    /// Its last write.
    pub revision: Revision,
}

impl Precondition {
    /// That `object` is still as it was read.
    ///
    /// # Errors
    /// [`ClientError::NeverStored`] when it was not read from a store.
    pub fn of(object: &dyn AnyObject) -> Result<Self, ClientError> {
        let metadata = object.metadata();
        match (&metadata.uid, metadata.revision) {
            (Some(uid), Some(revision)) => Ok(Self { uid: uid.clone(), revision }),
            _ => Err(ClientError::NeverStored { key: object.key()? }),
        }
    }
}

/// How much time an object gets to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// What the object asks for, at least a second; see [`Object::termination_grace`].
    Own,
    /// This much, at least a second; none at all if the object needs no time.
    Within(Duration),
    /// None: whoever asks has ended the object, or accepts that it is never ended.
    Now,
}

enum Deletion {
    Remove,
    Mark(Duration),
    Nothing,
}

fn deletion(object: &dyn AnyObject, grace: Grace) -> Deletion {
    // No grace at all is what an object has that was ended. One that still has to be gets the least there is.
    const LEAST: Duration = Duration::from_secs(1);
    let needed = match (object.termination_grace(), grace) {
        (None, _) | (_, Grace::Now) => Duration::ZERO,
        (Some(own), Grace::Own) => own.max(LEAST),
        (Some(_), Grace::Within(time)) => time.max(LEAST),
    };
    let metadata = object.metadata();
    let given = metadata.deletion_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    if needed.is_zero() && metadata.finalizers.is_empty() {
        Deletion::Remove
    } else if metadata.is_deleting() && given.is_none_or(|given| given <= needed.as_secs()) {
        Deletion::Nothing
    } else {
        Deletion::Mark(needed)
    }
}

/// Whether nothing is left to wait for before an object that is being deleted goes.
fn has_ended(metadata: &ObjectMeta) -> bool {
    metadata.is_deleting() && metadata.finalizers.is_empty() && metadata.deletion_grace_period_seconds.unwrap_or(0) == 0
}

fn deadline(now: Timestamp, time: Duration) -> Time {
    now.saturating_add(time).unwrap_or(Timestamp::MAX).into()
}

fn unshared(object: &mut Arc<dyn AnyObject>) -> &mut dyn AnyObject {
    if Arc::get_mut(object).is_none() {
        *object = object.clone_arc();
    }
    Arc::get_mut(object).expect("an object just copied is shared with nobody")
}

fn typed<T: Object>(object: Arc<dyn AnyObject>) -> Arc<T> {
    object.downcast_arc().expect("a decoder of one type returns that type")
}

/// The object's key, if the object may be written and `problems` has none already.
fn checked(object: &dyn AnyObject, mut problems: Problems) -> Result<Key, ClientError> {
    let key = object.key();
    problems.field("metadata", |problems| {
        validate_metadata(object.metadata(), problems);
        if let Err(error @ (KeyError::NamespaceMissing { .. } | KeyError::NamespaceNotWanted { .. })) = &key {
            problems.field("namespace", |problems| problems.report(error.to_string()));
        }
    });
    object.validate(&mut problems);
    problems.into_result().map_err(|source| ClientError::Invalid {
        object: format!("{} {:?}", object.kind().name, object.metadata().name),
        source,
    })?;
    Ok(key?)
}

/// Reports finalizers that an object gets while it is being deleted: whoever deletes it could wait for ever.
fn new_finalizers(before: &ObjectMeta, now: &ObjectMeta, problems: &mut Problems) {
    let mut new = now.finalizers.iter().filter(|finalizer| !before.finalizers.contains(finalizer));
    if let Some(finalizer) = new.next().filter(|_| before.is_deleting()) {
        let message = format!("must not get {finalizer:?} while the object is being deleted");
        problems.field("metadata", |problems| problems.field("finalizers", |problems| problems.report(message)));
    }
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is an object of that name already.
    #[error("{key} exists already")]
    AlreadyExists {
        /// Which.
        key: Key,
    },
    /// There is no such object.
    #[error("{key} does not exist")]
    NotFound {
        /// Which.
        key: Key,
    },
    /// The object changed, or another one took its name, since the decision was made.
    #[error("{key} changed since it was read: read it again and decide anew")]
    Conflict {
        /// Which.
        key: Key,
    },
    /// The object was not read from a store, so there is no state that the decision was made on.
    #[error("{key} was not read from a store: it has no uid and revision that a change could depend on")]
    NeverStored {
        /// Which.
        key: Key,
    },
    /// The object breaks the rules of its kind.
    #[error("{object} is not valid: {source}")]
    Invalid {
        /// Kind and name.
        object: String,
        /// Everything that is wrong.
        source: Invalid,
    },
    /// The object has no valid key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store's own.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ClientError {
    fn of_write(error: StoreError, expect: Expect) -> Self {
        match (error, expect) {
            (StoreError::Conflict { key, .. }, Expect::Absent) => Self::AlreadyExists { key },
            (StoreError::Conflict { key, found: None }, _) => Self::NotFound { key },
            (StoreError::Conflict { key, .. }, _) => Self::Conflict { key },
            (error, _) => Self::Store(error),
        }
    }

    /// Whether reading again and deciding anew is the remedy.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. } | Self::NotFound { .. } | Self::Conflict { .. })
    }

    /// Whether the same request may succeed later without anything being changed by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}
