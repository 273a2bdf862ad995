//! [`last_words`]: what containers said when they ended, in their file or at the end of their logs.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use orch_core::object::{Container, Pod, TerminationMessagePolicy};
use orch_core::runtime::{ContainerState, ContainerStatus, LogOptions, SandboxStatus};

use super::effect::Hands;
use super::materials::containers;
use super::memory::PodMemory;
use super::volumes::message_file;

/// As much of the file as is told.
const FILE_MAX: usize = 4096;
/// As many lines of the logs, and as much of them, as is told in its place.
const LOG_LINES: usize = 80;
const LOG_MAX: usize = 2048;

/// The sandbox with what its containers said when they ended. What cannot be read was not said.
pub(super) async fn last_words(
    hands: &Hands,
    pod: &Pod,
    mut sandbox: SandboxStatus,
    memory: &PodMemory,
) -> SandboxStatus {
    let specs: BTreeMap<&str, &Container> = containers(pod).map(|spec| (spec.name.as_str(), spec)).collect();
    for container in &mut sandbox.containers {
        let Some(spec) = specs.get(container.id.name.as_str()) else { continue };
        let words = of(hands, pod, spec, container, memory).await;
        if let (ContainerState::Exited { message, .. }, Some(words)) = (&mut container.state, words)
            && message.is_empty()
        {
            *message = words;
        }
    }
    sandbox
}

async fn of(
    hands: &Hands,
    pod: &Pod,
    spec: &Container,
    container: &ContainerStatus,
    memory: &PodMemory,
) -> Option<String> {
    let ContainerState::Exited { code, message, .. } = &container.state else { return None };
    if !message.is_empty() {
        return None;
    }
    let file = message_file(pod, &container.id, &memory.volumes)?;
    let read = hands.volumes.as_ref()?.read(&container.id.pod, &file.volume, &file.file, FILE_MAX).await;
    let words = read.ok().flatten().map(|words| String::from_utf8_lossy(&words).into_owned());
    let words = words.filter(|words| !words.is_empty());
    let from_logs = spec.termination_message_policy() == TerminationMessagePolicy::FallbackToLogsOnError;
    if words.is_none() && from_logs && *code != 0 { logs(hands, container).await } else { words }
}

/// The end of what an attempt wrote.
async fn logs(hands: &Hands, container: &ContainerStatus) -> Option<String> {
    let options = LogOptions { tail: Some(LOG_LINES), ..LogOptions::default() };
    let mut stream = hands.runtime.logs(&container.id, options).await.ok()?;
    let mut end = Vec::new();
    while let Some(piece) = stream.try_next().await.ok()? {
        end.extend_from_slice(&piece);
        // Lines may be long; no more is kept than is told.
        let surplus = end.len().saturating_sub(LOG_MAX);
        end.drain(..surplus);
    }
    Some(String::from_utf8_lossy(&end).into_owned()).filter(|end| !end.is_empty())
}
