//! What of a node a client may be offered.

use std::sync::Arc;

use orch_core::allocator::{Capabilities, Resource, Resources};

use super::Books;
use super::columns::{Parcel, is_plain};
use super::quotas::Allowance;

/// What a round is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Giving roles what they are guaranteed.
    Guarantees,
    /// Giving the rest.
    Rest,
}

/// What stands against a portion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// Nothing that is left is for the role.
    NotForIt,
    /// The role is at its limit.
    Limit,
    /// What is left is kept for guarantees.
    Kept,
}

impl Books {
    /// What of a parcel a framework in the role may be offered, before it is asked whether that is enough and whether it
    /// has refused it.
    pub(crate) fn portion(
        &self,
        role: u32,
        can: Capabilities,
        left: &Arc<Parcel>,
        stage: Stage,
    ) -> Result<Arc<Parcel>, Short> {
        if is_undivided(left) && self.quotas.is_empty() && stage == Stage::Rest {
            return Ok(Arc::clone(left));
        }
        let for_role = |part: &Resource| {
            let owner = part.owner().is_none_or(|owner| self.roles.is_within(role, owner));
            owner && (can.revocable || !part.revocable) && (can.refined_reservations || part.reservations.len() < 2)
        };
        let divided = |part: &Resource| is_plain(part) && part.amount().is_some();
        let whole = left.resources.filtered(|part| for_role(part) && !divided(part));
        let plain = left.resources.filtered(|part| for_role(part) && divided(part));
        let top = self.roles.top(role);
        let limit = self.quotas.below_limit(top);
        let kept = self.quotas.not_kept();
        let parts = match stage {
            Stage::Guarantees => {
                let guaranteed = self.quotas.guaranteed(top).ok_or(Short::NotForIt)?;
                let first = guaranteed.chop_strictly(&plain, &self.columns);
                if first.is_empty() {
                    return Err(Short::NotForIt);
                }
                let amounts = self.columns.amounts(&first, |_| true);
                let rest = plain.saturating_minus(&first);
                // What is taken of the guarantee was kept for it: what is kept for others remains.
                first.plus(&self.chopped(&rest, limit.clone().less(&amounts), kept))
            }
            Stage::Rest => self.chopped(&plain, limit.clone(), kept),
        };
        self.columns.parcel(whole.plus(&parts)).ok_or_else(|| {
            let limited = !plain.is_empty() && limit.chop(&plain, &self.columns).is_empty();
            match (plain.is_empty(), limited) {
                (true, _) => Short::NotForIt,
                (false, true) => Short::Limit,
                (false, false) => Short::Kept,
            }
        })
    }

    /// The client that gets all that is free of the node, if nothing stands against that: no reservation, no quota.
    pub(crate) fn all_to_one(&self, role: u32, node: u32, free: &Arc<Parcel>, stage: Stage) -> Option<u32> {
        let whole = stage == Stage::Rest && is_undivided(free) && self.quotas.is_empty();
        whole.then(|| self.first_for(role, node, free)).flatten()
    }

    fn chopped(&self, resources: &Resources, limit: Allowance, kept: Allowance) -> Resources {
        kept.chop(&limit.chop(resources, &self.columns), &self.columns)
    }

    /// Counts a parcel for the role's quota.
    pub(crate) fn spend(&mut self, role: u32, parcel: &Parcel) {
        if !self.quotas.is_empty() {
            self.quotas.consume(self.roles.top(role), parcel.plain(), 1);
        }
    }

    /// What is left of a parcel without a portion of it.
    pub(crate) fn without(&self, left: &Arc<Parcel>, portion: &Arc<Parcel>) -> Option<Arc<Parcel>> {
        if Arc::ptr_eq(left, portion) {
            return None;
        }
        self.columns.parcel(left.resources.saturating_minus(&portion.resources))
    }

    pub(crate) fn has_guarantees(&self) -> bool {
        self.quotas.has_guarantees()
    }

    /// Which capability the client lacks for this node.
    pub(crate) fn lacking(&self, client: u32, node: u32) -> Option<&'static str> {
        let entry = self.node(node);
        if !entry.only_gpus && !entry.only_other_regions {
            return None;
        }
        let can = self.framework_of(client).framework.capabilities;
        if entry.only_gpus && !can.gpus {
            Some("gpus")
        } else if entry.only_other_regions && !can.other_regions {
            Some("other_regions")
        } else {
            None
        }
    }

    /// Whether the client finds this worth while.
    pub(crate) fn is_enough(&self, client: u32, parcel: &Parcel) -> bool {
        parcel.meets(self.client(client).least.as_ref().unwrap_or(&self.least))
    }

    /// Whether the client has refused this, or more.
    pub(crate) fn is_refused(&self, client: u32, node: u32, parcel: &Arc<Parcel>) -> bool {
        let (role, seat) = (self.client(client).role, self.client(client).seat);
        let refused = &self.node(node).refused;
        refused.iter().any(|known| known.has(seat) && known.holds_back(role, parcel))
    }

    /// The first framework of the role, by its client, that can be offered a parcel of the node which all of the role may
    /// have alike.
    pub(crate) fn first_for(&self, role: u32, node: u32, parcel: &Arc<Parcel>) -> Option<u32> {
        let frameworks = self.roles.frameworks(role);
        let usual = parcel.meets(&self.least);
        let takes = |seat: u32| {
            let client = self.roles.client(role, seat);
            let least = self.client(client).least.as_ref();
            let enough = least.map_or(usual, |least| parcel.meets(least));
            (enough && self.lacking(client, node).is_none()).then_some(client)
        };
        let held_back = || self.node(node).refused.iter().filter(|known| known.holds_back(role, parcel));
        // The usual case: the first of all can be offered it.
        let first = frameworks.first()?;
        if !held_back().any(|known| known.has(first))
            && let Some(client) = takes(first)
        {
            return Some(client);
        }
        let mut barred: Vec<u64> = Vec::new();
        for known in held_back() {
            if barred.len() < known.seats.len() {
                barred.resize(known.seats.len(), 0);
            }
            barred.iter_mut().zip(&known.seats).for_each(|(word, seats)| *word |= seats);
        }
        loop {
            let seat = frameworks.first_but(&barred)?;
            if let Some(client) = takes(seat) {
                return Some(client);
            }
            let word = seat as usize / 64;
            if barred.len() <= word {
                barred.resize(word + 1, 0);
            }
            barred[word] |= 1 << (seat % 64);
        }
    }
}

/// Whether all of it is for everybody.
fn is_undivided(parcel: &Parcel) -> bool {
    !parcel.has_reserved && !parcel.has_revocable
}
