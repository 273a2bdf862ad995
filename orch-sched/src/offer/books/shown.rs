//! Offers that all see, brought up to date.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::allocator::Rescinded;

use super::Books;
use super::columns::Parcel;
use super::portion::Stage;

impl Books {
    /// What the client may see of the node, if that is worth while.
    pub(crate) fn shown(&self, client: u32, node: u32) -> Option<Arc<Parcel>> {
        let free = self.node(node).free.as_ref()?;
        if self.lacking(client, node).is_some() {
            return None;
        }
        let (role, can) = (self.client(client).role, self.framework_of(client).framework.capabilities);
        let guaranteed = self.portion(role, can, free, Stage::Guarantees);
        let portion = guaranteed.or_else(|_| self.portion(role, can, free, Stage::Rest)).ok()?;
        self.is_enough(client, &portion).then_some(portion)
    }

    /// The clients that have an offer of the node.
    pub(crate) fn seen_by(&self, node: u32) -> BTreeSet<u32> {
        let offers = self.node(node).offers.iter().filter_map(|place| self.offers.at(*place));
        offers.map(|offer| offer.client).collect()
    }

    /// Takes back the offers of a node that do not show it as it is, and renews the others.
    pub(crate) fn rescind_stale(&mut self, node: u32) -> Vec<Rescinded> {
        let version = self.node(node).version;
        let mut rescinded = Vec::new();
        for place in self.node(node).offers.clone().iter().copied() {
            let Some(offer) = self.offers.at(place) else { continue };
            let shown = self.shown(offer.client, node);
            if shown.is_some_and(|shown| shown.resources == offer.parcel.resources) {
                self.offers.renew(place, version);
            } else {
                rescinded.extend(self.rescind(place));
            }
        }
        rescinded
    }
}
