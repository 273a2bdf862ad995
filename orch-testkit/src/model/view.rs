//! [`ModelView`]: what a controller sees, as a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::controller::View;
use orch_core::key::{Key, Prefix};
use orch_core::kind::{AnyObject, Kind};
use orch_core::object::Uid;

/// What a controller sees, as a map: whatever a test puts in, and nothing else.
#[derive(Clone, Debug, Default)]
pub struct ModelView(pub BTreeMap<Key, Arc<dyn AnyObject>>);

impl ModelView {
    /// A view of one object.
    #[must_use]
    pub fn of(key: Key, object: Arc<dyn AnyObject>) -> Self {
        Self(BTreeMap::from([(key, object)]))
    }
}

impl View for ModelView {
    fn get_any(&self, key: &Key) -> Option<Arc<dyn AnyObject>> {
        self.0.get(key).cloned()
    }

    fn list_any(&self, prefix: &Prefix) -> Vec<Arc<dyn AnyObject>> {
        self.0.iter().filter(|(key, _)| prefix.contains(key)).map(|(_, object)| object.clone()).collect()
    }

    fn controlled_any(&self, kind: &Kind, owner: &Uid) -> Vec<Arc<dyn AnyObject>> {
        let of_kind = self.list_any(&Prefix::collection(kind));
        of_kind.into_iter().filter(|object| object.metadata().is_controlled_by(owner)).collect()
    }
}
