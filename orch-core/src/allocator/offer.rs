//! [`Offer`]: what a framework may use, until it answers or the offer is rescinded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{FrameworkId, NodeName, Resources, Role, Unavailability};

/// Tells an offer from all others that an allocator ever made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(pub u64);

impl fmt::Display for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a framework may use of a node, until it answers or the offer is rescinded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Tells it from all others.
    pub id: OfferId,
    /// Who may use it.
    pub framework: FrameworkId,
    /// In which of its roles.
    pub role: Role,
    /// On which node.
    pub node: NodeName,
    /// What.
    pub resources: Arc<Resources>,
    /// When the node will be out of use.
    pub unavailability: Option<Unavailability>,
}

/// What a framework makes of offers of one node in one role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// What becomes of the resources first, in this order.
    pub conversions: Vec<Conversion>,
    /// What is used from now on; the rest goes back.
    pub used: Resources,
    /// What the rest is refused for.
    pub filters: Filters,
}

/// Resources that become others of the same amounts: reserved, unreserved, made a persistent volume or freed of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// What they are.
    pub from: Resources,
    /// What they become.
    pub to: Resources,
}

/// How long a framework does not want to be offered again what it refuses. An offer of more, of the same node, is not
/// held back.
///
/// ```
/// use orch_core::allocator::Filters;
/// use std::time::Duration;
///
/// let seconds = |given| Filters::from_seconds(given).refuse;
/// assert_eq!(seconds(None), Duration::from_secs(5));
/// assert_eq!(seconds(Some(-1.0)), Duration::from_secs(5));
/// assert_eq!(seconds(Some(1e12)), Duration::from_secs(365 * 24 * 60 * 60));
/// assert_eq!(seconds(Some(0.0)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    /// For how long; not at all if it is zero. An allocator that works in rounds refuses for one round at least.
    pub refuse: Duration,
}

impl Filters {
    /// Refuses nothing.
    pub const NONE: Self = Self { refuse: Duration::ZERO };

    /// As Mesos reads it: 5 seconds if nothing sensible is given, a year at most.
    #[must_use]
    pub fn from_seconds(given: Option<f64>) -> Self {
        const YEAR: f64 = 31_536_000.0;
        match given {
            Some(seconds) if seconds >= 0.0 => Self { refuse: Duration::from_secs_f64(seconds.min(YEAR)) },
            _ => Self::default(),
        }
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self { refuse: Duration::from_secs(5) }
    }
}

/// An offer that is no more, before it was answered: what it held is given to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescinded {
    /// Which.
    pub offer: OfferId,
    /// Whose it was.
    pub framework: FrameworkId,
}

/// What a round of offers brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Offers that are no more; those that replace them are among the new ones.
    pub rescinded: Vec<Rescinded>,
    /// New offers.
    pub offers: Vec<Offer>,
}
