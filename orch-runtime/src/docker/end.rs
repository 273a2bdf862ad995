//! Ending an attempt.

use std::time::Duration;

use orch_core::runtime::{ContainerId, RuntimeError};

use super::client::Call;
use super::convert::Found;
use super::{Shared, wire};

/// How long the kernel may take to end what was killed. It is longer only for a process that waits for a device.
const KILL_TAKES: Duration = Duration::from_secs(30);

impl Shared {
    /// Docker's own request to stop counts whole seconds; this does the same in two steps.
    pub(super) async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let Some(found) = self.started(id).await? else { return Ok(()) };
        if !found.running {
            return Ok(());
        }
        let ended = self.ended(&found);
        tokio::pin!(ended);
        self.signal(&found, &self.stop_signal(&found).await?).await?;
        if let Ok(result) = tokio::time::timeout(grace, &mut ended).await {
            return result;
        }
        self.signal(&found, "SIGKILL").await?;
        match tokio::time::timeout(KILL_TAKES, ended).await {
            Ok(result) => result,
            Err(_) => {
                let message =
                    format!("container {id} was killed, but has not ended: a process of it may wait for a device");
                Err(RuntimeError::Unavailable { message, transient: true, source: None })
            }
        }
    }

    /// The container of an attempt that was started; `None` if it has none any more.
    async fn started(&self, id: &ContainerId) -> Result<Option<Found>, RuntimeError> {
        let recorded = || self.pods.record(&id.pod).is_some_and(|record| record.attempt(id).is_some());
        let mut found = self.find_attempt(id).await?;
        if found.as_ref().is_some_and(|found| !found.was_started) {
            // It is being started: what comes of it is known when nobody changes the pod.
            self.pods.release(self.pods.hold(&id.pod).await);
            found = self.find_attempt(id).await?;
        }
        match found {
            None if !recorded() => Err(RuntimeError::NoSuchContainer { id: id.clone() }),
            found => Ok(found),
        }
    }

    /// What its image says that it wants to be ended with.
    async fn stop_signal(&self, found: &Found) -> Result<String, RuntimeError> {
        let container: Option<wire::Container> =
            self.client.find(Call::get(format!("/containers/{}/json", found.docker_id))).await?;
        let signal = container.and_then(|container| container.config.stop_signal).filter(|signal| !signal.is_empty());
        Ok(signal.unwrap_or_else(|| "SIGTERM".to_owned()))
    }

    async fn signal(&self, found: &Found, signal: &str) -> Result<(), RuntimeError> {
        let call = Call::post(format!("/containers/{}/kill", found.docker_id)).query("signal", signal);
        match self.client.tell(call).await {
            // It has ended meanwhile, or was even removed.
            Err(failure) if failure.is_conflict() || failure.is_not_found() => Ok(()),
            result => result.map(drop).map_err(Into::into),
        }
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self, found: &Found) -> Result<(), RuntimeError> {
        let call = Call::post(format!("/containers/{}/wait", found.docker_id)).query("condition", "not-running");
        match self.client.wait(call).await {
            Err(failure) if !failure.is_not_found() => Err(failure.into()),
            _ => Ok(()),
        }
    }
}
