//! [`Books`]: who has what, what is offered to whom, and what changed since the last round.
//!
//! Whatever allocators have in common is here; they differ in how they make offers, and in whether what is offered to one
//! may be offered to others.

mod answers;
mod clients;
mod columns;
mod few;
mod nodes;
mod offers;
mod portion;
mod quotas;
mod refusals;
mod shown;
mod supply;
mod why;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use orch_core::allocator::{
    AllocatorChange, AllocatorError, Counts, FrameworkId, NodeName, OfferId, Quota, Rescinded, Role, Standing,
};
use orch_core::clock::Timestamp;

pub(crate) use columns::Parcel;
pub(crate) use portion::Stage;

use self::clients::{Client, FrameworkEntry};
use self::columns::Columns;
use self::nodes::{NodeEntry, Nodes};
use self::offers::Offers;
use self::quotas::Quotas;
use self::refusals::{Expiry, Refused};
use super::AllocatorOptions;
use super::order::Roles;

/// Who has what, what is offered to whom, and what changed since the last round.
#[derive(Debug)]
pub(crate) struct Books {
    options: AllocatorOptions,
    /// Whether what is offered to one is nobody else's.
    exclusive: bool,
    /// Whether any change of a node since an offer was made is a conflict, rather than one that matters.
    strict: bool,
    now: Timestamp,
    columns: Columns,
    nodes: Nodes,
    frameworks: BTreeMap<FrameworkId, FrameworkEntry>,
    clients: Vec<Option<Client>>,
    empty_clients: Vec<u32>,
    roles: Roles,
    offers: Offers,
    /// Filters, by when they end.
    expiries: BTreeMap<Timestamp, Vec<Expiry>>,
    /// Offers, by when they end.
    deadlines: VecDeque<(Timestamp, OfferId)>,
    quotas: Quotas,
    /// What makes an offer worth while.
    least: Vec<Vec<(usize, i64)>>,
    /// The nodes to look at in the next round.
    marked: Vec<u32>,
    /// Whether to look at all of them.
    all_marked: bool,
    counts: Counts,
    ages: u32,
}

impl Books {
    pub(crate) fn new(options: AllocatorOptions, exclusive: bool, strict: bool) -> Self {
        let mut columns = Columns::new(options.not_counted.clone());
        let least = options.min_allocatable.iter().map(|any| columns.row(any)).collect();
        Self {
            options,
            exclusive,
            strict,
            now: Timestamp::MIN,
            columns,
            nodes: Nodes::default(),
            frameworks: BTreeMap::new(),
            clients: Vec::new(),
            empty_clients: Vec::new(),
            roles: Roles::default(),
            offers: Offers::default(),
            expiries: BTreeMap::new(),
            deadlines: VecDeque::new(),
            quotas: Quotas::default(),
            least,
            marked: Vec::new(),
            all_marked: false,
            counts: Counts::default(),
            ages: 0,
        }
    }

    pub(crate) fn advance(&mut self, now: Timestamp) -> Vec<Rescinded> {
        self.now = self.now.max(now);
        self.end_filters();
        self.end_offers()
    }

    pub(crate) fn observe(&mut self, change: AllocatorChange) -> Result<Vec<Rescinded>, AllocatorError> {
        match change {
            AllocatorChange::NodePut(supply) => Ok(self.put_node(supply)),
            AllocatorChange::NodeRemoved(name) => Ok(self.remove_node(self.find_node(&name)?)),
            AllocatorChange::NodeActive(name, active) => Ok(self.set_node_active(self.find_node(&name)?, active)),
            AllocatorChange::NodeUnavailable(name, when) => Ok(self.set_unavailable(self.find_node(&name)?, when)),
            AllocatorChange::FrameworkPut(framework) => Ok(self.put_framework(framework)),
            AllocatorChange::FrameworkActive(id, active) => self.set_framework_active(&id, active),
            AllocatorChange::FrameworkRemoved(id) => self.remove_framework(&id),
            AllocatorChange::Suppressed(id, roles) => self.set_suppressed(&id, &roles, true).map(|()| Vec::new()),
            AllocatorChange::Revived(id, roles) => self.set_suppressed(&id, &roles, false).map(|()| Vec::new()),
            AllocatorChange::Weight(role, weight) => self.set_weight(role, weight).map(|()| Vec::new()),
            AllocatorChange::Quota { role, quota, force } => self.set_quota(role, quota, force).map(|()| Vec::new()),
            AllocatorChange::Adopted(usage) => self.adopt(usage),
            AllocatorChange::Recovered(usage, filters) => self.recover(&usage, filters).map(|()| Vec::new()),
            AllocatorChange::Converted(node, conversion) => self.convert(&node, &conversion),
            // A change that a later version knows of says nothing about what is known here.
            _ => Ok(Vec::new()),
        }
    }

    fn set_weight(&mut self, role: Role, weight: f64) -> Result<(), AllocatorError> {
        if !(weight.is_finite() && weight > 0.0) {
            return Err(AllocatorError::BadWeight(weight.to_string()));
        }
        self.roles.set_weight(role, weight);
        Ok(())
    }

    fn set_quota(&mut self, role: Role, quota: Quota, force: bool) -> Result<(), AllocatorError> {
        let consumed = self.consumed(role.as_str());
        let bad = |problem: String, can_be_forced: bool| {
            Err(AllocatorError::BadQuota { role: role.clone(), problem, can_be_forced })
        };
        if !role.is_top() {
            return bad(format!("it is below {}: give {} a quota", role.top(), role.top()), false);
        }
        for (name, guarantee) in &quota.guarantees {
            if let Some(limit) = quota.limits.get(name).filter(|limit| *limit < guarantee) {
                return bad(
                    format!("{guarantee} {name} are guaranteed, and {limit} the limit: raise the limit"),
                    false,
                );
            }
        }
        if !force {
            for (name, guarantee) in &quota.guarantees {
                let others = self.quotas.quotas().filter(|(top, _)| *top != role.as_str());
                let others = others.filter_map(|(_, quota)| quota.guarantees.get(name)).map(|amount| amount.millis());
                let sum = others.map(i128::from).sum::<i128>() + i128::from(guarantee.millis());
                let total = self.columns.find(name).map_or(0, |column| self.columns.totals.amounts[column]);
                if sum > total {
                    let (sum, total) = (sum as f64 / 1e3, total as f64 / 1e3);
                    return bad(
                        format!(
                            "{sum} {name} would be guaranteed of {total} that there are: add nodes, guarantee less, or force it"
                        ),
                        true,
                    );
                }
            }
            for (name, limit) in &quota.limits {
                let column = self.columns.find(name);
                let has = column.and_then(|column| consumed.get(column)).copied().unwrap_or(0);
                if has > i128::from(limit.millis()) {
                    let has = has as f64 / 1e3;
                    return bad(format!("it has {has} {name} already, of {limit}: free some, or force it"), true);
                }
            }
        }
        self.quotas.set(role.as_str(), quota, consumed, &mut self.columns);
        self.all_marked = true;
        Ok(())
    }

    /// The nodes to be looked at in this round: those of which something is free and something has changed.
    pub(crate) fn take_marked(&mut self) -> Vec<u32> {
        self.roles.refresh(&self.columns.totals);
        let mut marked = std::mem::take(&mut self.marked);
        if std::mem::take(&mut self.all_marked) {
            marked = self.nodes.iter().map(|(number, _)| number).collect();
        }
        marked.retain(|number| {
            let Some(entry) = self.nodes.find_mut(*number) else { return false };
            entry.marked = false;
            entry.active && (entry.free.is_some() || !entry.offers.is_empty() && !self.exclusive)
        });
        marked
    }

    /// Looks at the node in the next round.
    fn mark(&mut self, node: u32) {
        if let Some(entry) = self.nodes.find_mut(node).filter(|entry| !entry.marked) {
            entry.marked = true;
            self.marked.push(node);
        }
    }

    fn next_age(&mut self) -> u32 {
        self.ages = self.ages.wrapping_add(1);
        self.ages
    }

    pub(crate) fn node(&self, node: u32) -> &NodeEntry {
        self.nodes.find(node).expect("nodes are named by their numbers while they are there")
    }

    fn node_mut(&mut self, node: u32) -> &mut NodeEntry {
        self.nodes.find_mut(node).expect("nodes are named by their numbers while they are there")
    }

    fn find_node(&self, name: &NodeName) -> Result<u32, AllocatorError> {
        self.nodes.number(name).ok_or_else(|| AllocatorError::UnknownNode(name.clone()))
    }

    pub(crate) fn roles(&self) -> &Roles {
        &self.roles
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The roles in which somebody may want some of this, the first first.
    pub(crate) fn roles_for(&self, parcel: &Parcel) -> Vec<u32> {
        let open = parcel.resources.iter().any(|part| part.reservations.is_empty());
        let owners: Vec<Role> = parcel.resources.iter().filter_map(|part| part.owner().cloned()).collect();
        self.roles.in_order((!open).then_some(&owners), &self.columns.totals)
    }

    /// The clients of a role that want offers, the first first.
    pub(crate) fn clients_in_order(&self, role: u32) -> Vec<u32> {
        let seats = self.roles.frameworks(role).in_order(&self.columns.totals);
        seats.into_iter().map(|seat| self.roles.client(role, seat)).collect()
    }

    /// So much of the node is left when the rest is offered: no reason to look at it again. What was free before comes back.
    pub(crate) fn set_offered(&mut self, node: u32, left: Option<Arc<Parcel>>) -> Option<Arc<Parcel>> {
        let marked = std::mem::replace(&mut self.node_mut(node).marked, true);
        let before = self.set_free(node, left);
        self.node_mut(node).marked = marked;
        before
    }

    /// Looks at what a round reads of the node, to have it near. What comes of it means nothing.
    pub(crate) fn glance(&self, node: u32) -> usize {
        let entry = self.node(node);
        let Some(free) = &entry.free else { return 0 };
        let seats = |refused: &Refused| refused.seats.iter().step_by(8).fold(0, |sum, word| sum ^ *word as usize);
        let refused = entry.refused.first().map_or(0, seats);
        let amount = free.plain().first().copied().unwrap_or(0) as usize;
        let counts =
            Arc::strong_count(&free.resources) ^ usize::from(entry.supply.name.as_str().bytes().next().unwrap_or(0));
        amount ^ counts ^ refused ^ usize::from(entry.offers.is_empty()) ^ entry.version as usize
    }

    /// What a round does is no reason for another.
    pub(crate) fn end_round(&mut self) {
        self.all_marked = false;
        for node in std::mem::take(&mut self.marked) {
            if let Some(entry) = self.nodes.find_mut(node) {
                entry.marked = false;
            }
        }
    }

    /// The clients that want offers, the first first.
    pub(crate) fn clients_by_standing(&self) -> Vec<u32> {
        let roles = self.roles.in_order(None, &self.columns.totals);
        roles.into_iter().flat_map(|role| self.clients_in_order(role)).collect()
    }

    pub(crate) fn standings(&self) -> Vec<Standing> {
        let standing = |client: u32| {
            let entry = self.client(client);
            let share = self.roles.frameworks(entry.role).share(entry.seat, &self.columns.totals);
            Standing { role: self.roles.role(entry.role), framework: entry.framework.clone(), share }
        };
        self.clients_by_standing().into_iter().map(standing).collect()
    }
}
