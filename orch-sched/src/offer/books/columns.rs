//! [`Columns`]: where in a row of numbers a resource's amount stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::allocator::{Quantities, Resource, Resources};

use crate::offer::order::Totals;

/// Where in a row of numbers a resource's amount stands. Names get columns as they come, for ever: there are few.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    by_name: BTreeMap<Arc<str>, usize>,
    not_counted: BTreeSet<String>,
    /// All that the nodes have.
    pub(crate) totals: Totals,
}

/// Resources on their way, with their amounts in columns.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) resources: Arc<Resources>,
    /// The amounts of everything, then of what is plain: side by side, as both are read.
    amounts: Vec<i64>,
    /// Whether some is reserved, or revocable, or reserved more than once.
    pub(crate) has_reserved: bool,
    pub(crate) has_revocable: bool,
    pub(crate) has_refined: bool,
}

impl Columns {
    pub(crate) fn new(not_counted: BTreeSet<String>) -> Self {
        Self { not_counted, ..Self::default() }
    }

    /// The column of a name, which gets one if it has none.
    pub(crate) fn column(&mut self, name: &Arc<str>) -> usize {
        if let Some(column) = self.by_name.get(name) {
            return *column;
        }
        let column = self.totals.amounts.len();
        self.by_name.insert(Arc::clone(name), column);
        self.totals.amounts.push(0);
        self.totals.counted.push(!self.not_counted.contains(&**name));
        column
    }

    /// The column of a name, if it has one.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn name(&self, column: usize) -> &str {
        self.by_name.iter().find(|(_, other)| **other == column).map_or("", |(name, _)| name)
    }

    /// Gives every amount in `resources` a column.
    pub(crate) fn register(&mut self, resources: &Resources) {
        resources.iter().filter(|part| part.amount().is_some()).for_each(|part| {
            self.column(&part.name);
        });
    }

    /// The amounts of the parts for which this is true.
    pub(crate) fn amounts(&self, resources: &Resources, counts: impl Fn(&Resource) -> bool) -> Vec<i64> {
        let mut row = vec![0_i64; self.by_name.len()];
        for part in resources.iter().filter(|part| counts(part)) {
            if let (Some(amount), Some(column)) = (part.amount(), self.find(&part.name)) {
                row[column] = row[column].saturating_add(amount.millis());
            }
        }
        row
    }

    /// Amounts by name, each with its column.
    pub(crate) fn row(&mut self, quantities: &Quantities) -> Vec<(usize, i64)> {
        quantities.iter().map(|(name, amount)| (self.column(name), amount.millis())).collect()
    }

    /// Resources with their amounts; `None` if there is nothing.
    pub(crate) fn parcel(&self, resources: impl Into<Arc<Resources>>) -> Option<Arc<Parcel>> {
        let resources = resources.into();
        if resources.is_empty() {
            return None;
        }
        let mut amounts = self.amounts(&resources, |_| true);
        amounts.extend(self.amounts(&resources, is_plain));
        Some(Arc::new(Parcel {
            amounts,
            has_reserved: resources.iter().any(|part| !part.reservations.is_empty()),
            has_revocable: resources.iter().any(|part| part.revocable),
            has_refined: resources.iter().any(|part| part.reservations.len() > 1),
            resources: Arc::clone(&resources),
        }))
    }

    /// A node comes or goes with so much.
    pub(crate) fn count(&mut self, row: &[i64], sign: i128) {
        for (total, amount) in self.totals.amounts.iter_mut().zip(row) {
            *total += sign * i128::from(*amount);
        }
        self.totals.version += 1;
    }
}

/// Whether quotas are about it.
pub(crate) fn is_plain(part: &Resource) -> bool {
    part.reservations.is_empty() && !part.revocable
}

impl Parcel {
    /// The amounts of everything.
    pub(crate) fn all(&self) -> &[i64] {
        &self.amounts[..self.amounts.len() / 2]
    }

    /// The amounts of what is nobody's and cannot be taken back: what quotas are about.
    pub(crate) fn plain(&self) -> &[i64] {
        &self.amounts[self.amounts.len() / 2..]
    }

    /// Whether there is as much of everything as one of these asks for.
    pub(crate) fn meets(&self, least: &[Vec<(usize, i64)>]) -> bool {
        let enough = |wanted: &Vec<(usize, i64)>| {
            wanted.iter().all(|(column, amount)| self.all().get(*column).copied().unwrap_or(0) >= *amount)
        };
        least.is_empty() || least.iter().any(enough)
    }
}
