//! [`TableIndex`]: the service table of a cluster, kept up to date change by change. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::controller::Change;
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Service, Time, Uid};
use orch_core::proxy::{Place, ServicePort, ServicePortName, ServiceTable};

use super::ports::{Wanted, wanted};
use crate::service_slices::ServiceSlices;

/// The service table of a cluster, kept up to date change by change. A change costs what its service is large, not how
/// many services there are.
///
/// The table is always valid. A service port that cannot be served is left out, and [`refused`](Self::refused) says
/// why. Of several service ports that claim the same place, that of the oldest service has it: nobody can take over
/// the address of a service that was there before.
#[derive(Debug, Default)]
pub(super) struct TableIndex {
    node: Option<String>,
    services: BTreeMap<Key, Known>,
    slices: ServiceSlices,
    claims: BTreeMap<Place, BTreeSet<Claim>>,
    table: Arc<ServiceTable>,
    refused: BTreeMap<ServicePortName, String>,
    changes: u64,
}

#[derive(Debug)]
struct Known {
    service: Arc<Service>,
    wanted: Wanted,
}

/// Who claims a place. The least one has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    since: Option<Time>,
    uid: Option<Uid>,
    name: ServicePortName,
}

impl Claim {
    fn of(service: &Service, name: &ServicePortName) -> Self {
        let metadata = &service.metadata;
        Self { since: metadata.creation_timestamp, uid: metadata.uid.clone(), name: name.clone() }
    }
}

impl TableIndex {
    /// The index of an empty cluster, for a proxy on `node`.
    pub(super) fn new(node: Option<String>) -> Self {
        Self { node, ..Self::default() }
    }

    /// The table. Valid.
    pub(super) fn table(&self) -> &Arc<ServiceTable> {
        &self.table
    }

    /// The service ports that are left out, and why.
    pub(super) fn refused(&self) -> &BTreeMap<ServicePortName, String> {
        &self.refused
    }

    /// How often the table or what is left out of it changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The service of that key.
    pub(super) fn service(&self, key: &Key) -> Option<&Arc<Service>> {
        self.services.get(key).map(|known| &known.service)
    }

    /// Takes notice of a change of a service or a slice.
    pub(super) fn apply(&mut self, change: &Change) {
        if change.key().collection() == Service::KIND.collection {
            let service = change.current().and_then(|object| Arc::clone(object).downcast_arc().ok());
            self.refresh(change.key(), service);
            return;
        }
        for key in self.slices.apply(change) {
            self.refresh(&key, self.service(&key).cloned());
        }
    }

    /// Works out anew what a service asks for, and who has the places that it claims or claimed.
    fn refresh(&mut self, key: &Key, service: Option<Arc<Service>>) {
        let mut touched = BTreeSet::new();
        if let Some(Known { service, wanted }) = self.services.remove(key) {
            for (name, port) in wanted {
                self.withdraw(&Claim::of(&service, &name), port.as_ref().ok(), &mut touched);
            }
        }
        if let Some(service) = service {
            let wanted = wanted(key, &service, self.slices.of(key, &service), self.node.as_deref());
            for (name, port) in &wanted {
                self.claim(&Claim::of(&service, name), port.as_ref().ok(), &mut touched);
            }
            self.services.insert(key.clone(), Known { service, wanted });
        }
        for name in touched {
            if self.settle(&name) {
                self.changes += 1;
            }
        }
    }

    fn withdraw(&mut self, claim: &Claim, port: Option<&ServicePort>, touched: &mut BTreeSet<ServicePortName>) {
        touched.insert(claim.name.clone());
        for place in port.into_iter().flat_map(ServicePort::places) {
            let Some(claims) = self.claims.get_mut(&place) else { continue };
            claims.remove(claim);
            touched.extend(claims.iter().map(|claim| claim.name.clone()));
            if claims.is_empty() {
                self.claims.remove(&place);
            }
        }
    }

    fn claim(&mut self, claim: &Claim, port: Option<&ServicePort>, touched: &mut BTreeSet<ServicePortName>) {
        touched.insert(claim.name.clone());
        for place in port.into_iter().flat_map(ServicePort::places) {
            let claims = self.claims.entry(place).or_default();
            touched.extend(claims.iter().map(|claim| claim.name.clone()));
            claims.insert(claim.clone());
        }
    }

    /// Puts a service port into the table or takes it out, as the claims are. Returns whether anything changed.
    fn settle(&mut self, name: &ServicePortName) -> bool {
        let wanted = self.services.get(&name.service).and_then(|known| known.wanted.get(name));
        let (port, reason) = match wanted {
            None => (None, None),
            Some(Err(reason)) => (None, Some(reason.clone())),
            Some(Ok(port)) => match self.obstacle(name, port) {
                None => (Some(port.clone()), None),
                reason => (None, reason),
            },
        };
        // Looked at first: changing a table that the proxy still holds copies it.
        let same = self.table.get(name).map(|old| &**old) == port.as_ref();
        if self.refused.get(name) == reason.as_ref() && same {
            return false;
        }
        if !same {
            Arc::make_mut(&mut self.table).set(name.clone(), port);
        }
        match reason {
            Some(reason) => self.refused.insert(name.clone(), reason),
            None => self.refused.remove(name),
        };
        true
    }

    /// Why the service port cannot have a place that it asks for.
    fn obstacle(&self, name: &ServicePortName, port: &ServicePort) -> Option<String> {
        port.places().find_map(|place| {
            let holder = &self.claims.get(&place)?.first()?.name;
            (holder != name).then(|| format!("{place} belongs to {holder}, which is older: choose another one"))
        })
    }
}

#[cfg(test)]
mod tests;
