//! Making and removing what the containers of a pod share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use orch_core::client::ClientError;
use orch_core::controller::{ControllerError, Effect};
use orch_core::key::Key;
use orch_core::runtime::{PodUid, SandboxSpec, SandboxStatus};

use super::super::troubles::{Subject, Trouble};
use super::{Hands, key_of, outside};

/// Makes the sandbox of a pod, if the store, asked at that moment, still wants it here: on a stale view a pod would be
/// started that was deleted long ago, or lives elsewhere by now.
#[derive(Debug)]
pub(in crate::node_agent) struct CreateSandbox {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) key: Key,
    pub(in crate::node_agent) spec: SandboxSpec,
}

#[async_trait]
impl Effect for CreateSandbox {
    async fn perform(&self) -> Result<(), ControllerError> {
        let uid = &self.spec.pod;
        let pod = self.hands.pod(&self.key, uid).await?;
        if !pod.is_some_and(|pod| !pod.metadata.is_deleting() && !pod.status.phase().is_terminal()) {
            return Err(ClientError::Conflict { key: self.key.clone() }.into());
        }
        if let Err(error) = self.hands.runtime.create_sandbox(&self.spec).await {
            let trouble = Trouble::new("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {error}"));
            self.hands.troubles.add(uid, Subject::Sandbox, trouble);
            return Err(outside(error));
        }
        self.hands.troubles.end(uid, &Subject::Sandbox);
        Ok(())
    }
}

/// Removes everything of a pod that is being deleted, and of which nothing runs.
#[derive(Debug)]
pub(in crate::node_agent) struct RemoveSandbox {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) pod: PodUid,
}

#[async_trait]
impl Effect for RemoveSandbox {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.remove(&self.pod).await
    }
}

/// Ends and removes what is here of a pod that does not exist, or not on this node: if that is still so when the store
/// is asked. On a stale view a living pod looks like one.
#[derive(Debug)]
pub(in crate::node_agent) struct ClearStray {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) stray: SandboxStatus,
    /// How long its containers have to end.
    pub(in crate::node_agent) grace: Duration,
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
        self.hands.remove(uid).await
    }
}
