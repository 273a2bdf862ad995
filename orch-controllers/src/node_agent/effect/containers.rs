//! Starting, ending and forgetting containers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use orch_core::controller::{ControllerError, Effect};
use orch_core::runtime::{ContainerId, ContainerSpec, Mount, RuntimeError, VolumeError, VolumeName};

use super::super::plan::{Start, Stop};
use super::super::question::Answer;
use super::super::termination_message;
use super::super::troubles::{Subject, Trouble};
use super::{Hands, outside};

/// The least time that a container has to end after its hook, however long that took. As in Kubernetes.
const GRACE_AFTER_HOOK: Duration = Duration::from_secs(2);

/// Starts an attempt. It needs no look at the store: there is a sandbox only while the pod is to be here.
#[derive(Debug)]
pub(in crate::node_agent) struct StartContainer {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) start: Box<Start>,
}

#[async_trait]
impl Effect for StartContainer {
    async fn perform(&self) -> Result<(), ControllerError> {
        let (hands, id) = (&self.hands, &self.start.id);
        let subject = Subject::Start(id.name.clone());
        // Volumes are removed before the sandbox is, and one that was made after that would stay.
        if self.start.message.is_some() && hands.runtime.status(&id.pod).await.map_err(outside)?.is_none() {
            return Err(outside(RuntimeError::NoSuchPod { pod: id.pod.clone() }));
        }
        let mounts = self.mounts().await.map_err(|error| {
            let message = format!("failed to prepare the volumes of container \"{}\": {error}", id.name);
            hands.troubles.add(&id.pod, subject.clone(), Trouble::new("CreateContainerConfigError", message));
            let transient = error.is_transient();
            ControllerError::outside(error, transient)
        })?;
        let spec = ContainerSpec { mounts, ..self.start.spec.clone() };
        if let Err(error) = hands.runtime.start(id, &spec).await {
            if matches!(error, RuntimeError::NoSuchImage { .. })
                && let Some(puller) = &hands.puller
            {
                // It was there, and somebody removed it: the next look finds that out.
                puller.used(id);
            }
            hands.troubles.add(&id.pod, subject, Trouble::new("CreateContainerError", error.to_string()));
            return Err(outside(error));
        }
        hands.troubles.end(&id.pod, &subject);
        if let Some(puller) = &hands.puller {
            puller.used(id);
        }
        Ok(())
    }
}

impl StartContainer {
    /// Where the node has what the container is to see. Parts of volumes are looked up now: what was there before may
    /// have been replaced.
    async fn mounts(&self) -> Result<Vec<Mount>, VolumeError> {
        let mut mounts = Vec::new();
        let Some(volumes) = &self.hands.volumes else { return Ok(mounts) };
        let id = &self.start.id;
        for at in &self.start.mounts {
            let source = volumes.resolve(&id.pod, &at.volume, &at.path, &at.sub_path).await?;
            mounts.push(Mount { source, target: at.target.clone(), read_only: at.read_only });
        }
        if let Some((volume, target)) = &self.start.message {
            volumes.make(&id.pod, volume, &termination_message::source()).await?;
            let source = volumes.touch(&id.pod, volume, &termination_message::file(id)).await?;
            mounts.push(Mount { source, target: target.clone(), read_only: false });
        }
        Ok(mounts)
    }
}

/// Ends containers of one pod, all at once, each after its hook, and waits for their ends. A hook is run again when
/// this is performed again: at least once, as in Kubernetes.
#[derive(Debug)]
pub(in crate::node_agent) struct StopContainers {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) stops: Vec<Stop>,
}

#[async_trait]
impl Effect for StopContainers {
    async fn perform(&self) -> Result<(), ControllerError> {
        try_join_all(self.stops.iter().map(|stop| self.stop(stop))).await.map(drop)
    }
}

impl StopContainers {
    async fn stop(&self, stop: &Stop) -> Result<(), ControllerError> {
        let Stop { id, grace, hook } = stop;
        let Some(hook) = hook.as_ref().filter(|_| !grace.is_zero()) else { return self.hands.stop(id, *grace).await };
        let begun = tokio::time::Instant::now();
        if let Answer::Bad(message) = hook.put(&*self.hands.runtime, id, *grace).await {
            let trouble = Trouble::new("FailedPreStopHook", format!("PreStopHook failed: {message}"));
            self.hands.troubles.add(&id.pod, Subject::PreStop(id.clone()), trouble);
        }
        let left = grace.saturating_sub(begun.elapsed()).max(GRACE_AFTER_HOOK);
        self.hands.stop(id, left).await
    }
}

/// Forgets an attempt that has ended, and what it said about its end.
#[derive(Debug)]
pub(in crate::node_agent) struct ForgetContainer {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) id: ContainerId,
    /// The volume of its pod in which it may have a file for that.
    pub(in crate::node_agent) messages: Option<VolumeName>,
}

#[async_trait]
impl Effect for ForgetContainer {
    async fn perform(&self) -> Result<(), ControllerError> {
        // The file goes first: nobody would come back for it once the attempt is forgotten.
        if let (Some(volumes), Some(volume)) = (&self.hands.volumes, &self.messages)
            && let Err(error) = volumes.remove_file(&self.id.pod, volume, &termination_message::file(&self.id)).await
        {
            // It goes with the pod at the latest, and is not worth a container that is not restarted.
            tracing::debug!(container = %self.id, %error, "cannot remove its termination message");
        }
        self.hands.runtime.remove_container(&self.id).await.map_err(outside)
    }
}
