//! [`BindingController`]: gives pending pods the nodes that a scheduler chooses.

mod backlog;
mod plan;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Trigger, ViewExt as _};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Node, Pod, PodSpec};
use orch_core::scheduler::Scheduler;

use self::backlog::{Backlog, Verdict};

/// After this time a refused pod is decided about again even if nothing seems to have changed: a scheduler may have
/// rules about which this controller knows nothing.
const ANEW_AFTER: Duration = Duration::from_secs(300);

/// When a pod is looked at again that could not be decided about at once.
const SOON: Duration = Duration::from_millis(10);

/// Gives pending pods the nodes that a [`Scheduler`] chooses, and says why where it chooses none.
///
/// # Order
/// Pods are decided about in the order of priority, then age, then name: when a pod is looked at, all that are undecided
/// are decided in one call, in that order. So a pod never takes the room of one that waits and comes before it, whatever the
/// order of events, unless the scheduler serves several in turn: it is shown all that wait. A pod that was placed keeps its place when a more important one comes:
/// nobody is displaced here.
///
/// # When a refused pod is tried again
/// When a node comes, goes, or changes in more than the times that its agent repeats; when a pod that took room ends, goes,
/// or turns out not to be bound; and after five minutes. All refused pods are then undecided again. One look decides
/// about at most 128 pods, so a long backlog delays nothing else for long.
///
/// # Why nothing is over-committed
/// The scheduler counts a pod on its node from the decision on, not from when the binding is seen. A binding that failed
/// is tried again as it was, for an error does not tell that it did not happen, and its room is still kept. The room is
/// given up only when the pod is shown unbound in a later state, because the binding depends on the earlier one. If the
/// node goes while a binding may be under way, the pod is written to first, which ends that binding.
///
/// This holds for nodes as they are shown. Two of these controllers at once, or one whose delayed binding arrives after another took over, are not protected from
/// each other by this: bindings of different pods do not conflict. That needs a fenced leader, and a node that refuses
/// what it has no room for.
#[derive(Debug)]
pub struct BindingController {
    backlog: Arc<Mutex<Backlog>>,
}

impl BindingController {
    /// A controller for the pods that name no scheduler.
    #[must_use]
    pub fn new(scheduler: Box<dyn Scheduler>) -> Self {
        Self::named(PodSpec::DEFAULT_SCHEDULER, scheduler)
    }

    /// A controller for the pods whose `schedulerName` is `name`. What other pods use counts all the same.
    #[must_use]
    pub fn named(name: impl Into<String>, scheduler: Box<dyn Scheduler>) -> Self {
        Self { backlog: Arc::new(Mutex::new(Backlog::new(scheduler, name.into()))) }
    }

    fn decide(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let mut backlog = lock(&self.backlog);
        let Some(pod) = backlog.waiting(key) else { return Ok(Plan::nothing()) };
        let seen = context.view.get::<Pod>(key);
        if seen.is_none_or(|seen| seen.metadata.revision != pod.metadata.revision) {
            // It changed since it was shown, and the change leads here again.
            return Ok(Plan::nothing());
        }
        let is_there = |node: &str| context.view.find::<Node>(None, node).is_some();
        if let Some(Verdict::Refused { at, .. }) = backlog.verdict(key, context.now)
            && context.now.duration_since(at).unsigned_abs() >= ANEW_AFTER
        {
            backlog.withdraw(key);
        }
        Ok(match backlog.verdict(key, context.now) {
            Some(Verdict::Placed { node, handed_out: true }) if !is_there(&node) => {
                plan::fence(&pod, &node, context.now)?
            }
            Some(Verdict::Placed { node, handed_out: false }) if !is_there(&node) => {
                // The scheduler is about to be shown that the node went.
                backlog.withdraw(key);
                Plan { revisit_after: Some(SOON), ..Plan::nothing() }
            }
            Some(Verdict::Placed { node, .. }) => {
                backlog.hand_out(key);
                plan::bind(&pod, &node, context.now)?
            }
            Some(Verdict::Refused { why, .. }) => {
                let mut plan = plan::refuse(&pod, &why, context.now)?;
                plan.revisit(ANEW_AFTER);
                plan
            }
            None => Plan { revisit_after: Some(SOON), ..Plan::nothing() },
        })
    }
}

#[async_trait]
impl Controller for BindingController {
    fn name(&self) -> &'static str {
        "binding"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let of_pods = Arc::clone(&self.backlog);
        let of_nodes = Arc::clone(&self.backlog);
        vec![
            Trigger::to::<Pod>(move |pod, _| {
                let mut backlog = lock(&of_pods);
                let mut keys = backlog.take_released();
                keys.extend(pod.key().ok().filter(|key| backlog.waiting(key).is_some()));
                keys
            }),
            Trigger::to::<Node>(move |_, _| lock(&of_nodes).take_released()),
        ]
    }

    fn observe(&self, change: &Change) {
        lock(&self.backlog).observe(change);
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        self.decide(key, context)
    }
}

/// A scheduler that panicked is used on: S6 makes it answer by what it was last shown.
fn lock(backlog: &Mutex<Backlog>) -> MutexGuard<'_, Backlog> {
    backlog.lock().unwrap_or_else(PoisonError::into_inner)
}
