//! Removing attempts and pods.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use orch_core::runtime::{ContainerId, PodUid, RuntimeError};

use super::Shared;
use super::client::Call;
use super::convert::{Found, Role};
use super::error::Failure;
use super::pods::Hold;

/// How often it is looked whether a container is gone that somebody else is removing, and for how long.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: u32 = 600;

pub(super) async fn remove_container(shared: Arc<Shared>, id: ContainerId) -> Result<(), RuntimeError> {
    let hold = shared.pods.hold(&id.pod).await;
    let result = shared.remove_attempt(&hold, id).await;
    shared.pods.release(hold);
    result
}

pub(super) async fn remove(shared: Arc<Shared>, pod: PodUid) -> Result<(), RuntimeError> {
    let hold = shared.pods.hold(&pod).await;
    let result = shared.remove_pod(&hold, &pod).await;
    shared.pods.release(hold);
    result
}

impl Shared {
    async fn remove_attempt(&self, hold: &Hold, id: ContainerId) -> Result<(), RuntimeError> {
        let found = self.find_attempt(&id).await?;
        if found.as_ref().is_some_and(|found| found.running) {
            return Err(RuntimeError::StillRunning { id });
        }
        // Its number is not used again, so the record of that comes first and outlives it.
        if let Some(mut record) = self.record_or_adopt(hold).await?
            && record.forget(&id)
        {
            hold.write(record).await?;
        }
        match found {
            Some(found) => self.delete(&found.docker_id).await,
            None => Ok(()),
        }
    }

    async fn remove_pod(&self, hold: &Hold, pod: &PodUid) -> Result<(), RuntimeError> {
        if let Some(mut record) = hold.record() {
            // What is missing from now on was not removed by others.
            record.containers.values_mut().for_each(|container| container.attempts.clear());
            hold.keep_in_memory(record);
        }
        let is_sandbox = |found: &Found| matches!(found.role, Role::Sandbox { .. });
        let (sandboxes, attempts): (Vec<_>, Vec<_>) = self.find_all(Some(pod)).await?.into_iter().partition(is_sandbox);
        for group in [attempts, sandboxes] {
            try_join_all(group.iter().map(|found| self.delete(&found.docker_id))).await?;
        }
        self.give_back(pod).await?;
        if hold.record().is_some() { hold.remove().await } else { Ok(()) }
    }

    /// Removes a container, killing it if it runs. Returns when it is gone.
    pub(super) async fn delete(&self, docker_id: &str) -> Result<(), RuntimeError> {
        self.inputs.forget(docker_id);
        let call = || Call::delete(format!("/containers/{docker_id}")).query("force", "1").query("v", "1");
        for _ in 0..LOOKS {
            match self.client.tell(call()).await {
                Err(failure) if failure.is_not_found() => return Ok(()),
                // Somebody else is removing it.
                Err(failure) if failure.is_conflict() => tokio::time::sleep(LOOK_AGAIN).await,
                result => return result.map(drop).map_err(Into::into),
            }
        }
        let message = format!("container {docker_id} is being removed by somebody, and does not go: see Docker's log");
        Err(Failure::of_own(message).into())
    }
}
