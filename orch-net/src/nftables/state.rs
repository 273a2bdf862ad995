//! [`State`]: makes tables true in the kernel, and looks whether they still are.

use std::sync::Arc;
use std::time::Duration;

use orch_core::proxy::{ProxyError, ServicePort, ServicePortName, ServiceTable};
use tokio::time::Instant;

use super::batch::Batch;
use super::config::NftablesConfig;
use super::inspect::{Fingerprint, has_elements};
use super::plan::{Model, Plan};
use crate::conntrack::{self, Stale};
use crate::family::Family;
use crate::netlink::{Client, Refusal};
use crate::served::{PortChange, Served};

/// How often something is tried anew that others come before.
const ATTEMPTS: usize = 10;

/// So many service ports are looked through at a sync when somebody changed a table; more are left to the next check.
const LOOKED_THROUGH_AT_ONCE: usize = 500;

/// What one transaction was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Whether the tables were made anew, rather than changed.
    pub whole: bool,
    /// How many bytes were sent.
    pub bytes: usize,
    /// How long the kernel took.
    pub took: Duration,
}

#[derive(Debug, Default)]
pub(super) struct State {
    client: Option<Client>,
    served: Served,
    model: Model,
    /// The kernel's generation as of which it has the model, for certain. `None`: nothing is known.
    generation: Option<u32>,
    /// The tables as they were made; `None` where nobody knows.
    fingerprint: Option<Fingerprint>,
    /// Whether elements were not looked through although somebody changed a table.
    is_unchecked: bool,
    /// Datagrams that are still to be forgotten.
    stale: Vec<Stale>,
    last: Option<Transaction>,
    is_checking: bool,
}

impl State {
    pub(super) fn last_transaction(&self) -> Option<Transaction> {
        self.last
    }

    /// Whether this is the first call.
    pub(super) fn begin_checking(&mut self) -> bool {
        !std::mem::replace(&mut self.is_checking, true)
    }

    /// Opens the way to the kernel, in the network of the calling thread, unless it is open.
    pub(super) fn connect(&mut self) -> Result<(), ProxyError> {
        if self.client.is_none() {
            self.client = Some(Client::open()?);
        }
        Ok(())
    }

    fn client(&self) -> Result<&Client, Refusal> {
        self.client.as_ref().ok_or(Refusal::new("speak netlink", nix::errno::Errno::ENOTCONN))
    }

    /// How many service ports a sync would change.
    pub(super) fn changes(&self, table: &ServiceTable) -> usize {
        if self.generation.is_some() { self.served.changes(table).len() } else { table.len() }
    }

    /// Makes the kernel have the table. Returns how many service ports changed.
    pub(super) fn sync(&mut self, table: &ServiceTable, config: &NftablesConfig) -> Result<usize, ProxyError> {
        let changes = self.served.changes(table);
        if self.change(&changes, config)? {
            self.stale.push(Stale::after(&changes));
        } else {
            let ports = table.iter().map(|(name, port)| (name.clone(), Arc::clone(port)));
            self.replace(ports.collect(), config)?;
        }
        let changed = changes.len();
        self.served.accept(table, changes);
        self.forget_datagrams();
        Ok(changed)
    }

    /// Changes what differs. `false` if everything has to be made anew.
    fn change(&mut self, changes: &[PortChange], config: &NftablesConfig) -> Result<bool, Refusal> {
        for _ in 0..ATTEMPTS {
            let Some(generation) = self.generation else { return Ok(false) };
            let plan = self.model.plan(changes, false);
            if plan.is_empty() {
                if self.client()?.generation()? == generation {
                    self.model.accept(plan);
                    return Ok(true);
                }
            } else {
                match self.transact(&plan, config, Some(generation)) {
                    Ok(()) => {
                        self.is_made(plan, generation, config);
                        return Ok(true);
                    }
                    Err(refusal) if refusal.is_outdated() => {}
                    Err(refusal) => {
                        tracing::warn!(error = %ProxyError::from(refusal), "the tables of services are made anew");
                        return Ok(false);
                    }
                }
            }
            if !self.is_intact(config, LOOKED_THROUGH_AT_ONCE)? {
                tracing::warn!("another program altered the tables of services: they are made anew");
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Makes the tables anew, in one transaction: whoever is led by them does not notice.
    fn replace(
        &mut self,
        ports: Vec<(ServicePortName, Arc<ServicePort>)>,
        config: &NftablesConfig,
    ) -> Result<(), Refusal> {
        let change = |(name, port)| PortChange { name, old: None, new: Some(port) };
        let changes: Vec<PortChange> = ports.into_iter().map(change).collect();
        let mut model = Model::default();
        let plan = model.plan(&changes, true);
        let before = std::mem::replace(&mut self.model, model);
        for attempt in 0..ATTEMPTS {
            let generation = self.client()?.generation()?;
            // In the end whether others come before or not: then it is looked through at the next sync.
            let expected = (attempt + 1 < ATTEMPTS).then_some(generation);
            match self.transact(&plan, config, expected) {
                Ok(()) => {
                    self.is_made(plan, generation, config);
                    self.stale.push(Stale::after(&changes));
                    return Ok(());
                }
                Err(refusal) if refusal.is_outdated() => {}
                Err(refusal) => {
                    self.model = before;
                    return Err(refusal);
                }
            }
        }
        self.model = before;
        Err(Refusal::new("make the tables", nix::errno::Errno::ERESTART))
    }

    fn transact(&mut self, plan: &Plan, config: &NftablesConfig, generation: Option<u32>) -> Result<(), Refusal> {
        let batch = self.model.render(plan, config, generation);
        let start = Instant::now();
        self.client()?.transact(&batch)?;
        let (whole, bytes) = (plan.is_whole(), batch.bytes.len());
        self.last = Some(Transaction { whole, bytes, took: start.elapsed() });
        Ok(())
    }

    /// Takes notice that a transaction was made as of this generation.
    fn is_made(&mut self, plan: Plan, generation: u32, config: &NftablesConfig) {
        // The kernel leaves zero out.
        let next = generation.wrapping_add(1).max(1);
        if plan.concerns_chains() {
            let known = |client: &Client| {
                let fingerprint = Fingerprint::take(client, &config.table)?;
                Ok::<_, Refusal>((client.generation()? == next).then_some(fingerprint))
            };
            // Where it is not known, it is taken for altered when somebody changes a table.
            self.fingerprint = self.client().and_then(known).ok().flatten();
        }
        self.generation = Some(next);
        self.model.accept(plan);
    }

    /// Whether the tables are as they were made, as of the kernel's generation now. Elements are looked through only if there
    /// are at most so many service ports.
    fn is_intact(&mut self, config: &NftablesConfig, ports_max: usize) -> Result<bool, Refusal> {
        for _ in 0..ATTEMPTS {
            let generation = self.client()?.generation()?;
            let Some(fingerprint) = &self.fingerprint else { return Ok(false) };
            if Fingerprint::take(self.client()?, &config.table)? != *fingerprint {
                return Ok(false);
            }
            let looks_through = self.served.len() <= ports_max;
            if looks_through {
                for family in Family::ALL {
                    let ports = self.served.iter().map(|(name, port)| (name, &**port));
                    let expected = self.model.elements(family, ports);
                    if !has_elements(self.client()?, &config.table, family, self.model.sets(family), &expected)? {
                        return Ok(false);
                    }
                }
            }
            if self.client()?.generation()? == generation {
                self.generation = Some(generation);
                self.is_unchecked = !looks_through;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks through the tables, and makes them anew if they were altered. Returns whether they were.
    pub(super) fn check(&mut self, config: &NftablesConfig) -> Result<bool, ProxyError> {
        let Some(generation) = self.generation else { return Ok(false) };
        let is_unchanged = !self.is_unchecked && self.client()?.generation()? == generation;
        if is_unchanged || self.is_intact(config, usize::MAX)? {
            return Ok(false);
        }
        let ports = self.served.iter().map(|(name, port)| (name.clone(), Arc::clone(port)));
        self.replace(ports.collect(), config)?;
        self.forget_datagrams();
        Ok(true)
    }

    /// Has the kernel lead anew what it would go on leading to where it does not belong.
    fn forget_datagrams(&mut self) {
        match self.client().and_then(|client| conntrack::forget(client, &self.stale)) {
            Ok(_) => self.stale.clear(),
            Err(refusal) => {
                tracing::warn!(error = %ProxyError::from(refusal), "datagrams may still be led to removed endpoints");
            }
        }
    }

    /// Removes the tables.
    pub(super) fn clear(&mut self, config: &NftablesConfig) -> Result<(), ProxyError> {
        let mut batch = Batch::new(&config.table, None);
        Family::ALL.into_iter().for_each(|family| batch.remove_table(family));
        self.client()?.transact(&batch.finish())?;
        self.stale.push(Stale::after(&self.served.removals()));
        self.forget_datagrams();
        let (client, is_checking) = (self.client.take(), self.is_checking);
        *self = Self { client, is_checking, ..Self::default() };
        Ok(())
    }
}
