//! [`Market`]: an allocator, and what whoever uses it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, AllocatorError, Conversion, Filters, Framework, FrameworkId, NodeName,
    NodeSupply, Offer, OfferId, Quota, Rescinded, Resource, Resources, Role, Scalar, Unavailability, Usage,
};
use orch_core::clock::Timestamp;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::strategy::allocator::Step;

/// Checks a property of generated values, the same at every run.
///
/// # Panics
/// With the smallest value found for which it does not hold.
pub fn for_all<T: Debug>(values: impl Strategy<Value = T>, holds: impl Fn(T) -> Result<(), TestCaseError>) {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    if let Err(error) = runner.run(&values, holds) {
        panic!("{error}");
    }
}

/// An allocator, and what whoever uses it knows: held against each other after every step.
#[derive(Debug)]
pub struct Market<A> {
    /// The allocator.
    pub allocator: A,
    /// The nodes, and whether they are active.
    pub nodes: BTreeMap<NodeName, (NodeSupply, bool)>,
    /// The frameworks, and whether they are.
    pub frameworks: BTreeMap<FrameworkId, (Framework, bool)>,
    /// The offers that were not answered.
    pub offers: BTreeMap<OfferId, Offer>,
    /// What is used.
    pub used: Vec<Usage>,
    /// What roles are guaranteed and limited to.
    pub quotas: BTreeMap<Role, Quota>,
    /// The offers of the last round.
    pub round: Vec<Offer>,
    seconds: i64,
}

/// Resources that a test writes.
///
/// # Panics
/// If they are none.
pub fn resources(text: &str) -> Resources {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A role that a test writes.
///
/// # Panics
/// If it is none.
pub fn role(text: &str) -> Role {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl<A: Allocator> Market<A> {
    /// Of an allocator that was told nothing.
    pub fn new(allocator: A) -> Self {
        Self {
            allocator,
            nodes: BTreeMap::new(),
            frameworks: BTreeMap::new(),
            offers: BTreeMap::new(),
            used: Vec::new(),
            quotas: BTreeMap::new(),
            round: Vec::new(),
            seconds: 0,
        }
    }

    /// With a node that has this.
    pub fn node(mut self, name: &str, total: &str) -> Self {
        self.tell(AllocatorChange::NodePut(NodeSupply::new(name, resources(total))));
        self
    }

    /// With a framework in this role.
    pub fn framework(mut self, id: &str, in_role: &str) -> Self {
        self.tell(AllocatorChange::FrameworkPut(Framework::new(id, [role(in_role)])));
        self
    }

    /// Tells the allocator of a change that can be.
    ///
    /// # Panics
    /// If it cannot.
    pub fn tell(&mut self, change: AllocatorChange) -> Vec<Rescinded> {
        self.try_tell(change.clone()).unwrap_or_else(|error| panic!("{change:?}: {error}"))
    }

    /// Tells the allocator of a change.
    ///
    /// # Errors
    /// That of the allocator.
    pub fn try_tell(&mut self, change: AllocatorChange) -> Result<Vec<Rescinded>, AllocatorError> {
        let rescinded = self.allocator.observe(change.clone())?;
        self.note(change);
        self.end(&rescinded);
        Ok(rescinded)
    }

    fn note(&mut self, change: AllocatorChange) {
        match change {
            AllocatorChange::NodePut(supply) => {
                let active = self.nodes.get(&supply.name).is_none_or(|(_, active)| *active);
                self.nodes.insert(supply.name.clone(), (supply, active));
            }
            AllocatorChange::NodeRemoved(name) => {
                self.nodes.remove(&name);
                self.used.retain(|usage| usage.node != name);
            }
            AllocatorChange::NodeActive(name, active) => {
                self.nodes.entry(name).and_modify(|(_, is_active)| *is_active = active);
            }
            AllocatorChange::FrameworkPut(framework) => {
                let active = self.frameworks.get(&framework.id).is_none_or(|(_, active)| *active);
                self.frameworks.insert(framework.id.clone(), (framework, active));
            }
            AllocatorChange::FrameworkActive(id, active) => {
                self.frameworks.entry(id).and_modify(|(_, is_active)| *is_active = active);
            }
            AllocatorChange::FrameworkRemoved(id) => {
                self.frameworks.remove(&id);
                self.used.retain(|usage| usage.framework != id);
            }
            AllocatorChange::Suppressed(id, roles) => self.suppress(&id, &roles, true),
            AllocatorChange::Revived(id, roles) => self.suppress(&id, &roles, false),
            AllocatorChange::Quota { role, quota, .. } => {
                self.quotas.insert(role, quota);
            }
            AllocatorChange::Adopted(usage) => self.used.push(usage),
            AllocatorChange::Recovered(usage, _) => {
                let mut left = usage.resources;
                for mine in &mut self.used {
                    if (&mine.framework, &mine.role, &mine.node) == (&usage.framework, &usage.role, &usage.node) {
                        let taken = mine.resources.within(&left);
                        mine.resources = mine.resources.saturating_minus(&taken);
                        left = left.saturating_minus(&taken);
                    }
                }
                self.used.retain(|usage| !usage.resources.is_empty());
            }
            AllocatorChange::Converted(name, conversion) => self.convert(&name, &conversion),
            _ => {}
        }
    }

    fn suppress(&mut self, id: &FrameworkId, roles: &BTreeSet<Role>, suppressed: bool) {
        let Some((framework, _)) = self.frameworks.get_mut(id) else { return };
        for (role, subscription) in &mut framework.roles {
            if roles.is_empty() || roles.contains(role) {
                subscription.suppressed = suppressed;
            }
        }
    }

    fn convert(&mut self, name: &NodeName, conversion: &Conversion) {
        let Some((supply, _)) = self.nodes.get_mut(name) else { return };
        supply.total = supply.total.saturating_minus(&conversion.from).plus(&conversion.to);
    }

    /// Offers end that were outstanding.
    fn end(&mut self, rescinded: &[Rescinded]) {
        for end in rescinded {
            let offer = self.offers.remove(&end.offer);
            let framework = offer.as_ref().map(|offer| &offer.framework);
            assert_eq!(framework, Some(&end.framework), "A7: {end:?} was not outstanding, or is another's");
        }
    }

    /// A round. Everything is checked that can be seen.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn allocate(&mut self) -> Vec<Offer> {
        let round = self.allocator.allocate();
        self.end(&round.rescinded);
        for offer in &round.offers {
            self.check_audience(offer);
            assert!(self.offers.insert(offer.id, offer.clone()).is_none(), "A7: the id of {offer:?} is taken");
        }
        self.check_capacity();
        if self.allocator.is_exclusive() {
            round.offers.iter().for_each(|offer| self.check_limit(&offer.role, &offer.resources));
        }
        self.round.clone_from(&round.offers);
        round.offers
    }

    /// What a framework is offered in a round, node by node.
    pub fn offered(&mut self, id: &str) -> Vec<Offer> {
        self.allocate().into_iter().filter(|offer| offer.framework.as_str() == id).collect()
    }

    /// A round in which a framework is offered something of one node.
    ///
    /// # Panics
    /// If it is not.
    pub fn offer_to(&mut self, id: &str) -> Offer {
        let mut offers = self.offered(id);
        assert_eq!(offers.len(), 1, "{id} is to be offered one node: {offers:?}; {}", self.why(id));
        offers.remove(0)
    }

    /// Why a framework has no offer, in words.
    pub fn why(&self, id: &str) -> String {
        self.allocator.why_no_offer(&id.into()).map_or_else(|error| error.to_string(), |why| why.to_string())
    }

    /// A framework uses some of an offer, and refuses the rest for so many seconds.
    ///
    /// # Errors
    /// That of the allocator.
    pub fn accept(&mut self, offer: &Offer, used: &Resources, refuse: f64) -> Result<(), AllocatorError> {
        let filters = Filters::from_seconds(Some(refuse));
        self.accept_all(offer, Acceptance { used: used.clone(), filters, conversions: Vec::new() })
    }

    /// A framework accepts an offer.
    ///
    /// # Errors
    /// That of the allocator.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn accept_all(&mut self, offer: &Offer, acceptance: Acceptance) -> Result<(), AllocatorError> {
        self.offers.remove(&offer.id);
        self.allocator.accept(&[offer.id], acceptance.clone())?;
        acceptance.conversions.iter().for_each(|conversion| self.convert(&offer.node, conversion));
        let Offer { framework, role, node, .. } = offer.clone();
        if !acceptance.used.is_empty() {
            self.used.push(Usage { framework, role: role.clone(), node, resources: acceptance.used.clone() });
            // What was offered exclusively counted when it was offered, maybe before there was a limit.
            if !self.allocator.is_exclusive() {
                self.check_limit(&role, &acceptance.used);
            }
        }
        self.check_capacity();
        Ok(())
    }

    /// A framework declines an offer, and refuses it for so many seconds.
    ///
    /// # Panics
    /// If the allocator does not know the offer.
    pub fn decline(&mut self, offer: &Offer, refuse: f64) {
        self.offers.remove(&offer.id);
        let declined = self.allocator.decline(offer.id, Filters::from_seconds(Some(refuse)));
        declined.unwrap_or_else(|error| panic!("{offer:?} was outstanding: {error}"));
    }

    /// Everybody declines everything.
    pub fn decline_all(&mut self, refuse: f64) {
        for offer in self.offers.clone().into_values() {
            self.decline(&offer, refuse);
        }
    }

    /// Time passes.
    ///
    /// # Panics
    /// If a promise is broken, or centuries pass.
    pub fn pass(&mut self, seconds: i64) -> Vec<Rescinded> {
        self.seconds += seconds;
        let now = Timestamp::from_second(1_700_000_000 + self.seconds).expect("a time of this century");
        let rescinded = self.allocator.advance(now);
        self.end(&rescinded);
        rescinded
    }

    /// A1: nothing is given twice.
    fn check_capacity(&self) {
        for (name, (supply, _)) in &self.nodes {
            let used = self.used.iter().filter(|usage| usage.node == *name);
            let used = used.fold(Resources::new(), |sum, usage| sum.plus(&usage.resources));
            let mut given = used.clone();
            if self.allocator.is_exclusive() {
                let offers = self.offers.values().filter(|offer| offer.node == *name);
                given = offers.fold(given, |sum, offer| sum.plus(&offer.resources));
            }
            // More may be used than there is, if it was so before or the node shrank: then no more of that is offered.
            let most = supply.total.plus(&used.saturating_minus(&supply.total));
            assert!(most.contains(&given), "A1: {name} has {}, and {given} is given", supply.total);
        }
    }

    /// A2: the offer is for whom it may concern.
    fn check_audience(&self, offer: &Offer) {
        let node = self.nodes.get(&offer.node);
        assert!(node.is_some_and(|(_, active)| *active), "A2: the node of {offer:?} is not there or not active");
        let (framework, active) = self.frameworks.get(&offer.framework).expect("A2: an offer to nobody");
        assert!(active, "A2: the framework of {offer:?} is not connected");
        let subscription = framework.roles.get(&offer.role);
        let wanted = subscription.is_some_and(|subscription| !subscription.suppressed);
        assert!(wanted, "A2: {offer:?} is in a role that the framework is not in, or has suppressed");
        for part in offer.resources.iter() {
            assert!(part.may_go_to(&offer.role), "A2: {part} is reserved for others, in {offer:?}");
            assert!(framework.capabilities.revocable || !part.revocable, "A2: {part} is revocable, in {offer:?}");
        }
        let enough = offer.resources.scalar("cpus") >= Scalar::from_millis(10)
            || offer.resources.scalar("mem") >= Scalar::from_units(32);
        assert!(enough, "A2: {offer:?} is too little to be offered");
    }

    /// A5: no resource of which this is more brings the role above its limit.
    fn check_limit(&self, role: &Role, more: &Resources) {
        let top = self::role(role.top());
        let Some(quota) = self.quotas.get(&top) else { return };
        let plain = |part: &Resource| part.reservations.is_empty() && !part.revocable;
        let reserved = |part: &Resource| !part.revocable && part.owner().is_some_and(|owner| owner.is_within(&top));
        for (name, limit) in quota.limits.iter().filter(|(name, _)| !more.filtered(plain).scalar(name).is_zero()) {
            let nodes = self.nodes.values().map(|(supply, _)| supply.total.filtered(reserved).scalar(name));
            let used = self.used.iter().filter(|usage| usage.role.is_within(&top));
            let used = used.map(|usage| usage.resources.filtered(plain).scalar(name));
            let offers =
                self.offers.values().filter(|offer| offer.role.is_within(&top) && self.allocator.is_exclusive());
            let offers = offers.map(|offer| offer.resources.filtered(plain).scalar(name));
            let has = nodes.chain(used).chain(offers).fold(Scalar::ZERO, Scalar::saturating_add);
            assert!(has <= *limit, "A5: {top} has {has} {name}, of {limit}, with {more}");
        }
    }

    /// Performs a generated step, if it makes sense now.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn perform(&mut self, step: &Step) {
        let name = |number: u8| NodeName::new(&format!("node-{number}"));
        let id = |number: u8| FrameworkId::new(&format!("framework-{number}"));
        let change = match step {
            Step::PutNode(node, total) => AllocatorChange::NodePut(NodeSupply::new(name(*node), total.clone())),
            Step::RemoveNode(node) => AllocatorChange::NodeRemoved(name(*node)),
            Step::NodeActive(node, active) => AllocatorChange::NodeActive(name(*node), *active),
            Step::Unavailable(node) => {
                let from = Timestamp::from_second(2_000_000_000).expect("a time of this century");
                AllocatorChange::NodeUnavailable(name(*node), Some(Unavailability { from, duration: None }))
            }
            Step::PutFramework(framework, roles) => {
                AllocatorChange::FrameworkPut(Framework::new(id(*framework), roles.clone()))
            }
            Step::FrameworkActive(framework, active) => AllocatorChange::FrameworkActive(id(*framework), *active),
            Step::RemoveFramework(framework) => AllocatorChange::FrameworkRemoved(id(*framework)),
            Step::Suppress(framework) => AllocatorChange::Suppressed(id(*framework), BTreeSet::new()),
            Step::Revive(framework) => AllocatorChange::Revived(id(*framework), BTreeSet::new()),
            Step::Weight(role, weight) => AllocatorChange::Weight(role.clone(), f64::from(*weight)),
            Step::Quota(role, quota) => {
                AllocatorChange::Quota { role: role.clone(), quota: quota.clone(), force: true }
            }
            Step::Recover(index) => {
                let Some(usage) = self.used.get(index.index(self.used.len().max(1))).cloned() else { return };
                AllocatorChange::Recovered(usage, Filters::NONE)
            }
            Step::Accept { index, used, refuse } => return self.take_some(*index, used, *refuse),
            Step::Decline { index, refuse } => {
                let offers: Vec<Offer> = self.offers.values().cloned().collect();
                if let Some(offer) = offers.get(index.index(offers.len().max(1))) {
                    self.decline(offer, f64::from(*refuse));
                }
                return;
            }
            Step::Pass(seconds) => {
                self.pass(i64::from(*seconds));
                return;
            }
        };
        // What is not there cannot change: that this is said is for another clause.
        drop(self.try_tell(change));
        self.check_capacity();
    }

    fn take_some(&mut self, index: proptest::sample::Index, used: &Resources, refuse: u8) {
        let offers: Vec<Offer> = self.offers.values().cloned().collect();
        let Some(offer) = offers.get(index.index(offers.len().max(1))) else { return };
        let used = used.within(&offer.resources);
        let accepted = self.accept(offer, &used, f64::from(refuse));
        let shared = !self.allocator.is_exclusive();
        match accepted {
            Ok(()) => {}
            Err(AllocatorError::Conflict { .. } | AllocatorError::OverQuota { .. }) if shared => {}
            Err(error) => panic!("{used} was offered in {offer:?}: {error}"),
        }
    }
}
