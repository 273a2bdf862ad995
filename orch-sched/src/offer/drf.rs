//! [`DrfAllocator`]: exclusive offers by dominant-resource fairness.

use std::sync::Arc;

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, AllocatorError, Counts, Filters, FrameworkId, Offer, OfferId, Rescinded,
    Round, Standing, WhyNoOffer,
};
use orch_core::clock::Timestamp;
use orch_core::entropy::{Entropy as _, SeededEntropy};

use super::AllocatorOptions;
use super::books::{Books, Parcel, Stage};

/// Deals out nodes by hierarchical weighted dominant-resource fairness, as Mesos does.
///
/// In a round, nodes are looked at in an order drawn by the seed. All that is free of one goes to the role with the
/// least share of what it has most of, as far as that role may have it, and there to the framework with the least; what
/// is left, such as what is reserved for others, to the next role. So nodes go round, and who has least gets most of
/// them. Before that, roles with a guarantee get what they have not got of it.
///
/// ```
/// use orch_core::allocator::{Acceptance, Allocator, AllocatorChange, Filters, Framework, NodeSupply, Role};
/// use orch_sched::offer::DrfAllocator;
///
/// let mut allocator = DrfAllocator::default();
/// allocator.observe(AllocatorChange::NodePut(NodeSupply::new("node-1", "cpus:4;mem:4096".parse()?)))?;
/// for id in ["spark", "web"] {
///     allocator.observe(AllocatorChange::FrameworkPut(Framework::new(id, [Role::default()])))?;
/// }
/// let offer = allocator.allocate().offers.remove(0);
/// assert_eq!((offer.framework.as_str(), offer.resources.to_string().as_str()), ("spark", "cpus:4;mem:4096"));
/// let used = Acceptance { used: "cpus:1;mem:512".parse()?, filters: Filters::NONE, ..Acceptance::default() };
/// allocator.accept(&[offer.id], used)?;
/// let offer = allocator.allocate().offers.remove(0);
/// assert_eq!((offer.framework.as_str(), offer.resources.to_string().as_str()), ("web", "cpus:3;mem:3584"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DrfAllocator {
    books: Books,
    lots: SeededEntropy,
}

/// Nodes that are fetched from memory together. In drawn order each is far from the one before, and dealing out one takes
/// less time than waiting for the next: a look at several first lets the processor wait for all of them at once.
const AT_ONCE: usize = 16;

impl Default for DrfAllocator {
    fn default() -> Self {
        Self::new(AllocatorOptions::default())
    }
}

impl DrfAllocator {
    /// An allocator that was told nothing.
    #[must_use]
    pub fn new(options: AllocatorOptions) -> Self {
        let lots = SeededEntropy::new(options.seed);
        Self { books: Books::new(options, true, false), lots }
    }

    /// Fisher and Yates's.
    fn shuffle(&self, nodes: &mut [u32]) {
        for last in (1..nodes.len()).rev() {
            // The high half of a product: the remainder of a division would be slower, and no fairer.
            let lot = (u128::from(self.lots.next_u64()) * (last as u128 + 1)) >> 64;
            nodes.swap(last, lot as usize);
        }
    }

    /// Deals out what is free of a node.
    fn deal(&mut self, node: u32, stage: Stage, offers: &mut Vec<Offer>) {
        let Some(free) = &self.books.node(node).free else { return };
        let Some(first) = self.books.roles().first() else { return };
        // The usual case: one framework gets all that is free.
        if let Some(client) = self.books.all_to_one(first, node, free, stage) {
            let all = self.books.set_offered(node, None);
            offers.extend(all.map(|all| self.books.offer(client, node, all)));
            return;
        }
        let mut left = Some(Arc::clone(free));
        let mut grants: Vec<(u32, Arc<Parcel>)> = Vec::new();
        self.deal_to(first, node, stage, &mut left, &mut grants);
        if let Some(rest) = &left {
            for role in self.books.roles_for(rest).into_iter().filter(|role| *role != first) {
                if left.is_none() {
                    break;
                }
                self.deal_to(role, node, stage, &mut left, &mut grants);
            }
        }
        if grants.is_empty() {
            return;
        }
        // Shares change when the node is done: within one node, the order is that of its beginning.
        self.books.set_offered(node, left);
        offers.extend(grants.into_iter().map(|(client, parcel)| self.books.offer(client, node, parcel)));
    }

    /// Deals out what is left of a node to the frameworks of a role.
    fn deal_to(
        &mut self,
        role: u32,
        node: u32,
        stage: Stage,
        left: &mut Option<Arc<Parcel>>,
        grants: &mut Vec<(u32, Arc<Parcel>)>,
    ) {
        let Some(rest) = left.clone() else { return };
        if rest.has_revocable || rest.has_refined {
            // What frameworks may have differs by what they can deal with.
            for client in self.books.clients_in_order(role) {
                let Some(rest) = left.clone() else { return };
                let can = self.books.framework_of(client).framework.capabilities;
                let Ok(portion) = self.books.portion(role, can, &rest, stage) else { continue };
                let fits = self.books.is_enough(client, &portion)
                    && self.books.lacking(client, node).is_none()
                    && !self.books.is_refused(client, node, &portion);
                if fits {
                    self.grant(role, client, portion, left, grants);
                }
            }
            return;
        }
        let Ok(portion) = self.books.portion(role, Default::default(), &rest, stage) else { return };
        // The role's whole portion goes to one: of what is left then, nothing is for others of the role.
        if let Some(client) = self.books.first_for(role, node, &portion) {
            self.grant(role, client, portion, left, grants);
        }
    }

    fn grant(
        &mut self,
        role: u32,
        client: u32,
        portion: Arc<Parcel>,
        left: &mut Option<Arc<Parcel>>,
        grants: &mut Vec<(u32, Arc<Parcel>)>,
    ) {
        *left = left.as_ref().and_then(|left| self.books.without(left, &portion));
        self.books.spend(role, &portion);
        grants.push((client, portion));
    }
}

impl Allocator for DrfAllocator {
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
        let mut nodes = self.books.take_marked();
        let mut offers = Vec::new();
        if self.books.has_guarantees() {
            self.shuffle(&mut nodes);
            for node in &nodes {
                self.deal(*node, Stage::Guarantees, &mut offers);
            }
        }
        self.shuffle(&mut nodes);
        offers.reserve(nodes.len());
        for nodes in nodes.chunks(AT_ONCE) {
            std::hint::black_box(nodes.iter().map(|node| self.books.glance(*node)).fold(0, usize::wrapping_add));
            for node in nodes {
                self.deal(*node, Stage::Rest, &mut offers);
            }
        }
        self.books.end_round();
        Round { rescinded: Vec::new(), offers }
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
        true
    }
}
