//! [`AllocatorChange`]: what an allocator is told.

use std::collections::BTreeSet;

use super::{
    Conversion, Filters, Framework, FrameworkId, NodeName, NodeSupply, Quota, Resources, Role, Unavailability,
};

/// Something that is other than before.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AllocatorChange {
    /// A node came, active and in use by nobody; or it has other totals or attributes than before.
    NodePut(NodeSupply),
    /// A node went, with all that was used on it.
    NodeRemoved(NodeName),
    /// A node is to be offered, or not: it is disconnected, drained, or back.
    NodeActive(NodeName, bool),
    /// When a node will be out of use is known, or no longer. Its offers are rescinded, and made anew with that in them.
    NodeUnavailable(NodeName, Option<Unavailability>),
    /// A framework came, active; or it has other roles or capabilities than before.
    FrameworkPut(Framework),
    /// A framework is connected, or not. One that is not has no offers and no filters.
    FrameworkActive(FrameworkId, bool),
    /// A framework went: what it used is free. Deactivate it until its tasks have ended.
    FrameworkRemoved(FrameworkId),
    /// A framework wants no offers in these roles; in none of its roles if none is named. Those it has remain.
    Suppressed(FrameworkId, BTreeSet<Role>),
    /// A framework wants offers in these roles again, also of what it refused; in all of its roles if none is named.
    Revived(FrameworkId, BTreeSet<Role>),
    /// A role counts so much: twice the weight, twice the share. It must be above zero.
    Weight(Role, f64),
    /// A role of the top has this quota. It is refused where it cannot be kept, unless it is forced.
    Quota {
        /// Which role.
        role: Role,
        /// What it has.
        quota: Quota,
        /// Whether it holds all the same.
        force: bool,
    },
    /// Something is used that was not offered: it ran before the allocator was there. The framework need not be known.
    Adopted(Usage),
    /// Something is used no more, and not wanted again for a while.
    Recovered(Usage, Filters),
    /// Some of a node's resources that are not used became others. Offers of that node are rescinded if need be.
    Converted(NodeName, Conversion),
}

/// Who uses what where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Who.
    pub framework: FrameworkId,
    /// In which role.
    pub role: Role,
    /// Where.
    pub node: NodeName,
    /// What.
    pub resources: Resources,
}
