//! [`DeploymentController`]: replaces pods by new ones, a few at a time, by way of replica sets.

mod annotations;
mod plan;
mod progress;
mod proportion;
mod replace;
mod rollout;
mod status;

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::controller::{Context, Controller, ControllerError, Plan, Trigger, View, ViewExt as _};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Deployment, ReplicaSet};

/// Keeps a replica set for the present template of a deployment and scales it up while it scales those of former
/// templates down.
///
/// The name of a replica set follows from the template, so a template that comes back finds the replica set that it had:
/// that is how one goes back to an earlier version. Conditions, reasons and annotations are Kubernetes' own.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeploymentController;

#[async_trait]
impl Controller for DeploymentController {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![
            Trigger::itself::<Deployment>(),
            Trigger::owner::<ReplicaSet, Deployment>(),
            Trigger::to::<ReplicaSet>(may_be_adopted_by),
        ]
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let Some(deployment) = context.view.get::<Deployment>(key) else { return Ok(Plan::nothing()) };
        let sets: Vec<Arc<ReplicaSet>> = match key.namespace() {
            Some(namespace) => context.view.list_in(namespace)?,
            None => Vec::new(),
        };
        Ok(plan::plan(&deployment, &sets, context.now)?)
    }
}

/// The deployments that want a replica set that nobody manages.
fn may_be_adopted_by(set: &ReplicaSet, view: &dyn View) -> Vec<Key> {
    let Some(namespace) = set.metadata.namespace.as_deref().filter(|_| set.metadata.controller().is_none()) else {
        return Vec::new();
    };
    let candidates: Vec<Arc<Deployment>> = view.list_in(namespace).unwrap_or_default();
    let wanting = candidates.iter().filter(|deployment| deployment.spec.selector.matches(&set.metadata.labels));
    wanting.filter_map(|deployment| deployment.key().ok()).collect()
}
