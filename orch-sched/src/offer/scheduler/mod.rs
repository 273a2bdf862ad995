//! [`OfferScheduler`]: an allocator and a scheduler for each framework, behind the contract of one scheduler.

mod amounts;
mod builder;
mod call;
mod kept;
mod ledger;
mod view;

use std::fmt;
use std::sync::Arc;

use orch_core::allocator::{Allocator, AllocatorChange, Role};
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::scheduler::{Decision, Scheduler, SupplyChange};

pub use builder::OfferSchedulerBuilder;

use self::call::Call;
use self::kept::Kept;

/// Divides the nodes among frameworks by an [`Allocator`], and lets each place its own pods on what it is offered, with
/// a scheduler of its own that sees nothing else. By default the pods of a namespace are a framework, in the role of the
/// namespace's name.
///
/// Frameworks take turns: the one with the least share of what is used is offered all that it may have, places one pod, and
/// gives the rest back. So a pod goes to the best node that its framework may use, no room is left over for want of an offer,
/// and what a framework was offered and cannot use does not count for its share. The order of the pods in a call decides
/// within a framework, and not between two. Shares are kept among the pods of a call and what is used already: what
/// one framework asked for alone is not taken from it when another comes.
///
/// Nothing is remembered from one call to the next but the supply, as the contract wants it: each call divides the cluster
/// anew, from what is used, with an allocator of its own. One that is kept would answer by more than the last state of
/// nodes and pods (S6): by lots drawn before, and by who came first. What is kept is what follows from that state: what
/// the allocator is to be told of each node, and the frameworks' scheduler with what it sees, which is shown the difference.
/// So a call costs a look at every node for each turn, and at the pods of those nodes alone that changed.
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
    kept: Kept,
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
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

impl Scheduler for OfferScheduler {
    fn observe(&mut self, change: SupplyChange) {
        self.kept.observe(change);
    }

    fn schedule(&mut self, pods: &[Arc<Pod>]) -> Vec<Decision> {
        self.kept.forget_assumed();
        let named: Vec<_> = pods.iter().filter_map(|pod| Some((pod.key().ok()?, Arc::clone(pod)))).collect();
        let mut call = Call::new(&self.parts, &mut self.kept, &named);
        call.run();
        call.end()
    }
}
