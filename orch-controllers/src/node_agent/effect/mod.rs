//! What the agent does on its node. Each effect may be performed again at any time, and those that a stale view could
//! make wrong ask the store, or the runtime, first.

mod background;
mod containers;
mod images;
mod sandbox;
mod volumes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::client::ClientError;
use orch_core::controller::ControllerError;
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::runtime::{
    ContainerId, Images, Machine, PodUid, Runtime, RuntimeError, SandboxSpec, VolumeName, Volumes,
};
use orch_core::store::{Store, StoreExt as _};

pub(super) use background::{AskContainers, PullImages, RunHooks, Told};
pub(super) use containers::{ForgetContainer, StartContainer, StopContainers};
pub(super) use images::RemoveImages;
pub(super) use sandbox::{ClearStray, CreateSandbox, RemoveSandbox};
pub(super) use volumes::{MakeVolumes, RemoveVolumes};

use super::gauge::Gauge;
use super::hook::Hooks;
use super::prober::Prober;
use super::puller::Puller;
use super::troubles::Troubles;
use super::volumes::Made;

/// What effects work with.
pub(super) struct Hands {
    pub(super) node_name: String,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) images: Option<Arc<dyn Images>>,
    pub(super) volumes: Option<Arc<dyn Volumes>>,
    pub(super) machine: Option<Arc<dyn Machine>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) prober: Prober,
    pub(super) hooks: Hooks,
    /// Where containers are started from images.
    pub(super) puller: Option<Puller>,
    /// Where the node can be measured.
    pub(super) gauge: Option<Gauge>,
    pub(super) troubles: Arc<Troubles>,
    /// The volumes that were made since the agent was started.
    pub(super) made: Mutex<BTreeMap<PodUid, BTreeMap<VolumeName, Made>>>,
}

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hands of {}", self.node_name)
    }
}

impl Hands {
    /// The pod as the store has it at this moment, if it is this one and bound to this node.
    async fn pod(&self, key: &Key, uid: &PodUid) -> Result<Option<Arc<Pod>>, ControllerError> {
        let pod = self.store.get_as::<Pod>(key).await.map_err(ClientError::from)?;
        Ok(pod.filter(|pod| is_here(pod, uid, &self.node_name)))
    }

    /// Ends an attempt; one that is not known has ended.
    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), ControllerError> {
        match self.runtime.stop(id, grace).await {
            Ok(()) | Err(RuntimeError::NoSuchContainer { .. }) => Ok(()),
            Err(error) => Err(outside(error)),
        }
    }

    /// Removes everything of a pod of which nothing runs. The sandbox goes last: as long as it is there, what is left of
    /// the pod is found.
    async fn remove(&self, pod: &PodUid) -> Result<(), ControllerError> {
        self.prober.forget(pod);
        self.hooks.forget(pod);
        if let Some(puller) = &self.puller {
            puller.forget(pod);
        }
        self.remove_volumes(pod).await?;
        self.runtime.remove(pod).await.map_err(outside)?;
        self.troubles.forget(pod);
        Ok(())
    }

    async fn remove_volumes(&self, pod: &PodUid) -> Result<(), ControllerError> {
        let Some(volumes) = &self.volumes else { return Ok(()) };
        super::background::lock(&self.made).remove(pod);
        volumes.remove(pod).await.map_err(|error| {
            let transient = error.is_transient();
            ControllerError::outside(error, transient)
        })
    }
}

/// Whether it is the pod of this uid, and bound to the node of this name.
pub(super) fn is_here(pod: &Pod, uid: &PodUid, node_name: &str) -> bool {
    let same = pod.metadata.uid.as_ref().is_some_and(|found| found.as_str() == uid.as_str());
    same && pod.spec.node_name.as_deref() == Some(node_name)
}

/// The key of the pod that a sandbox was made for.
pub(super) fn key_of(sandbox: &SandboxSpec) -> Option<Key> {
    Key::new(&Pod::KIND, Some(&sandbox.namespace), &sandbox.name).ok()
}

pub(super) fn outside(error: RuntimeError) -> ControllerError {
    let transient = error.is_transient();
    ControllerError::outside(error, transient)
}
