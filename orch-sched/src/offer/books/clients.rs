//! [`Client`]: a framework in one of its roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::allocator::{AllocatorError, Framework, FrameworkId, Rescinded, Role, Subscription};

use super::Books;

/// A framework, and what stands behind its name.
#[derive(Debug)]
pub(crate) struct FrameworkEntry {
    pub(crate) framework: Framework,
    /// Whether it has come, or is only known for what it uses.
    pub(crate) known: bool,
    pub(crate) active: bool,
    /// The client for each of its roles, those included that it has left and has something in.
    pub(crate) clients: BTreeMap<Role, u32>,
}

/// A framework in one of its roles.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) framework: FrameworkId,
    pub(crate) role: u32,
    /// Its seat in that role.
    pub(crate) seat: u32,
    /// What makes an offer worth while, if that is not what the settings say.
    pub(crate) least: Option<Vec<Vec<(usize, i64)>>>,
    /// The places of its offers.
    pub(crate) offers: Vec<u32>,
    /// Where it uses something.
    pub(crate) nodes: BTreeSet<u32>,
    /// Nodes of which it has refused something, with their ages, and those that are stale.
    pub(crate) refused: Vec<(u32, u32)>,
    /// How many of its filters have not ended.
    pub(crate) refusals: usize,
    /// Tells its filters from those before they were reset.
    pub(crate) age: u32,
}

impl Books {
    pub(crate) fn client(&self, client: u32) -> &Client {
        self.clients[client as usize].as_ref().expect("clients are named by their numbers while they are there")
    }

    pub(super) fn client_mut(&mut self, client: u32) -> &mut Client {
        self.clients[client as usize].as_mut().expect("clients are named by their numbers while they are there")
    }

    pub(super) fn framework(&self, id: &FrameworkId) -> Result<&FrameworkEntry, AllocatorError> {
        let entry = self.frameworks.get(id).filter(|entry| entry.known);
        entry.ok_or_else(|| AllocatorError::UnknownFramework(id.clone()))
    }

    /// The framework of a client. It is there as long as the client is.
    pub(crate) fn framework_of(&self, client: u32) -> &FrameworkEntry {
        &self.frameworks[&self.client(client).framework]
    }

    /// Whether the client wants offers.
    pub(crate) fn is_wanting(&self, client: u32) -> bool {
        let Client { role, seat, .. } = *self.client(client);
        self.roles.frameworks(role).is_active(seat)
    }

    /// The client of a framework in a role, which is made if it is not there.
    pub(super) fn make_client(&mut self, id: &FrameworkId, role: &Role) -> u32 {
        let made = || FrameworkEntry {
            framework: Framework::new(id.clone(), []),
            known: false,
            active: false,
            clients: BTreeMap::new(),
        };
        let entry = self.frameworks.entry(id.clone()).or_insert_with(made);
        if let Some(client) = entry.clients.get(role) {
            return *client;
        }
        let client = self.empty_clients.pop().unwrap_or(self.clients.len() as u32);
        entry.clients.insert(role.clone(), client);
        let number = self.roles.number(role);
        let seat = self.roles.sit(number, &Arc::from(id.as_str()), client);
        let made = Client {
            framework: id.clone(),
            role: number,
            seat,
            least: None,
            offers: Vec::new(),
            nodes: BTreeSet::new(),
            refused: Vec::new(),
            refusals: 0,
            age: self.next_age(),
        };
        match self.clients.get_mut(client as usize) {
            Some(place) => *place = Some(made),
            None => self.clients.push(Some(made)),
        }
        client
    }

    /// A framework came, or has other roles or capabilities.
    pub(super) fn put_framework(&mut self, framework: Framework) -> Vec<Rescinded> {
        let id = framework.id.clone();
        for role in framework.roles.keys() {
            self.make_client(&id, role);
        }
        let made =
            || FrameworkEntry { framework: framework.clone(), known: false, active: false, clients: BTreeMap::new() };
        let entry = self.frameworks.entry(id.clone()).or_insert_with(made);
        if !entry.known {
            (entry.known, entry.active) = (true, true);
        }
        let less_able = entry.framework.capabilities != framework.capabilities;
        entry.framework = framework;
        let mut rescinded = Vec::new();
        for (role, client) in entry.clients.clone() {
            let subscription = self.frameworks[&id].framework.roles.get(&role).cloned();
            if less_able || subscription.is_none() {
                rescinded.extend(self.rescind_of_client(client));
            }
            let Subscription { min_allocatable, .. } = subscription.unwrap_or_default();
            let least = min_allocatable.map(|all| all.iter().map(|any| self.columns.row(any)).collect());
            self.client_mut(client).least = least;
            self.decide_wanting(client);
        }
        self.forget_idle_clients(&id);
        // Its least amounts and capabilities may be others.
        self.all_marked = true;
        rescinded
    }

    /// Whether a framework is connected.
    pub(super) fn set_framework_active(
        &mut self,
        id: &FrameworkId,
        active: bool,
    ) -> Result<Vec<Rescinded>, AllocatorError> {
        self.framework(id)?;
        let mut rescinded = Vec::new();
        let Some(entry) = self.frameworks.get_mut(id) else { return Ok(rescinded) };
        entry.active = active;
        for client in entry.clients.clone().into_values() {
            if !active {
                rescinded.extend(self.rescind_of_client(client));
                self.forget_refusals_of(client);
            }
            self.decide_wanting(client);
        }
        Ok(rescinded)
    }

    /// A framework went.
    pub(super) fn remove_framework(&mut self, id: &FrameworkId) -> Result<Vec<Rescinded>, AllocatorError> {
        let rescinded = self.set_framework_active(id, false)?;
        let clients: Vec<u32> = self.frameworks[id].clients.values().copied().collect();
        for client in clients {
            for node in self.client(client).nodes.clone() {
                let used = self.node_mut(node).used_by(client).cloned().unwrap_or_default();
                self.unuse(client, node, &used);
                self.find_free(node);
            }
        }
        if let Some(entry) = self.frameworks.get_mut(id) {
            entry.known = false;
            entry.framework.roles.clear();
        }
        self.forget_idle_clients(id);
        Ok(rescinded)
    }

    /// A framework wants offers in these roles, or not; in all of its roles if none is named.
    pub(super) fn set_suppressed(
        &mut self,
        id: &FrameworkId,
        roles: &BTreeSet<Role>,
        suppressed: bool,
    ) -> Result<(), AllocatorError> {
        let entry = self.framework(id)?;
        if let Some(role) = roles.iter().find(|role| !entry.framework.roles.contains_key(*role)) {
            return Err(AllocatorError::NotInRole { framework: id.clone(), role: role.clone() });
        }
        let clients = entry.clients.clone();
        for (role, client) in clients {
            if !roles.is_empty() && !roles.contains(&role) {
                continue;
            }
            let entry = self.frameworks.get_mut(id);
            if let Some(subscription) = entry.and_then(|entry| entry.framework.roles.get_mut(&role)) {
                subscription.suppressed = suppressed;
            }
            if !suppressed {
                self.forget_refusals_of(client);
            }
            self.decide_wanting(client);
        }
        Ok(())
    }

    /// Lets the client take part if it wants to and may.
    fn decide_wanting(&mut self, client: u32) {
        let entry = self.framework_of(client);
        let Client { role, seat, .. } = *self.client(client);
        let subscription = entry.framework.roles.get(&self.roles.role(role));
        let wants = entry.active && subscription.is_some_and(|subscription| !subscription.suppressed);
        if wants && !self.is_wanting(client) {
            self.all_marked = true;
        }
        self.roles.set_wanting(role, seat, wants, &self.columns.totals);
    }

    /// Forgets the clients in roles that the framework has left, and itself, where there is nothing to them any more.
    pub(super) fn forget_idle_clients(&mut self, id: &FrameworkId) {
        let Some(entry) = self.frameworks.get(id) else { return };
        let left: Vec<(Role, u32)> = entry
            .clients
            .iter()
            .filter(|(role, client)| {
                let client = self.client(**client);
                !entry.framework.roles.contains_key(*role) && client.nodes.is_empty() && client.offers.is_empty()
            })
            .map(|(role, client)| (role.clone(), *client))
            .collect();
        for (role, client) in left {
            self.forget_refusals_of(client);
            let number = self.client(client).role;
            self.roles.leave(number, id.as_str());
            self.clients[client as usize] = None;
            self.empty_clients.push(client);
            if let Some(entry) = self.frameworks.get_mut(id) {
                entry.clients.remove(&role);
            }
        }
        if self.frameworks.get(id).is_some_and(|entry| !entry.known && entry.clients.is_empty()) {
            self.frameworks.remove(id);
        }
    }
}
