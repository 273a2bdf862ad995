//! What stands in a table, and the smallest change that makes it what it should be. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::name::ChainName;
use super::rule::{COMMENT, Rule};

/// A table of iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Filter,
    Nat,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Nat { "nat" } else { "filter" })
    }
}

/// A rule of a built-in chain by which packets reach this proxy's chains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Jump {
    pub(super) from: &'static str,
    pub(super) rule: Rule,
}

/// What is this proxy's in a table. Of chains it is known whether they are as they should be, not what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    chains: BTreeMap<ChainName, u64>,
    /// The rules of built-in chains, by chain.
    jumps: BTreeMap<String, Vec<String>>,
}

impl Standing {
    /// Reads what `iptables-save` wrote.
    pub(super) fn read(saved: &str) -> BTreeMap<Table, Self> {
        let (mut tables, mut texts) = (BTreeMap::<Table, Self>::new(), BTreeMap::<(Table, ChainName), String>::new());
        let mut table = None;
        for line in saved.lines() {
            if let Some(name) = line.strip_prefix('*') {
                table = [Table::Filter, Table::Nat].into_iter().find(|table| table.to_string() == name);
            }
            let Some(table) = table else { continue };
            if let Some(chain) = line.strip_prefix(':').and_then(|line| line.split(' ').next()) {
                texts.extend(ChainName::found(chain).map(|chain| ((table, chain), String::new())));
                continue;
            }
            let Some((chain, rule)) = line.strip_prefix("-A ").and_then(|rule| rule.split_once(' ')) else { continue };
            if let Some(name) = ChainName::found(chain) {
                let text = texts.entry((table, name)).or_default();
                text.push_str(rule);
                text.push('\n');
            } else if is_jump(rule) {
                tables.entry(table).or_default().jumps.entry(chain.to_owned()).or_default().push(rule.to_owned());
            }
        }
        for ((table, chain), text) in texts {
            tables.entry(table).or_default().chains.insert(chain, digest(&text));
        }
        tables
    }

    pub(super) fn has(&self, chain: &ChainName) -> bool {
        self.chains.contains_key(chain)
    }

    /// How many chains, and rules of built-in chains, differ.
    pub(super) fn differences(&self, other: &Self) -> usize {
        let chains: BTreeSet<_> = self.chains.keys().chain(other.chains.keys()).collect();
        let jumps: BTreeSet<_> = self.jumps.keys().chain(other.jumps.keys()).collect();
        let chains = chains.into_iter().filter(|chain| self.chains.get(*chain) != other.chains.get(*chain)).count();
        chains + jumps.into_iter().filter(|from| self.jumps.get(*from) != other.jumps.get(*from)).count()
    }

    /// What must be done for these chains to say this, or (with `None`) to be gone; and for these jumps to be the only ones.
    pub(super) fn update(&self, chains: &BTreeMap<ChainName, Option<Vec<Rule>>>, jumps: &[Jump]) -> Update {
        let mut update = Update::default();
        for (chain, rules) in chains {
            match rules.as_deref().map(text) {
                Some(text) if self.chains.get(chain) != Some(&digest(&text)) => {
                    update.new.extend((!self.has(chain)).then(|| chain.clone()));
                    update.write.insert(chain.clone(), text);
                }
                None if self.has(chain) => {
                    update.remove.insert(chain.clone());
                }
                _ => {}
            }
        }
        for (from, found) in &self.jumps {
            let wanted = jumps.iter().find(|jump| jump.from == from).map(|jump| jump.rule.to_string());
            if wanted.as_ref() != found.first() || found.len() != 1 {
                update.withdraw.extend(found.iter().map(|rule| (from.clone(), rule.clone())));
            }
        }
        for jump in jumps {
            let rule = jump.rule.to_string();
            if self.jumps.get(jump.from).is_none_or(|found| found.len() != 1 || found.first() != Some(&rule)) {
                update.enter.push((jump.from.to_owned(), rule));
            }
        }
        update
    }

    /// The same for all chains: others of this proxy are to be gone.
    pub(super) fn update_all(&self, chains: BTreeMap<ChainName, Vec<Rule>>, jumps: &[Jump]) -> Update {
        let gone = self.chains.keys().filter(|chain| !chains.contains_key(*chain)).cloned().map(|chain| (chain, None));
        let gone: Vec<_> = gone.collect();
        let mut wanted: BTreeMap<_, _> = chains.into_iter().map(|(chain, rules)| (chain, Some(rules))).collect();
        wanted.extend(gone);
        self.update(&wanted, jumps)
    }

    /// Takes notice that an update was made.
    pub(super) fn accept(&mut self, update: &Update) {
        self.chains.extend(update.write.iter().map(|(chain, text)| (chain.clone(), digest(text))));
        self.chains.retain(|chain, _| !update.remove.contains(chain));
        for (from, _) in &update.withdraw {
            self.jumps.remove(from);
        }
        for (from, rule) in &update.enter {
            self.jumps.insert(from.clone(), vec![rule.clone()]);
        }
    }
}

/// A change of one table, in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Update {
    /// Chains and what they are to say: their rules, a line each.
    write: BTreeMap<ChainName, String>,
    /// Those of them that are not there yet.
    new: BTreeSet<ChainName>,
    remove: BTreeSet<ChainName>,
    /// Rules of built-in chains that go, and that come.
    withdraw: Vec<(String, String)>,
    enter: Vec<(String, String)>,
}

impl Update {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same, but chains that go are left there, empty.
    pub(super) fn keeping_chains(&self) -> Self {
        let mut kept = self.clone();
        kept.write.extend(std::mem::take(&mut kept.remove).into_iter().map(|chain| (chain, String::new())));
        kept
    }

    /// Takes out what can be done before the rest, and not be noticed: new chains, to which nothing leads yet. They are in
    /// portions of so many, and in this order, in which a chain comes after those that it leads to.
    pub(super) fn split_off<'a>(
        &mut self,
        order: impl Iterator<Item = &'a ChainName>,
        portion: usize,
    ) -> Vec<Vec<(ChainName, String)>> {
        if self.new.len() <= portion {
            return Vec::new();
        }
        let new = order.filter(|chain| self.new.contains(*chain));
        let ahead: Vec<_> = new.filter_map(|chain| self.write.remove_entry(chain)).collect();
        ahead.chunks(portion).map(<[_]>::to_vec).collect()
    }

    /// How many rules it writes or takes out of built-in chains.
    pub(super) fn rules(&self) -> usize {
        let written: usize = self.write.values().map(|text| text.lines().count()).sum();
        written + self.withdraw.len() + self.enter.len()
    }

    /// Appends it as `iptables-restore` reads it.
    pub(super) fn write_to(&self, table: Table, input: &mut String) {
        if self.is_empty() {
            return;
        }
        begin(table, self.write.keys().chain(&self.remove), input);
        self.write.iter().for_each(|(chain, text)| fill(chain, text, input));
        for (from, rule) in &self.withdraw {
            let _ = writeln!(input, "-D {from} {rule}");
        }
        for (from, rule) in &self.enter {
            let _ = writeln!(input, "-I {from} {rule}");
        }
        for chain in &self.remove {
            let _ = writeln!(input, "-X {chain}");
        }
        input.push_str("COMMIT\n");
    }
}

/// What `iptables-restore` reads to make these chains.
pub(super) fn input(table: Table, chains: &[(ChainName, String)]) -> String {
    let mut input = String::new();
    begin(table, chains.iter().map(|(chain, _)| chain), &mut input);
    chains.iter().for_each(|(chain, text)| fill(chain, text, &mut input));
    input.push_str("COMMIT\n");
    input
}

/// Makes or empties chains.
fn begin<'a>(table: Table, chains: impl Iterator<Item = &'a ChainName>, input: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(input, "*{table}");
    for chain in chains {
        let _ = writeln!(input, ":{chain} - [0:0]");
    }
}

fn fill(chain: &ChainName, text: &str, input: &mut String) {
    for rule in text.lines() {
        let _ = writeln!(input, "-A {chain} {rule}");
    }
}

fn text(rules: &[Rule]) -> String {
    let mut text = String::new();
    for rule in rules {
        let _ = writeln!(text, "{rule}");
    }
    text
}

/// Nobody gains by making two that meet: who can write rules can do anything.
fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Whether a rule of somebody else's chain is one by which packets reach this proxy's.
fn is_jump(rule: &str) -> bool {
    let to_ours = rule.split_once(" -j ").is_some_and(|(_, target)| ChainName::found(target).is_some());
    to_ours && rule.contains(&format!("--comment \"{COMMENT}\""))
}
