//! [`OfferScheduler`]: an allocator and a scheduler for each framework, behind the contract of one scheduler.

mod amounts;
mod builder;
mod call;

use std::fmt;
use std::sync::Arc;

use orch_core::allocator::{Allocator, AllocatorChange, Role};
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::scheduler::{Decision, Scheduler, SupplyChange};

pub use builder::OfferSchedulerBuilder;

use self::call::Call;
use crate::filter_score::supply::Supply;

/// Divides the nodes among frameworks by an [`Allocator`], and lets each place its own pods on what it is offered, with
/// a scheduler of its own that sees nothing else. By default the pods of a namespace are a framework, in the role of the
/// namespace's name.
///
/// The framework with the least share places a pod first; what it leaves of the node is offered anew. What it cannot use
/// it declines, so that others, and in the end everybody, see every node: room that a pod fits into is not left over for
/// want of an offer. The order of the pods in a call decides within a framework, and not between two.
///
/// Nothing is kept from one call to the next but the supply, as the contract wants it: each call divides the cluster anew,
/// from what is used. That costs a look at every node and pod.
///
/// ```
/// use std::sync::Arc;
/// use orch_core::object::{Node, Pod};
/// use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};
/// use orch_sched::OfferScheduler;
///
/// let mut scheduler = OfferScheduler::builder().weight("shop".parse()?, 2.0).build();
/// let node = r#"{"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": 6, "pods": 10}}}"#;
/// scheduler.observe(SupplyChange::NodePut(Arc::new(serde_json::from_str(node)?)));
/// let pod = |namespace: &str, number: u32| -> Result<Arc<Pod>, serde_json::Error> {
///     serde_json::from_value(serde_json::json!({
///         "metadata": {"name": format!("web-{number}"), "namespace": namespace},
///         "spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": 1}}}]},
///     })).map(Arc::new)
/// };
/// // Six pods of each namespace, one namespace after the other; there is room for six.
/// let pods: Vec<_> = (0..12).map(|number| pod(if number < 6 { "batch" } else { "shop" }, number)).collect::<Result<_, _>>()?;
/// let decisions = scheduler.schedule(&pods);
/// let placed = |range: std::ops::Range<usize>| {
///     decisions[range].iter().filter(|decision| matches!(decision.outcome, Outcome::Place { .. })).count()
/// };
/// assert_eq!((placed(0..6), placed(6..12)), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OfferScheduler {
    parts: Parts,
    supply: Supply,
    /// Sees the whole cluster, and says what is against a pod that found no place.
    judge: Box<dyn Scheduler>,
}

/// What an [`OfferScheduler`] is composed of.
struct Parts {
    allocator: Box<dyn Fn() -> Box<dyn Allocator> + Send>,
    scheduler: Box<dyn Fn() -> Box<dyn Scheduler> + Send>,
    role_of: Box<dyn Fn(&Pod) -> Role + Send>,
    /// Weights and quotas.
    settings: Vec<AllocatorChange>,
}

impl OfferScheduler {
    /// A scheduler that divides by [`DrfAllocator`](super::DrfAllocator), with a
    /// [`FilterScoreScheduler`](crate::FilterScoreScheduler) for each namespace, to change.
    #[must_use]
    pub fn builder() -> OfferSchedulerBuilder {
        OfferSchedulerBuilder::default()
    }
}

impl Default for OfferScheduler {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl fmt::Debug for OfferScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferScheduler")
            .field("settings", &self.parts.settings)
            .field("supply", &self.supply)
            .field("judge", &self.judge)
            .finish_non_exhaustive()
    }
}

impl Scheduler for OfferScheduler {
    fn observe(&mut self, change: SupplyChange) {
        self.supply.forget_assumed();
        self.supply.observe(change.clone());
        self.judge.observe(change);
    }

    fn schedule(&mut self, pods: &[Arc<Pod>]) -> Vec<Decision> {
        // Nothing is assumed here, unless a plugin panicked in an earlier call.
        self.supply.forget_assumed();
        let named: Vec<_> = pods.iter().filter_map(|pod| Some((pod.key().ok()?, Arc::clone(pod)))).collect();
        let mut call = Call::new(&self.parts, &mut self.supply, self.judge.as_mut(), &named);
        call.run();
        call.end()
    }
}
