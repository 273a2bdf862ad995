//! [`Call`]: one call of the scheduler, from dividing the cluster to the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, Filters, Framework, FrameworkId, NodeName, NodeSupply, OfferId, Resources,
    Role, Usage,
};
use orch_core::key::Key;
use orch_core::object::Pod;
use orch_core::scheduler::{Decision, Outcome, Refusal, RuleCount, Scheduler, SupplyChange};

use super::{Parts, amounts};
use crate::filter_score::supply::Supply;
use crate::filter_score::{PodInfo, why_not_pending};

/// One call: the cluster is divided among the frameworks that have pods to place, and they place them in turn.
pub(super) struct Call<'a> {
    parts: &'a Parts,
    supply: &'a mut Supply,
    judge: &'a mut dyn Scheduler,
    pods: &'a [(Key, Arc<Pod>)],
    outcomes: Vec<Option<Outcome>>,
    allocator: Box<dyn Allocator>,
    bidders: BTreeMap<FrameworkId, Bidder>,
    /// Counts the rounds of offers.
    step: u64,
    /// What the judge is to be told when the call is over.
    undo: Vec<SupplyChange>,
}

/// A framework that has pods to place.
struct Bidder {
    scheduler: Box<dyn Scheduler>,
    /// Its offers, by node, with what is in them.
    offers: BTreeMap<String, (OfferId, Arc<Resources>)>,
    /// The node of which it has just used a part: if the rest comes back to it, that is nothing new.
    just_used: Option<String>,
    /// The last step in which it was offered something new.
    offered_at: u64,
    /// Its pods that are not placed, by their place in the call, and the step in which each was tried last. What does not
    /// fit then does not fit later, but on what is new.
    waiting: BTreeMap<usize, Option<u64>>,
}

/// Until the call is over.
const REFUSED: Filters = Filters { refuse: Duration::from_secs(365 * 24 * 60 * 60) };

impl<'a> Call<'a> {
    pub(super) fn new(
        parts: &'a Parts,
        supply: &'a mut Supply,
        judge: &'a mut dyn Scheduler,
        pods: &'a [(Key, Arc<Pod>)],
    ) -> Self {
        let mut call = Self {
            allocator: (parts.allocator)(),
            outcomes: vec![None; pods.len()],
            bidders: BTreeMap::new(),
            step: 0,
            undo: Vec::new(),
            parts,
            supply,
            judge,
            pods,
        };
        call.tell_supply();
        for setting in &parts.settings {
            call.tell(setting.clone());
        }
        call.invite();
        call
    }

    /// Tells the allocator of the nodes and what is used of them.
    fn tell_supply(&mut self) {
        let mut changes = Vec::new();
        for node in self.supply.nodes() {
            changes.push(AllocatorChange::NodePut(NodeSupply::new(node.name(), amounts::of_node(node))));
            for pod in node.pods() {
                let role = (self.parts.role_of)(pod.pod());
                let (framework, node) = (FrameworkId::new(role.as_str()), NodeName::new(node.name()));
                changes.push(AllocatorChange::Adopted(Usage {
                    framework,
                    role,
                    node,
                    resources: amounts::of_pod(pod),
                }));
            }
        }
        changes.into_iter().for_each(|change| self.tell(change));
    }

    /// What is told here is so; an allocator that does not take it goes without it.
    fn tell(&mut self, change: AllocatorChange) {
        drop(self.allocator.observe(change));
    }

    /// Lets the frameworks in that have pods to place.
    fn invite(&mut self) {
        for (place, (key, pod)) in self.pods.iter().enumerate() {
            if let Some(why) = why_not_pending(pod, self.supply.pod(key)) {
                self.outcomes[place] = Some(refused(0, Vec::new(), Some(why)));
                continue;
            }
            let role = (self.parts.role_of)(pod);
            let id = FrameworkId::new(role.as_str());
            if !self.bidders.contains_key(&id) {
                self.tell(AllocatorChange::FrameworkPut(Framework::new(id.clone(), [role])));
            }
            let scheduler = || (self.parts.scheduler)();
            let bidder = self.bidders.entry(id).or_insert_with(|| Bidder {
                scheduler: scheduler(),
                offers: BTreeMap::new(),
                just_used: None,
                offered_at: 0,
                waiting: BTreeMap::new(),
            });
            bidder.waiting.insert(place, None);
        }
    }

    /// Goes on until every pod is placed, or was tried wherever its framework may place it.
    pub(super) fn run(&mut self) {
        loop {
            self.hand_out_offers();
            let order: Vec<FrameworkId> =
                self.allocator.standings().into_iter().map(|standing| standing.framework).collect();
            let next = order.iter().find_map(|id| {
                let bidder = self.bidders.get(id).filter(|bidder| !bidder.offers.is_empty())?;
                let untried = |(_, tried): &(&usize, &Option<u64>)| tried.is_none_or(|step| step < bidder.offered_at);
                let place = bidder.waiting.iter().find(untried).map(|(place, _)| *place);
                Some((id.clone(), place))
            });
            match next {
                None => break,
                Some((id, Some(place))) => self.try_pod(&id, place),
                Some((id, None)) => self.decline_all(&id),
            }
        }
        // Pods of frameworks that were offered nothing at all were never tried.
        for place in 0..self.pods.len() {
            if self.outcomes[place].is_none() {
                let id = FrameworkId::new((self.parts.role_of)(&self.pods[place].1).as_str());
                self.outcomes[place] = Some(self.why_not(&id, place));
            }
        }
    }

    /// Shows each framework the nodes that it is offered, with the pods on them.
    fn hand_out_offers(&mut self) {
        self.step += 1;
        let round = self.allocator.allocate();
        for ended in round.rescinded {
            let Some(bidder) = self.bidders.get_mut(&ended.framework) else { continue };
            let node = bidder.offers.iter().find(|(_, (id, _))| *id == ended.offer).map(|(node, _)| node.clone());
            if let Some(node) = node {
                bidder.take(&node);
            }
        }
        for offer in round.offers {
            let (Some(bidder), Some(node)) =
                (self.bidders.get_mut(&offer.framework), self.supply.node(offer.node.as_str()))
            else {
                continue;
            };
            bidder.scheduler.observe(SupplyChange::NodePut(amounts::narrowed(node, &offer.resources)));
            node.pods().for_each(|pod| bidder.scheduler.observe(SupplyChange::PodPut(pod.shared())));
            if bidder.just_used.as_deref() != Some(node.name()) {
                bidder.offered_at = self.step;
            }
            bidder.offers.insert(node.name().to_owned(), (offer.id, offer.resources));
        }
        self.bidders.values_mut().for_each(|bidder| bidder.just_used = None);
    }

    /// Lets a framework place one of its pods.
    fn try_pod(&mut self, id: &FrameworkId, place: usize) {
        let (key, pod) = &self.pods[place];
        let Some(bidder) = self.bidders.get_mut(id) else { return };
        if let Some(why) = why_not_pending(pod, self.supply.pod(key)) {
            bidder.waiting.remove(&place);
            self.outcomes[place] = Some(refused(0, Vec::new(), Some(why)));
            return;
        }
        let decided = bidder.scheduler.schedule(std::slice::from_ref(pod)).pop().map(|decision| decision.outcome);
        if let Some(Outcome::Place { node, score }) = decided
            && let Some((offer, offered)) = bidder.take(&node)
        {
            let used = amounts::of_pod(&PodInfo::new(Arc::clone(pod))).within(&offered);
            let acceptance = Acceptance { used, filters: Filters::NONE, conversions: Vec::new() };
            if self.allocator.accept(&[offer], acceptance).is_ok() {
                bidder.waiting.remove(&place);
                bidder.just_used = Some(node.clone());
                self.outcomes[place] = Some(Outcome::Place { node: node.clone(), score });
                self.assume(place, &node);
                return;
            }
            // It is over quota, or somebody else was first: the next offers tell.
        }
        bidder.waiting.insert(place, Some(self.step));
        self.outcomes[place] = Some(self.why_not(id, place));
    }

    /// Counts the pod as placed for the rest of the call.
    fn assume(&mut self, place: usize, node: &str) {
        let (key, pod) = &self.pods[place];
        self.undo.push(match self.supply.pod_shared(key) {
            Some(before) => SupplyChange::PodPut(before),
            None => SupplyChange::PodRemoved(key.clone()),
        });
        self.supply.assume(key.clone(), pod, node);
        let mut placed = Pod::clone(pod);
        placed.spec.node_name = Some(node.to_owned());
        self.judge.observe(SupplyChange::PodPut(Arc::new(placed)));
    }

    /// Why the framework cannot place the pod: what is against it everywhere; or, where there is room, who has it.
    fn why_not(&mut self, id: &FrameworkId, place: usize) -> Outcome {
        let judged = self.judge.schedule(std::slice::from_ref(&self.pods[place].1)).pop();
        match judged.map(|decision| decision.outcome) {
            Some(Outcome::Refuse(refusal)) => Outcome::Refuse(refusal),
            _ => {
                let nodes = self.supply.nodes().count();
                let reason = "not offered to its framework".to_owned();
                let hint = self.allocator.why_no_offer(id).ok().map(|why| why.to_string());
                refused(nodes, vec![RuleCount { rule: "Offers", reason, nodes }], hint)
            }
        }
    }

    /// A framework that can use nothing of what it has leaves it to others; one that has placed all wants no more.
    fn decline_all(&mut self, id: &FrameworkId) {
        let Some(bidder) = self.bidders.get_mut(id) else { return };
        let done = bidder.waiting.is_empty();
        let nodes: Vec<String> = bidder.offers.keys().cloned().collect();
        let offers: Vec<OfferId> = nodes.iter().filter_map(|node| bidder.take(node)).map(|(id, _)| id).collect();
        if done {
            self.tell(AllocatorChange::Suppressed(id.clone(), BTreeSet::<Role>::new()));
        }
        for offer in offers {
            // An offer that is not known any more needs no answer.
            drop(self.allocator.decline(offer, if done { Filters::NONE } else { REFUSED }));
        }
    }

    /// The answers. What was assumed is forgotten.
    pub(super) fn end(mut self) -> Vec<Decision> {
        self.supply.forget_assumed();
        while let Some(change) = self.undo.pop() {
            self.judge.observe(change);
        }
        let answers = self.pods.iter().zip(self.outcomes);
        let decision = |((key, pod), outcome): (&(Key, Arc<Pod>), Option<Outcome>)| {
            Some(Decision { pod: key.clone(), uid: pod.metadata.uid.clone(), outcome: outcome? })
        };
        answers.filter_map(decision).collect()
    }
}

impl Bidder {
    /// An offer ends: the node is not this framework's any more.
    fn take(&mut self, node: &str) -> Option<(OfferId, Arc<Resources>)> {
        let offer = self.offers.remove(node)?;
        self.scheduler.observe(SupplyChange::NodeRemoved(node.to_owned()));
        Some(offer)
    }
}

fn refused(nodes: usize, rules: Vec<RuleCount>, hint: Option<String>) -> Outcome {
    Outcome::Refuse(Refusal { nodes, rules, hint })
}
