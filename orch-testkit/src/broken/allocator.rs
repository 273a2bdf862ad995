//! Wrong allocators: a right one, with something wrong between it and whoever uses it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, AllocatorError, Counts, Filters, FrameworkId, Offer, OfferId, Rescinded,
    Round, Standing, WhyNoOffer,
};
use orch_core::clock::Timestamp;

/// What is wrong with a [`FlawedAllocator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// What runs when the allocator starts is not counted: after a failover everything is offered twice.
    ForgetsWhatRuns,
    /// Who wants no offers gets them.
    IgnoresSuppression,
    /// Who is not connected gets offers, which nobody answers.
    OffersToTheDisconnected,
    /// Only the first few frameworks ever get anything.
    ServesTheFirstOnly,
    /// What ended is used for ever.
    KeepsWhatEnded,
    /// What is declined comes back at once.
    ForgetsRefusals,
    /// What is declined never comes back.
    RefusesForEver,
    /// A node that is other than before is still refused.
    IgnoresAttributes,
    /// Who revives still refuses.
    IgnoresRevival,
    /// There is no quota.
    IgnoresQuotas,
    /// A reservation is acknowledged and not made.
    LosesReservations,
    /// Offers end and nobody is told.
    HidesRescinds,
    /// Offers are made again before they are answered.
    RepeatsOffers,
    /// A framework is offered one node a round, though there are more.
    IsSparing,
    /// Why there is no offer is not known.
    NeverExplains,
    /// Nodes stand against a framework more than once.
    CountsObstaclesTwice,
    /// The order follows from something that nobody was told of.
    DrawsLots,
    /// What is impossible is acknowledged.
    AcknowledgesEverything,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 18] = [
        (Self::ForgetsWhatRuns, "A1"),
        (Self::IgnoresSuppression, "A2"),
        (Self::OffersToTheDisconnected, "A2"),
        (Self::ServesTheFirstOnly, "A3"),
        (Self::KeepsWhatEnded, "A3"),
        (Self::ForgetsRefusals, "A4"),
        (Self::RefusesForEver, "A4"),
        (Self::IgnoresAttributes, "A4"),
        (Self::IgnoresRevival, "A4"),
        (Self::IgnoresQuotas, "A5"),
        (Self::LosesReservations, "A6"),
        (Self::HidesRescinds, "A7"),
        (Self::RepeatsOffers, "A8"),
        (Self::IsSparing, "A8"),
        (Self::NeverExplains, "A9"),
        (Self::CountsObstaclesTwice, "A9"),
        (Self::DrawsLots, "A10"),
        (Self::AcknowledgesEverything, "A11"),
    ];
}

/// An allocator that has one flaw or none.
#[derive(Debug)]
pub struct FlawedAllocator<A> {
    inner: A,
    flaw: Option<Flaw>,
    frameworks: BTreeSet<FrameworkId>,
    last: Vec<Offer>,
    /// Offers that were held back.
    spared: Vec<Offer>,
    lot: bool,
}

/// How many frameworks are served by an allocator that serves the first only.
const FIRST: usize = 5;

impl<A: Allocator> FlawedAllocator<A> {
    /// Puts the flaw before an allocator that was told nothing.
    #[must_use]
    pub fn new(inner: A, flaw: Option<Flaw>) -> Self {
        static LOT: AtomicBool = AtomicBool::new(false);
        let lot = LOT.fetch_xor(true, Ordering::Relaxed);
        Self { inner, flaw, frameworks: BTreeSet::new(), last: Vec::new(), spared: Vec::new(), lot }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn filters(&self, filters: Filters) -> Filters {
        match self.flaw {
            Some(Flaw::ForgetsRefusals) => Filters::NONE,
            Some(Flaw::RefusesForEver) if filters != Filters::NONE => Filters { refuse: Duration::MAX },
            _ => filters,
        }
    }

    /// Whether the allocator never hears of the change.
    fn is_lost(&mut self, change: &AllocatorChange) -> bool {
        match (change, self.flaw) {
            (AllocatorChange::Adopted(_), Some(Flaw::ForgetsWhatRuns))
            | (AllocatorChange::Suppressed(..), Some(Flaw::IgnoresSuppression))
            | (AllocatorChange::FrameworkActive(_, false), Some(Flaw::OffersToTheDisconnected))
            | (AllocatorChange::Recovered(..), Some(Flaw::KeepsWhatEnded))
            | (AllocatorChange::Revived(..), Some(Flaw::IgnoresRevival))
            | (AllocatorChange::Quota { .. }, Some(Flaw::IgnoresQuotas))
            | (AllocatorChange::Converted(..), Some(Flaw::LosesReservations)) => true,
            (AllocatorChange::FrameworkPut(framework), Some(Flaw::ServesTheFirstOnly)) => {
                self.frameworks.insert(framework.id.clone());
                self.frameworks.len() > FIRST
            }
            _ => false,
        }
    }
}

impl<A: Allocator> Allocator for FlawedAllocator<A> {
    fn advance(&mut self, now: Timestamp) -> Vec<Rescinded> {
        self.inner.advance(now)
    }

    fn observe(&mut self, mut change: AllocatorChange) -> Result<Vec<Rescinded>, AllocatorError> {
        if self.is_lost(&change) {
            return Ok(Vec::new());
        }
        if let (AllocatorChange::NodePut(supply), Some(Flaw::IgnoresAttributes)) = (&mut change, self.flaw) {
            supply.attributes.clear();
        }
        match self.inner.observe(change) {
            Err(_) if self.has(Flaw::AcknowledgesEverything) => Ok(Vec::new()),
            Ok(_) if self.has(Flaw::HidesRescinds) => Ok(Vec::new()),
            result => result,
        }
    }

    fn accept(&mut self, offers: &[OfferId], mut acceptance: Acceptance) -> Result<(), AllocatorError> {
        acceptance.filters = self.filters(acceptance.filters);
        if self.has(Flaw::LosesReservations) && !acceptance.conversions.is_empty() {
            return Ok(());
        }
        self.inner.accept(offers, acceptance)
    }

    fn decline(&mut self, offer: OfferId, filters: Filters) -> Result<(), AllocatorError> {
        let filters = self.filters(filters);
        self.inner.decline(offer, filters)
    }

    fn allocate(&mut self) -> Round {
        let mut round = self.inner.allocate();
        if self.has(Flaw::RepeatsOffers) && round.offers.is_empty() {
            round.offers.clone_from(&self.last);
        }
        if self.has(Flaw::IsSparing) {
            self.spared.append(&mut round.offers);
            round.offers = self.spared.drain(..self.spared.len().min(1)).collect();
        }
        if self.has(Flaw::DrawsLots) && self.lot {
            round.offers.reverse();
        }
        self.last.clone_from(&round.offers);
        round
    }

    fn why_no_offer(&self, framework: &FrameworkId) -> Result<WhyNoOffer, AllocatorError> {
        let mut why = self.inner.why_no_offer(framework)?;
        for role in &mut why.roles {
            if self.has(Flaw::NeverExplains) {
                role.obstacles.clear();
            }
            if self.has(Flaw::CountsObstaclesTwice) {
                role.obstacles.extend(role.obstacles.clone());
            }
        }
        Ok(why)
    }

    fn standings(&self) -> Vec<Standing> {
        self.inner.standings()
    }

    fn counts(&self) -> Counts {
        self.inner.counts()
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }
}
