//! [`Bidder`]: a framework that has pods to place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::allocator::{OfferId, Resources};
use orch_core::key::Key;
use orch_core::object::Pod;
use orch_core::scheduler::Outcome;

use super::amounts;
use super::view::View;
use crate::filter_score::supply::Supply;

/// A framework that has pods to place.
pub(super) struct Bidder {
    view: View,
    /// Its offers, by node, with what is in them.
    pub(super) offers: BTreeMap<String, (OfferId, Arc<Resources>)>,
    /// The nodes that it is to see otherwise than it does.
    changed: BTreeSet<String>,
    /// The node of which it has just used a part: if the rest comes back to it, that is nothing new.
    pub(super) just_used: Option<String>,
    /// The last step in which it was offered something new.
    pub(super) offered_at: u64,
    /// Its pods that may still be placed, by their place in the call, and the step in which each was tried last. What does
    /// not fit then does not fit later, but on what is new.
    pub(super) waiting: BTreeMap<usize, Option<u64>>,
}

impl Bidder {
    /// One that has no offers, whatever its view showed before.
    pub(super) fn new(view: View) -> Self {
        let changed = view.nodes().cloned().collect();
        Self { view, offers: BTreeMap::new(), changed, just_used: None, offered_at: 0, waiting: BTreeMap::new() }
    }

    /// Its view, for whoever comes next.
    pub(super) fn into_view(self) -> View {
        self.view
    }

    /// An offer comes, in this step.
    pub(super) fn give(&mut self, node: &str, offer: OfferId, resources: Arc<Resources>, step: u64) {
        if self.just_used.as_deref() != Some(node) {
            self.offered_at = step;
        }
        self.changed.insert(node.to_owned());
        self.offers.insert(node.to_owned(), (offer, resources));
    }

    /// An offer ends: the node is not this framework's any more.
    pub(super) fn take(&mut self, node: &str) -> Option<(OfferId, Arc<Resources>)> {
        let offer = self.offers.remove(node)?;
        self.changed.insert(node.to_owned());
        Some(offer)
    }

    /// The first of its pods that was not tried on all that it is offered.
    pub(super) fn untried(&self) -> Option<usize> {
        let untried = |(_, tried): &(&usize, &Option<u64>)| tried.is_none_or(|step| step < self.offered_at);
        self.waiting.iter().find(untried).map(|(place, _)| *place)
    }

    /// Where it would place the pod, of what it is offered.
    pub(super) fn choose(&mut self, pod: &Arc<Pod>, supply: &Supply) -> Option<Outcome> {
        for name in std::mem::take(&mut self.changed) {
            match (self.offers.get(&name), supply.node(&name)) {
                (Some((_, offered)), Some(node)) => self.view.show(node, amounts::narrowed(node, offered)),
                _ => self.view.hide(&name, supply),
            }
        }
        self.view.schedule(pod)
    }

    /// Somebody's pod was placed on the node: there is less of it, and more on it.
    pub(super) fn follow(&mut self, key: &Key, before: Option<&str>, node: &str, supply: &Supply) {
        self.view.follow(key, before, supply);
        if self.offers.contains_key(node) {
            self.changed.insert(node.to_owned());
        }
    }
}
