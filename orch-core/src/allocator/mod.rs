//! [`Allocator`]: divides a cluster among frameworks, which place tasks on what they are offered.

mod change;
mod error;
mod framework;
mod offer;
mod quota;
mod resources;
mod role;
mod supply;
mod why;

use std::fmt::Debug;

pub use change::{AllocatorChange, Usage};
pub use error::AllocatorError;
pub use framework::{Capabilities, Framework, FrameworkId, Subscription};
pub use offer::{Acceptance, Conversion, Filters, Offer, OfferId, Rescinded, Round};
pub use quota::Quota;
pub use resources::{
    Disk, DiskSource, PersistentVolume, Quantities, Ranges, Reservation, Resource, Resources, ResourcesError, Scalar,
    Value,
};
pub use role::{Role, RoleError};
pub use supply::{NodeName, NodeSupply, Unavailability};
pub use why::{Obstacle, WhyNoOffer, WhyNoOfferInRole};

use crate::clock::Timestamp;

/// Divides a cluster among frameworks: makes offers, takes answers, and keeps the books of who has what. It decides and
/// does nothing else: no I/O, no threads, and no clock but [`advance`](Allocator::advance).
///
/// A framework is a scheduler of its own, which sees what it is offered. Where offers are *exclusive*, what one has is
/// nobody else's until it answers: no two can want the same. Where they are not, everybody sees all, and who accepts
/// first has it: whoever comes later is told of the conflict.
///
/// # What every allocator promises
///
/// - **A1** *Never over-committed*: what is accepted on a node is never more than it has, in any part; nor, where offers
///   are exclusive, is that together with what is offered. What is adopted counts first, even if it is too much.
/// - **A2** *Offered to whom it may concern*: an offer is of an active node, to an active framework, in a role that it is
///   in and has not suppressed; it holds what is nobody's, the role's, or that of a role above, and what the framework
///   can deal with; and at least one of the least amounts.
/// - **A3** *Nobody starves*: of a framework that wants offers, and of what is free, one gets the other, in as many rounds
///   as there are frameworks at most, if the others answer. What comes free goes to who has nothing before it goes to
///   who has much.
/// - **A4** *Refused is refused*: what a framework refused is not offered to it, nor less of it, until the time is over, it
///   revives, it is disconnected, or the node gets other attributes. More of the same node is offered.
/// - **A5** *Quota*: no acceptance or offer brings a role and those below it above a limit; and what is free of what a role
///   is guaranteed is given to nobody else.
/// - **A6** *Reserved*: a conversion neither makes nor loses anything; a reservation holds when it is not used; a persistent
///   volume is offered whole, again and again, until it is freed.
/// - **A7** *Rescinded once*: an offer ends once. It is answered, or named as rescinded: when its node goes, is inactive
///   or will be unavailable, when its framework goes, is inactive or leaves the role, when its time is over, or when an
///   operator's conversion needs it. Then nobody can accept it, and what it held is free.
/// - **A8** *Complete*: a round looks at what changed, and makes every offer that looking at everything would make. Two
///   rounds with nothing in between make none in the second.
/// - **A9** *Explained*: why a framework has no offer can be asked at any time, and counts each node once in each role.
/// - **A10** *Deterministic*: two allocators of the same settings and seed that were told the same do the same.
/// - **A11** *Harmless when refused*: what is impossible is an error, and changes nothing; a fault of one framework, such
///   as accepting more than was offered, ends its own offers at most.
pub trait Allocator: Debug + Send + 'static {
    /// It is now so late: offers and filters whose time is over end. A time before that of an earlier call is that one.
    /// Before the first call, it is earlier than any time: call it first.
    fn advance(&mut self, now: Timestamp) -> Vec<Rescinded>;

    /// Takes notice of a change.
    ///
    /// # Errors
    /// [`AllocatorError`] if it cannot be so; nothing has changed.
    fn observe(&mut self, change: AllocatorChange) -> Result<Vec<Rescinded>, AllocatorError>;

    /// A framework uses some of what it was offered, of one node in one role; the rest goes back.
    ///
    /// # Errors
    /// [`AllocatorError`] if an offer is not known, and nothing has changed; or if what is accepted is not in the
    /// offers, not free any more, or over quota: then the offers that are known have been declined without filters.
    fn accept(&mut self, offers: &[OfferId], acceptance: Acceptance) -> Result<(), AllocatorError>;

    /// A framework uses nothing of what it was offered.
    ///
    /// # Errors
    /// [`AllocatorError::UnknownOffer`] if there is no such offer.
    fn decline(&mut self, offer: OfferId, filters: Filters) -> Result<(), AllocatorError>;

    /// A round: offers what is free to those who want it. How often it is asked for makes no difference to who has a
    /// right to what, only to how soon.
    fn allocate(&mut self) -> Round;

    /// Why a framework has no offer, or none of some nodes.
    ///
    /// # Errors
    /// [`AllocatorError::UnknownFramework`] if there is no such framework.
    fn why_no_offer(&self, framework: &FrameworkId) -> Result<WhyNoOffer, AllocatorError>;

    /// The frameworks that want offers, once for each role, in the order in which what comes free is offered to them.
    fn standings(&self) -> Vec<Standing>;

    /// What the allocator did so far.
    fn counts(&self) -> Counts;

    /// Whether what is offered to one is nobody else's.
    fn is_exclusive(&self) -> bool;
}

/// How a framework stands in a role.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// In which role.
    pub role: Role,
    /// Which framework.
    pub framework: FrameworkId,
    /// The framework's share of the whole cluster: of the resource of which it has most.
    pub share: f64,
}

/// What an allocator did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Offers made.
    pub offered: u64,
    /// Offers of which something was accepted.
    pub accepted: u64,
    /// Offers of which nothing was wanted.
    pub declined: u64,
    /// Offers that ended without an answer.
    pub rescinded: u64,
    /// Acceptances that came too late: somebody else was first.
    pub conflicts: u64,
}

impl Counts {
    /// Of all offers that somebody wanted, the part for which he came too late.
    #[must_use]
    pub fn conflict_rate(&self) -> f64 {
        match self.conflicts + self.accepted {
            0 => 0.0,
            all => self.conflicts as f64 / all as f64,
        }
    }
}
