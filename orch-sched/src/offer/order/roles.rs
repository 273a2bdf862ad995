//! [`Roles`]: the tree of roles, and the frameworks in each.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::allocator::Role;

use super::{Ranking, Totals};

/// The tree of roles, and the frameworks in each. Siblings are compared with one another alone; a role that has others
/// below it is also compared with them, for what it has by itself, under the name `.`.
#[derive(Debug)]
pub(crate) struct Roles {
    roles: Vec<Option<RoleEntry>>,
    by_path: BTreeMap<Arc<str>, u32>,
    weights: BTreeMap<Role, f64>,
    empty: Vec<u32>,
}

#[derive(Debug)]
struct RoleEntry {
    path: Arc<str>,
    /// The role; of the root, none.
    role: Option<Role>,
    above: u32,
    /// Its seat among its siblings.
    seat: u32,
    /// The roles below it, and itself for what it has by itself, if there are any.
    below: Ranking,
    /// Whose seats those are.
    below_roles: Vec<u32>,
    own_seat: Option<u32>,
    /// The frameworks in it.
    frameworks: Ranking,
    /// The client of each seat.
    clients: Vec<u32>,
    /// How many of them want offers.
    wanting: usize,
    /// How many active seats there are below, its own included.
    active_below: usize,
    /// What it has by itself, and how often it was given something.
    own: (Vec<i128>, u64),
    /// What all below it have, itself included.
    all: Vec<i128>,
}

const ROOT: u32 = 0;
const OWN: &str = ".";

impl Default for Roles {
    fn default() -> Self {
        let root = RoleEntry::new("".into(), None, ROOT, 0);
        Self { roles: vec![Some(root)], by_path: BTreeMap::new(), weights: BTreeMap::new(), empty: Vec::new() }
    }
}

impl RoleEntry {
    fn new(path: Arc<str>, role: Option<Role>, above: u32, seat: u32) -> Self {
        Self {
            path,
            role,
            above,
            seat,
            below: Ranking::default(),
            below_roles: Vec::new(),
            own_seat: None,
            frameworks: Ranking::default(),
            clients: Vec::new(),
            wanting: 0,
            active_below: 0,
            own: (Vec::new(), 0),
            all: Vec::new(),
        }
    }

    fn is_leaf(&self) -> bool {
        self.own_seat.is_none()
    }
}

impl Roles {
    fn entry(&self, role: u32) -> &RoleEntry {
        self.roles[role as usize].as_ref().expect("roles are named by their numbers while they are there")
    }

    fn entry_mut(&mut self, role: u32) -> &mut RoleEntry {
        self.roles[role as usize].as_mut().expect("roles are named by their numbers while they are there")
    }

    /// The role's number. It is made, with those above it, if it is not there.
    pub(crate) fn number(&mut self, role: &Role) -> u32 {
        if let Some(number) = self.by_path.get(role.as_str()) {
            return *number;
        }
        let mut above = ROOT;
        for (end, _) in role.as_str().match_indices('/').chain([(role.as_str().len(), "")]) {
            let path = &role.as_str()[..end];
            above = match self.by_path.get(path) {
                Some(number) => *number,
                None => self.make(path.into(), path.parse().unwrap_or_default(), above),
            };
        }
        above
    }

    fn make(&mut self, path: Arc<str>, role: Role, above: u32) -> u32 {
        let weight = self.weights.get(&role).copied().unwrap_or(1.0);
        if above != ROOT && self.entry(above).is_leaf() {
            let entry = self.entry_mut(above);
            let own = entry.below.sit(&OWN.into(), 1.0);
            entry.below.copy(own, &entry.own.0, entry.own.1);
            entry.below_roles.resize(entry.below.len(), above);
            entry.own_seat = Some(own);
            let active = entry.wanting > 0;
            entry.below.set_active(own, active, &NEVER);
        }
        let number = self.empty.pop().unwrap_or(self.roles.len() as u32);
        let entry = self.entry_mut(above);
        let seat = entry.below.sit(&path, weight);
        entry.below_roles.resize(entry.below.len(), number);
        entry.below_roles[seat as usize] = number;
        let made = Some(RoleEntry::new(Arc::clone(&path), Some(role), above, seat));
        match self.roles.get_mut(number as usize) {
            Some(place) => *place = made,
            None => self.roles.push(made),
        }
        self.by_path.insert(path, number);
        number
    }

    /// Forgets the role, if there is nothing to it any more.
    fn forget(&mut self, role: u32) {
        let entry = self.entry(role);
        let holds = entry.all.iter().any(|sum| *sum != 0);
        if role == ROOT || holds || !entry.frameworks.is_empty() || !entry.is_leaf() {
            return;
        }
        let (path, above) = (Arc::clone(&entry.path), entry.above);
        self.by_path.remove(&path);
        self.roles[role as usize] = None;
        self.empty.push(role);
        self.entry_mut(above).below.leave(&path);
        let is_gone = |below: &u32| *below == above || !self.is_there(*below, above);
        let alone = self.entry(above).below_roles.iter().all(is_gone);
        let parent = self.entry_mut(above);
        if above != ROOT && alone {
            (parent.below, parent.below_roles, parent.own_seat) = (Ranking::default(), Vec::new(), None);
            self.forget(above);
        }
    }

    fn is_there(&self, role: u32, above: u32) -> bool {
        self.roles[role as usize].as_ref().is_some_and(|entry| entry.above == above)
    }

    pub(crate) fn role(&self, role: u32) -> Role {
        self.entry(role).role.clone().unwrap_or_default()
    }

    /// The first part of the role's path.
    pub(crate) fn top(&self, role: u32) -> &str {
        let path = &self.entry(role).path;
        path.split_once('/').map_or(path, |(top, _)| top)
    }

    /// Whether the role may have what is reserved for `owner`.
    pub(crate) fn is_within(&self, role: u32, owner: &Role) -> bool {
        self.entry(role).role.as_ref().is_some_and(|role| role.is_within(owner))
    }

    /// A framework sits down in the role.
    pub(crate) fn sit(&mut self, role: u32, framework: &Arc<str>, client: u32) -> u32 {
        let entry = self.entry_mut(role);
        let seat = entry.frameworks.sit(framework, 1.0);
        entry.clients.resize(entry.frameworks.len(), client);
        entry.clients[seat as usize] = client;
        seat
    }

    /// A framework that has nothing and wants nothing leaves the role.
    pub(crate) fn leave(&mut self, role: u32, framework: &str) {
        self.entry_mut(role).frameworks.leave(framework);
        self.forget(role);
    }

    /// Whether the framework in this seat wants offers.
    pub(crate) fn set_wanting(&mut self, role: u32, seat: u32, wants: bool, totals: &Totals) {
        let entry = self.entry_mut(role);
        if entry.frameworks.is_active(seat) == wants {
            return;
        }
        entry.frameworks.set_active(seat, wants, totals);
        let before = entry.wanting;
        entry.wanting = if wants { before + 1 } else { before - 1 };
        if before.min(entry.wanting) > 0 {
            return;
        }
        if let Some(own) = entry.own_seat {
            entry.below.set_active(own, wants, totals);
        }
        let mut current = role;
        loop {
            let entry = self.entry_mut(current);
            let before = entry.active_below;
            entry.active_below = if wants { before + 1 } else { before - 1 };
            let (above, seat, turned) = (entry.above, entry.seat, before.min(entry.active_below) == 0);
            if current == ROOT {
                return;
            }
            if turned {
                self.entry_mut(above).below.set_active(seat, wants, totals);
            }
            current = above;
        }
    }

    /// A framework is given something.
    pub(crate) fn give(&mut self, role: u32, seat: u32, amounts: &[i64], totals: &Totals) {
        let entry = self.entry_mut(role);
        entry.frameworks.give(seat, amounts, totals);
        add(&mut entry.own.0, amounts, 1);
        entry.own.1 += 1;
        if let Some(own) = entry.own_seat {
            entry.below.give(own, amounts, totals);
        }
        let mut current = role;
        while current != ROOT {
            let entry = self.entry_mut(current);
            add(&mut entry.all, amounts, 1);
            let (above, seat) = (entry.above, entry.seat);
            self.entry_mut(above).below.give(seat, amounts, totals);
            current = above;
        }
    }

    /// Something is taken from a framework.
    pub(crate) fn take(&mut self, role: u32, seat: u32, amounts: &[i64], totals: &Totals) {
        let entry = self.entry_mut(role);
        entry.frameworks.take(seat, amounts, totals);
        add(&mut entry.own.0, amounts, -1);
        if let Some(own) = entry.own_seat {
            entry.below.take(own, amounts, totals);
        }
        let mut current = role;
        while current != ROOT {
            let entry = self.entry_mut(current);
            add(&mut entry.all, amounts, -1);
            let (above, seat) = (entry.above, entry.seat);
            self.entry_mut(above).below.take(seat, amounts, totals);
            current = above;
        }
    }

    pub(crate) fn set_weight(&mut self, role: Role, weight: f64) {
        if let Some(number) = self.by_path.get(role.as_str()) {
            let (above, seat) = (self.entry(*number).above, self.entry(*number).seat);
            self.entry_mut(above).below.set_weight(seat, weight);
        }
        match weight {
            1.0 => self.weights.remove(&role),
            _ => self.weights.insert(role, weight),
        };
    }

    /// Brings the whole order up to date, where it is not.
    pub(crate) fn refresh(&mut self, totals: &Totals) {
        for entry in self.roles.iter_mut().flatten() {
            entry.below.refresh(totals);
            entry.frameworks.refresh(totals);
        }
    }

    /// The role that is served first. The order must be up to date, here and below.
    pub(crate) fn first(&self) -> Option<u32> {
        let mut current = ROOT;
        loop {
            let entry = self.entry(current);
            let seat = entry.below.first()?;
            let next = entry.below_roles[seat as usize];
            if next == current || self.entry(next).is_leaf() {
                return Some(next);
            }
            current = next;
        }
    }

    /// The roles in which somebody wants offers, the first first; of `owners`, if any are given, and those below them.
    pub(crate) fn in_order(&self, owners: Option<&[Role]>, totals: &Totals) -> Vec<u32> {
        let concerned = |role: &Role| owners.is_none_or(|owners| owners.iter().any(|owner| role.is_within(owner)));
        let numbers = self.by_path.values().copied();
        let mut roles: Vec<u32> = numbers
            .filter(|number| {
                let entry = self.entry(*number);
                entry.wanting > 0 && entry.role.as_ref().is_some_and(concerned)
            })
            .collect();
        roles.sort_by(|one, other| self.compare(*one, *other, totals));
        roles
    }

    /// Which of two roles is served first: where their paths part, siblings are compared.
    fn compare(&self, one: u32, other: u32, totals: &Totals) -> Ordering {
        let (one, other) = (self.way(one), self.way(other));
        let parted = one.iter().zip(&other).find(|((_, one), (_, other))| one != other);
        match parted {
            Some(((above, one), (_, other))) => self.entry(*above).below.compare(*one, *other, totals),
            None => Ordering::Equal,
        }
    }

    /// The seats on the way from the root to what the role has by itself.
    fn way(&self, role: u32) -> Vec<(u32, u32)> {
        let mut way: Vec<(u32, u32)> = self.entry(role).own_seat.map(|own| (role, own)).into_iter().collect();
        let mut current = role;
        while current != ROOT {
            let entry = self.entry(current);
            way.push((entry.above, entry.seat));
            current = entry.above;
        }
        way.reverse();
        way
    }

    /// The frameworks of a role.
    pub(crate) fn frameworks(&self, role: u32) -> &Ranking {
        &self.entry(role).frameworks
    }

    /// The client in a seat of a role.
    pub(crate) fn client(&self, role: u32, seat: u32) -> u32 {
        self.entry(role).clients[seat as usize]
    }
}

/// Totals of no version: what changes by them is looked at when the order is brought up to date.
const NEVER: Totals = Totals { amounts: Vec::new(), counted: Vec::new(), version: u64::MAX - 1 };

fn add(sums: &mut Vec<i128>, amounts: &[i64], sign: i128) {
    if sums.len() < amounts.len() {
        sums.resize(amounts.len(), 0);
    }
    for (sum, amount) in sums.iter_mut().zip(amounts) {
        *sum += sign * i128::from(*amount);
    }
}
