//! [`Index`]: the objects of one kind, by key and by owner.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use orch_core::controller::Change;
use orch_core::key::{Key, Prefix};
use orch_core::kind::AnyObject;
use orch_core::object::Uid;
use orch_core::revision::Revision;

/// The objects of one kind, as they were at one revision.
#[derive(Debug, Default)]
pub(super) struct Index {
    objects: BTreeMap<Key, Arc<dyn AnyObject>>,
    /// The keys of the objects that each uid manages.
    controlled: BTreeMap<Uid, BTreeSet<Key>>,
    unreadable: BTreeSet<Key>,
    reached: Option<Revision>,
}

/// An object of a listing: `None` where it could not be decoded.
pub(super) type Listed = BTreeMap<Key, Option<Arc<dyn AnyObject>>>;

impl Index {
    pub(super) fn reached(&self) -> Option<Revision> {
        self.reached
    }

    /// Notes that all up to `revision` was seen.
    pub(super) fn advance(&mut self, revision: Revision) {
        self.reached = self.reached.max(Some(revision));
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<dyn AnyObject>> {
        self.objects.get(key).cloned()
    }

    pub(super) fn list(&self, prefix: &Prefix) -> Vec<Arc<dyn AnyObject>> {
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let under = self.objects.range::<str, _>(from).take_while(|(key, _)| prefix.contains(key));
        under.map(|(_, object)| Arc::clone(object)).collect()
    }

    pub(super) fn controlled(&self, owner: &Uid) -> Vec<Arc<dyn AnyObject>> {
        let keys = self.controlled.get(owner).into_iter().flatten();
        keys.filter_map(|key| self.get(key)).collect()
    }

    pub(super) fn unreadable(&self) -> Vec<Key> {
        self.unreadable.iter().cloned().collect()
    }

    /// Notes that the last state of an object cannot be decoded. Whether that is news.
    pub(super) fn put_unreadable(&mut self, key: &Key) -> bool {
        self.unreadable.insert(key.clone())
    }

    /// Puts a state of an object, and returns what changed by it: nothing if it is not newer than what is there.
    ///
    /// Another object of the same name is a removal and an addition: nobody has to compare uids.
    pub(super) fn put(&mut self, key: Key, object: Arc<dyn AnyObject>) -> Vec<Change> {
        self.unreadable.remove(&key);
        let mut changes = Vec::with_capacity(1);
        if let Some(previous) = self.objects.get(&key) {
            if object.metadata().revision <= previous.metadata().revision {
                return changes;
            }
            if object.metadata().uid != previous.metadata().uid {
                changes.extend(self.remove(&key));
            }
        }
        let previous = self.objects.insert(key.clone(), Arc::clone(&object));
        self.reassign(&key, previous.as_deref(), Some(&*object));
        changes.push(Change::Put { key, object, previous });
        changes
    }

    /// Removes an object, and returns what changed by it.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Change> {
        self.unreadable.remove(key);
        let previous = self.objects.remove(key)?;
        self.reassign(key, Some(&*previous), None);
        Some(Change::Removed { key: key.clone(), previous })
    }

    /// Makes the objects those of a listing and returns what changed by it: removals first, then the others in the
    /// order of their revisions. A listing older than what was seen is refused.
    pub(super) fn replace(&mut self, listed: Listed, revision: Revision) -> Result<Vec<Change>, StaleListing> {
        if let Some(seen) = self.reached.filter(|seen| revision < *seen) {
            return Err(StaleListing { listed: revision, seen });
        }
        let gone: Vec<Key> = self.objects.keys().filter(|key| !listed.contains_key(*key)).cloned().collect();
        let mut changes: Vec<Change> = gone.iter().filter_map(|key| self.remove(key)).collect();
        self.unreadable.retain(|key| listed.contains_key(key));
        let mut found: Vec<_> = listed.into_iter().filter_map(|(key, object)| Some((key, object?))).collect();
        found.sort_by_key(|(_, object)| object.metadata().revision);
        changes.extend(found.into_iter().flat_map(|(key, object)| self.put(key, object)));
        self.advance(revision);
        Ok(changes)
    }

    fn reassign(&mut self, key: &Key, before: Option<&dyn AnyObject>, after: Option<&dyn AnyObject>) {
        let owner = |object: &dyn AnyObject| object.metadata().controller().map(|owner| owner.uid.clone());
        let (before, after) = (before.and_then(owner), after.and_then(owner));
        if before == after {
            return;
        }
        if let Some(owner) = before
            && let Some(keys) = self.controlled.get_mut(&owner)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.controlled.remove(&owner);
            }
        }
        if let Some(owner) = after {
            self.controlled.entry(owner).or_default().insert(key.clone());
        }
    }
}

/// A listing older than what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store listed its state at revision {listed}, after {seen} was seen: it lags behind, or it lost writes")]
pub(super) struct StaleListing {
    listed: Revision,
    seen: Revision,
}

#[cfg(test)]
mod tests {
    use orch_core::kind::Object;
    use orch_core::object::{Lease, OwnerReference};

    use super::*;

    fn lease(name: &str, uid: &str, revision: u64, owner: Option<&str>) -> (Key, Arc<dyn AnyObject>) {
        let mut lease = Lease::default();
        lease.metadata.name = name.to_owned();
        lease.metadata.namespace = Some("shop".to_owned());
        lease.metadata.uid = Some(Uid::new(uid));
        lease.metadata.revision = Some(Revision(revision));
        lease.metadata.owner_references.extend(owner.map(|uid| OwnerReference {
            uid: Uid::new(uid),
            controller: Some(true),
            ..OwnerReference::default()
        }));
        (Object::key(&lease).expect("a key"), Arc::new(lease))
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let uid = |object: &Arc<dyn AnyObject>| object.metadata().uid.clone().expect("a uid").to_string();
        let tell = |change: &Change| match change {
            Change::Put { key, object, previous } => {
                format!("{} {}->{}", key.name(), previous.as_ref().map_or("none".to_owned(), uid), uid(object))
            }
            Change::Removed { key, previous } => format!("{} {}->none", key.name(), uid(previous)),
        };
        changes.iter().map(tell).collect()
    }

    #[test]
    fn the_owner_index_follows_a_change_of_owner_and_a_removal() {
        let mut index = Index::default();
        let names = |index: &Index, owner: &str| index.controlled(&Uid::new(owner)).len();
        for (key, object) in [lease("a", "1", 1, Some("x")), lease("b", "2", 2, Some("x")), lease("c", "3", 3, None)] {
            index.put(key, object);
        }
        assert_eq!((names(&index, "x"), names(&index, "y")), (2, 0));
        let (key, object) = lease("a", "1", 4, Some("y"));
        index.put(key.clone(), object);
        assert_eq!((names(&index, "x"), names(&index, "y")), (1, 1));
        index.remove(&key);
        assert_eq!((names(&index, "x"), names(&index, "y")), (1, 0));
        assert_eq!(index.controlled.len(), 1, "an owner of nothing takes no memory");
    }

    #[test]
    fn an_object_never_goes_back_to_an_earlier_state() {
        let mut index = Index::default();
        let (key, new) = lease("a", "1", 5, None);
        index.put(key.clone(), new);
        assert!(index.put(key.clone(), lease("a", "1", 4, None).1).is_empty());
        assert!(index.put(key.clone(), lease("a", "1", 5, None).1).is_empty());
        assert_eq!(index.get(&key).expect("it is there").metadata().revision, Some(Revision(5)));
    }

    #[test]
    fn a_listing_is_shown_as_the_difference_to_what_was_seen() {
        let mut index = Index::default();
        let before = [lease("gone", "1", 1, None), lease("same", "2", 2, None), lease("other", "3", 3, None)];
        let listed = before.into_iter().map(|(key, object)| (key, Some(object))).collect();
        index.replace(listed, Revision(3)).expect("a first listing is taken");
        let after = [lease("same", "2", 2, None), lease("other", "4", 9, None), lease("new", "5", 7, None)];
        let listed: Listed = after.into_iter().map(|(key, object)| (key, Some(object))).collect();
        assert!(index.replace(listed.clone(), Revision(2)).is_err(), "a listing older than what was seen is refused");
        let changes = index.replace(listed, Revision(9)).expect("a later listing is taken");
        assert_eq!(told(&changes), ["gone 1->none", "new none->5", "other 3->none", "other none->4"]);
        assert_eq!(index.reached(), Some(Revision(9)));
    }
}
