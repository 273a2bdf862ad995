//! Filters: what was refused of a node, by whom, and until when.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::allocator::Filters;
use orch_core::clock::Timestamp;

use super::Books;
use super::clients::Client;
use super::columns::Parcel;

/// Who refused the same of a node, in the same role: a bit for each seat of the role. Where all refuse the same, as most
/// do, a round asks once whether it is more that is offered now, and passes over all of them at once.
#[derive(Debug)]
pub(crate) struct Refused {
    number: u32,
    pub(crate) role: u32,
    pub(crate) parcel: Arc<Parcel>,
    pub(crate) seats: Vec<u64>,
    count: u32,
    /// Seats that have refused it more than once and the times beyond the first, each of which ends by itself.
    again: BTreeMap<u32, u32>,
}

/// A filter that ends, if it is still there then: each side that was reset in between has another age.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    node: u32,
    node_age: u32,
    client: u32,
    client_age: u32,
    number: u32,
}

impl Refused {
    /// Whether an offer of these resources is held back: they are no more than what was refused.
    pub(crate) fn holds_back(&self, role: u32, offered: &Arc<Parcel>) -> bool {
        self.role == role && (Arc::ptr_eq(&self.parcel, offered) || self.parcel.resources.contains(&offered.resources))
    }

    pub(crate) fn has(&self, seat: u32) -> bool {
        self.seats.get(seat as usize / 64).is_some_and(|word| word >> (seat % 64) & 1 == 1)
    }

    fn insert(&mut self, seat: u32) {
        if self.has(seat) {
            *self.again.entry(seat).or_default() += 1;
            return;
        }
        let word = seat as usize / 64;
        if self.seats.len() <= word {
            self.seats.resize(word + 1, 0);
        }
        self.seats[word] |= 1 << (seat % 64);
        self.count += 1;
    }

    /// Takes one refusal of the seat away.
    fn remove(&mut self, seat: u32) {
        if let Some(again) = self.again.get_mut(&seat) {
            *again -= 1;
            if *again == 0 {
                self.again.remove(&seat);
            }
        } else if self.has(seat) {
            self.seats[seat as usize / 64] &= !(1 << (seat % 64));
            self.count -= 1;
        }
    }
}

impl Books {
    /// The client does not want these resources of the node again, nor less.
    pub(super) fn refuse(&mut self, client: u32, node: u32, parcel: &Arc<Parcel>, filters: Filters) {
        if filters.refuse.is_zero() || !self.is_wanting(client) {
            return;
        }
        let refuse = filters.refuse.max(self.options.least_refusal);
        let until = self.now.saturating_add(refuse).unwrap_or(Timestamp::MAX);
        let Client { role, seat, age: client_age, .. } = *self.client(client);
        let number = self.next_age();
        let entry = self.node_mut(node);
        let node_age = entry.age;
        let same = |known: &Refused| {
            known.role == role && (Arc::ptr_eq(&known.parcel, parcel) || known.parcel.resources == parcel.resources)
        };
        if !entry.refused.iter().any(same) {
            let (parcel, seats, again) = (Arc::clone(parcel), Vec::new(), BTreeMap::new());
            entry.refused.push(Refused { number, role, parcel, seats, count: 0, again });
        }
        let known = entry.refused.iter_mut().find(|known| same(known));
        let number = known.map_or(number, |known| {
            known.insert(seat);
            known.number
        });
        let expiry = Expiry { node, node_age, client, client_age, number };
        self.expiries.entry(until).or_default().push(expiry);
        let client = self.client_mut(client);
        client.refused.push((node, node_age));
        client.refusals += 1;
        if client.refused.len() > 2 * client.refusals + 64 {
            self.tidy_refused(expiry.client);
        }
    }

    /// Leaves only nodes of which the client still refuses something: filters that ended by themselves left theirs.
    fn tidy_refused(&mut self, client: u32) {
        let mut refused = std::mem::take(&mut self.client_mut(client).refused);
        let Client { role, seat, .. } = *self.client(client);
        refused.sort_unstable();
        refused.dedup();
        refused.retain(|(node, age)| {
            self.nodes.find(*node).is_some_and(|entry| {
                entry.age == *age && entry.refused.iter().any(|known| known.role == role && known.has(seat))
            })
        });
        self.client_mut(client).refused = refused;
    }

    /// The client may be offered everything again.
    pub(super) fn forget_refusals_of(&mut self, client: u32) {
        let age = self.next_age();
        let entry = self.client_mut(client);
        let (role, seat) = (entry.role, entry.seat);
        (entry.age, entry.refusals) = (age, 0);
        for (node, node_age) in std::mem::take(&mut entry.refused) {
            let Some(entry) = self.nodes.find_mut(node).filter(|entry| entry.age == node_age) else { continue };
            for known in entry.refused.iter_mut().filter(|known| known.role == role) {
                while known.has(seat) {
                    known.remove(seat);
                }
            }
            entry.refused.retain(|known| known.count > 0);
            self.mark(node);
        }
    }

    /// Whatever was refused of the node may be offered again.
    pub(super) fn forget_refusals_on(&mut self, node: u32) {
        let age = self.next_age();
        let entry = self.node_mut(node);
        entry.refused.clear();
        entry.age = age;
        self.mark(node);
    }

    /// Filters whose time is over end.
    pub(super) fn end_filters(&mut self) {
        while let Some(due) = self.expiries.first_entry().filter(|due| *due.key() <= self.now) {
            for expiry in due.remove() {
                self.end_filter(expiry);
            }
        }
    }

    fn end_filter(&mut self, expiry: Expiry) {
        let Some(client) = self.clients.get_mut(expiry.client as usize).and_then(Option::as_mut) else { return };
        if client.age != expiry.client_age {
            return;
        }
        let seat = client.seat;
        client.refusals = client.refusals.saturating_sub(1);
        let Some(entry) = self.nodes.find_mut(expiry.node).filter(|entry| entry.age == expiry.node_age) else { return };
        if let Some(known) = entry.refused.iter_mut().find(|known| known.number == expiry.number) {
            known.remove(seat);
        }
        entry.refused.retain(|known| known.count > 0);
        self.mark(expiry.node);
    }

    /// Until when the client refuses what it refuses, by node.
    pub(super) fn refused_until(&self, client: u32) -> BTreeMap<u32, Timestamp> {
        let age = self.client(client).age;
        let mut until = BTreeMap::new();
        for (time, expiries) in &self.expiries {
            for expiry in expiries.iter().filter(|expiry| (expiry.client, expiry.client_age) == (client, age)) {
                if self.nodes.find(expiry.node).is_some_and(|entry| entry.age == expiry.node_age) {
                    until.insert(expiry.node, *time);
                }
            }
        }
        until
    }
}
