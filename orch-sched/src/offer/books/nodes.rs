//! [`Nodes`]: what each node has, and who has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::allocator::{NodeName, NodeSupply, Resources, Unavailability};

use super::columns::Parcel;
use super::few::Few;
use super::refusals::Refused;

/// The nodes, by number and by name.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    entries: Vec<Option<NodeEntry>>,
    by_name: BTreeMap<NodeName, u32>,
    empty: Vec<u32>,
}

/// What a node has, and who has it.
#[derive(Debug)]
pub(crate) struct NodeEntry {
    pub(crate) supply: NodeSupply,
    pub(crate) active: bool,
    pub(crate) unavailability: Option<Unavailability>,
    /// Whether only frameworks may be offered it that can deal with GPUs, or with other regions.
    pub(crate) only_gpus: bool,
    pub(crate) only_other_regions: bool,
    /// The amounts of all that it has.
    pub(crate) total: Vec<i64>,
    /// What is neither used nor, where offers are exclusive, offered.
    pub(crate) free: Option<Arc<Parcel>>,
    /// Whether more is used than there is: then nothing that comes back is free before that is made up for.
    pub(crate) overdrawn: bool,
    /// Grows whenever what is free changes.
    pub(crate) version: u64,
    /// Who uses what.
    pub(crate) used: Vec<(u32, Resources)>,
    /// The places of its offers.
    pub(crate) offers: Few<u32>,
    /// What was refused of it.
    pub(crate) refused: Few<Refused>,
    /// Tells its filters from those before they were reset.
    pub(crate) age: u32,
    /// Whether it is among those to be looked at.
    pub(crate) marked: bool,
}

impl Nodes {
    pub(crate) fn number(&self, name: &NodeName) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// A node that nobody uses and that has nothing yet.
    pub(crate) fn insert(&mut self, supply: NodeSupply, age: u32) -> u32 {
        let number = self.empty.pop().unwrap_or(self.entries.len() as u32);
        self.by_name.insert(supply.name.clone(), number);
        let entry = NodeEntry {
            supply,
            active: true,
            unavailability: None,
            only_gpus: false,
            only_other_regions: false,
            total: Vec::new(),
            free: None,
            overdrawn: false,
            version: 0,
            used: Vec::new(),
            offers: Few::default(),
            refused: Few::default(),
            age,
            marked: false,
        };
        match self.entries.get_mut(number as usize) {
            Some(place) => *place = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        number
    }

    pub(crate) fn remove(&mut self, number: u32) {
        if let Some(entry) = self.entries.get_mut(number as usize).and_then(Option::take) {
            self.by_name.remove(&entry.supply.name);
            self.empty.push(number);
        }
    }

    pub(crate) fn find(&self, number: u32) -> Option<&NodeEntry> {
        self.entries.get(number as usize)?.as_ref()
    }

    pub(crate) fn find_mut(&mut self, number: u32) -> Option<&mut NodeEntry> {
        self.entries.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &NodeEntry)> {
        self.entries.iter().enumerate().filter_map(|(number, entry)| Some((number as u32, entry.as_ref()?)))
    }
}

impl NodeEntry {
    /// What this client uses.
    pub(crate) fn used_by(&mut self, client: u32) -> Option<&mut Resources> {
        self.used.iter_mut().find(|(user, _)| *user == client).map(|(_, resources)| resources)
    }
}
