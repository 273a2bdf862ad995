//! [`Resource`]: one thing that a node has, and who it is for.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ranges::Ranges;
use super::scalar::Scalar;
use crate::allocator::Role;

/// One thing that a node has, and who it is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// What it is: `cpus`, `mem`, `ports`.
    pub name: Arc<str>,
    /// Whose it is: nobody's if there is none; of several, each refines the one before, and the last one tells whose.
    pub reservations: Vec<Reservation>,
    /// What disk it is, if that matters.
    pub disk: Option<Disk>,
    /// Whether it may be taken back at any time.
    pub revocable: bool,
    /// How much.
    pub value: Value,
}

/// How much of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// An amount that can be divided.
    Scalar(Scalar),
    /// Numbers of which each goes once.
    Ranges(Ranges),
    /// Words of which each goes once.
    Set(BTreeSet<String>),
}

/// Who a resource is kept for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reservation {
    /// The role. Its subroles may have it, too.
    pub role: Role,
    /// Whether it was made while the system runs, rather than by the node's settings.
    pub dynamic: bool,
    /// Who made it.
    pub principal: Option<String>,
    /// What whoever made it wrote on it.
    pub labels: Vec<(String, Option<String>)>,
}

/// What disk a resource is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Disk {
    /// The persistent volume that it holds.
    pub volume: Option<PersistentVolume>,
    /// Where it comes from, if not from the node's own.
    pub source: Option<DiskSource>,
}

/// Files that outlive the tasks that use them, on a reserved disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistentVolume {
    /// Its id, of which a role has one on a node.
    pub id: String,
    /// Who made it.
    pub principal: Option<String>,
    /// Where containers see it.
    pub container_path: String,
    /// Whether they may only read it.
    pub read_only: bool,
}

/// Where a disk comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskSource {
    /// A folder of the node, of which parts can be had.
    Path(Option<String>),
    /// A file system, which goes whole.
    Mount(Option<String>),
}

impl Resource {
    /// An amount of something that is nobody's.
    #[must_use]
    pub fn scalar(name: &str, amount: Scalar) -> Self {
        Self::of(name, Value::Scalar(amount))
    }

    /// Something that is nobody's.
    #[must_use]
    pub fn of(name: &str, value: Value) -> Self {
        Self { name: name.into(), reservations: Vec::new(), disk: None, revocable: false, value }
    }

    /// The same, reserved for a role by the node's settings.
    #[must_use]
    pub fn reserved(mut self, role: Role) -> Self {
        self.reservations.push(Reservation { role, dynamic: false, principal: None, labels: Vec::new() });
        self
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> Option<&Role> {
        self.reservations.last().map(|reservation| &reservation.role)
    }

    /// Whether the role may have it: it is nobody's, the role's, or that of one above.
    #[must_use]
    pub fn may_go_to(&self, role: &Role) -> bool {
        self.owner().is_none_or(|owner| role.is_within(owner))
    }

    /// Whether it goes whole or not at all.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.disk
            .as_ref()
            .is_some_and(|disk| disk.volume.is_some() || matches!(disk.source, Some(DiskSource::Mount(_))))
    }

    /// How much of it, if that is an amount.
    #[must_use]
    pub fn amount(&self) -> Option<Scalar> {
        match self.value {
            Value::Scalar(amount) => Some(amount),
            _ => None,
        }
    }

    /// Whether the other is the same but for how much, so that both can be counted together.
    pub(super) fn joins(&self, other: &Self) -> bool {
        self.name == other.name
            && self.revocable == other.revocable
            && std::mem::discriminant(&self.value) == std::mem::discriminant(&other.value)
            && self.reservations == other.reservations
            && self.disk == other.disk
    }
}

impl Value {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(amount) => amount.is_zero(),
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Set(words) => words.is_empty(),
        }
    }

    /// Both; of two kinds, the first.
    pub(super) fn plus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Scalar(one), Self::Scalar(other)) => Self::Scalar(one.saturating_add(*other)),
            (Self::Ranges(one), Self::Ranges(other)) => Self::Ranges(one.plus(other)),
            (Self::Set(one), Self::Set(other)) => Self::Set(one | other),
            _ => self.clone(),
        }
    }

    /// The first without the second.
    pub(super) fn minus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Scalar(one), Self::Scalar(other)) => Self::Scalar(one.saturating_sub(*other)),
            (Self::Ranges(one), Self::Ranges(other)) => Self::Ranges(one.minus(other)),
            (Self::Set(one), Self::Set(other)) => Self::Set(one - other),
            _ => self.clone(),
        }
    }

    /// Whether all of the second is in the first.
    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(one), Self::Scalar(other)) => one >= other,
            (Self::Ranges(one), Self::Ranges(other)) => one.contains(other),
            (Self::Set(one), Self::Set(other)) => one.is_superset(other),
            _ => false,
        }
    }
}
