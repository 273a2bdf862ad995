//! [`Tables`]: what stands in the tables of one family, and what a change of the services is in them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::proxy::{ServicePort, ServicePortName};

use super::config::IptablesConfig;
use super::diff::{self, Jump, Standing, Table, Update};
use super::dispatch::{Change, Dispatch, Outcome, Spot};
use super::name::ChainName;
use super::render::{Fixed, Rendered, fixed_filter, fixed_nat, render};
use super::rule::{Match, Rule, Target};
use crate::family::Family;
use crate::served::PortChange;

/// What stands in the tables of one family. The trees agree with it.
#[derive(Debug)]
pub(super) struct Tables {
    family: Family,
    nat: Side,
    filter: Side,
}

/// One table.
#[derive(Debug)]
struct Side {
    standing: Standing,
    addresses: Dispatch,
    node_ports: Dispatch,
}

/// The updates of one change, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Updates {
    steps: Vec<(Table, Update)>,
    /// In which order new chains of `nat` may be written one after another; none if they are to be written at once.
    order: Vec<ChainName>,
}

/// What several service ports are together.
#[derive(Debug, Default)]
struct Together {
    chains: BTreeMap<ChainName, Vec<Rule>>,
    addresses: BTreeMap<Spot, Outcome>,
    node_ports: BTreeMap<Spot, Outcome>,
}

impl Tables {
    /// Makes what stands in the tables into what serves these service ports.
    pub(super) fn settle<'a>(
        family: Family,
        mut found: BTreeMap<Table, Standing>,
        ports: impl Iterator<Item = (&'a ServicePortName, &'a ServicePort)>,
        config: &IptablesConfig,
    ) -> (Self, Updates) {
        let mut tables = Self {
            family,
            nat: Side::new(family, found.remove(&Table::Nat).unwrap_or_default()),
            filter: Side::new(family, found.remove(&Table::Filter).unwrap_or_default()),
        };
        let mut wanted = Together::default();
        for (name, port) in ports {
            wanted.add(render(name, port, family, config));
        }
        tables.nat.change(&wanted.changes(&Together::default(), true));
        tables.filter.change(&wanted.changes(&Together::default(), false));
        let (mut nat, mut filter) = (wanted.chains, BTreeMap::new());
        if !tables.is_empty() {
            nat.extend(tables.nat.chains());
            nat.extend(fixed_nat(family, config));
            filter.extend(tables.filter.chains());
            filter.extend(fixed_filter(family, config));
        }
        let order = order(&nat);
        let nat = tables.nat.standing.update_all(nat, &tables.jumps(Table::Nat));
        let filter = tables.filter.standing.update_all(filter, &tables.jumps(Table::Filter));
        let updates = tables.accept(vec![(Table::Filter, filter), (Table::Nat, nat)]);
        (tables, Updates { order, ..updates })
    }

    /// Makes the tables serve what changed.
    ///
    /// Each update is one step, but the two tables are two. So refusals that are new come first, when they still do nothing,
    /// since `nat` leads elsewhere what they are for; then `nat` switches; then refusals go that do nothing any more. Where
    /// this stops in between, what was served before is served on.
    pub(super) fn change(&mut self, changes: &[PortChange], config: &IptablesConfig) -> Updates {
        let (mut old, mut new) = (Together::default(), Together::default());
        for PortChange { name, old: before, new: after } in changes {
            let render = |port: &ServicePort| render(name, port, self.family, config);
            before.iter().for_each(|port| old.add(render(port)));
            after.iter().for_each(|port| new.add(render(port)));
        }
        let gone = old.chains.keys().filter(|chain| !new.chains.contains_key(*chain));
        let mut nat: BTreeMap<_, _> = gone.map(|chain| (chain.clone(), None)).collect();
        let refusals = new.changes(&old, false);
        let coming = refusals.clone().map(|change| Change { remove: BTreeSet::new(), ..change });
        let going = refusals.map(|change| Change { insert: BTreeMap::new(), ..change });
        let mut refuse = self.filter.change(&coming);
        nat.extend(self.nat.change(&new.changes(&old, true)));
        nat.extend(new.chains.into_iter().map(|(chain, rules)| (chain, Some(rules))));
        let allow = self.filter.change(&going);
        if self.is_empty() {
            let nat = self.nat.standing.update_all(BTreeMap::new(), &[]);
            let filter = self.filter.standing.update_all(BTreeMap::new(), &[]);
            return self.accept(vec![(Table::Nat, nat), (Table::Filter, filter)]);
        }
        nat.extend(self.nat.missing(fixed_nat(self.family, config)));
        refuse.extend(self.filter.missing(fixed_filter(self.family, config)));

        let refuse = self.filter.standing.update(&refuse, &self.jumps(Table::Filter));
        let nat = self.nat.standing.update(&nat, &self.jumps(Table::Nat));
        let mut updates = self.accept(vec![(Table::Filter, refuse), (Table::Nat, nat)]);
        let allow = self.filter.standing.update(&allow, &self.jumps(Table::Filter));
        updates.steps.append(&mut self.accept(vec![(Table::Filter, allow)]).steps);
        updates
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// How many chains, and rules of built-in chains, stand otherwise than they should.
    pub(super) fn differences(&self, found: &BTreeMap<Table, Standing>) -> usize {
        let nothing = Standing::default();
        let of = |side: &Side, table| side.standing.differences(found.get(&table).unwrap_or(&nothing));
        of(&self.nat, Table::Nat) + of(&self.filter, Table::Filter)
    }

    fn is_empty(&self) -> bool {
        self.nat.is_empty() && self.filter.is_empty()
    }

    /// Whatever is empty is left out.
    fn accept(&mut self, updates: Vec<(Table, Update)>) -> Updates {
        let updates: Vec<_> = updates.into_iter().filter(|(_, update)| !update.is_empty()).collect();
        for (table, update) in &updates {
            match table {
                Table::Nat => self.nat.standing.accept(update),
                Table::Filter => self.filter.standing.accept(update),
            }
        }
        Updates { steps: updates, order: Vec::new() }
    }

    /// The rules of built-in chains, if there is anything to be reached.
    fn jumps(&self, table: Table) -> Vec<Jump> {
        if self.is_empty() {
            return Vec::new();
        }
        let Fixed { services, postrouting, .. } = Fixed::default();
        let to = |chain: &ChainName| Rule::always(Target::Jump(chain.clone()));
        let jump = |from, rule: Rule| Jump { from, rule: rule.when(Match::Comment) };
        match table {
            Table::Nat => vec![
                jump("PREROUTING", to(&services)),
                jump("OUTPUT", to(&services)),
                jump("POSTROUTING", to(&postrouting)),
            ],
            Table::Filter => {
                ["INPUT", "FORWARD", "OUTPUT"].map(|from| jump(from, to(&services).when(Match::New))).into()
            }
        }
    }
}

impl Side {
    fn new(family: Family, standing: Standing) -> Self {
        Self { standing, addresses: Dispatch::of_addresses(family), node_ports: Dispatch::of_node_ports(family) }
    }

    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.node_ports.is_empty()
    }

    fn change(&mut self, [addresses, node_ports]: &[Change; 2]) -> BTreeMap<ChainName, Option<Vec<Rule>>> {
        let mut chains = self.addresses.change(addresses);
        chains.extend(self.node_ports.change(node_ports));
        chains
    }

    fn chains(&self) -> BTreeMap<ChainName, Vec<Rule>> {
        let mut chains = self.addresses.chains();
        chains.extend(self.node_ports.chains());
        chains
    }

    /// What has to stand beside all else and does not yet.
    fn missing(&self, fixed: BTreeMap<ChainName, Vec<Rule>>) -> BTreeMap<ChainName, Option<Vec<Rule>>> {
        let trees = [&self.addresses, &self.node_ports].into_iter().filter(|tree| !self.standing.has(tree.root()));
        let chains = fixed.into_iter().chain(trees.flat_map(Dispatch::chains));
        chains.filter(|(chain, _)| !self.standing.has(chain)).map(|(chain, rules)| (chain, Some(rules))).collect()
    }
}

impl Together {
    fn add(&mut self, rendered: Rendered) {
        self.chains.extend(rendered.chains);
        self.addresses.extend(rendered.addresses);
        self.node_ports.extend(rendered.node_port);
    }

    /// What becomes of the trees of services that are served, or of those that are refused.
    fn changes(&self, before: &Self, served: bool) -> [Change; 2] {
        let is_wanted = |outcome: &Outcome| (*outcome != Outcome::Refuse) == served;
        let change = |old: &BTreeMap<Spot, Outcome>, new: &BTreeMap<Spot, Outcome>| {
            let kept = |spot: &Spot| new.get(spot).is_some_and(is_wanted);
            let removed = old.iter().filter(|(spot, outcome)| is_wanted(outcome) && !kept(spot));
            let inserted = new.iter().filter(|(spot, outcome)| is_wanted(outcome) && old.get(spot) != Some(outcome));
            Change {
                remove: removed.map(|(spot, _)| *spot).collect(),
                insert: inserted.map(|(spot, outcome)| (*spot, outcome.clone())).collect(),
            }
        };
        [change(&before.addresses, &self.addresses), change(&before.node_ports, &self.node_ports)]
    }
}

impl Updates {
    /// All of them as `iptables-restore` reads them.
    #[cfg(test)]
    pub(super) fn input(&self) -> String {
        self.inputs(usize::MAX).concat()
    }

    /// The same, where new chains, if there are more, come before all else in portions of so many.
    ///
    /// Where others' rules are to stay, the program lists every chain that a change makes or leads to, and goes through the list
    /// for each: a first sync of 30,000 services takes a minute at once, and seconds in portions. And Linux goes through all rules
    /// at each change, which is 40 % faster where they lie in memory in the order in which packets would come to them.
    pub(super) fn inputs(&self, portion: usize) -> Vec<String> {
        let (mut inputs, mut rest) = (Vec::new(), String::new());
        for (table, update) in &self.steps {
            let mut update = update.clone();
            if *table == Table::Nat {
                let ahead = update.split_off(self.order.iter(), portion);
                inputs.extend(ahead.iter().map(|chains| diff::input(*table, chains)));
            }
            update.write_to(*table, &mut rest);
        }
        inputs.push(rest);
        inputs
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The same, but chains that go are left there, empty: Linux does not remove one that somebody else's rule leads to.
    /// `None` if that is the same.
    pub(super) fn keeping_chains(&self) -> Option<Self> {
        let steps: Vec<_> = self.steps.iter().map(|(table, update)| (*table, update.keeping_chains())).collect();
        (steps != self.steps).then(|| Self { steps, order: self.order.clone() })
    }

    /// How many rules they write or take out of built-in chains.
    pub(super) fn rules(&self) -> usize {
        self.steps.iter().map(|(_, update)| update.rules()).sum()
    }
}

/// The chains that packets come to, each after those that it leads to, and else as packets' places lead to them.
fn order(chains: &BTreeMap<ChainName, Vec<Rule>>) -> Vec<ChainName> {
    fn visit<'a>(
        chain: &'a ChainName,
        chains: &'a BTreeMap<ChainName, Vec<Rule>>,
        seen: &mut BTreeSet<&'a ChainName>,
        order: &mut Vec<ChainName>,
    ) {
        if !seen.insert(chain) {
            return;
        }
        for rule in chains.get(chain).into_iter().flatten() {
            if let Target::Jump(to) | Target::Goto(to) = &rule.then {
                visit(to, chains, seen, order);
            }
        }
        order.push(chain.clone());
    }
    let Fixed { services, postrouting, .. } = Fixed::default();
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for entrance in chains.keys().filter(|chain| **chain == services || **chain == postrouting) {
        visit(entrance, chains, &mut seen, &mut order);
    }
    order
}
