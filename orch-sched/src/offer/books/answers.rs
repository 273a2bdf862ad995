//! What frameworks make of their offers, and what becomes of it.

use orch_core::allocator::{
    Acceptance, AllocatorError, Conversion, Filters, NodeName, OfferId, Rescinded, Resource, Resources, Usage, Value,
};

use super::Books;
use super::offers::Outstanding;
use super::quotas::plain;

/// What is left of offered resources, and what became of them before.
struct Settled {
    rest: Resources,
    /// The node's total with what was converted.
    total: Resources,
}

impl Books {
    pub(crate) fn accept(&mut self, ids: &[OfferId], acceptance: &Acceptance) -> Result<(), AllocatorError> {
        let places = self.same_offers(ids)?;
        let offers: Vec<Outstanding> = places.into_iter().filter_map(|place| self.withdraw(place)).collect();
        let Some((client, node, version)) = offers.first().map(|offer| (offer.client, offer.node, offer.version))
        else {
            return Err(AllocatorError::NoOffers);
        };
        let offered = offers.iter().fold(Resources::new(), |sum, offer| sum.plus(&offer.parcel.resources));
        let settled = self.settle(node, &offered, acceptance).and_then(|settled| {
            if !self.exclusive {
                self.check_commit(ids[0], (client, node, version), &offered, &settled.rest, acceptance)?;
            }
            Ok(settled)
        });
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => {
                if matches!(error, AllocatorError::Conflict { .. }) {
                    self.counts.conflicts += offers.len() as u64;
                } else {
                    self.counts.declined += offers.len() as u64;
                }
                offers.iter().for_each(|offer| self.give_back(offer));
                return Err(error);
            }
        };
        let nothing = acceptance.used.is_empty() && acceptance.conversions.is_empty();
        let answered = if nothing { &mut self.counts.declined } else { &mut self.counts.accepted };
        *answered += offers.len() as u64;
        self.book(client, node, &offered, settled, acceptance);
        Ok(())
    }

    /// Books what was accepted and found to be right.
    fn book(&mut self, client: u32, node: u32, offered: &Resources, settled: Settled, acceptance: &Acceptance) {
        let (role, seat) = (self.client(client).role, self.client(client).seat);
        let top = self.roles.top(role).to_owned();
        if self.exclusive {
            self.quotas.consume(&top, &plain(offered, &self.columns), -1);
            let rest = self.columns.amounts(&settled.rest, |_| true);
            self.roles.take(role, seat, &rest, &self.columns.totals);
        } else {
            let used = self.columns.amounts(&acceptance.used, |_| true);
            self.roles.give(role, seat, &used, &self.columns.totals);
        }
        if !acceptance.conversions.is_empty() {
            self.set_total(node, settled.total);
        }
        self.quotas.consume(&top, &plain(&acceptance.used, &self.columns), 1);
        self.add_used(client, node, &acceptance.used);
        match self.columns.parcel(settled.rest) {
            Some(rest) if self.exclusive && acceptance.conversions.is_empty() => {
                self.free_again(node, &rest);
                self.refuse(client, node, &rest, acceptance.filters);
            }
            rest => {
                self.find_free(node);
                if let Some(rest) = rest {
                    self.refuse(client, node, &rest, acceptance.filters);
                }
            }
        }
    }

    pub(crate) fn decline(&mut self, id: OfferId, filters: Filters) -> Result<(), AllocatorError> {
        let place = self.offers.place(id)?;
        let Some(offer) = self.withdraw(place) else { return Err(AllocatorError::UnknownOffer(id)) };
        self.counts.declined += 1;
        self.give_back(&offer);
        self.refuse(offer.client, offer.node, &offer.parcel, filters);
        Ok(())
    }

    /// The places of offers that are of one framework in one role, and of one node.
    fn same_offers(&self, ids: &[OfferId]) -> Result<Vec<u32>, AllocatorError> {
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            let place = self.offers.place(*id)?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let of = |place: &u32| self.offers.at(*place).map(|offer| (offer.client, offer.node));
        let differs = ids.iter().zip(&places).find(|(_, place)| of(place) != places.first().and_then(of));
        match differs {
            Some((other, _)) => Err(AllocatorError::OffersDiffer { one: ids[0], other: *other }),
            None => Ok(places),
        }
    }

    /// What would be left of these resources, if conversions and use are possible.
    fn settle(&self, node: u32, offered: &Resources, acceptance: &Acceptance) -> Result<Settled, AllocatorError> {
        let mut pool = offered.clone();
        let mut total = self.node(node).supply.total.clone();
        for conversion in &acceptance.conversions {
            check_conserved(conversion)?;
            pool = taken(&pool, &conversion.from)?.plus(&conversion.to);
            total = total.saturating_minus(&conversion.from).plus(&conversion.to);
        }
        Ok(Settled { rest: taken(&pool, &acceptance.used)?, total })
    }

    /// Whether what is wanted of a node that others see, too, is still there, and may be had.
    fn check_commit(
        &self,
        id: OfferId,
        (client, node, version): (u32, u32, u64),
        offered: &Resources,
        rest: &Resources,
        acceptance: &Acceptance,
    ) -> Result<(), AllocatorError> {
        let entry = self.node(node);
        let free = entry.free.as_ref().map_or_else(Resources::new, |free| Resources::clone(&free.resources));
        let conflict =
            |missing: String| AllocatorError::Conflict { offer: id, node: entry.supply.name.clone(), missing };
        match self.settle(node, &free, acceptance) {
            Err(AllocatorError::Insufficient { missing, .. }) => return Err(conflict(missing)),
            Err(error) => return Err(error),
            Ok(_) if self.strict && entry.version != version => {
                let missing = offered.saturating_minus(&free).to_string();
                return Err(conflict(if missing.is_empty() { "nothing".to_owned() } else { missing }));
            }
            Ok(_) => {}
        }
        let role = self.client(client).role;
        let top = self.roles.top(role);
        let taken: Vec<i64> = plain(offered, &self.columns)
            .into_iter()
            .zip(plain(rest, &self.columns))
            .map(|(offered, rest)| offered.saturating_sub(rest))
            .collect();
        let exceeded = self.quotas.below_limit(top).exceeded_by(&taken).or_else(|| {
            let others_keep = match self.quotas.guaranteed(top) {
                Some(own) => self.quotas.not_kept().or(&own),
                None => self.quotas.not_kept(),
            };
            others_keep.exceeded_by(&taken)
        });
        match exceeded {
            None => Ok(()),
            Some(column) => {
                let resource = self.columns.name(column).to_owned();
                Err(AllocatorError::OverQuota { role: self.roles.role(role), resource })
            }
        }
    }

    fn add_used(&mut self, client: u32, node: u32, used: &Resources) {
        if used.is_empty() {
            return;
        }
        self.client_mut(client).nodes.insert(node);
        let entry = self.node_mut(node);
        match entry.used_by(client) {
            Some(before) => *before = before.plus(used),
            None => entry.used.push((client, used.clone())),
        }
    }

    /// The client uses so much less, which is not free yet.
    pub(super) fn unuse(&mut self, client: u32, node: u32, used: &Resources) {
        let (role, seat) = (self.client(client).role, self.client(client).seat);
        let amounts = self.columns.amounts(used, |_| true);
        self.roles.take(role, seat, &amounts, &self.columns.totals);
        self.quotas.consume(self.roles.top(role), &plain(used, &self.columns), -1);
        let entry = self.node_mut(node);
        let Some(has) = entry.used_by(client) else { return };
        *has = has.saturating_minus(used);
        if has.is_empty() {
            entry.used.retain(|(user, _)| *user != client);
            self.client_mut(client).nodes.remove(&node);
        }
    }

    pub(super) fn adopt(&mut self, usage: Usage) -> Result<Vec<Rescinded>, AllocatorError> {
        let node = self.find_node(&usage.node)?;
        if usage.resources.is_empty() {
            return Ok(Vec::new());
        }
        self.columns.register(&usage.resources);
        let client = self.make_client(&usage.framework, &usage.role);
        let (role, seat) = (self.client(client).role, self.client(client).seat);
        let amounts = self.columns.amounts(&usage.resources, |_| true);
        self.roles.give(role, seat, &amounts, &self.columns.totals);
        self.quotas.consume(self.roles.top(role), &plain(&usage.resources, &self.columns), 1);
        self.add_used(client, node, &usage.resources);
        let entry = self.node(node);
        let free = entry.free.as_ref().filter(|_| !entry.overdrawn);
        // The usual case: it takes some of what is free.
        if let Some(left) = free.and_then(|free| free.resources.minus(&usage.resources)) {
            let parcel = self.columns.parcel(left);
            self.set_free(node, parcel);
            return Ok(Vec::new());
        }
        self.find_free(node);
        if !self.node(node).overdrawn {
            return Ok(Vec::new());
        }
        let rescinded = self.rescind_of_node(node);
        self.find_free(node);
        Ok(rescinded)
    }

    pub(super) fn recover(&mut self, usage: &Usage, filters: Filters) -> Result<(), AllocatorError> {
        let node = self.find_node(&usage.node)?;
        let entry = self.frameworks.get(&usage.framework);
        let entry = entry.ok_or_else(|| AllocatorError::UnknownFramework(usage.framework.clone()))?;
        let not_in_role = || AllocatorError::NotInRole { framework: usage.framework.clone(), role: usage.role.clone() };
        let client = *entry.clients.get(&usage.role).ok_or_else(not_in_role)?;
        let has = self.node_mut(node).used_by(client).cloned().unwrap_or_default();
        taken(&has, &usage.resources)?;
        let Some(parcel) = self.columns.parcel(usage.resources.clone()) else { return Ok(()) };
        self.unuse(client, node, &usage.resources);
        self.free_again(node, &parcel);
        self.refuse(client, node, &parcel, filters);
        self.forget_idle_clients(&usage.framework);
        Ok(())
    }

    pub(super) fn convert(
        &mut self,
        name: &NodeName,
        conversion: &Conversion,
    ) -> Result<Vec<Rescinded>, AllocatorError> {
        let node = self.find_node(name)?;
        check_conserved(conversion)?;
        let entry = self.node(node);
        let used = entry.used.iter().fold(Resources::new(), |sum, (_, used)| sum.plus(used));
        taken(&entry.supply.total.saturating_minus(&used), &conversion.from)?;
        let mut rescinded = Vec::new();
        let free =
            |books: &Self| books.node(node).free.as_ref().is_some_and(|free| free.resources.contains(&conversion.from));
        while !free(self) {
            let Some(place) = self.node(node).offers.first().copied() else { break };
            rescinded.extend(self.rescind(place));
        }
        let total = self.node(node).supply.total.saturating_minus(&conversion.from).plus(&conversion.to);
        self.set_total(node, total);
        self.find_free(node);
        Ok(rescinded)
    }
}

/// What is left without `wanted`.
fn taken(pool: &Resources, wanted: &Resources) -> Result<Resources, AllocatorError> {
    pool.minus(wanted).ok_or_else(|| AllocatorError::Insufficient {
        wanted: wanted.to_string(),
        missing: wanted.saturating_minus(pool).to_string(),
        available: pool.to_string(),
    })
}

/// A conversion leaves every amount, number and word as it is, and changes only whose they are and what for.
fn check_conserved(conversion: &Conversion) -> Result<(), AllocatorError> {
    let bare = |resources: &Resources| -> Resources {
        let bare = |part: &Resource| Resource::of(&part.name, part.value.clone());
        resources.iter().map(bare).collect()
    };
    // Sums of ranges and sets hide what is there twice.
    let pieces = |resources: &Resources| -> usize {
        let count = |part: &Resource| match &part.value {
            Value::Set(words) => words.len(),
            Value::Ranges(ranges) => {
                let lengths = ranges.spans().map(|(first, last)| usize::try_from(last - first).unwrap_or(usize::MAX));
                lengths.fold(0_usize, |sum, length| sum.saturating_add(length).saturating_add(1))
            }
            Value::Scalar(_) => 0,
        };
        resources.iter().map(count).fold(0, usize::saturating_add)
    };
    let (from, to) = (&conversion.from, &conversion.to);
    if bare(from) == bare(to) && pieces(from) == pieces(to) {
        return Ok(());
    }
    Err(AllocatorError::NotConserved { from: from.to_string(), to: to.to_string() })
}
