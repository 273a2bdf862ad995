//! [`EndpointSliceController`]: writes down where the pods of a service can be reached.

mod desired;
mod plan;

use async_trait::async_trait;
use orch_core::controller::{Context, Controller, ControllerError, Plan, Trigger, View, ViewExt as _};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{EndpointSlice, Pod, Service};

/// Who keeps the slices up to date, as their label says.
const MANAGER: &str = "endpoint-slice-controller.orch";

/// Writes down where the pods of a service can be reached, in [`EndpointSlice`]s that the service owns.
///
/// An endpoint is a pod that the service selects, that has an address, and that has not ended for good. It is *ready*
/// when the pod is and is not being deleted, or when the service publishes pods that are not ready; *serving* when the
/// pod is ready, even while it is being deleted; *terminating* while it is being deleted. A target port given by name
/// is looked up in each pod; a pod that has none of the service's ports is no endpoint.
///
/// A service without a selector is left alone: somebody else writes its slices. The slices of a service that is gone
/// are removed by the garbage collector, as everything is whose owner is gone. Labels are not copied from the service.
#[derive(Clone, Copy, Debug)]
pub struct EndpointSliceController {
    max_endpoints: usize,
}

impl EndpointSliceController {
    /// A controller that puts at most this many endpoints into a slice, and never more than a slice can hold.
    #[must_use]
    pub fn with_max_endpoints(max_endpoints: usize) -> Self {
        Self { max_endpoints: max_endpoints.clamp(1, EndpointSlice::MAX_ENDPOINTS) }
    }
}

impl Default for EndpointSliceController {
    /// At most 100 endpoints a slice, as in Kubernetes: when a pod changes, every node reads its slice again.
    fn default() -> Self {
        Self::with_max_endpoints(100)
    }
}

#[async_trait]
impl Controller for EndpointSliceController {
    fn name(&self) -> &'static str {
        "endpoint-slice-controller"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![
            Trigger::itself::<Service>(),
            Trigger::owner::<EndpointSlice, Service>(),
            Trigger::to::<Pod>(services_that_select),
        ]
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let Some(service) = context.view.get::<Service>(key) else { return Ok(Plan::nothing()) };
        let (Some(namespace), Some(uid)) = (key.namespace(), &service.metadata.uid) else { return Ok(Plan::nothing()) };
        if service.spec.selector.is_empty() {
            return Ok(Plan::nothing());
        }
        let pods = context.view.list_in::<Pod>(namespace)?;
        let slices = context.view.controlled_by::<EndpointSlice>(uid);
        Ok(plan::plan(&service, &pods, &slices, self.max_endpoints)?)
    }
}

fn services_that_select(pod: &Pod, view: &dyn View) -> Vec<Key> {
    let services = pod.metadata.namespace.as_deref().map(|namespace| view.list_in::<Service>(namespace));
    let services = services.and_then(Result::ok).unwrap_or_default();
    let selecting = services.iter().filter(|service| desired::selects(service, &pod.metadata.labels));
    selecting.filter_map(|service| service.key().ok()).collect()
}
