//! [`ReverseIndex`]: which objects name something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::controller::Change;
use orch_core::key::Key;
use orch_core::kind::AnyObject;

/// Which objects name something: an owner by its uid, a node by its name. Kept up to date from the changes that a
/// controller is shown, so that asking costs what is found, not what there is.
#[derive(Debug)]
pub(crate) struct ReverseIndex<Name> {
    names: fn(&dyn AnyObject) -> Vec<Name>,
    keys: Mutex<BTreeMap<Name, BTreeSet<Key>>>,
}

impl<Name: Ord> ReverseIndex<Name> {
    /// An empty index of what `names` finds in each object.
    pub(crate) fn new(names: fn(&dyn AnyObject) -> Vec<Name>) -> Self {
        Self { names, keys: Mutex::default() }
    }

    /// Takes notice of a change.
    pub(crate) fn observe(&self, change: &Change) {
        let mut keys = self.lock();
        for name in change.previous().map_or_else(Vec::new, |object| (self.names)(&**object)) {
            if let Some(of_name) = keys.get_mut(&name) {
                of_name.remove(change.key());
                if of_name.is_empty() {
                    keys.remove(&name);
                }
            }
        }
        for name in change.current().map_or_else(Vec::new, |object| (self.names)(&**object)) {
            keys.entry(name).or_default().insert(change.key().clone());
        }
    }

    /// The keys of the objects that name it, in order.
    pub(crate) fn keys(&self, name: &Name) -> Vec<Key> {
        self.lock().get(name).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, BTreeSet<Key>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::kind::Object;
    use orch_core::object::Pod;

    use super::*;

    #[test]
    fn an_object_is_found_under_what_it_names_now_and_nothing_else() {
        let pod = |node: &str| {
            let mut pod = Pod::default();
            pod.metadata.name = "web".to_owned();
            pod.metadata.namespace = Some("shop".to_owned());
            pod.spec.node_name = Some(node.to_owned());
            pod
        };
        let key = Object::key(&pod("a")).expect("a key");
        let index = ReverseIndex::new(|object| {
            object.downcast_ref::<Pod>().and_then(|pod| pod.spec.node_name.clone()).into_iter().collect()
        });
        let found = |index: &ReverseIndex<String>| ["a", "b"].map(|node| index.keys(&node.to_owned()).len());
        let (a, b): (Arc<dyn AnyObject>, Arc<dyn AnyObject>) = (Arc::new(pod("a")), Arc::new(pod("b")));
        index.observe(&Change::Put { key: key.clone(), object: a.clone(), previous: None });
        assert_eq!(found(&index), [1, 0]);
        index.observe(&Change::Put { key: key.clone(), object: b.clone(), previous: Some(a) });
        assert_eq!(found(&index), [0, 1]);
        index.observe(&Change::Removed { key, previous: b });
        assert!(index.lock().is_empty());
    }
}
