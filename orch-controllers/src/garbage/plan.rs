//! What to do about an object, given what became of its owners.

use std::sync::Arc;

use orch_core::client::{ClientError, Grace, Precondition};
use orch_core::controller::{Action, Plan};
use orch_core::kind::AnyObject;
use orch_core::object::{ObjectMeta, Uid};

use super::GarbageController;

/// What became of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is there, or nobody can tell.
    Here,
    /// It is gone for good.
    Gone,
    /// It is being deleted and waits until what it owns is gone.
    Foreground,
    /// It is being deleted and leaves behind what it owns.
    Orphaning,
}

/// What an object in the view is to one that names `uid` as its owner; `None` if it is another one of that name.
pub(super) fn seen_as(owner: &dyn AnyObject, uid: &Uid) -> Option<Owner> {
    (owner.metadata().uid.as_ref() == Some(uid)).then(|| match Hold::of(owner) {
        None => Owner::Here,
        Some(Hold::Orphan) => Owner::Orphaning,
        Some(Hold::Foreground) => Owner::Foreground,
    })
}

/// Why the deletion of an owner waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// What it owns is to be unlinked.
    Orphan,
    /// What it owns, and blocks it, is to go first.
    Foreground,
}

impl Hold {
    /// Why the deletion of `object` waits, if it does. To leave behind comes first: it is the one that loses nothing.
    pub(super) fn of(object: &dyn AnyObject) -> Option<Self> {
        let metadata = object.metadata();
        let has = |hold: &Self| metadata.finalizers.iter().any(|finalizer| finalizer == hold.finalizer());
        [Self::Orphan, Self::Foreground].into_iter().find(has).filter(|_| metadata.is_deleting())
    }

    /// Whether the owner with this uid has to wait for an object.
    pub(super) fn is_by(self, object: &ObjectMeta, uid: &Uid) -> bool {
        object
            .owner_references
            .iter()
            .any(|owner| owner.uid == *uid && (self == Self::Orphan || owner.block_owner_deletion == Some(true)))
    }

    fn finalizer(self) -> &'static str {
        match self {
            Self::Orphan => GarbageController::ORPHAN,
            Self::Foreground => GarbageController::FOREGROUND,
        }
    }
}

/// Lets an owner go that waits for nothing any more.
pub(super) fn release(owner: &Arc<dyn AnyObject>, hold: Hold) -> Result<Plan, ClientError> {
    change(owner, |metadata| metadata.finalizers.retain(|finalizer| finalizer != hold.finalizer()))
}

/// What to do about an object whose owners are as `owners` says, in the order of its references.
pub(super) fn follow(object: &Arc<dyn AnyObject>, owners: &[Owner], owns: bool) -> Result<Plan, ClientError> {
    if owners.contains(&Owner::Orphaning) {
        let mut owners = owners.iter();
        return change(object, |metadata| {
            metadata.owner_references.retain(|_| owners.next() != Some(&Owner::Orphaning));
        });
    }
    if owners.is_empty() || owners.contains(&Owner::Here) || object.metadata().is_deleting() {
        return Ok(Plan::nothing());
    }
    let finalizers = &object.metadata().finalizers;
    let waits = finalizers.iter().any(|finalizer| finalizer == GarbageController::FOREGROUND);
    if owns && !waits && owners.contains(&Owner::Foreground) {
        return change(object, |metadata| metadata.finalizers.push(GarbageController::FOREGROUND.to_owned()));
    }
    let mut plan = Plan::nothing();
    plan.then(Action::Delete { object: Arc::clone(object), grace: Grace::Own });
    Ok(plan)
}

fn change(object: &Arc<dyn AnyObject>, change: impl FnOnce(&mut ObjectMeta)) -> Result<Plan, ClientError> {
    let mut new = object.clone_arc();
    change(Arc::get_mut(&mut new).expect("an object just copied is shared with nobody").metadata_mut());
    let mut plan = Plan::nothing();
    plan.then(Action::Update { object: new, on: Precondition::of(&**object)? });
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use orch_core::object::{OwnerReference, Pod, Time};
    use orch_core::revision::Revision;

    use super::*;

    fn pod(owners: &[&str], finalizers: &[&str], deleting: bool) -> Arc<dyn AnyObject> {
        let mut pod = Pod::default();
        pod.metadata.name = "web".to_owned();
        pod.metadata.namespace = Some("shop".to_owned());
        pod.metadata.uid = Some(Uid::new("pod"));
        pod.metadata.revision = Some(Revision(3));
        pod.metadata.finalizers = finalizers.iter().map(|&name| name.to_owned()).collect();
        pod.metadata.deletion_timestamp = deleting.then(|| Time::from(orch_core::clock::Timestamp::UNIX_EPOCH));
        pod.metadata.owner_references =
            owners.iter().map(|uid| OwnerReference { uid: Uid::new(*uid), ..OwnerReference::default() }).collect();
        Arc::new(pod)
    }

    fn told(plan: &Plan) -> String {
        match plan.actions.as_slice() {
            [] => "nothing".to_owned(),
            [Action::Delete { .. }] => "delete".to_owned(),
            [Action::Update { object, .. }] => {
                let metadata = object.metadata();
                let owners: Vec<&str> = metadata.owner_references.iter().map(|owner| owner.uid.as_str()).collect();
                format!("owners {} finalizers {}", owners.join(","), metadata.finalizers.join(","))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_object_goes_when_all_its_owners_are_gone_or_wait_for_it() {
        use Owner::{Foreground, Gone, Here, Orphaning};
        for (owners, owns, expected) in [
            (&[][..], false, "nothing"),
            (&[Here], false, "nothing"),
            (&[Gone], false, "delete"),
            (&[Gone], true, "delete"),
            (&[Gone, Here], false, "nothing"),
            (&[Gone, Gone], false, "delete"),
            (&[Foreground], false, "delete"),
            (&[Foreground], true, "owners 0 finalizers foregroundDeletion"),
            (&[Foreground, Here], true, "nothing"),
            (&[Foreground, Gone], false, "delete"),
            (&[Orphaning], false, "owners  finalizers "),
            (&[Orphaning, Gone], false, "owners 1 finalizers "),
            (&[Here, Orphaning], false, "owners 0 finalizers "),
        ] {
            let object = pod(&["0", "1"][..owners.len()], &[], false);
            let plan = follow(&object, owners, owns).expect("a plan");
            assert_eq!(told(&plan), expected, "{owners:?}, owns: {owns}");
        }
    }

    #[test]
    fn an_object_is_deleted_once() {
        let plan = follow(&pod(&["0"], &[], true), &[Owner::Gone], false).expect("a plan");
        assert_eq!(told(&plan), "nothing");
    }

    #[test]
    fn an_object_passes_on_that_it_waits_and_is_deleted_after() {
        let plan = follow(&pod(&["0"], &["foregroundDeletion"], false), &[Owner::Foreground], true).expect("a plan");
        assert_eq!(told(&plan), "delete");
    }

    #[test]
    fn only_a_deletion_that_was_asked_for_is_held_and_leaving_behind_comes_first() {
        assert_eq!(Hold::of(&*pod(&[], &["foregroundDeletion"], false)), None);
        assert_eq!(Hold::of(&*pod(&[], &["foregroundDeletion", "orphan"], true)), Some(Hold::Orphan));
        assert_eq!(Hold::of(&*pod(&[], &["example.org/other"], true)), None);
        let plan = release(&pod(&[], &["orphan", "example.org/other"], true), Hold::Orphan).expect("a plan");
        assert_eq!(told(&plan), "owners  finalizers example.org/other");
    }
}
