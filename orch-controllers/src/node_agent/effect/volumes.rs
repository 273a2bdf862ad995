//! Making and removing the volumes of a pod.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::controller::{ControllerError, Effect};
use orch_core::runtime::{PodUid, VolumeName, VolumeSource, Volumes};

use super::super::background::lock;
use super::super::troubles::{Subject, Trouble};
use super::super::volumes::Made;
use super::{Hands, outside};

/// Makes volumes of a pod exist, if it has a sandbox when the runtime is asked: volumes are removed before the sandbox
/// is, and what were made after that would stay.
#[derive(Debug)]
pub(in crate::node_agent) struct MakeVolumes {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) pod: PodUid,
    pub(in crate::node_agent) volumes: Vec<(VolumeName, VolumeSource)>,
}

#[async_trait]
impl Effect for MakeVolumes {
    async fn perform(&self) -> Result<(), ControllerError> {
        let Some(volumes) = &self.hands.volumes else { return Ok(()) };
        if self.hands.runtime.status(&self.pod).await.map_err(outside)?.is_none() {
            return Ok(());
        }
        for (name, source) in &self.volumes {
            self.make(&**volumes, name, source).await?;
        }
        self.hands.troubles.end(&self.pod, &Subject::Volumes);
        Ok(())
    }
}

impl MakeVolumes {
    async fn make(
        &self,
        volumes: &dyn Volumes,
        name: &VolumeName,
        source: &VolumeSource,
    ) -> Result<(), ControllerError> {
        match volumes.make(&self.pod, name, source).await {
            Ok(path) => {
                let made = Made { source: source.clone(), path };
                lock(&self.hands.made).entry(self.pod.clone()).or_default().insert(name.clone(), made);
                Ok(())
            }
            Err(error) => {
                let message = format!("MountVolume.SetUp failed for volume \"{name}\" : {error}");
                self.hands.troubles.add(&self.pod, Subject::Volumes, Trouble::new("FailedMount", message));
                let transient = error.is_transient();
                Err(ControllerError::outside(error, transient))
            }
        }
    }
}

/// Removes the volumes of a pod that has no sandbox, which somebody else may have removed, and what is remembered of it.
#[derive(Debug)]
pub(in crate::node_agent) struct RemoveVolumes {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) pod: PodUid,
}

#[async_trait]
impl Effect for RemoveVolumes {
    async fn perform(&self) -> Result<(), ControllerError> {
        // It may have got one since this was decided.
        if self.hands.runtime.status(&self.pod).await.map_err(outside)?.is_some() {
            return Ok(());
        }
        self.hands.remove_volumes(&self.pod).await?;
        self.hands.troubles.forget(&self.pod);
        Ok(())
    }
}
