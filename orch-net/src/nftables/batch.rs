//! [`Batch`]: one transaction on tables, encoded. The kernel does all of it or nothing.

use super::config::TableName;
use super::elements::{Elements, Key, Value};
use super::expression::{self, Expression};
use super::structure::{self, BaseChain, Chain, Field, SETS, Set, Side};
use crate::family::Family;
use crate::netlink::wire::{Header, Writer};

/// The kernel's number of its tables among the parts of netfilter.
pub(super) const TABLES: u16 = 10;

const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const DELETE_CHAIN: u16 = 5;
const NEW_RULE: u16 = 6;
const DELETE_RULES: u16 = 8;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;
const DELETE_ELEMENTS: u16 = 14;

const BEGIN: u16 = 0x10;
const END: u16 = 0x11;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const IS_MAP: u32 = 0x8;
const HAS_TIMEOUT: u32 = 0x10;
const WRITTEN_BY_PACKETS: u32 = 0x20;

/// The type of verdicts, for a map.
const VERDICT: u32 = 0xFFFF_FF00;

/// Elements are sent in lists of so many bytes at most: an attribute has room for 64 KiB.
const LIST_MAX: usize = 32 * 1024;

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    writer: Writer,
    /// What each message does, by sequence number from 1.
    deeds: Vec<&'static str>,
    table: String,
}

impl Batch {
    /// An empty one about the tables of this name, to be done only if nobody changed any table since this generation.
    pub(super) fn new(table: &TableName, generation: Option<u32>) -> Self {
        let mut batch = Self { writer: Writer::default(), deeds: Vec::new(), table: table.to_string() };
        batch.deeds.push("begin");
        let header = Header { kind: BEGIN, flags: REQUEST, sequence: 1, family: 0, resource: TABLES };
        batch.writer.message(header, |writer| {
            if let Some(generation) = generation {
                writer.number(1, generation);
            }
        });
        batch
    }

    /// The whole of it, ready to be sent.
    pub(super) fn finish(mut self) -> Finished {
        let last = self.sequence() + 1;
        let header = Header { kind: END, flags: REQUEST, sequence: last, family: 0, resource: TABLES };
        self.writer.message(header, |_| {});
        Finished { bytes: self.writer, deeds: self.deeds }
    }

    fn sequence(&self) -> u32 {
        u32::try_from(self.deeds.len()).unwrap_or(u32::MAX)
    }

    fn message(&mut self, family: Family, kind: u16, flags: u16, deed: &'static str, fill: impl FnOnce(&mut Writer)) {
        self.deeds.push(deed);
        let header = Header {
            kind: TABLES << 8 | kind,
            flags: REQUEST | ACKNOWLEDGE | flags,
            sequence: self.sequence(),
            family: family.number(),
            resource: 0,
        };
        let table = &self.table;
        self.writer.message(header, |writer| {
            writer.text(1, table);
            fill(writer);
        });
    }

    /// Makes a table, with its sets and chains and no elements.
    pub(super) fn add_table(&mut self, family: Family, clients_max: u32) {
        self.touch_table(family);
        for set in SETS {
            self.add_set(family, set, clients_max);
        }
        let chains = structure::chains(family);
        // All of them first: rules lead from one to another.
        for (name, _) in &chains {
            self.add_chain(family, name, None);
        }
        for (name, rules) in &chains {
            self.add_rules(family, name, rules);
        }
        for chain in structure::base_chains(family) {
            self.add_chain(family, chain.name, Some(&chain));
            self.add_rules(family, chain.name, &chain.rules);
        }
    }

    /// Makes the set, the chain and the rule for places with so many endpoints.
    pub(super) fn add_size(&mut self, family: Family, side: Side, endpoints: u32) {
        self.add_set(family, Set::Size(side, endpoints), 0);
        let chain = Chain::Way(side, endpoints);
        self.add_filled_chain(family, chain, &structure::way_rules(family, side, endpoints));
        self.add_rules(family, structure::size_chain(side), &[structure::size_rule(family, side, endpoints)]);
    }

    /// Makes a table, if it is not there.
    fn touch_table(&mut self, family: Family) {
        self.message(family, NEW_TABLE, CREATE, "add the table", |writer| writer.number(2, 0));
    }

    /// Removes a table with all that is in it, if it is there.
    pub(super) fn remove_table(&mut self, family: Family) {
        self.touch_table(family);
        self.message(family, DELETE_TABLE, 0, "delete the table", |_| {});
    }

    fn add_set(&mut self, family: Family, set: Set, clients_max: u32) {
        let flags = match set {
            Set::Keeper(_) | Set::Endpoint(_) => IS_MAP,
            Set::Kept => HAS_TIMEOUT | WRITTEN_BY_PACKETS,
            Set::Place(_) | Set::Size(..) | Set::Itself | Set::Masqueraded => 0,
        };
        // Any will do that no other set of the transaction has.
        let id = self.sequence();
        self.message(family, NEW_SET, CREATE, "add a set", |writer| {
            writer.text(2, &set.name());
            writer.number(3, flags);
            writer.number(4, type_of(family, set.key()));
            writer.number(5, len_of(family, set.key()));
            if let Set::Keeper(_) = set {
                writer.number(6, VERDICT);
                writer.number(7, 16);
            } else if flags & IS_MAP != 0 {
                writer.number(6, type_of(family, set.value()));
                writer.number(7, len_of(family, set.value()));
            }
            if flags & WRITTEN_BY_PACKETS != 0 {
                writer.nested(9, |writer| writer.number(1, clients_max));
            }
            writer.number(10, id);
        });
    }

    fn add_chain(&mut self, family: Family, name: &str, base: Option<&BaseChain>) {
        self.message(family, NEW_CHAIN, CREATE, "add a chain", |writer| {
            writer.text(3, name);
            if let Some(base) = base {
                writer.nested(4, |writer| {
                    writer.number(1, base.hook);
                    writer.bytes(2, &base.priority.to_be_bytes());
                });
                writer.text(7, "nat");
            }
        });
    }

    fn add_rules(&mut self, family: Family, chain: &str, rules: &[Vec<Expression>]) {
        for rule in rules {
            self.message(family, NEW_RULE, CREATE | APPEND, "add a rule", |writer| {
                writer.text(2, chain);
                writer.nested(4, |writer| rule.iter().for_each(|expression| expression.write(writer)));
            });
        }
    }

    /// Makes a chain with these rules.
    pub(super) fn add_filled_chain(&mut self, family: Family, chain: Chain, rules: &[Vec<Expression>]) {
        let name = chain.name();
        self.add_chain(family, &name, None);
        self.add_rules(family, &name, rules);
    }

    /// Takes all rules out of a chain, which must be there.
    pub(super) fn empty_chain(&mut self, family: Family, chain: Chain) {
        self.message(family, DELETE_RULES, 0, "delete rules", |writer| writer.text(2, &chain.name()));
    }

    /// Removes a chain, which must be there, and which nothing may lead to any more.
    pub(super) fn delete_chain(&mut self, family: Family, chain: Chain) {
        self.empty_chain(family, chain);
        self.message(family, DELETE_CHAIN, 0, "delete a chain", |writer| writer.text(3, &chain.name()));
    }

    pub(super) fn add_elements(&mut self, family: Family, elements: &Elements) {
        self.elements(family, NEW_ELEMENTS, CREATE, "add elements", elements.iter());
    }

    /// Removes elements, which must be there.
    pub(super) fn delete_elements(&mut self, family: Family, keys: &[Key]) {
        self.elements(family, DELETE_ELEMENTS, 0, "delete elements", keys.iter().map(|key| (key, &Value::None)));
    }

    fn elements<'a>(
        &mut self,
        family: Family,
        kind: u16,
        flags: u16,
        deed: &'static str,
        elements: impl Iterator<Item = (&'a Key, &'a Value)>,
    ) {
        let mut elements = elements.peekable();
        while let Some(((set, _), _)) = elements.peek() {
            let set = *set;
            self.message(family, kind, flags, deed, |writer| {
                writer.text(2, &set.name());
                writer.nested(3, |writer| {
                    let start = writer.len();
                    while writer.len() - start < LIST_MAX
                        && let Some(((_, key), value)) = elements.next_if(|((of, _), _)| *of == set)
                    {
                        writer.nested(1, |writer| {
                            writer.nested(1, |writer| writer.bytes(1, key));
                            match value {
                                Value::None => {}
                                Value::Data(data) => writer.nested(2, |writer| writer.bytes(1, data)),
                                Value::Chain(chain) => {
                                    writer.nested(2, |writer| expression::go_to(writer, &chain.name()));
                                }
                            }
                        });
                    }
                });
            });
        }
    }
}

/// A transaction that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) bytes: Writer,
    deeds: Vec<&'static str>,
}

impl Finished {
    /// What the message of this number does.
    pub(super) fn deed(&self, sequence: u32) -> &'static str {
        let index = usize::try_from(sequence).ok().and_then(|sequence| sequence.checked_sub(1));
        index.and_then(|index| self.deeds.get(index)).copied().unwrap_or("end")
    }
}

/// What the program `nft` calls the type of a key of several fields.
fn type_of(family: Family, fields: &[Field]) -> u32 {
    fields.iter().fold(0, |number, field| number << 6 | field.type_number(family))
}

fn len_of(family: Family, fields: &[Field]) -> u32 {
    fields.iter().map(|field| field.len(family)).sum()
}
