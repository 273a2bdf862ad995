//! [`TableIndex`]: the host table of a cluster, from the changes of nodes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use orch_core::controller::Change;
use orch_core::key::Key;
use orch_core::network::{Cidr, Host, HostTable};
use orch_core::object::{Node, NodeAddressType};

/// The host table of a cluster, from the changes of nodes. A node that only says that it is alive costs nothing; when
/// one comes, goes or moves, the table is made anew in one pass.
///
/// The table is always valid. A node that cannot be in it is left out, and [`refused`](Self::refused) says why. Of several
/// that claim the same address or range the oldest has it: nobody can take over the pods of a node that was there before.
#[derive(Debug)]
pub(super) struct TableIndex {
    nodes: BTreeMap<Key, Known>,
    table: Arc<HostTable>,
    refused: BTreeMap<String, String>,
    changes: u64,
    /// Whether a node changed since the table was made.
    is_stale: bool,
}

#[derive(Debug)]
struct Known {
    node: Arc<Node>,
    wanted: Result<Host, String>,
}

impl TableIndex {
    /// The index of an empty cluster, for the node of this name.
    pub(super) fn new(own: String) -> Self {
        let table = Arc::new(HostTable::new(own));
        Self { nodes: BTreeMap::new(), table, refused: BTreeMap::new(), changes: 0, is_stale: false }
    }

    /// The table as of the last [`refresh`](Self::refresh). Valid.
    pub(super) fn table(&self) -> &Arc<HostTable> {
        &self.table
    }

    /// The nodes that are left out, and why.
    pub(super) fn refused(&self) -> &BTreeMap<String, String> {
        &self.refused
    }

    /// How often the table or what is left out of it changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn own_name(&self) -> &str {
        self.table.own_name()
    }

    pub(super) fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.values().map(|known| &known.node).find(|node| node.metadata.name == name)
    }

    /// Takes notice of a change of a node.
    pub(super) fn apply(&mut self, change: &Change) {
        let node = change.current().and_then(|object| Arc::clone(object).downcast_arc::<Node>().ok());
        let Some(node) = node else {
            self.is_stale |= self.nodes.remove(change.key()).is_some();
            return;
        };
        let wanted = wanted(&node);
        let before = self.nodes.insert(change.key().clone(), Known { node: Arc::clone(&node), wanted });
        let after = self.nodes.get(change.key());
        let is_same = |(before, after): (Known, &Known)| {
            before.wanted == after.wanted && before.node.metadata.uid == after.node.metadata.uid
        };
        self.is_stale |= !before.zip(after).is_some_and(is_same);
    }

    /// Makes the table anew, if a node came, went or moved.
    pub(super) fn refresh(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let mut table = HostTable::new(self.table.own_name());
        let mut refused = BTreeMap::new();
        let mut taken = Taken::default();
        let mut known: Vec<_> = self.nodes.values().collect();
        known.sort_by_key(|known| {
            let metadata = &known.node.metadata;
            (metadata.creation_timestamp, &metadata.uid, &metadata.name)
        });
        for Known { node, wanted } in known {
            let name = &node.metadata.name;
            match wanted.clone().and_then(|host| taken.take(name, host)) {
                Ok(host) => table.set(name.clone(), Some(host)),
                Err(reason) => drop(refused.insert(name.clone(), reason)),
            }
        }
        if *self.table == table && self.refused == refused {
            return;
        }
        if *self.table != table {
            self.table = Arc::new(table);
        }
        self.refused = refused;
        self.changes += 1;
    }
}

/// Which addresses and ranges are whose.
#[derive(Debug, Default)]
struct Taken<'a> {
    addresses: BTreeMap<IpAddr, &'a str>,
    /// They do not overlap.
    ranges: BTreeMap<Cidr, &'a str>,
}

impl<'a> Taken<'a> {
    /// Gives a host what it claims, if all of it is free.
    fn take(&mut self, name: &'a str, host: Host) -> Result<Host, String> {
        for address in &host.addresses {
            if let Some(owner) = self.addresses.get(address) {
                return Err(format!("its address {address} is that of node {owner}, which is older: give it another"));
            }
        }
        for range in &host.pod_ranges {
            let before = self.ranges.range(..=*range).next_back();
            let after = self.ranges.range(*range..).next();
            let overlapping = before.into_iter().chain(after).find(|(taken, _)| taken.overlaps(range));
            if let Some((taken, owner)) = overlapping {
                return Err(format!(
                    "its pod range {range} overlaps {taken} of node {owner}, which is older: give it another, or delete the \
                     node that is not needed"
                ));
            }
        }
        self.addresses.extend(host.addresses.iter().map(|address| (*address, name)));
        self.ranges.extend(host.pod_ranges.iter().map(|range| (*range, name)));
        Ok(host)
    }
}

/// The entry of a node, or what is wrong with it.
fn wanted(node: &Node) -> Result<Host, String> {
    let mut host = Host::default();
    let internal = node.status.addresses.iter().filter(|address| address.r#type == NodeAddressType::InternalIp);
    for text in internal.map(|address| &address.address) {
        let address = text.parse().map_err(|_| format!("its InternalIP {text:?} is no address"))?;
        if !host.addresses.contains(&address) {
            host.addresses.push(address);
        }
    }
    let first = node.spec.pod_cidr.iter().filter(|_| node.spec.pod_cidrs.is_empty());
    let mut ranges = BTreeSet::new();
    for text in node.spec.pod_cidrs.iter().chain(first) {
        let range: Cidr = text.parse().map_err(|error| format!("its pod range: {error}"))?;
        if let Some(other) = ranges.iter().find(|other| range.overlaps(other)) {
            return Err(format!("its pod ranges {other} and {range} overlap"));
        }
        ranges.insert(range);
        host.pod_ranges.push(range);
    }
    // Its agent has not said yet where it is: that it cannot be led to is no news.
    if node.status.addresses.is_empty() {
        host.pod_ranges.clear();
    }
    host.problem().map_or(Ok(host), Err)
}

#[cfg(test)]
mod tests;
