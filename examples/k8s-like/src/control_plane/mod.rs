//! [`ControlPlane`]: which controllers make a cluster of nodes and objects.

mod command;
mod scheduler_kind;

use std::sync::Arc;

use orch_controllers::binding::BindingController;
use orch_controllers::deployment::DeploymentController;
use orch_controllers::endpoint_slice::EndpointSliceController;
use orch_controllers::engine::{Engine, EngineHandle};
use orch_controllers::garbage::GarbageController;
use orch_controllers::namespace::NamespaceController;
use orch_controllers::node_lifecycle::{NodeLifecycleConfig, NodeLifecycleController};
use orch_controllers::pod_cidr::{PodCidrConfig, PodCidrController};
use orch_controllers::replica_set::ReplicaSetController;
use orch_controllers::service_address::{ServiceAddressConfig, ServiceAddressController, ServiceAllocator};
use orch_core::client::{Client, ClientError};
use orch_core::clock::SystemClock;
use orch_core::encoding::Kinds;
use orch_core::entropy::SeededEntropy;
use orch_core::network::Cidr;
use orch_core::object::{Namespace, ObjectMeta};
use orch_core::store::Transact;

pub(crate) use self::command::control_plane;
pub(crate) use self::scheduler_kind::SchedulerKind;
use crate::apply::Applier;
use crate::nodes::ENGINE_STOP;
use crate::start_error::StartError;
use crate::store::client_of;

/// What a cluster is driven by, over the store that its objects are in.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    client: Client,
    allocator: Arc<ServiceAllocator>,
    services: ServiceAddressConfig,
    config: ControlPlaneConfig,
}

/// What is chosen for a control plane, and what it must be told of nodes that are elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct ControlPlaneConfig {
    /// Who decides on which node a pod runs.
    pub(crate) scheduler: SchedulerKind,
    /// The addresses of pods, where those do not follow from something else.
    pub(crate) pods: Option<PodCidrConfig>,
    /// When nodes count as lost.
    pub(crate) lost: NodeLifecycleConfig,
}

impl ControlPlane {
    /// Services get addresses of a range.
    pub(crate) fn new(
        store: Arc<dyn Transact>,
        services: Cidr,
        config: ControlPlaneConfig,
    ) -> Result<Self, StartError> {
        let client = client_of(&store);
        let services = ServiceAddressConfig { ranges: vec![services], ..ServiceAddressConfig::default() };
        let entropy = Arc::new(SeededEntropy::from_os());
        let allocator = ServiceAllocator::new(store, Arc::new(SystemClock), entropy, services.clone())?;
        Ok(Self { client, allocator: Arc::new(allocator), services, config })
    }

    /// By which the controllers read and write.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Starts the controllers.
    pub(crate) fn start(&self) -> Result<EngineHandle, StartError> {
        let store = self.client.store();
        let mut engine = Engine::builder(self.client.clone())
            .stop_within(ENGINE_STOP)
            .controller(Arc::new(NamespaceController::new(Arc::clone(store))))
            .controller(Arc::new(DeploymentController))
            .controller(Arc::new(ReplicaSetController))
            .controller(Arc::new(BindingController::new(self.config.scheduler.scheduler())))
            .controller(Arc::new(EndpointSliceController::default()))
            .controller(Arc::new(NodeLifecycleController::new(Arc::clone(store), self.config.lost)))
            .controller(Arc::new(ServiceAddressController::new(Arc::clone(store), self.services.clone())))
            .controller(Arc::new(GarbageController::new(Arc::clone(store))));
        if let Some(pods) = &self.config.pods {
            engine = engine.controller(Arc::new(PodCidrController::new(Arc::clone(store), pods.clone())?));
        }
        Ok(engine.start()?)
    }

    /// What makes the store say what a manifest of this name says.
    pub(crate) fn applier(&self, kinds: Kinds, manifest: String) -> Applier {
        Applier { client: self.client.clone(), kinds, manifest, allocator: Arc::clone(&self.allocator) }
    }

    /// Makes a namespace if it is not there.
    pub(crate) async fn ensure_namespace(&self, name: &str) -> Result<(), ClientError> {
        let metadata = ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() };
        match self.client.create(Namespace { metadata, ..Namespace::default() }).await {
            Ok(_) | Err(ClientError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
