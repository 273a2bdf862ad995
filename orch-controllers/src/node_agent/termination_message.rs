//! [`read`]: what a container that has ended said about it.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use orch_core::object::{Container, Pod, TerminationMessagePolicy};
use orch_core::runtime::{
    ContainerId, ContainerState, ContainerStatus, LogOptions, Runtime, SandboxStatus, VolumeName, VolumeSource,
};

use super::attempts::Attempts;
use super::effect::Hands;
use super::status::{container_id, stored_end};

/// The most of a message that is told, as in Kubernetes.
const LONGEST: usize = 4096;
/// What of the logs takes its place, as in Kubernetes.
const LOG_LINES: usize = 80;
const LOG_BYTES: usize = 2048;

/// The volume in which the containers of a pod find the files for their messages: one that the pod has not.
pub(super) fn volume(pod: &Pod) -> Option<VolumeName> {
    let taken = |name: &String| pod.spec.volumes.iter().any(|volume| volume.name == *name);
    let names = std::iter::once("termination-messages".to_owned())
        .chain((1..).map(|number: u32| format!("termination-messages-{number}")));
    names.into_iter().find(|name| !taken(name))?.parse().ok()
}

/// What is in that volume at first.
pub(super) fn source() -> VolumeSource {
    VolumeSource::Empty { in_memory: false, limit_bytes: None, group: None }
}

/// The file of one attempt.
pub(super) fn file(id: &ContainerId) -> String {
    format!("{}-{}", id.name, id.attempt)
}

/// What the attempts said that have ended, as far as the store does not know of their ends. What cannot be read is left
/// out: a message is for people, and nothing depends on it.
pub(super) async fn read(
    pod: &Pod,
    sandbox: &SandboxStatus,
    prefix: &str,
    hands: &Hands,
) -> BTreeMap<ContainerId, String> {
    let mut messages = BTreeMap::new();
    for attempts in Attempts::of_init(pod, Some(sandbox)).into_iter().chain(Attempts::of(pod, Some(sandbox))) {
        for attempt in [attempts.latest, attempts.previous].into_iter().flatten() {
            let id = container_id(prefix, &attempt.id);
            let known = attempts.stored.is_some_and(|stored| stored_end(stored, &id).is_some());
            if known || attempt.state.is_running() {
                continue;
            }
            if let Some(message) = message(pod, attempts.container, attempt, hands).await {
                messages.insert(attempt.id.clone(), message);
            }
        }
    }
    messages
}

async fn message(pod: &Pod, container: &Container, attempt: &ContainerStatus, hands: &Hands) -> Option<String> {
    let written = written(pod, &attempt.id, hands).await.filter(|message| !message.is_empty());
    let failed = !matches!(attempt.state, ContainerState::Exited { code: 0, .. });
    let falls_back = container.termination_message_policy() == TerminationMessagePolicy::FallbackToLogsOnError;
    match written {
        None if failed && falls_back => end_of_logs(&attempt.id, &*hands.runtime).await,
        written => written,
    }
}

/// What the attempt wrote into its file.
async fn written(pod: &Pod, id: &ContainerId, hands: &Hands) -> Option<String> {
    let (volumes, volume) = (hands.volumes.as_ref()?, volume(pod)?);
    match volumes.read(&id.pod, &volume, &file(id), LONGEST).await {
        Ok(bytes) => bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            tracing::debug!(container = %id, %error, "cannot read its termination message");
            None
        }
    }
}

async fn end_of_logs(id: &ContainerId, runtime: &dyn Runtime) -> Option<String> {
    let options = LogOptions { tail: Some(LOG_LINES), ..LogOptions::default() };
    let mut logs = runtime.logs(id, options).await.ok()?;
    let mut end = Vec::new();
    while let Some(Ok(piece)) = logs.next().await {
        end.extend_from_slice(&piece);
        // Lines may be of any length.
        end.drain(..end.len().saturating_sub(LOG_BYTES));
    }
    Some(String::from_utf8_lossy(&end).into_owned()).filter(|end| !end.is_empty())
}

#[cfg(test)]
mod tests {
    use orch_core::object::Volume;

    use super::*;

    #[test]
    fn the_volume_of_messages_is_none_of_the_pods() {
        let mut pod = Pod::default();
        let name = |pod: &Pod| volume(pod).map(|name| name.to_string());
        assert_eq!(name(&pod).as_deref(), Some("termination-messages"));
        for taken in ["termination-messages", "termination-messages-2", "termination-messages-1"] {
            pod.spec.volumes.push(Volume { name: taken.into(), ..Volume::default() });
        }
        assert_eq!(name(&pod).as_deref(), Some("termination-messages-3"));
    }
}
