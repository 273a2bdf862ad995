//! [`ServiceSlices`]: the endpoint slices of each service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::controller::Change;
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object as _};
use orch_core::object::{EndpointSlice, Service};

/// The endpoint slices of each service, also of one that is not known yet; kept up to date change by change.
#[derive(Debug, Default)]
pub(crate) struct ServiceSlices {
    slices: BTreeMap<Key, BTreeMap<Key, Arc<EndpointSlice>>>,
}

impl ServiceSlices {
    /// Takes notice of a change of a slice. Returns the services that it concerns.
    pub(crate) fn apply(&mut self, change: &Change) -> BTreeSet<Key> {
        let slice = |object: &Arc<dyn AnyObject>| Arc::clone(object).downcast_arc::<EndpointSlice>().ok();
        let old = change.previous().and_then(slice).and_then(|slice| service_of(&slice));
        let new = change.current().and_then(slice).and_then(|slice| Some((service_of(&slice)?, slice)));
        if let Some(slices) = old.as_ref().and_then(|service| self.slices.get_mut(service)) {
            slices.remove(change.key());
        }
        let mut concerned: BTreeSet<Key> = old.into_iter().collect();
        if let Some((service, slice)) = new {
            self.slices.entry(service.clone()).or_default().insert(change.key().clone(), slice);
            concerned.insert(service);
        }
        for key in &concerned {
            if self.slices.get(key).is_some_and(BTreeMap::is_empty) {
                self.slices.remove(key);
            }
        }
        concerned
    }

    /// The slices of a service. One that an earlier service of the same name owns does not count.
    pub(crate) fn of<'a>(&'a self, key: &Key, service: &'a Service) -> impl Iterator<Item = &'a EndpointSlice> {
        let slices = self.slices.get(key).into_iter().flat_map(BTreeMap::values);
        slices.map(|slice| &**slice).filter(|slice| belongs_to(slice, service))
    }
}

/// The service that a slice says it is of.
fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let name = slice.metadata.labels.get(EndpointSlice::SERVICE_LABEL)?;
    Key::new(&Service::KIND, slice.metadata.namespace.as_deref(), name).ok()
}

fn belongs_to(slice: &EndpointSlice, service: &Service) -> bool {
    slice.metadata.controller().is_none_or(|owner| Some(&owner.uid) == service.metadata.uid.as_ref())
}
