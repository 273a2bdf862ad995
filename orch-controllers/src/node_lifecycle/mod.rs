//! [`NodeLifecycleController`]: notices nodes that are gone or unwell, and has their pods replaced.

mod heartbeats;
mod plan;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::client::ClientError;
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Trigger, View, ViewExt as _};
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object as _};
use orch_core::object::{Lease, Node, Pod};
use orch_core::store::{Store, StoreExt as _};

use self::heartbeats::Heartbeats;
use self::plan::Circumstances;
use crate::reverse_index::ReverseIndex;

/// How long to wait before something is done about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLifecycleConfig {
    /// After this time without a sign of life a node counts as unreachable; 40 s by default. Several times the interval
    /// in which agents renew their leases.
    pub grace: Duration,
    /// How long a pod stays on a node that is unreachable or not ready if it says nothing about that; 300 s by default.
    pub toleration: Duration,
    /// If more than this share of the nodes looks dead, in percent, the fault is taken to be elsewhere; 55 by default.
    pub disruption_percent: usize,
}

impl Default for NodeLifecycleConfig {
    fn default() -> Self {
        Self { grace: Duration::from_secs(40), toleration: Duration::from_secs(300), disruption_percent: 55 }
    }
}

/// Notices nodes that are gone or unwell, keeps pods away from them, and has those that are there replaced.
///
/// - A node whose lease (of its name, in [`LEASE_NAMESPACE`](Self::LEASE_NAMESPACE)) does not change for the grace period
///   gets the condition `Ready=Unknown`. The agent takes that back when it returns: it says what is so, this controller
///   only that it does not say anything.
/// - The taints follow from the node: `unreachable` while `Ready` is unknown, `not-ready` while it is false, each with the
///   effects `NoSchedule` and `NoExecute`; `unschedulable` while it is cordoned; `memory-pressure`, `disk-pressure` and
///   `pid-pressure` while it says that it is short of them, all with `NoSchedule`. What replaces a pod that was ended
///   for want of something so goes to another node.
/// - Pods are deleted when they no longer tolerate a `NoExecute` taint, whoever put it there. Pods of a silent node that
///   say that they are ready are marked as not ready, so that no requests are sent to them.
/// - A pod of a silent node is only marked as deleting: nobody can tell whether it still runs, so its name must not be
///   given to another one. When the node itself is deleted, and nothing was heard of it for the grace period, what is left
///   of its pods is removed.
///
/// # When all nodes seem dead
/// If there are more than two nodes and more than [`disruption_percent`](NodeLifecycleConfig::disruption_percent) of them
/// look dead, more likely this controller is cut off, or the store was full, and to delete all pods would turn that into
/// an outage. Then nothing is evicted, no `NoExecute` taint is put on, and those of this controller are taken off. To look
/// dead a node must have been silent for half of the grace period, so that the first of many that fall silent together
/// is not taken for the only one.
///
/// Kubernetes' controller, from which the words and taints are, does the same by zones, and slows evictions down before
/// it stops them; here they are not slowed down.
#[derive(Debug)]
pub struct NodeLifecycleController {
    store: Arc<dyn Store>,
    config: NodeLifecycleConfig,
    heartbeats: Mutex<Heartbeats>,
    pods: ReverseIndex<String>,
}

impl NodeLifecycleController {
    /// Where the leases are by which agents say that their nodes are alive.
    pub const LEASE_NAMESPACE: &str = "kube-node-lease";

    /// A controller that asks `store` whether a node is really silent, and whether it is really gone before what is left
    /// of its pods is removed: a view may lag, and show a pod and not yet its node.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, config: NodeLifecycleConfig) -> Self {
        let node = |object: &dyn AnyObject| -> Vec<String> {
            object.downcast_ref::<Pod>().and_then(|pod| pod.spec.node_name.clone()).into_iter().collect()
        };
        Self { store, config, heartbeats: Mutex::default(), pods: ReverseIndex::new(node) }
    }

    fn heartbeats(&self) -> MutexGuard<'_, Heartbeats> {
        self.heartbeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a node is looked at even if nothing changes.
    fn interval(&self) -> Duration {
        self.config.grace / 4
    }

    /// Whether nothing was heard of the node for the grace period.
    ///
    /// Of a node that has been silent for half of it the store is asked. While the store is away no agent can renew its
    /// lease, so silence means nothing, and when it is back each has the other half at least.
    async fn is_silent(&self, key: &Key, context: Context<'_>) -> Result<bool, ControllerError> {
        let (name, grace) = (key.name(), self.config.grace);
        let lease = if self.heartbeats().silent_for(name) < grace / 2 {
            context.view.find::<Lease>(Some(Self::LEASE_NAMESPACE), name)
        } else {
            let lease = Key::new(&Lease::KIND, Some(Self::LEASE_NAMESPACE), name)?;
            match self.store.get_as::<Lease>(&lease).await {
                Ok(lease) => lease,
                Err(error) => {
                    self.heartbeats().forget(name);
                    return Err(ClientError::from(error).into());
                }
            }
        };
        let lease = lease.as_deref().map(|lease| &lease.spec);
        Ok(self.heartbeats().look(name, lease, context.now, self.interval() * 2) >= grace)
    }

    fn pods_on(&self, node: &str, view: &dyn View) -> Vec<Arc<Pod>> {
        let keys = self.pods.keys(&node.to_owned());
        let pods = keys.iter().filter_map(|key| view.get::<Pod>(key));
        pods.filter(|pod| pod.spec.node_name.as_deref() == Some(node)).collect()
    }

    /// Whether so many nodes look dead that the fault is likely not theirs. Looks at all nodes, so it is asked only about
    /// one that is unwell.
    fn is_disrupted(&self, view: &dyn View) -> bool {
        let nodes = view.list::<Node>();
        let heartbeats = self.heartbeats();
        let looks_dead = |node: &&Arc<Node>| {
            plan::is_unwell(node) || heartbeats.silent_for(&node.metadata.name) >= self.config.grace / 2
        };
        let dead = nodes.iter().filter(looks_dead).count();
        nodes.len() > 2 && dead * 100 > nodes.len() * self.config.disruption_percent
    }

    async fn look_after(&self, key: &Key, node: &Node, context: Context<'_>) -> Result<Plan, ControllerError> {
        let silent = self.is_silent(key, context).await?;
        let disrupted = (silent || plan::is_unwell(node)) && self.is_disrupted(context.view);
        let circumstances = Circumstances { silent, disrupted, toleration: self.config.toleration, now: context.now };
        let mut plan = match plan::describe(node, circumstances)? {
            Some(plan) => plan,
            None if node.spec.taints.iter().any(plan::expels) => {
                plan::clear(node, &self.pods_on(&node.metadata.name, context.view), circumstances)?
            }
            None => Plan::nothing(),
        };
        plan.revisit(self.interval());
        Ok(plan)
    }

    /// What to do about the pods of a node that the view does not show.
    async fn clear_up(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let pods = self.pods_on(key.name(), context.view);
        if pods.is_empty() {
            self.heartbeats().forget(key.name());
            return Ok(Plan::nothing());
        }
        if !self.is_silent(key, context).await? {
            return Ok(Plan { revisit_after: Some(self.interval()), ..Plan::nothing() });
        }
        // A node that is there and not seen yet will be.
        let node = self.store.get_as::<Node>(key).await.map_err(ClientError::from)?;
        Ok(if node.is_some() { Plan::nothing() } else { plan::bury(&pods) })
    }
}

#[async_trait]
impl Controller for NodeLifecycleController {
    fn name(&self) -> &'static str {
        "node-lifecycle"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let node = |name: &str| Key::new(&Node::KIND, None, name).into_iter().collect();
        vec![
            Trigger::itself::<Node>(),
            Trigger::to::<Lease>(move |lease, _| match lease.metadata.namespace.as_deref() {
                Some(Self::LEASE_NAMESPACE) => node(&lease.metadata.name),
                _ => Vec::new(),
            }),
            Trigger::to::<Pod>(move |pod, _| pod.spec.node_name.as_deref().map_or_else(Vec::new, node)),
        ]
    }

    fn observe(&self, change: &Change) {
        self.pods.observe(change);
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        match context.view.get::<Node>(key) {
            Some(node) => self.look_after(key, &node, context).await,
            None => self.clear_up(key, context).await,
        }
    }
}
