//! [`Served`]: what a proxy serves, and how another table differs from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::proxy::{ServicePort, ServicePortName, ServiceTable, TableVersion};

/// What a proxy serves: the part of a sync that every proxy needs, whatever it serves with.
///
/// Look at the [`changes`](Self::changes), make them true, and only then [`accept`](Self::accept) them: a table that
/// failed leaves no trace, and the next one is compared with what is served.
#[derive(Debug, Default)]
pub struct Served {
    version: TableVersion,
    ports: BTreeMap<ServicePortName, Arc<ServicePort>>,
}

/// One service port that a table has otherwise than it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortChange {
    /// Which one.
    pub name: ServicePortName,
    /// As it is served, `None` if it is not.
    pub old: Option<Arc<ServicePort>>,
    /// As it is to be served, `None` if it is not to be.
    pub new: Option<Arc<ServicePort>>,
}

impl Served {
    /// How `table` differs from what is served, in the order of names. It costs what changed, if what is served is an
    /// earlier version of the same table.
    #[must_use]
    pub fn changes(&self, table: &ServiceTable) -> Vec<PortChange> {
        let names = table.changed_since(self.version).unwrap_or_else(|| {
            let new = table.iter().map(|(name, _)| name);
            new.chain(self.ports.keys()).collect::<BTreeSet<_>>()
        });
        let change = |name: &ServicePortName| {
            let (old, new) = (self.ports.get(name), table.get(name));
            (old != new).then(|| PortChange { name: name.clone(), old: old.cloned(), new: new.cloned() })
        };
        names.into_iter().filter_map(change).collect()
    }

    /// What is served, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&ServicePortName, &Arc<ServicePort>)> {
        self.ports.iter()
    }

    /// How many service ports are served.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ports.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// The changes after which nothing is served.
    #[must_use]
    pub fn removals(&self) -> Vec<PortChange> {
        let gone = |(name, port): (&ServicePortName, &Arc<ServicePort>)| PortChange {
            name: name.clone(),
            old: Some(Arc::clone(port)),
            new: None,
        };
        self.iter().map(gone).collect()
    }

    /// Takes notice that the changes of `table` are served now.
    pub fn accept(&mut self, table: &ServiceTable, changes: Vec<PortChange>) {
        self.version = table.version();
        for change in changes {
            match change.new {
                Some(port) => self.ports.insert(change.name, port),
                None => self.ports.remove(&change.name),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::{Protocol, TrafficPolicy};
    use orch_core::proxy::Affinity;
    use proptest::prelude::*;

    use super::*;

    fn name(number: u8) -> ServicePortName {
        ServicePortName { service: format!("services/shop/web-{number}").parse().expect("a key"), port: String::new() }
    }

    fn port(number: u8) -> ServicePort {
        ServicePort {
            protocol: Protocol::Tcp,
            addresses: BTreeSet::new(),
            port: 80,
            node_port: Some(u16::from(number) + 1),
            affinity: Affinity::None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            endpoints: Vec::new(),
        }
    }

    proptest! {
        /// Two tables that begin as copies of one another and are changed and shown in any order.
        #[test]
        fn what_is_served_is_what_was_shown_last(
            steps in prop::collection::vec((0..2_usize, 0..4_u8, prop::option::of(0..3_u8), any::<bool>()), 0..40)
        ) {
            let mut tables = [ServiceTable::default(), ServiceTable::default()];
            let mut served = Served::default();
            for (which, number, state, show) in steps {
                tables[which].set(name(number), state.map(port));
                if !show {
                    continue;
                }
                let changes = served.changes(&tables[which]);
                prop_assert!(changes.iter().all(|change| change.old != change.new));
                served.accept(&tables[which], changes);
                let shown = tables[which].iter().map(|(name, port)| (name.clone(), Arc::clone(port)));
                prop_assert_eq!(&served.ports, &shown.collect::<BTreeMap<_, _>>());
                prop_assert!(served.changes(&tables[which]).is_empty());
            }
        }
    }
}
