//! [`Kept`]: what an [`OfferScheduler`](super::OfferScheduler) keeps between calls.

use std::fmt;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::scheduler::{Scheduler, SupplyChange};

use super::ledger::Ledger;
use super::view::View;
use crate::filter_score::supply::Supply;

/// What is kept between calls: the supply, and what follows from it.
pub(super) struct Kept {
    pub(super) supply: Supply,
    pub(super) ledger: Ledger,
    /// Sees the whole cluster, and says what is against a pod that found no place.
    pub(super) judge: Box<dyn Scheduler>,
    /// The scheduler of frameworks, with what the last of them saw.
    pub(super) view: View,
    /// The pods that count as placed while a call decides, with their nodes.
    assumed: Vec<(Key, String)>,
}

impl Kept {
    pub(super) fn new(judge: Box<dyn Scheduler>, view: View) -> Self {
        Self { supply: Supply::default(), ledger: Ledger::default(), judge, view, assumed: Vec::new() }
    }

    pub(super) fn observe(&mut self, change: SupplyChange) {
        self.forget_assumed();
        self.judge.observe(change.clone());
        match &change {
            SupplyChange::NodePut(node) => self.ledger.mark(&node.metadata.name),
            SupplyChange::NodeRemoved(name) => {
                self.ledger.mark(name);
                self.view.hide(name, &self.supply);
            }
            SupplyChange::PodPut(pod) => {
                if let Ok(key) = pod.key() {
                    return self.observe_pod(&key, change);
                }
            }
            SupplyChange::PodRemoved(key) => return self.observe_pod(&key.clone(), change),
            _ => {}
        }
        self.supply.observe(change);
    }

    fn observe_pod(&mut self, key: &Key, change: SupplyChange) {
        let before = self.supply.place(key).map(str::to_owned);
        self.supply.observe(change);
        for node in [before.as_deref(), self.supply.place(key)].into_iter().flatten() {
            self.ledger.mark(node);
        }
        self.view.follow(key, before.as_deref(), &self.supply);
    }

    /// Counts the pod as placed until [`forget_assumed`](Self::forget_assumed).
    pub(super) fn assume(&mut self, key: &Key, pod: &Pod, node: &str) {
        let before = self.supply.place(key).map(str::to_owned);
        self.supply.assume(key.clone(), pod, node);
        self.supply.pod_shared(key).into_iter().for_each(|pod| self.judge.observe(SupplyChange::PodPut(pod)));
        self.view.follow(key, before.as_deref(), &self.supply);
        self.assumed.push((key.clone(), node.to_owned()));
    }

    /// Makes all be as it was shown. There is nothing to do before a call, unless a plugin panicked in an earlier one.
    pub(super) fn forget_assumed(&mut self) {
        self.supply.forget_assumed();
        for (key, node) in std::mem::take(&mut self.assumed) {
            self.judge.observe(match self.supply.pod_shared(&key) {
                Some(before) => SupplyChange::PodPut(before),
                None => SupplyChange::PodRemoved(key.clone()),
            });
            self.view.follow(&key, Some(&node), &self.supply);
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { supply, judge, .. } = self;
        f.debug_struct("Kept").field("supply", supply).field("judge", judge).finish_non_exhaustive()
    }
}
