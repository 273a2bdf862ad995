//! [`events`]: what people are told when a status changes.

use orch_core::controller::EventType;
use orch_core::object::{ContainerStatus, PodStatus};

/// An event about a pod, as Kubernetes words it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Telling {
    pub(super) kind: EventType,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What came about between one status of a pod and the next. What was told once is not told again, since the status has it.
pub(super) fn events(old: &PodStatus, new: &PodStatus) -> Vec<Telling> {
    let mut told = Vec::new();
    for (old, new) in [
        (&old.init_container_statuses, &new.init_container_statuses),
        (&old.container_statuses, &new.container_statuses),
    ] {
        for new in new {
            let old = old.iter().find(|old| old.name == new.name);
            told.extend(started(old, new));
            told.extend(waits(old, new));
        }
    }
    told
}

fn telling(kind: EventType, reason: &'static str, message: String) -> Option<Telling> {
    Some(Telling { kind, reason, message })
}

/// A run that was not known before.
fn started(old: Option<&ContainerStatus>, new: &ContainerStatus) -> Option<Telling> {
    if new.container_id.is_none() || old.is_some_and(|old| old.container_id == new.container_id) {
        return None;
    }
    let name = &new.name;
    match &new.state.terminated {
        Some(end) if end.reason.as_deref() == Some("StartError") => {
            let why = end.message.clone().unwrap_or_default();
            telling(EventType::Warning, "Failed", format!("Error: container {name} cannot be started: {why}"))
        }
        _ => telling(EventType::Normal, "Started", format!("Started container {name}")),
    }
}

/// A wait that was not known before, or for another reason.
fn waits(old: Option<&ContainerStatus>, new: &ContainerStatus) -> Option<Telling> {
    let now = new.state.waiting.as_ref()?;
    let before = old.and_then(|old| old.state.waiting.as_ref());
    let (reason, message) = (now.reason.as_deref()?, now.message.clone().unwrap_or_default());
    let same_reason = before.is_some_and(|before| before.reason == now.reason);
    let same = same_reason && before.is_some_and(|before| before.message == now.message);
    match reason {
        "CrashLoopBackOff" if !same_reason => {
            let message = format!("Back-off restarting failed container {}", new.name);
            telling(EventType::Warning, "BackOff", message)
        }
        "ErrImagePull" if !same => telling(EventType::Warning, "Failed", format!("Failed to pull image: {message}")),
        "ImagePullBackOff" if !same_reason => telling(EventType::Normal, "BackOff", message),
        "ErrImageNeverPull" if !same => telling(EventType::Warning, "ErrImageNeverPull", message),
        "InvalidImageName" | "ImageInspectError" if !same => telling(EventType::Warning, "InspectFailed", message),
        "CreateContainerConfigError" | "CreateContainerError" if !same => {
            telling(EventType::Warning, "Failed", format!("Error: {message}"))
        }
        // How far a pull is changes all the time.
        "ContainerCreating" if message.starts_with("Pulling image") => {
            let began = before.and_then(|before| before.message.as_deref());
            let began = began.is_some_and(|began| began.starts_with("Pulling image"));
            if began { None } else { telling(EventType::Normal, "Pulling", message) }
        }
        "ContainerCreating" if !same && message.starts_with("MountVolume") => {
            telling(EventType::Warning, "FailedMount", message)
        }
        "ContainerCreating" | "PodInitializing" if !same && !message.is_empty() => {
            telling(EventType::Warning, "FailedCreatePodSandBox", format!("Failed to create pod sandbox: {message}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use orch_core::object::ContainerState;

    use super::*;

    fn status(state: ContainerState, id: Option<&str>) -> PodStatus {
        let web = ContainerStatus {
            name: "web".to_owned(),
            state,
            container_id: id.map(str::to_owned),
            ..ContainerStatus::default()
        };
        PodStatus { container_statuses: vec![web], ..PodStatus::default() }
    }

    fn waiting(reason: &str, message: &str) -> PodStatus {
        status(ContainerState::waiting(reason, Some(message.to_owned()).filter(|text| !text.is_empty())), None)
    }

    fn told(old: &PodStatus, new: &PodStatus) -> Vec<String> {
        events(old, new).into_iter().map(|told| format!("{}: {}", told.reason, told.message)).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let nothing = PodStatus::default();
        let pulling = waiting("ContainerCreating", "Pulling image \"web\"");
        let half = waiting("ContainerCreating", "Pulling image \"web\": 1 of 2 MiB");
        let failed = waiting("ErrImagePull", "no such host");
        let backoff = waiting("ImagePullBackOff", "Back-off pulling image \"web\": ErrImagePull: no such host");
        let runs = status(ContainerState::default(), Some("a://1"));
        assert_eq!(told(&nothing, &waiting("ContainerCreating", "")), [""; 0]);
        assert_eq!(told(&nothing, &pulling), ["Pulling: Pulling image \"web\""]);
        assert_eq!(told(&pulling, &half), [""; 0]);
        assert_eq!(told(&half, &failed), ["Failed: Failed to pull image: no such host"]);
        assert_eq!(told(&failed, &backoff), ["BackOff: Back-off pulling image \"web\": ErrImagePull: no such host"]);
        assert_eq!(told(&backoff, &runs), ["Started: Started container web"]);
        assert_eq!(told(&runs, &runs), [""; 0]);
    }

    #[test]
    fn what_keeps_a_container_from_starting_is_a_warning() {
        let mount = waiting("ContainerCreating", "MountVolume.SetUp failed for volume \"v\" : there is nothing");
        let config = waiting("CreateContainerConfigError", "secret \"s\" not found");
        for (status, reason) in [(mount, "FailedMount"), (config, "Failed")] {
            let [event] = &events(&PodStatus::default(), &status)[..] else { panic!("one event") };
            assert_eq!((event.kind, event.reason), (EventType::Warning, reason));
        }
    }
}
