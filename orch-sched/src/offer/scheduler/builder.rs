//! [`OfferSchedulerBuilder`]: what an [`OfferScheduler`] is composed of.

use std::fmt;

use orch_core::allocator::{Allocator, AllocatorChange, Quota, Role};
use orch_core::object::Pod;
use orch_core::scheduler::Scheduler;

use super::kept::Kept;
use super::view::View;
use super::{OfferScheduler, Parts};
use crate::FilterScoreScheduler;
use crate::offer::{AllocatorOptions, DrfAllocator};

/// Composes an [`OfferScheduler`].
pub struct OfferSchedulerBuilder {
    parts: Parts,
}

impl Default for OfferSchedulerBuilder {
    fn default() -> Self {
        let by_namespace = |pod: &Pod| -> Role {
            let namespace = pod.metadata.namespace.as_deref();
            namespace.and_then(|namespace| namespace.parse().ok()).unwrap_or_default()
        };
        // A pod may ask for nothing but its place, and nodes with GPUs are for everybody: taints keep pods off them.
        let options = || AllocatorOptions { min_allocatable: Vec::new(), keep_gpus_free: false, ..Default::default() };
        let parts = Parts {
            allocator: Box::new(move || Box::new(DrfAllocator::new(options()))),
            scheduler: Box::new(|| Box::new(FilterScoreScheduler::default())),
            role_of: Box::new(by_namespace),
            settings: Vec::new(),
        };
        Self { parts }
    }
}

impl OfferSchedulerBuilder {
    /// Divides by the allocators that this makes, which were told nothing. They should offer any amount, however small.
    #[must_use]
    pub fn allocator<A: Allocator>(mut self, make: impl Fn() -> A + Send + 'static) -> Self {
        self.parts.allocator = Box::new(move || Box::new(make()));
        self
    }

    /// Lets the schedulers that this makes, which were shown nothing, place each framework's pods.
    #[must_use]
    pub fn scheduler<S: Scheduler>(mut self, make: impl Fn() -> S + Send + 'static) -> Self {
        self.parts.scheduler = Box::new(move || Box::new(make()));
        self
    }

    /// Pods of one role are a framework in that role.
    #[must_use]
    pub fn role_of(mut self, role_of: impl Fn(&Pod) -> Role + Send + 'static) -> Self {
        self.parts.role_of = Box::new(role_of);
        self
    }

    /// A role counts so much. What is not above zero counts as 1.
    #[must_use]
    pub fn weight(mut self, role: Role, weight: f64) -> Self {
        self.parts.settings.push(AllocatorChange::Weight(role, weight));
        self
    }

    /// What a role of the top is guaranteed and limited to, in the resources of pods: `cpu`, `memory`, `pods`.
    #[must_use]
    pub fn quota(mut self, role: Role, quota: Quota) -> Self {
        // Nodes come and go: what cannot be kept today may be tomorrow.
        self.parts.settings.push(AllocatorChange::Quota { role, quota, force: true });
        self
    }

    /// The scheduler, which knows of no nodes yet.
    #[must_use]
    pub fn build(self) -> OfferScheduler {
        let (judge, view) = ((self.parts.scheduler)(), View::new((self.parts.scheduler)()));
        OfferScheduler { parts: self.parts, kept: Kept::new(judge, view) }
    }
}

impl fmt::Debug for OfferSchedulerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferSchedulerBuilder").field("settings", &self.parts.settings).finish_non_exhaustive()
    }
}
