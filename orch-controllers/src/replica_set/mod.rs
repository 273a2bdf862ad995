//! [`ReplicaSetController`]: keeps as many pods as a replica set asks for.

mod names;
mod plan;
mod rank;
mod status;

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::controller::{Context, Controller, ControllerError, Plan, Trigger, View, ViewExt as _};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Pod, ReplicaSet};

/// Keeps as many pods as a replica set asks for.
///
/// The name of a pod follows from the replica set's uid and a slot, a number that no other of its pods has, so the same
/// decision made twice makes one pod. A pod that ended is removed and replaced. A pod that carries the labels and that
/// nobody manages is adopted; one that lost them is let go.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplicaSetController;

#[async_trait]
impl Controller for ReplicaSetController {
    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![
            Trigger::itself::<ReplicaSet>(),
            Trigger::owner::<Pod, ReplicaSet>(),
            Trigger::to::<Pod>(may_be_adopted_by),
        ]
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let Some(replica_set) = context.view.get::<ReplicaSet>(key) else { return Ok(Plan::nothing()) };
        let pods: Vec<Arc<Pod>> = match key.namespace() {
            Some(namespace) => context.view.list_in(namespace)?,
            None => Vec::new(),
        };
        Ok(plan::plan(&replica_set, &pods, context.now)?)
    }
}

/// The replica sets that want a pod that nobody manages.
fn may_be_adopted_by(pod: &Pod, view: &dyn View) -> Vec<Key> {
    let Some(namespace) = pod.metadata.namespace.as_deref().filter(|_| pod.metadata.controller().is_none()) else {
        return Vec::new();
    };
    let candidates: Vec<Arc<ReplicaSet>> = view.list_in(namespace).unwrap_or_default();
    let wanting = candidates.iter().filter(|set| set.spec.selector.matches(&pod.metadata.labels));
    wanting.filter_map(|set| set.key().ok()).collect()
}
