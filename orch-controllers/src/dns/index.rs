//! [`NameIndex`]: the name table of a cluster, kept up to date change by change. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use orch_core::controller::Change;
use orch_core::dns::NameTable;
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object as _};
use orch_core::object::{Pod, Service};

use super::names::names;
use crate::service_slices::ServiceSlices;

/// The name table of a cluster, kept up to date change by change. A change costs what its service is large, not how many
/// services and pods there are.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    services: BTreeMap<Key, Arc<Service>>,
    slices: ServiceSlices,
    /// Which pods have an address, by namespace. Those on the network of their node share one.
    pods: BTreeMap<(String, IpAddr), BTreeSet<Key>>,
    table: NameTable,
}

impl NameIndex {
    /// The table.
    pub(super) fn table(&self) -> &NameTable {
        &self.table
    }

    /// Takes notice of a change of a service, a slice or a pod.
    pub(super) fn apply(&mut self, change: &Change) {
        let collection = change.key().collection();
        if collection == Service::KIND.collection {
            let service = change.current().and_then(|object| Arc::clone(object).downcast_arc().ok());
            match service {
                Some(service) => self.services.insert(change.key().clone(), service),
                None => self.services.remove(change.key()),
            };
            self.refresh(change.key());
        } else if collection == Pod::KIND.collection {
            self.apply_pod(change);
        } else {
            for service in self.slices.apply(change) {
                self.refresh(&service);
            }
        }
    }

    fn refresh(&mut self, key: &Key) {
        let names = self.services.get(key).map(|service| names(service, self.slices.of(key, service)));
        self.table.set_service(key, names);
    }

    fn apply_pod(&mut self, change: &Change) {
        let Some(namespace) = change.key().namespace() else { return };
        let (old, new) = (addresses(change.previous()), addresses(change.current()));
        for address in old.difference(&new) {
            let place = (namespace.to_owned(), *address);
            let Some(pods) = self.pods.get_mut(&place) else { continue };
            pods.remove(change.key());
            if pods.is_empty() {
                self.pods.remove(&place);
                self.table.set_pod(namespace, *address, false);
            }
        }
        for address in new {
            self.pods.entry((namespace.to_owned(), address)).or_default().insert(change.key().clone());
            self.table.set_pod(namespace, address, true);
        }
    }
}

/// The addresses of a pod that has not ended.
fn addresses(pod: Option<&Arc<dyn AnyObject>>) -> BTreeSet<IpAddr> {
    let pod = pod.and_then(|object| object.downcast_ref::<Pod>()).filter(|pod| !pod.status.phase().is_terminal());
    let status = pod.map(|pod| &pod.status).into_iter();
    let all = status.flat_map(|status| status.pod_ip.iter().chain(status.pod_ips.iter().map(|address| &address.ip)));
    all.filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
