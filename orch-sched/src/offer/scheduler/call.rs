//! [`Call`]: one call of the scheduler, from dividing the cluster to the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, Filters, Framework, FrameworkId, OfferId, Resources, Role,
};
use orch_core::key::Key;
use orch_core::object::Pod;
use orch_core::scheduler::{Decision, Outcome, Refusal, RuleCount};

use super::{Kept, Parts, amounts};
use crate::filter_score::{PodInfo, why_not_pending};

/// One call: the frameworks that have pods to place take turns, and are offered the cluster.
pub(super) struct Call<'a> {
    parts: &'a Parts,
    kept: &'a mut Kept,
    pods: &'a [(Key, Arc<Pod>)],
    outcomes: Vec<Option<Outcome>>,
    allocator: Box<dyn Allocator>,
    /// The frameworks that have pods to place, and where in the call these stand.
    waiting: BTreeMap<FrameworkId, BTreeSet<usize>>,
    /// The offers of the framework whose turn it is, by node, with what is in them.
    offers: BTreeMap<String, (OfferId, Arc<Resources>)>,
    /// The nodes that the view may show otherwise than they are offered.
    changed: BTreeSet<String>,
}

/// Until the turn is over.
const REFUSED: Filters = Filters { refuse: Duration::from_secs(365 * 24 * 60 * 60) };

impl<'a> Call<'a> {
    pub(super) fn new(parts: &'a Parts, kept: &'a mut Kept, pods: &'a [(Key, Arc<Pod>)]) -> Self {
        let mut call = Self {
            allocator: (parts.allocator)(),
            outcomes: vec![None; pods.len()],
            waiting: BTreeMap::new(),
            offers: BTreeMap::new(),
            changed: kept.view.nodes().cloned().collect(),
            parts,
            kept,
            pods,
        };
        let told = call.kept.ledger.changes(&call.kept.supply, &*parts.role_of).chain(&parts.settings);
        // An allocator that does not take what is so goes without it.
        told.for_each(|change| drop(call.allocator.observe(change.clone())));
        call.invite();
        call
    }

    /// What is told here is so; an allocator that does not take it goes without it.
    fn tell(&mut self, change: AllocatorChange) {
        drop(self.allocator.observe(change));
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
            if !self.waiting.contains_key(&id) {
                self.tell(AllocatorChange::FrameworkPut(Framework::new(id.clone(), [role])));
            }
            self.waiting.entry(id).or_default().insert(place);
        }
    }

    /// Goes on until every pod is placed, or its framework was offered all that it may have.
    pub(super) fn run(&mut self) {
        while let Some(id) = self.next() {
            // What is offered counts for the share. So one alone is offered something at a time, and gives it back after
            // its turn; unless nobody else waits.
            let others: Vec<FrameworkId> = self.waiting.keys().filter(|other| **other != id).cloned().collect();
            others.iter().for_each(|other| self.tell(AllocatorChange::Suppressed(other.clone(), BTreeSet::new())));
            self.take_turn(&id);
            if !others.is_empty() {
                self.decline_all(Filters::NONE);
            }
            if self.waiting.get(&id).is_none_or(BTreeSet::is_empty) {
                self.waiting.remove(&id);
                self.tell(AllocatorChange::Suppressed(id, BTreeSet::<Role>::new()));
            }
            others.into_iter().for_each(|other| self.tell(AllocatorChange::Revived(other, BTreeSet::new())));
        }
    }

    /// The framework with the least share, of those that have pods to place.
    fn next(&self) -> Option<FrameworkId> {
        let mut standings = self.allocator.standings().into_iter().map(|standing| standing.framework);
        standings.find(|id| self.waiting.contains_key(id)).or_else(|| self.waiting.keys().next().cloned())
    }

    /// Lets a framework place one of its pods, the first for which there is a place. What finds none now finds none later:
    /// in a call nothing comes free.
    fn take_turn(&mut self, id: &FrameworkId) {
        while let Some(place) = self.waiting.get_mut(id).and_then(BTreeSet::pop_first) {
            let (key, pod) = &self.pods[place];
            if let Some(why) = why_not_pending(pod, self.kept.supply.pod(key)) {
                self.outcomes[place] = Some(refused(0, Vec::new(), Some(why)));
                continue;
            }
            let outcome = self.try_pod(place).unwrap_or_else(|| self.search(id, place));
            let is_placed = matches!(outcome, Outcome::Place { .. });
            self.outcomes[place] = Some(outcome);
            if is_placed {
                return;
            }
        }
    }

    /// What becomes of a pod that has no place on what is offered: what is against it everywhere; or a place on what is
    /// offered when that is refused, as a quota may be used up by offers; or who may not have what there is.
    fn search(&mut self, id: &FrameworkId, place: usize) -> Outcome {
        let pod = std::slice::from_ref(&self.pods[place].1);
        let judged = self.kept.judge.schedule(pod).pop().map(|decision| decision.outcome);
        if let Some(Outcome::Refuse(refusal)) = judged {
            return Outcome::Refuse(refusal);
        }
        let mut found = None;
        while found.is_none() && !self.offers.is_empty() {
            self.decline_all(REFUSED);
            found = self.try_pod(place);
        }
        let outcome = found.unwrap_or_else(|| {
            let nodes = self.kept.supply.nodes().count();
            let reason = "not offered to its framework".to_owned();
            let hint = self.allocator.why_no_offer(id).ok().map(|why| why.to_string());
            refused(nodes, vec![RuleCount { rule: "Offers", reason, nodes }], hint)
        });
        // For its next pod it sees again what it refused for this one.
        self.tell(AllocatorChange::Revived(id.clone(), BTreeSet::new()));
        outcome
    }

    /// Lets the framework whose turn it is place a pod on what it is offered.
    fn try_pod(&mut self, place: usize) -> Option<Outcome> {
        self.hand_out_offers();
        self.look();
        let (key, pod) = &self.pods[place];
        let Some(Outcome::Place { node, score }) = self.kept.view.schedule(pod) else { return None };
        let (offer, offered) = self.take(&node)?;
        let used = amounts::of_pod(&PodInfo::new(Arc::clone(pod))).within(&offered);
        let acceptance = Acceptance { used, filters: Filters::NONE, conversions: Vec::new() };
        // If it is over quota, the pod has another place or none.
        self.allocator.accept(&[offer], acceptance).ok()?;
        self.kept.assume(key, pod, &node);
        Some(Outcome::Place { node, score })
    }

    /// Takes what is offered to the framework whose turn it is: nobody else is offered anything.
    fn hand_out_offers(&mut self) {
        let round = self.allocator.allocate();
        for ended in round.rescinded {
            let node = self.offers.iter().find(|(_, (id, _))| *id == ended.offer).map(|(node, _)| node.clone());
            node.and_then(|node| self.take(&node));
        }
        for offer in round.offers {
            let node = offer.node.as_str().to_owned();
            self.changed.insert(node.clone());
            self.offers.insert(node, (offer.id, offer.resources));
        }
    }

    /// Makes the view show what is offered, and nothing else.
    fn look(&mut self) {
        let Kept { view, supply, .. } = &mut *self.kept;
        for name in std::mem::take(&mut self.changed) {
            match (self.offers.get(&name), supply.node(&name)) {
                (Some((_, offered)), Some(node)) => view.show(node, amounts::narrowed(node, offered)),
                _ => view.hide(&name, supply),
            }
        }
    }

    /// An offer ends.
    fn take(&mut self, node: &str) -> Option<(OfferId, Arc<Resources>)> {
        let offer = self.offers.remove(node)?;
        self.changed.insert(node.to_owned());
        Some(offer)
    }

    fn decline_all(&mut self, filters: Filters) {
        for (node, (offer, _)) in std::mem::take(&mut self.offers) {
            self.changed.insert(node);
            // An offer that is not known any more needs no answer.
            drop(self.allocator.decline(offer, filters));
        }
    }

    /// The answers. What was assumed is forgotten.
    pub(super) fn end(self) -> Vec<Decision> {
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
