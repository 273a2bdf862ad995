//! [`Claim`]: which objects an owner manages, by its selector and by their owner references.

use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::controller::Action;
use orch_core::kind::Object;
use orch_core::object::{LabelSelector, OwnerReference};

/// What an owner finds among the objects of its namespace.
#[derive(Debug)]
pub(crate) struct Claim<T> {
    /// Those it manages and its selector finds.
    pub(crate) owned: Vec<Arc<T>>,
    /// Those that its selector finds and nobody manages.
    pub(crate) orphans: Vec<Arc<T>>,
    /// Those it manages though its selector does not find them: they were relabelled, and are to be let go.
    pub(crate) strangers: Vec<Arc<T>>,
}

impl<T: Object> Claim<T> {
    /// Sorts the candidates. Objects that are being deleted are neither adopted nor let go.
    pub(crate) fn of<Owner: Object>(owner: &Owner, selector: &LabelSelector, candidates: &[Arc<T>]) -> Self {
        let mut claim = Self { owned: Vec::new(), orphans: Vec::new(), strangers: Vec::new() };
        let Some(uid) = &owner.metadata().uid else { return claim };
        for object in candidates {
            let metadata = object.metadata();
            let found = selector.matches(&metadata.labels);
            match metadata.controller() {
                Some(manager) if manager.uid == *uid && found => claim.owned.push(object.clone()),
                Some(manager) if manager.uid == *uid && !metadata.is_deleting() => claim.strangers.push(object.clone()),
                None if found && !metadata.is_deleting() => claim.orphans.push(object.clone()),
                _ => {}
            }
        }
        claim
    }
}

/// Makes `owner` the manager of an object that nobody manages, if it is still as it was read.
pub(crate) fn adopt<Owner: Object, T: Object>(owner: &Owner, object: &T) -> Result<Action, ClientError> {
    let mut adopted = object.clone();
    let uid = &owner.metadata().uid;
    let references = &mut adopted.metadata_mut().owner_references;
    references.retain(|reference| Some(&reference.uid) != uid.as_ref());
    references.push(OwnerReference::controller_of(owner));
    Action::update(object, adopted)
}

/// Takes away every reference of an object to `owner`, if the object is still as it was read.
pub(crate) fn release<Owner: Object, T: Object>(owner: &Owner, object: &T) -> Result<Action, ClientError> {
    let mut released = object.clone();
    let uid = &owner.metadata().uid;
    released.metadata_mut().owner_references.retain(|reference| Some(&reference.uid) != uid.as_ref());
    Action::update(object, released)
}
