//! [`Call`]: one call of the scheduler, from dividing the cluster to the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orch_core::allocator::{Acceptance, Allocator, AllocatorChange, Filters, Framework, FrameworkId, OfferId, Role};
use orch_core::key::Key;
use orch_core::object::Pod;
use orch_core::scheduler::{Decision, Outcome, Refusal, RuleCount};

use super::bidder::Bidder;
use super::view::View;
use super::{Kept, Parts, amounts};
use crate::filter_score::{PodInfo, why_not_pending};

/// One call: the cluster is divided among the frameworks that have pods to place, and they place them in turn.
pub(super) struct Call<'a> {
    parts: &'a Parts,
    kept: &'a mut Kept,
    pods: &'a [(Key, Arc<Pod>)],
    outcomes: Vec<Option<Outcome>>,
    allocator: Box<dyn Allocator>,
    bidders: BTreeMap<FrameworkId, Bidder>,
    /// Those of no bidder so far. If a plugin panics, all views are gone with the call.
    views: Vec<View>,
    /// Counts the rounds of offers.
    step: u64,
}

/// Until the call is over.
const REFUSED: Filters = Filters { refuse: Duration::from_secs(365 * 24 * 60 * 60) };

impl<'a> Call<'a> {
    pub(super) fn new(parts: &'a Parts, kept: &'a mut Kept, pods: &'a [(Key, Arc<Pod>)]) -> Self {
        let mut allocator = (parts.allocator)();
        // What is told here is so; an allocator that does not take it goes without it.
        let told = kept.ledger.changes(&kept.supply, &*parts.role_of).chain(&parts.settings);
        told.for_each(|change| drop(allocator.observe(change.clone())));
        let mut call = Self {
            allocator,
            outcomes: vec![None; pods.len()],
            bidders: BTreeMap::new(),
            views: std::mem::take(&mut kept.views),
            step: 0,
            parts,
            kept,
            pods,
        };
        call.invite();
        call
    }

    /// Lets the frameworks in that have pods to place.
    fn invite(&mut self) {
        for (place, (key, pod)) in self.pods.iter().enumerate() {
            if let Some(why) = why_not_pending(pod, self.kept.supply.pod(key)) {
                self.outcomes[place] = Some(refused(0, Vec::new(), Some(why)));
                continue;
            }
            let role = (self.parts.role_of)(pod);
            let id = FrameworkId::new(role.as_str());
            if !self.bidders.contains_key(&id) {
                drop(self.allocator.observe(AllocatorChange::FrameworkPut(Framework::new(id.clone(), [role]))));
            }
            let mut view = || self.views.pop().unwrap_or_else(|| View::new((self.parts.scheduler)()));
            self.bidders.entry(id).or_insert_with(|| Bidder::new(view())).waiting.insert(place, None);
        }
    }

    /// Goes on until every pod is placed, or was tried wherever its framework may place it.
    pub(super) fn run(&mut self) {
        while self.bidders.values().any(|bidder| !bidder.waiting.is_empty()) {
            self.hand_out_offers();
            let order: Vec<FrameworkId> =
                self.allocator.standings().into_iter().map(|standing| standing.framework).collect();
            let next = order.into_iter().find_map(|id| {
                let bidder = self.bidders.get(&id).filter(|bidder| !bidder.offers.is_empty())?;
                let place = bidder.untried();
                Some((id, place))
            });
            match next {
                None => break,
                Some((id, Some(place))) => self.try_pod(&id, place),
                Some((id, None)) => self.decline_all(&id),
            }
        }
        // What could be placed on something that its framework was not offered.
        for place in 0..self.pods.len() {
            if self.outcomes[place].is_none() {
                self.outcomes[place] = Some(self.judge(place).unwrap_or_else(|| self.not_offered(place)));
            }
        }
    }

    /// Makes known to each framework what it is offered.
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
            if let Some(bidder) = self.bidders.get_mut(&offer.framework) {
                bidder.give(offer.node.as_str(), offer.id, offer.resources, self.step);
            }
        }
        self.bidders.values_mut().for_each(|bidder| bidder.just_used = None);
    }

    /// Lets a framework place one of its pods.
    fn try_pod(&mut self, id: &FrameworkId, place: usize) {
        let (key, pod) = &self.pods[place];
        let Some(bidder) = self.bidders.get_mut(id) else { return };
        if let Some(why) = why_not_pending(pod, self.kept.supply.pod(key)) {
            bidder.waiting.remove(&place);
            self.outcomes[place] = Some(refused(0, Vec::new(), Some(why)));
            return;
        }
        if let Some(Outcome::Place { node, score }) = bidder.choose(pod, &self.kept.supply)
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
        // What has no place in the whole cluster has none in a part of it (S9), and nothing comes free in a call.
        let hopeless = self.judge(place);
        if let Some(bidder) = self.bidders.get_mut(id) {
            match hopeless {
                Some(_) => bidder.waiting.remove(&place),
                None => bidder.waiting.insert(place, Some(self.step)),
            };
        }
        self.outcomes[place] = hopeless;
    }

    /// Counts the pod as placed for the rest of the call.
    fn assume(&mut self, place: usize, node: &str) {
        let (key, pod) = &self.pods[place];
        let before = self.kept.assume(key, pod, node);
        let supply = &self.kept.supply;
        self.bidders.values_mut().for_each(|bidder| bidder.follow(key, before.as_deref(), node, supply));
    }

    /// What is against the pod everywhere, as things are; nothing if there is a place for it.
    fn judge(&mut self, place: usize) -> Option<Outcome> {
        let judged = self.kept.judge.schedule(std::slice::from_ref(&self.pods[place].1)).pop();
        judged.map(|decision| decision.outcome).filter(|outcome| matches!(outcome, Outcome::Refuse(_)))
    }

    /// There is a place for the pod, and its framework may not have it.
    fn not_offered(&self, place: usize) -> Outcome {
        let nodes = self.kept.supply.nodes().count();
        let reason = "not offered to its framework".to_owned();
        let id = FrameworkId::new((self.parts.role_of)(&self.pods[place].1).as_str());
        let hint = self.allocator.why_no_offer(&id).ok().map(|why| why.to_string());
        refused(nodes, vec![RuleCount { rule: "Offers", reason, nodes }], hint)
    }

    /// A framework that can use nothing of what it has leaves it to others; one that waits for nothing wants no more.
    fn decline_all(&mut self, id: &FrameworkId) {
        let Some(bidder) = self.bidders.get_mut(id) else { return };
        let done = bidder.waiting.is_empty();
        let nodes: Vec<String> = bidder.offers.keys().cloned().collect();
        let offers: Vec<OfferId> = nodes.iter().filter_map(|node| bidder.take(node)).map(|(id, _)| id).collect();
        if done {
            drop(self.allocator.observe(AllocatorChange::Suppressed(id.clone(), BTreeSet::<Role>::new())));
        }
        for offer in offers {
            // An offer that is not known any more needs no answer.
            drop(self.allocator.decline(offer, if done { Filters::NONE } else { REFUSED }));
        }
    }

    /// The answers. What was assumed is forgotten.
    pub(super) fn end(self) -> Vec<Decision> {
        self.kept.keep(self.bidders.into_values().map(Bidder::into_view).chain(self.views).collect());
        self.kept.forget_assumed();
        let answers = self.pods.iter().zip(self.outcomes);
        let decision = |((key, pod), outcome): (&(Key, Arc<Pod>), Option<Outcome>)| {
            Some(Decision { pod: key.clone(), uid: pod.metadata.uid.clone(), outcome: outcome? })
        };
        answers.filter_map(decision).collect()
    }
}

fn refused(nodes: usize, rules: Vec<RuleCount>, hint: Option<String>) -> Outcome {
    Outcome::Refuse(Refusal { nodes, rules, hint })
}
