//! [`Model`] and [`Plan`]: what the tables hold, and what a sync changes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use orch_core::proxy::{Affinity, ServicePort, ServicePortName};

use super::batch::{Batch, Finished};
use super::config::NftablesConfig;
use super::elements::{Elements, Key, Slots, Value, addresses_on_the_node, chains, elements, itself};
use super::expression::Expression;
use super::structure::{Chain, SETS, Set, Side, keep_rules};
use crate::family::Family;
use crate::served::PortChange;

/// What the kernel has, of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    families: [FamilyModel; 2],
    /// The next number for the clients of a service port. None is used twice.
    next_kept: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct FamilyModel {
    slots: BTreeMap<ServicePortName, Slots>,
    /// For how many service ports an address may reach itself.
    itself: BTreeMap<IpAddr, usize>,
    /// How many endpoints places have, or had: what was made for that stays.
    sizes: BTreeSet<(Side, u32)>,
}

/// What a sync does. Nothing of it is in the [`Model`] before it is done.
#[derive(Debug)]
pub(super) struct Plan {
    families: [FamilyPlan; 2],
    /// Whether everything is made anew, with this model.
    whole: bool,
}

/// In the order in which it is done.
#[derive(Debug, Default)]
struct FamilyPlan {
    delete: Vec<Key>,
    sizes: BTreeSet<(Side, u32)>,
    /// Chains whose rules change: they are emptied, and filled again.
    empty: BTreeSet<Chain>,
    fill: BTreeMap<Chain, Vec<Vec<Expression>>>,
    add: Elements,
    /// Chains that nothing leads to any more.
    gone: BTreeSet<Chain>,
    slots: Vec<(ServicePortName, Option<Slots>)>,
    itself: BTreeMap<IpAddr, usize>,
}

impl Model {
    /// What makes `changes` true. `whole` if what the kernel has is not to be relied on: then `changes` must be all of the
    /// table, each as if it were new, and the model an empty one.
    pub(super) fn plan(&mut self, changes: &[PortChange], whole: bool) -> Plan {
        let families = Family::ALL.map(|family| self.plan_family(family, changes));
        Plan { families, whole }
    }

    fn plan_family(&mut self, family: Family, changes: &[PortChange]) -> FamilyPlan {
        let model = &self.families[index(family)];
        let mut plan = FamilyPlan::default();
        let (mut old, mut new) = (Elements::new(), Elements::new());
        for change in changes {
            let before = model.slots.get(&change.name).cloned().unwrap_or_default();
            let after = change.new.as_ref().map(|port| before.next(family, port, self.next_kept));
            // Where no number was needed, one is left out.
            self.next_kept = self.next_kept.wrapping_add(1);
            let of_old = change.old.as_ref().map(|port| elements(family, port, &before)).unwrap_or_default();
            let both = change.new.as_ref().zip(after.as_ref());
            let of_new = both.map(|(port, slots)| elements(family, port, slots)).unwrap_or_default();
            plan.chains(family, model, change, [&before, after.as_ref().unwrap_or(&before)], [&of_old, &of_new]);
            plan.count(family, model, change);
            old.extend(of_old);
            new.extend(of_new);
            plan.slots.push((change.name.clone(), after));
        }
        for (address, count) in &plan.itself {
            match (model.itself.contains_key(address), *count > 0) {
                (true, false) => drop(old.insert(itself(*address), Value::None)),
                (false, true) => drop(new.insert(itself(*address), Value::None)),
                _ => {}
            }
        }
        let differs = |(key, value): &(&Key, &Value)| new.get(*key) != Some(*value);
        plan.delete = old.iter().filter(differs).map(|(key, _)| key.clone()).collect();
        new.retain(|key, value| old.get(key) != Some(value));
        plan.add = new;
        plan
    }

    /// The transaction that does the plan, unless anybody changed a table since `generation`.
    pub(super) fn render(&self, plan: &Plan, config: &NftablesConfig, generation: Option<u32>) -> Finished {
        let mut batch = Batch::new(&config.table, generation);
        for (family, part) in Family::ALL.into_iter().zip(&plan.families) {
            if plan.whole {
                batch.remove_table(family);
                batch.add_table(family, config.clients_max);
            }
            batch.delete_elements(family, &part.delete);
            part.sizes.iter().for_each(|(side, endpoints)| batch.add_size(family, *side, *endpoints));
            part.empty.iter().for_each(|chain| batch.empty_chain(family, *chain));
            part.fill.iter().for_each(|(chain, rules)| batch.add_filled_chain(family, *chain, rules));
            batch.add_elements(family, &part.add);
            part.gone.iter().for_each(|chain| batch.delete_chain(family, *chain));
        }
        batch.finish()
    }

    /// Takes notice that the plan was done.
    pub(super) fn accept(&mut self, plan: Plan) {
        for (model, part) in self.families.iter_mut().zip(plan.families) {
            for (name, slots) in part.slots {
                match slots {
                    Some(slots) => model.slots.insert(name, slots),
                    None => model.slots.remove(&name),
                };
            }
            model.itself.extend(part.itself);
            model.itself.retain(|_, count| *count > 0);
            model.sizes.extend(part.sizes);
        }
    }

    /// The sets of a family that only the proxy writes into.
    pub(super) fn sets(&self, family: Family) -> impl Iterator<Item = Set> {
        let sizes = self.families[index(family)].sizes.iter().map(|(side, endpoints)| Set::Size(*side, *endpoints));
        SETS.into_iter().filter(|set| *set != Set::Kept).chain(sizes)
    }

    /// All elements that a family has because of these service ports.
    pub(super) fn elements<'a>(
        &self,
        family: Family,
        ports: impl Iterator<Item = (&'a ServicePortName, &'a ServicePort)>,
    ) -> Elements {
        let model = &self.families[index(family)];
        let mut all: Elements = model.itself.keys().map(|address| (itself(*address), Value::None)).collect();
        for (name, port) in ports {
            if let Some(slots) = model.slots.get(name) {
                all.extend(elements(family, port, slots));
            }
        }
        all
    }
}

impl FamilyPlan {
    /// Which chains a change makes, fills anew, and leaves behind.
    fn chains(
        &mut self,
        family: Family,
        model: &FamilyModel,
        change: &PortChange,
        [before, after]: [&Slots; 2],
        [old, new]: [&Elements; 2],
    ) {
        let (old_chains, new_chains) = (chains(old), chains(new));
        let affinity = |port: &Option<std::sync::Arc<ServicePort>>| port.as_ref().map(|port| port.affinity);
        for chain in &new_chains {
            match *chain {
                Chain::Way(side, endpoints) => {
                    if !model.sizes.contains(&(side, endpoints)) {
                        self.sizes.insert((side, endpoints));
                    }
                }
                Chain::Kept(side, number) => {
                    let is_there = old_chains.contains(chain);
                    let is_same = before.of(side) == after.of(side) && affinity(&change.old) == affinity(&change.new);
                    let Some(Affinity::ClientIp(keep)) = affinity(&change.new) else { continue };
                    if is_there && is_same {
                        continue;
                    }
                    if is_there {
                        self.empty.insert(*chain);
                    }
                    self.fill.insert(*chain, keep_rules(family, number, keep, after.of(side)));
                }
            }
        }
        let is_gone = |chain: &&Chain| matches!(chain, Chain::Kept(..)) && !new_chains.contains(*chain);
        self.gone.extend(old_chains.iter().filter(is_gone));
    }

    /// Counts for how many service ports an address may reach itself.
    fn count(&mut self, family: Family, model: &FamilyModel, change: &PortChange) {
        for (port, gained) in [(&change.old, false), (&change.new, true)] {
            for address in port.iter().flat_map(|port| addresses_on_the_node(family, port)) {
                let before = model.itself.get(&address).copied().unwrap_or_default();
                let count = self.itself.entry(address).or_insert(before);
                *count = if gained { *count + 1 } else { count.saturating_sub(1) };
            }
        }
    }
}

impl Plan {
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether it makes, fills or removes chains.
    pub(super) fn concerns_chains(&self) -> bool {
        self.whole
            || self.families.iter().any(|part| !part.sizes.is_empty() || !part.fill.is_empty() || !part.gone.is_empty())
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        let nothing = |part: &FamilyPlan| part.delete.is_empty() && part.add.is_empty();
        !self.concerns_chains() && self.families.iter().all(nothing)
    }
}

fn index(family: Family) -> usize {
    usize::from(family == Family::V6)
}

#[cfg(test)]
mod tests;
