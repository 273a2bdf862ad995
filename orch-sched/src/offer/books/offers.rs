//! [`Offers`]: those that nobody has answered yet.

use std::sync::Arc;

use orch_core::allocator::{AllocatorError, Offer, OfferId, Rescinded};
use orch_core::clock::Timestamp;

use super::Books;
use super::columns::Parcel;

/// The offers that nobody has answered yet. An id tells the place of the offer and how many offers had that place before,
/// so that finding one is no search, and an old id finds nothing.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    places: Vec<Place>,
    empty: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    before: u32,
    offer: Option<Outstanding>,
}

/// An offer that nobody has answered yet.
#[derive(Clone, Debug)]
pub(crate) struct Outstanding {
    pub(crate) client: u32,
    pub(crate) node: u32,
    pub(crate) parcel: Arc<Parcel>,
    /// The node's version when it was made.
    pub(crate) version: u64,
    /// Where it stands among the client's offers.
    index: u32,
}

impl Offers {
    fn insert(&mut self, offer: Outstanding) -> u32 {
        let place = self.empty.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        self.places[place as usize].offer = Some(offer);
        place
    }

    fn remove(&mut self, place: u32) -> Option<Outstanding> {
        let entry = self.places.get_mut(place as usize)?;
        let offer = entry.offer.take()?;
        entry.before = entry.before.wrapping_add(1);
        self.empty.push(place);
        Some(offer)
    }

    fn id(&self, place: u32) -> OfferId {
        OfferId(u64::from(self.places[place as usize].before) << 32 | u64::from(place))
    }

    pub(crate) fn at(&self, place: u32) -> Option<&Outstanding> {
        self.places.get(place as usize)?.offer.as_ref()
    }

    /// What was offered is still there.
    pub(super) fn renew(&mut self, place: u32, version: u64) {
        if let Some(offer) = self.places.get_mut(place as usize).and_then(|place| place.offer.as_mut()) {
            offer.version = version;
        }
    }

    /// The place of an offer.
    pub(crate) fn place(&self, id: OfferId) -> Result<u32, AllocatorError> {
        let (place, before) = (id.0 as u32, (id.0 >> 32) as u32);
        let entry = self.places.get(place as usize).filter(|entry| entry.before == before && entry.offer.is_some());
        entry.map(|_| place).ok_or(AllocatorError::UnknownOffer(id))
    }
}

impl Books {
    /// Offers a parcel of the node to the client. Where offers are exclusive, the node's free resources are to be set to
    /// what is left by the caller.
    pub(crate) fn offer(&mut self, client: u32, node: u32, parcel: Arc<Parcel>) -> Offer {
        let entry = self.node(node);
        let (name, unavailability, version) = (entry.supply.name.clone(), entry.unavailability, entry.version);
        let (role, seat) = (self.client(client).role, self.client(client).seat);
        if self.exclusive {
            self.roles.give(role, seat, parcel.all(), &self.columns.totals);
        }
        let resources = Arc::clone(&parcel.resources);
        let index = self.client(client).offers.len() as u32;
        let place = self.offers.insert(Outstanding { client, node, parcel, version, index });
        self.client_mut(client).offers.push(place);
        self.node_mut(node).offers.push(place);
        let id = self.offers.id(place);
        if let Some(timeout) = self.options.offer_timeout {
            self.deadlines.push_back((self.now.saturating_add(timeout).unwrap_or(Timestamp::MAX), id));
        }
        self.counts.offered += 1;
        Offer {
            id,
            framework: self.client(client).framework.clone(),
            role: self.roles.role(role),
            node: name,
            resources,
            unavailability,
        }
    }

    /// Takes an offer out of the books: it is answered or rescinded. What it held is neither free nor used then.
    pub(super) fn withdraw(&mut self, place: u32) -> Option<Outstanding> {
        let offer = self.offers.remove(place)?;
        let others = &mut self.client_mut(offer.client).offers;
        others.swap_remove(offer.index as usize);
        if let Some(moved) = others.get(offer.index as usize).copied()
            && let Some(moved) = self.offers.places[moved as usize].offer.as_mut()
        {
            moved.index = offer.index;
        }
        self.node_mut(offer.node).offers.retain(|other| *other != place);
        Some(offer)
    }

    /// Takes an offer back: what it held is free.
    pub(crate) fn rescind(&mut self, place: u32) -> Option<Rescinded> {
        let id = self.offers.id(place);
        let offer = self.withdraw(place)?;
        self.counts.rescinded += 1;
        self.give_back(&offer);
        Some(Rescinded { offer: id, framework: self.client(offer.client).framework.clone() })
    }

    /// What an offer that was withdrawn held is free.
    pub(super) fn give_back(&mut self, offer: &Outstanding) {
        if !self.exclusive {
            // It was free all the time, and may be offered to this client again.
            return self.mark(offer.node);
        }
        let (role, seat) = (self.client(offer.client).role, self.client(offer.client).seat);
        self.roles.take(role, seat, offer.parcel.all(), &self.columns.totals);
        self.quotas.consume(self.roles.top(role), offer.parcel.plain(), -1);
        self.free_again(offer.node, &offer.parcel);
    }

    pub(super) fn rescind_of_client(&mut self, client: u32) -> Vec<Rescinded> {
        let places = self.client(client).offers.clone();
        places.into_iter().filter_map(|place| self.rescind(place)).collect()
    }

    pub(super) fn rescind_of_node(&mut self, node: u32) -> Vec<Rescinded> {
        let places = self.node(node).offers.clone();
        places.iter().filter_map(|place| self.rescind(*place)).collect()
    }

    /// Offers whose time is over end.
    pub(super) fn end_offers(&mut self) -> Vec<Rescinded> {
        let mut rescinded = Vec::new();
        while let Some((_, id)) = self.deadlines.pop_front_if(|(deadline, _)| *deadline <= self.now) {
            if let Ok(place) = self.offers.place(id) {
                rescinded.extend(self.rescind(place));
            }
        }
        rescinded
    }
}
