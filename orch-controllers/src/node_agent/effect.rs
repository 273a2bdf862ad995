//! What the agent does on its node. Each effect may be performed again at any time, and those that a stale view could
//! make wrong ask the store first.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use orch_core::client::ClientError;
use orch_core::controller::{ControllerError, Effect};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::runtime::{ContainerId, ContainerSpec, PodUid, Runtime, RuntimeError, SandboxSpec, SandboxStatus};
use orch_core::store::{Store, StoreExt as _};

use super::probe::Inquiry;
use super::prober::Prober;

/// What effects work with.
pub(super) struct Hands {
    pub(super) node_name: String,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) store: Arc<dyn Store>,
    pub(super) prober: Prober,
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

/// Makes the sandbox of a pod, if the store, asked at that moment, still wants it here: on a stale view a pod would be
/// started that was deleted long ago, or lives elsewhere by now.
#[derive(Debug)]
pub(super) struct CreateSandbox {
    pub(super) hands: Arc<Hands>,
    pub(super) key: Key,
    pub(super) spec: SandboxSpec,
}

#[async_trait]
impl Effect for CreateSandbox {
    async fn perform(&self) -> Result<(), ControllerError> {
        let pod = self.hands.pod(&self.key, &self.spec.pod).await?;
        if !pod.is_some_and(|pod| !pod.metadata.is_deleting() && !pod.status.phase().is_terminal()) {
            return Err(ClientError::Conflict { key: self.key.clone() }.into());
        }
        self.hands.runtime.create_sandbox(&self.spec).await.map(drop).map_err(outside)
    }
}

/// Starts an attempt. It needs no look at the store: there is a sandbox only while the pod is to be here.
#[derive(Debug)]
pub(super) struct StartContainer {
    pub(super) hands: Arc<Hands>,
    pub(super) id: ContainerId,
    pub(super) spec: Box<ContainerSpec>,
}

#[async_trait]
impl Effect for StartContainer {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.runtime.start(&self.id, &self.spec).await.map_err(outside)
    }
}

/// Ends containers of one pod, all at once, and waits for their ends.
#[derive(Debug)]
pub(super) struct StopContainers {
    pub(super) hands: Arc<Hands>,
    /// Each with the time it has to end.
    pub(super) stops: Vec<(ContainerId, Duration)>,
}

#[async_trait]
impl Effect for StopContainers {
    async fn perform(&self) -> Result<(), ControllerError> {
        try_join_all(self.stops.iter().map(|(id, grace)| self.hands.stop(id, *grace))).await.map(drop)
    }
}

/// Forgets an attempt that has ended.
#[derive(Debug)]
pub(super) struct ForgetContainer {
    pub(super) hands: Arc<Hands>,
    pub(super) id: ContainerId,
}

#[async_trait]
impl Effect for ForgetContainer {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.runtime.remove_container(&self.id).await.map_err(outside)
    }
}

/// Removes everything of a pod that is being deleted, and of which nothing runs.
#[derive(Debug)]
pub(super) struct RemoveSandbox {
    pub(super) hands: Arc<Hands>,
    pub(super) pod: PodUid,
}

#[async_trait]
impl Effect for RemoveSandbox {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.prober.forget(&self.pod);
        self.hands.runtime.remove(&self.pod).await.map_err(outside)
    }
}

/// Ends and removes what is here of a pod that does not exist, or not on this node: if that is still so when the store
/// is asked. On a stale view a living pod looks like one.
#[derive(Debug)]
pub(super) struct ClearStray {
    pub(super) hands: Arc<Hands>,
    pub(super) stray: SandboxStatus,
    /// How long its containers have to end.
    pub(super) grace: Duration,
}

#[async_trait]
impl Effect for ClearStray {
    async fn perform(&self) -> Result<(), ControllerError> {
        let uid = &self.stray.spec.pod;
        if let Some(key) = key_of(&self.stray.spec)
            && self.hands.pod(&key, uid).await?.is_some()
        {
            return Err(ClientError::Conflict { key }.into());
        }
        self.hands.prober.forget(uid);
        let running = self.stray.containers.iter().filter(|attempt| attempt.state.is_running());
        try_join_all(running.map(|attempt| self.hands.stop(&attempt.id, self.grace))).await?;
        self.hands.runtime.remove(uid).await.map_err(outside)
    }
}

/// Puts exactly these questions to a pod's containers from now on.
#[derive(Debug)]
pub(super) struct AskContainers {
    pub(super) hands: Arc<Hands>,
    pub(super) key: Key,
    pub(super) pod: PodUid,
    pub(super) inquiries: Vec<Inquiry>,
}

#[async_trait]
impl Effect for AskContainers {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.prober.ask(&self.pod, &self.key, &self.inquiries);
        Ok(())
    }
}
