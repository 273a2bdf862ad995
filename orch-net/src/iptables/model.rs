//! [`Model`]: tables of iptables that are obviously right, for tests. It takes what `iptables-restore` takes, writes what
//! `iptables-save` writes, and walks a packet through the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// The tables of one family, by table and chain. Built-in chains are there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) tables: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// The first packet of a connection.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: IpAddr,
    pub(super) to: SocketAddr,
    pub(super) protocol: &'static str,
    /// Whether it goes to an address of this node.
    pub(super) is_local: bool,
    /// The lists of clients that have its sender.
    pub(super) lists: BTreeSet<String>,
}

/// What may become of it, by chance.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fate {
    pub(super) chance: f64,
    pub(super) verdict: Option<Verdict>,
    pub(super) mark: u32,
    /// The lists into which its sender was put.
    pub(super) remembered: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Translated(SocketAddr),
    Rejected(String),
}

const BUILT_IN: [(&str, &[&str]); 2] =
    [("filter", &["INPUT", "FORWARD", "OUTPUT"]), ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"])];

impl Model {
    pub(super) fn new() -> Self {
        let chains = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        Self { tables: BUILT_IN.iter().map(|(table, names)| ((*table).to_owned(), chains(names))).collect() }
    }

    /// Does what one section of `iptables-restore --noflush` says, or nothing.
    pub(super) fn restore(&mut self, section: &str) -> Result<(), String> {
        let mut next = self.clone();
        let mut lines = section.lines();
        let table = lines.next().and_then(|line| line.strip_prefix('*')).ok_or("no table")?;
        let chains = next.tables.get_mut(table).ok_or("unknown table")?;
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (chain, rule) = rest.split_once(' ').unwrap_or((rest, ""));
            let found = chains.get_mut(chain).ok_or_else(|| format!("{line}: no such chain"));
            match word {
                "-A" => found?.push(rule.to_owned()),
                "-I" => found?.insert(0, rule.to_owned()),
                "-D" => {
                    let rules = found?;
                    let index = rules.iter().position(|found| found == rule).ok_or("no such rule")?;
                    rules.remove(index);
                }
                "-X" => {
                    let is_target = |rule: &String| rule.split(' ').next_back() == Some(chain);
                    if !found?.is_empty() || chains.values().flatten().any(is_target) {
                        return Err(format!("{chain} is in use"));
                    }
                    chains.remove(chain);
                }
                "COMMIT" => {}
                _ => {
                    let chain = word.strip_prefix(':').ok_or_else(|| format!("{line}: what is this?"))?;
                    chains.insert(chain.to_owned(), Vec::new());
                }
            }
        }
        for rule in chains.values().flatten() {
            if let Some(target) = target(rule)
                && target.contains("ORCH")
                && !chains.contains_key(target)
            {
                return Err(format!("{rule}: no such chain"));
            }
        }
        *self = next;
        Ok(())
    }

    pub(super) fn save(&self) -> String {
        let mut text = String::new();
        for (table, chains) in &self.tables {
            text += &format!("# Generated\n*{table}\n");
            chains.keys().for_each(|chain| text += &format!(":{chain} - [0:0]\n"));
            for (chain, rules) in chains {
                rules.iter().for_each(|rule| text += &format!("-A {chain} {rule}\n"));
            }
            text += "COMMIT\n";
        }
        text
    }

    /// What may become of a packet in a chain.
    pub(super) fn walk(&self, table: &str, chain: &str, packet: &Packet) -> Vec<Fate> {
        let fate = Fate { chance: 1.0, verdict: None, mark: 0, remembered: Vec::new() };
        self.through(&self.tables[table], chain, packet, vec![fate], 0)
    }

    fn through(
        &self,
        chains: &BTreeMap<String, Vec<String>>,
        chain: &str,
        packet: &Packet,
        mut here: Vec<Fate>,
        depth: usize,
    ) -> Vec<Fate> {
        assert!(depth < 16, "Linux follows no more jumps than this");
        let mut done = Vec::new();
        for rule in &chains[chain] {
            let mut next = Vec::new();
            for fate in here {
                let (chance, list) = matches(rule, packet, fate.mark);
                if chance < 1.0 {
                    next.push(Fate { chance: fate.chance * (1.0 - chance), ..fate.clone() });
                }
                if chance == 0.0 {
                    continue;
                }
                let mut fate = Fate { chance: fate.chance * chance, ..fate };
                fate.remembered.extend(list);
                let words: Vec<&str> = rule.split(' ').collect();
                let at = words.iter().position(|word| ["-j", "-g"].contains(word)).expect("every rule does something");
                match (words[at], words[at + 1]) {
                    (_, "DNAT") => {
                        let to = words[at + 3].parse().expect("an address");
                        done.push(Fate { verdict: Some(Verdict::Translated(to)), ..fate });
                    }
                    (_, "REJECT") => {
                        done.push(Fate { verdict: Some(Verdict::Rejected(words[at + 3].to_owned())), ..fate });
                    }
                    (_, "RETURN") => done.push(fate),
                    (_, "MARK") => next.push(Fate { mark: fate.mark | 0x1000, ..fate }),
                    (kind, chain) => {
                        let after = self.through(chains, chain, packet, vec![fate], depth + 1);
                        let (ended, back): (Vec<_>, Vec<_>) =
                            after.into_iter().partition(|fate| fate.verdict.is_some());
                        done.extend(ended);
                        if kind == "-j" { next.extend(back) } else { done.extend(back) }
                    }
                }
            }
            here = next;
        }
        done.extend(here);
        done.retain(|fate| fate.chance > 0.0);
        done
    }
}

fn target(rule: &str) -> Option<&str> {
    let words: Vec<&str> = rule.split(' ').collect();
    let at = words.iter().position(|word| ["-j", "-g"].contains(word))?;
    words.get(at + 1).copied()
}

/// How likely a rule matches, and the list it puts the sender into.
fn matches(rule: &str, packet: &Packet, mark: u32) -> (f64, Option<String>) {
    let rule = rule.replace("\"orch service proxy\"", "ours");
    let words: Vec<&str> = rule.split(' ').collect();
    let (mut chance, mut list, mut negated, mut at) = (1.0, None, false, 0);
    let after = |at: usize| words[at + 1];
    while at < words.len() {
        let (holds, used) = match words[at] {
            "!" => {
                (negated, at) = (true, at + 1);
                continue;
            }
            "-s" => (is_in(packet.from, after(at)), 2),
            "-d" => (is_in(packet.to.ip(), after(at)), 2),
            "-p" => (packet.protocol == after(at), 2),
            "--dport" => {
                let (first, last) = after(at).split_once(':').unwrap_or((after(at), after(at)));
                let port = |text: &str| text.parse::<u16>().expect("a port");
                ((port(first)..=port(last)).contains(&packet.to.port()), 2)
            }
            "-m" if after(at) == "recent" => {
                let name = words[at..].iter().position(|word| *word == "--name").expect("a name") + at + 1;
                let is_update = words[at + 2] == "--update";
                list = (!is_update).then(|| words[name].to_owned());
                (!is_update || packet.lists.contains(words[name]), name - at + 4)
            }
            "--probability" => {
                chance = after(at).parse().expect("a number");
                (true, 2)
            }
            "--ctstate" => (after(at) == "NEW", 2),
            "--dst-type" => (packet.is_local, 2),
            "--mark" => (mark & 0x1000 != 0, 2),
            "-m" | "--mode" | "--comment" => (true, 2),
            "-j" | "-g" => break,
            other => panic!("{other} in {rule}: what is this?"),
        };
        if holds == negated {
            return (0.0, None);
        }
        (negated, at) = (false, at + used);
    }
    (chance, list)
}

fn is_in(address: IpAddr, block: &str) -> bool {
    let (network, length) = block.split_once('/').expect("a block");
    let length: u32 = length.parse().expect("a length");
    match (address, network.parse().expect("an address")) {
        (IpAddr::V4(a), IpAddr::V4(b)) => length == 0 || (a.to_bits() ^ b.to_bits()) >> (32 - length) == 0,
        (IpAddr::V6(a), IpAddr::V6(b)) => length == 0 || (a.to_bits() ^ b.to_bits()) >> (128 - length) == 0,
        _ => false,
    }
}
