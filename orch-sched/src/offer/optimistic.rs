//! [`OptimisticAllocator`]: everybody sees everything, and who accepts first has it.

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, AllocatorError, Counts, Filters, FrameworkId, OfferId, Rescinded, Round,
    Standing, WhyNoOffer,
};
use orch_core::clock::Timestamp;

use super::AllocatorOptions;
use super::books::Books;

/// Offers all that is free to everybody at once; an acceptance is a compare-and-swap of the node: the shared state of
/// Omega (Schwarzkopf and others: "Omega: flexible, scalable schedulers for large compute clusters", EuroSys 2013).
///
/// Nobody waits for others to answer, and each sees the best node for it; the price is that two may want the same, and
/// that shares are nobody's business: only quotas keep one from taking all. [`Counts::conflict_rate`] tells how often
/// somebody came too late. A round costs what changed times the frameworks that see it.
///
/// ```
/// use orch_core::allocator::{Acceptance, Allocator, AllocatorChange, AllocatorError, Framework, NodeSupply, Role};
/// use orch_sched::offer::{AllocatorOptions, OptimisticAllocator};
///
/// let mut allocator = OptimisticAllocator::new(AllocatorOptions::default());
/// allocator.observe(AllocatorChange::NodePut(NodeSupply::new("node-1", "cpus:4;mem:4096".parse()?)))?;
/// for id in ["spark", "web"] {
///     allocator.observe(AllocatorChange::FrameworkPut(Framework::new(id, [Role::default()])))?;
/// }
/// let offers = allocator.allocate().offers;
/// let mut accept = |index: usize, used: &str| {
///     allocator.accept(&[offers[index].id], Acceptance { used: used.parse().expect("resources"), ..Acceptance::default() })
/// };
/// accept(0, "cpus:3")?;
/// assert!(matches!(accept(1, "cpus:2"), Err(AllocatorError::Conflict { .. })), "one is left");
/// assert_eq!(allocator.counts().conflict_rate(), 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OptimisticAllocator {
    books: Books,
}

impl OptimisticAllocator {
    /// An allocator for which it is a conflict if what is wanted is not there any more.
    #[must_use]
    pub fn new(options: AllocatorOptions) -> Self {
        Self { books: Books::new(options, false, false) }
    }

    /// An allocator for which any change of the node since it was offered is a conflict: for frameworks whose choice
    /// depends on what else is on a node.
    #[must_use]
    pub fn strict(options: AllocatorOptions) -> Self {
        Self { books: Books::new(options, false, true) }
    }
}

impl Default for OptimisticAllocator {
    fn default() -> Self {
        Self::new(AllocatorOptions::default())
    }
}

impl Allocator for OptimisticAllocator {
    fn advance(&mut self, now: Timestamp) -> Vec<Rescinded> {
        self.books.advance(now)
    }

    fn observe(&mut self, change: AllocatorChange) -> Result<Vec<Rescinded>, AllocatorError> {
        self.books.observe(change)
    }

    fn accept(&mut self, offers: &[OfferId], acceptance: Acceptance) -> Result<(), AllocatorError> {
        self.books.accept(offers, &acceptance)
    }

    fn decline(&mut self, offer: OfferId, filters: Filters) -> Result<(), AllocatorError> {
        self.books.decline(offer, filters)
    }

    fn allocate(&mut self) -> Round {
        let mut round = Round::default();
        let nodes = self.books.take_marked();
        let clients = self.books.clients_by_standing();
        for node in nodes {
            round.rescinded.extend(self.books.rescind_stale(node));
            let seen = self.books.seen_by(node);
            for client in clients.iter().copied().filter(|client| !seen.contains(client)) {
                let shown = self.books.shown(client, node);
                if let Some(parcel) = shown.filter(|parcel| !self.books.is_refused(client, node, parcel)) {
                    round.offers.push(self.books.offer(client, node, parcel));
                }
            }
        }
        self.books.end_round();
        round
    }

    fn why_no_offer(&self, framework: &FrameworkId) -> Result<WhyNoOffer, AllocatorError> {
        self.books.why_no_offer(framework)
    }

    fn standings(&self) -> Vec<Standing> {
        self.books.standings()
    }

    fn counts(&self) -> Counts {
        self.books.counts()
    }

    fn is_exclusive(&self) -> bool {
        false
    }
}
