//! [`Model`] and [`Plan`]: what the tables hold, and what a sync changes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use orch_core::object::Protocol;
use orch_core::proxy::{ServicePort, ServicePortName};

use super::batch::{Batch, Finished};
use super::config::NftablesConfig;
use super::conntrack::Stale;
use super::elements::{Elements, Key, Slots, addresses_on_the_node, elements, itself};
use super::family::Family;
use super::structure::Way;
use crate::served::PortChange;

/// What the kernel has, of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    families: [FamilyModel; 2],
    ways: Ways,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct FamilyModel {
    slots: BTreeMap<ServicePortName, Slots>,
    /// For how many service ports an address may reach itself.
    itself: BTreeMap<IpAddr, usize>,
}

/// The ways in use, each with its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ways {
    numbers: BTreeMap<Way, u32>,
    all: Vec<Way>,
    /// How many of them the kernel has.
    made: usize,
}

impl Ways {
    fn number(&mut self, way: Way) -> u32 {
        *self.numbers.entry(way).or_insert_with(|| {
            self.all.push(way);
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn to_be_made(&self) -> impl Iterator<Item = (u32, Way)> {
        (0..).zip(self.all.iter().copied()).skip(self.made)
    }
}

/// What a sync does. Nothing of it is in the [`Model`] before it is done.
#[derive(Debug)]
pub(super) struct Plan {
    families: [FamilyPlan; 2],
    /// Whether everything is made anew, with this model.
    whole: bool,
    /// Datagrams that the kernel would go on leading to where they no longer belong.
    pub(super) stale: Vec<Stale>,
}

#[derive(Debug, Default)]
struct FamilyPlan {
    slots: Vec<(ServicePortName, Option<Slots>)>,
    itself: BTreeMap<IpAddr, usize>,
    delete: Vec<Key>,
    add: Elements,
}

impl Model {
    /// What makes `changes` true. `whole` if what the kernel has is not to be relied on: then `changes` must be all of the
    /// table, each as if it were new, and the model an empty one.
    pub(super) fn plan(&mut self, changes: &[PortChange], whole: bool) -> Plan {
        let families = Family::ALL.map(|family| self.plan_family(family, changes));
        let stale = changes.iter().filter_map(stale).collect();
        Plan { families, whole, stale }
    }

    fn plan_family(&mut self, family: Family, changes: &[PortChange]) -> FamilyPlan {
        let model = &self.families[index(family)];
        let ways = &mut self.ways;
        let mut plan = FamilyPlan::default();
        let (mut old, mut new) = (Elements::new(), Elements::new());
        let mut counts = |addresses: BTreeSet<IpAddr>, gained: bool| {
            for address in addresses {
                let before = model.itself.get(&address).copied().unwrap_or_default();
                let count = plan.itself.entry(address).or_insert(before);
                *count = if gained { *count + 1 } else { count.saturating_sub(1) };
            }
        };
        for change in changes {
            let before = model.slots.get(&change.name).cloned().unwrap_or_default();
            if let Some(port) = &change.old {
                old.extend(elements(family, port, &before, |way| ways.number(way)));
                counts(addresses_on_the_node(family, port), false);
            }
            let after = change.new.as_ref().map(|port| before.next(family, port));
            if let (Some(port), Some(slots)) = (&change.new, &after) {
                new.extend(elements(family, port, slots, |way| ways.number(way)));
                counts(addresses_on_the_node(family, port), true);
            }
            plan.slots.push((change.name.clone(), after));
        }
        for (address, count) in &plan.itself {
            let before = model.itself.contains_key(address);
            if before && *count == 0 {
                old.insert(itself(*address), Vec::new());
            } else if !before && *count > 0 {
                new.insert(itself(*address), Vec::new());
            }
        }
        plan.delete =
            old.iter().filter(|(key, value)| new.get(*key) != Some(*value)).map(|(key, _)| key.clone()).collect();
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
            for (number, way) in self.ways.to_be_made() {
                batch.add_way(family, number, way);
            }
            batch.delete_elements(family, &part.delete);
            batch.add_elements(family, &part.add);
        }
        batch.finish()
    }

    /// Whether the plan makes new chains.
    pub(super) fn makes_chains(&self, plan: &Plan) -> bool {
        plan.whole || self.ways.to_be_made().next().is_some()
    }

    /// Takes notice that the plan was done.
    pub(super) fn accept(&mut self, plan: Plan) {
        self.ways.made = self.ways.all.len();
        for (model, part) in self.families.iter_mut().zip(plan.families) {
            for (name, slots) in part.slots {
                match slots {
                    Some(slots) => model.slots.insert(name, slots),
                    None => model.slots.remove(&name),
                };
            }
            model.itself.extend(part.itself);
            model.itself.retain(|_, count| *count > 0);
        }
    }

    /// All elements that a family has because of these service ports.
    pub(super) fn elements<'a>(
        &mut self,
        family: Family,
        ports: impl Iterator<Item = (&'a ServicePortName, &'a ServicePort)>,
    ) -> Elements {
        let model = &self.families[index(family)];
        let mut all: Elements = model.itself.keys().map(|address| (itself(*address), Vec::new())).collect();
        for (name, port) in ports {
            if let Some(slots) = model.slots.get(name) {
                all.extend(elements(family, port, slots, |way| self.ways.number(way)));
            }
        }
        all
    }
}

impl Plan {
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        let nothing = |part: &FamilyPlan| part.delete.is_empty() && part.add.is_empty();
        !self.whole && self.families.iter().all(nothing)
    }
}

fn index(family: Family) -> usize {
    usize::from(family == Family::V6)
}

/// Which datagrams a change leaves behind: those that are led to an endpoint that is gone, or that were led nowhere before.
fn stale(change: &PortChange) -> Option<Stale> {
    let udp = |port: &&std::sync::Arc<ServicePort>| port.protocol == Protocol::Udp;
    let usable = |port: &ServicePort, node: bool| -> BTreeSet<SocketAddr> {
        let policy = if node { port.external } else { port.internal };
        port.usable_by(policy).map(|endpoint| endpoint.address).collect()
    };
    let (old, new) = (change.old.as_ref().filter(udp), change.new.as_ref().filter(udp));
    let places = |port: Option<&std::sync::Arc<ServicePort>>| {
        port.map(|port| {
            let place =
                |place: orch_core::proxy::Place| ((place.address, place.port), usable(port, place.address.is_none()));
            port.places().map(place).collect::<BTreeMap<_, _>>()
        })
        .unwrap_or_default()
    };
    let (before, mut after) = (places(old), places(new));
    let kept = |at: &(Option<IpAddr>, u16), usable: &BTreeSet<SocketAddr>| {
        before.get(at).is_some_and(|before| !before.is_empty() && before.is_subset(usable))
    };
    let mut stale: BTreeMap<_, _> =
        before.keys().filter(|at| !after.contains_key(at)).map(|at| (*at, BTreeSet::new())).collect();
    after.retain(|at, usable| !kept(at, usable));
    stale.extend(after);
    (!stale.is_empty()).then_some(Stale { places: stale })
}
