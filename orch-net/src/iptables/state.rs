//! [`State`]: what is served, and what stands in the kernel's tables.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use orch_core::proxy::{ServicePort, ServicePortName, ServiceTable};

use super::client::Client;
use super::diff::{Standing, Table};
use super::error::ProgramError;
use super::tables::{Tables, Updates};
use crate::family::Family;
use crate::served::{PortChange, Served};

/// So many new chains are written at a time.
const PORTION: usize = 1_000;

/// What is in the tables of each family, as far as it was read.
pub(super) type Found = BTreeMap<Family, BTreeMap<Table, Standing>>;

/// What is served, and what stands in the kernel's tables.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) served: Served,
    /// `None` while it is not known: at first, while something is under way, and after something failed. Then the tables
    /// are read before anything is done to them.
    pub(super) tables: Option<Vec<Tables>>,
    /// Whether this proxy has served anything. What another one left is not touched before there is a table.
    pub(super) has_served: bool,
    /// Counts what was done to the tables.
    pub(super) generation: u64,
}

impl State {
    /// Makes the kernel serve `table`, or leaves it as it was. Returns how many service ports changed, and how many rules
    /// were written.
    pub(super) async fn serve(
        &mut self,
        table: &ServiceTable,
        changes: Vec<PortChange>,
        client: &Client,
    ) -> Result<(usize, usize), ProgramError> {
        let mut rules = 0;
        // Taken: if this future is dropped, nothing is known.
        let mut tables = self.tables.take();
        self.generation += 1;
        if let Some(known) = &mut tables
            && let Err(error) = change(known, &changes, client, &mut rules).await
        {
            tracing::debug!(%error, "the tables are not as they were left: they are read and put right");
            tables = None;
        }
        let tables = match tables {
            Some(tables) => tables,
            None => {
                let ports = || table.iter().map(|(name, port)| (name, &**port));
                match settle(ports, client, &mut rules).await {
                    Ok(tables) => tables,
                    Err(error) => {
                        self.restore_last_good(client).await;
                        return Err(error);
                    }
                }
            }
        };
        self.tables = Some(tables);
        self.has_served = true;
        let changed = changes.len();
        self.served.accept(table, changes);
        Ok((changed, rules))
    }

    /// Part of a table that failed may have been served. What was served before is, if that is possible.
    async fn restore_last_good(&mut self, client: &Client) {
        if !self.has_served {
            return;
        }
        let restored = settle(|| self.served.iter().map(|(name, port)| (name, &**port)), client, &mut 0).await;
        match restored {
            Ok(tables) => self.tables = Some(tables),
            Err(error) => tracing::warn!(%error, "the rules could not be compared with the table served before"),
        }
    }

    /// Puts right what stands otherwise than it should. Returns how many chains, and rules of built-in chains, did.
    pub(super) async fn repair(&mut self, found: &Found, client: &Client) -> Result<usize, ProgramError> {
        let nothing = BTreeMap::new();
        let differences = self.tables.as_ref().map(|tables| {
            let of = |tables: &Tables| tables.differences(found.get(&tables.family()).unwrap_or(&nothing));
            tables.iter().map(of).sum::<usize>()
        });
        if differences == Some(0) || !self.has_served {
            return Ok(0);
        }
        self.tables = None;
        self.generation += 1;
        let mut rules = 0;
        self.tables =
            Some(settle(|| self.served.iter().map(|(name, port)| (name, &**port)), client, &mut rules).await?);
        let repaired = differences.unwrap_or(rules);
        if repaired > 0 {
            tracing::warn!(repaired, "rules of services were changed by somebody else, and were put right");
        }
        Ok(repaired)
    }

    /// Removes all that is this proxy's.
    pub(super) async fn clear(&mut self, client: &Client) -> Result<(), ProgramError> {
        self.tables = None;
        self.generation += 1;
        self.served = Served::default();
        self.has_served = false;
        let nothing = || std::iter::empty::<(&ServicePortName, &ServicePort)>();
        settle(nothing, client, &mut 0).await?;
        client.rest().await;
        Ok(())
    }
}

/// Reads the tables of all families.
pub(super) async fn read(client: &Client) -> Result<Found, ProgramError> {
    let mut found = Found::new();
    for family in Family::ALL {
        match client.save(family).await {
            Ok(saved) => drop(found.insert(family, Standing::read(&saved))),
            Err(error) if error.is_absence() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Makes known changes.
async fn change(
    tables: &mut [Tables],
    changes: &[PortChange],
    client: &Client,
    rules: &mut usize,
) -> Result<(), ProgramError> {
    for tables in tables {
        let updates = tables.change(changes, client.config());
        apply(tables.family(), &updates, client, rules).await?;
    }
    Ok(())
}

/// Makes what stands in the tables, whatever it is, into what serves these service ports.
async fn settle<'a, I>(ports: impl Fn() -> I, client: &Client, rules: &mut usize) -> Result<Vec<Tables>, ProgramError>
where
    I: Iterator<Item = (&'a ServicePortName, &'a ServicePort)>,
{
    let (config, mut found) = (client.config(), read(client).await?);
    let mut all = Vec::new();
    for family in Family::ALL {
        let (tables, updates) = Tables::settle(family, found.remove(&family).unwrap_or_default(), ports(), config);
        if !updates.is_empty() {
            warn_of_legacy(family, client).await;
        }
        if let Err(error) = apply(family, &updates, client, rules).await {
            // One of the two tables may have been changed.
            let mut found = read(client).await?;
            let found = found.remove(&family).unwrap_or_default();
            let without = Tables::settle(family, found, ports(), config).1.keeping_chains();
            if without.is_none() || apply(family, &without.unwrap_or_default(), client, rules).await.is_err() {
                return Err(error);
            }
            tracing::warn!(%error, "chains that are not needed any more are empty, but could not be removed");
        }
        all.push(tables);
    }
    Ok(all)
}

async fn apply(family: Family, updates: &Updates, client: &Client, rules: &mut usize) -> Result<(), ProgramError> {
    if updates.is_empty() {
        return Ok(());
    }
    for input in updates.inputs(PORTION) {
        client.restore(family, &input).await?;
    }
    *rules += updates.rules();
    Ok(())
}

/// Says once what the old interface costs.
async fn warn_of_legacy(family: Family, client: &Client) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if let Ok(true) = client.is_legacy(family).await
        && !WARNED.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(
            "iptables uses the kernel's legacy interface, where each change of a service replaces the whole table: with \
             ten thousand services that takes a second. Where `iptables-nft` is installed, name it as the alternative"
        );
    }
}
