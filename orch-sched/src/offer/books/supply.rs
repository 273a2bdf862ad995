//! What changes of nodes mean for the books.

use std::sync::Arc;

use orch_core::allocator::{NodeSupply, Rescinded, Resources, Unavailability};

use super::Books;
use super::columns::Parcel;
use super::quotas::{plain, reserved_for};

/// The resource of which nodes are kept for those who can deal with it.
const GPUS: &str = "gpus";

impl Books {
    /// A node came, or has other totals or attributes.
    pub(super) fn put_node(&mut self, supply: NodeSupply) -> Vec<Rescinded> {
        let known = self.nodes.number(&supply.name);
        let node = known.unwrap_or_else(|| {
            let age = self.next_age();
            self.nodes.insert(NodeSupply::new(supply.name.clone(), Resources::new()), age)
        });
        let before = &self.node(node).supply;
        let other = before.attributes != supply.attributes || before.region != supply.region;
        let total = supply.total.clone();
        let entry = self.node_mut(node);
        (entry.supply.attributes, entry.supply.region) = (supply.attributes, supply.region);
        self.set_total(node, total);
        self.find_free(node);
        let mut rescinded = Vec::new();
        if other && known.is_some() {
            self.forget_refusals_on(node);
        }
        if self.node(node).overdrawn {
            rescinded = self.rescind_of_node(node);
            self.find_free(node);
        }
        self.mark(node);
        rescinded
    }

    /// A node went, with all that was used on it.
    pub(super) fn remove_node(&mut self, node: u32) -> Vec<Rescinded> {
        let rescinded = self.rescind_of_node(node);
        for (client, used) in self.node(node).used.clone() {
            self.unuse(client, node, &used);
            let framework = self.client(client).framework.clone();
            self.forget_idle_clients(&framework);
        }
        self.set_total(node, Resources::new());
        self.find_free(node);
        self.nodes.remove(node);
        rescinded
    }

    pub(super) fn set_node_active(&mut self, node: u32, active: bool) -> Vec<Rescinded> {
        let rescinded = if active { Vec::new() } else { self.rescind_of_node(node) };
        let entry = self.node_mut(node);
        let changed = entry.active != active;
        entry.active = active;
        if let Some(free) = entry.free.clone().filter(|_| changed) {
            self.quotas.open(free.plain(), if active { 1 } else { -1 });
            self.note_quota_change();
        }
        self.mark(node);
        rescinded
    }

    pub(super) fn set_unavailable(&mut self, node: u32, when: Option<Unavailability>) -> Vec<Rescinded> {
        if self.node(node).unavailability == when {
            return Vec::new();
        }
        self.node_mut(node).unavailability = when;
        self.mark(node);
        self.rescind_of_node(node)
    }

    /// The node has so much now, used or not.
    pub(super) fn set_total(&mut self, node: u32, total: Resources) {
        self.columns.register(&total);
        let row = self.columns.amounts(&total, |_| true);
        let tops: Vec<String> = self.quotas.quotas().map(|(top, _)| top.to_owned()).collect();
        for top in tops {
            let before = reserved_for(&top, &self.node(node).supply.total, &self.columns);
            self.quotas.consume(&top, &before, -1);
            self.quotas.consume(&top, &reserved_for(&top, &total, &self.columns), 1);
        }
        let own_region = self.options.region.clone();
        let only_gpus = self.options.keep_gpus_free && !total.scalar(GPUS).is_zero();
        let entry = self.node_mut(node);
        entry.only_other_regions =
            own_region.is_some() && entry.supply.region.is_some() && entry.supply.region != own_region;
        entry.only_gpus = only_gpus;
        entry.supply.total = total;
        let before = std::mem::replace(&mut entry.total, row.clone());
        if before.iter().ne(row.iter().take(before.len())) || row.iter().skip(before.len()).any(|amount| *amount != 0) {
            self.columns.count(&before, -1);
            self.columns.count(&row, 1);
        }
        self.note_quota_change();
    }

    /// Computes anew what of the node is free.
    pub(super) fn find_free(&mut self, node: u32) {
        let entry = self.node(node);
        let mut taken = Resources::new();
        for (_, used) in &entry.used {
            taken = taken.plus(used);
        }
        if self.exclusive {
            for place in entry.offers.iter() {
                taken = taken.plus(
                    &self
                        .offers
                        .at(*place)
                        .map_or_else(Resources::new, |offer| Resources::clone(&offer.parcel.resources)),
                );
            }
        }
        let free = entry.supply.total.saturating_minus(&taken);
        let overdrawn = !entry.supply.total.contains(&taken);
        self.node_mut(node).overdrawn = overdrawn;
        let parcel = self.columns.parcel(free);
        self.set_free(node, parcel);
    }

    /// A parcel of the node is neither used nor offered any more.
    pub(super) fn free_again(&mut self, node: u32, parcel: &Arc<Parcel>) {
        let entry = self.node(node);
        if entry.overdrawn {
            return self.find_free(node);
        }
        let free = match &entry.free {
            None => Some(Arc::clone(parcel)),
            Some(free) => self.columns.parcel(free.resources.plus(&parcel.resources)),
        };
        self.set_free(node, free);
    }

    /// So much of the node is free. What was before comes back.
    pub(crate) fn set_free(&mut self, node: u32, free: Option<Arc<Parcel>>) -> Option<Arc<Parcel>> {
        let active = self.node(node).active;
        if let Some(free) = free.as_ref().filter(|_| active) {
            self.quotas.open(free.plain(), 1);
        }
        let entry = self.node_mut(node);
        entry.version += 1;
        let before = std::mem::replace(&mut entry.free, free);
        if let Some(before) = before.as_ref().filter(|_| active) {
            self.quotas.open(before.plain(), -1);
        }
        self.note_quota_change();
        self.mark(node);
        before
    }

    /// Where there are quotas, what is free here may decide what can be offered there.
    pub(super) fn note_quota_change(&mut self) {
        if !self.quotas.is_empty() {
            self.all_marked = true;
        }
    }

    /// What a role of the top has, with all below it: what is reserved for it, and what else it uses or is offered.
    pub(super) fn consumed(&self, top: &str) -> Vec<i128> {
        let mut sums = vec![0_i128; self.columns.totals.amounts.len()];
        let mut count = |amounts: Vec<i64>| {
            sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += i128::from(amount));
        };
        let is_of = |client: u32| self.roles.top(self.client(client).role) == top;
        for (_, entry) in self.nodes.iter() {
            count(reserved_for(top, &entry.supply.total, &self.columns));
            for (_, used) in entry.used.iter().filter(|(client, _)| is_of(*client)) {
                count(plain(used, &self.columns));
            }
            if self.exclusive {
                let offers = entry.offers.iter().filter_map(|place| self.offers.at(*place));
                offers.filter(|offer| is_of(offer.client)).for_each(|offer| count(offer.parcel.plain().to_vec()));
            }
        }
        sums
    }
}
