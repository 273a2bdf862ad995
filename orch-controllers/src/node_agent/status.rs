//! [`pod_status`]: what the agent tells about a pod, worded as Kubernetes words it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use orch_core::clock::Timestamp;
use orch_core::object::{
    ConditionStatus, Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodIp,
    PodPhase, PodQosClass, PodStatus, RestartPolicy, set_condition,
};
use orch_core::runtime::{self, ContainerId, ExitReason};

/// What is known of one container of the pod.
#[derive(Clone, Debug)]
pub(super) struct Observed<'a> {
    pub(super) container: &'a Container,
    /// The latest attempt.
    pub(super) latest: Option<&'a runtime::ContainerStatus>,
    /// The attempt before it.
    pub(super) previous: Option<&'a runtime::ContainerStatus>,
    /// What the store knows.
    pub(super) stored: Option<&'a ContainerStatus>,
    /// Why it is to be started and is not: reason and message.
    pub(super) waiting: Option<(&'static str, String)>,
    /// Whether it runs, and its startup probe and its hook, if any, have succeeded.
    pub(super) started: bool,
    /// Whether it can be sent requests. Of an init container: whether it has done its work.
    pub(super) ready: bool,
}

/// What is known of the containers of a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Observations<'a> {
    pub(super) init: Vec<Observed<'a>>,
    pub(super) containers: Vec<Observed<'a>>,
}

/// What is known of the pod as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) host_ip: IpAddr,
    /// The pod's address, once it has a sandbox.
    pub(super) pod_ip: Option<IpAddr>,
    /// Whether what its containers share is there.
    pub(super) sandbox_ready: bool,
    /// What stands before `://` in the ids of containers.
    pub(super) container_id_prefix: &'a str,
    /// What attempts that have ended said about it.
    pub(super) messages: &'a BTreeMap<ContainerId, String>,
    /// Whether no container will be started again, whatever the restart policy.
    pub(super) over: bool,
    /// Why it is over, if not by its own doing: reason and message.
    pub(super) ended_because: Option<(&'static str, &'static str)>,
    pub(super) now: Timestamp,
}

/// The status that the pod should have. Where nothing changed it equals the one that it has; conditions of others stay.
pub(super) fn pod_status(pod: &Pod, observed: &Observations<'_>, around: Circumstances<'_>) -> PodStatus {
    let mut status = pod.status.clone();
    let statuses = |of: &[Observed<'_>]| of.iter().map(|observed| container_status(observed, around)).collect();
    status.init_container_statuses = statuses(&observed.init);
    status.container_statuses = statuses(&observed.containers);
    let phase = if around.over && around.ended_because.is_some() {
        PodPhase::Failed
    } else {
        phase(pod.spec.restart_policy(), &status.init_container_statuses, &status.container_statuses, around.over)
    };
    status.phase = Some(phase);
    (status.reason, status.message) =
        around.ended_because.map(|(reason, message)| (reason.to_owned(), message.to_owned())).unzip();
    status.observed_generation = pod.metadata.generation;
    status.start_time = status.start_time.or(Some(around.now.into()));
    status.host_ip = Some(around.host_ip.to_string());
    status.qos_class = Some(PodQosClass::of(&pod.spec));
    if let Some(ip) = around.pod_ip {
        status.pod_ip = Some(ip.to_string());
        status.pod_ips = vec![PodIp { ip: ip.to_string() }];
    }
    set_conditions(pod, &mut status, phase, around);
    status
}

/// The status of a pod that ends before anything of it was started.
pub(super) fn failed(pod: &Pod, reason: &str, message: &str, host_ip: IpAddr, now: Timestamp) -> PodStatus {
    let mut status = pod.status.clone();
    status.phase = Some(PodPhase::Failed);
    status.reason = Some(reason.to_owned());
    status.message = Some(message.to_owned());
    status.observed_generation = pod.metadata.generation;
    status.start_time = status.start_time.or(Some(now.into()));
    status.host_ip = Some(host_ip.to_string());
    status.qos_class = Some(PodQosClass::of(&pod.spec));
    status
}

/// The runtime's name for an attempt, as the store knows it.
pub(super) fn container_id(prefix: &str, id: &ContainerId) -> String {
    format!("{prefix}://{id}")
}

fn container_status(observed: &Observed<'_>, around: Circumstances<'_>) -> ContainerStatus {
    let Observed { container, latest, previous, stored, .. } = *observed;
    let ended =
        |attempt: &runtime::ContainerStatus| terminated(attempt, stored, around).map(ContainerState::terminated);
    let last = |attempt: Option<&runtime::ContainerStatus>| attempt.and_then(ended).unwrap_or_default();
    let waiting = observed.waiting.as_ref().map(|(reason, message)| {
        ContainerState::waiting(*reason, Some(message.clone()).filter(|message| !message.is_empty()))
    });
    let (state, last_state) = match (latest, waiting) {
        (None, waiting) => without_attempt(stored, waiting),
        (Some(latest), Some(waiting)) => (waiting, last(Some(latest))),
        (Some(latest), None) => match latest.state {
            runtime::ContainerState::Running { started_at } => {
                (ContainerState::running(started_at.into()), last(previous))
            }
            runtime::ContainerState::Exited { .. } => (ended(latest).unwrap_or_default(), last(previous)),
        },
    };
    let number = |attempt: &runtime::ContainerStatus| i32::try_from(attempt.id.attempt).unwrap_or(i32::MAX);
    let image_id = latest.and_then(|latest| latest.image_id.clone());
    let container_id = latest.map(|latest| container_id(around.container_id_prefix, &latest.id));
    ContainerStatus {
        name: container.name.clone(),
        state,
        last_state,
        ready: observed.ready,
        started: Some(observed.started),
        // The runtime may have lost the latest attempt: the count never goes back.
        restart_count: latest.map(number).max(stored.map(|stored| stored.restart_count)).unwrap_or(0),
        image: container.image.clone().unwrap_or_default(),
        image_id: image_id.or_else(|| stored.map(|stored| stored.image_id.clone())).unwrap_or_default(),
        // The number of the next attempt follows from it where the runtime knows of none.
        container_id: container_id.or_else(|| stored?.container_id.clone()),
    }
}

/// The state and the last state of a container of which the runtime knows no attempt: it was never started, or the
/// runtime lost it.
fn without_attempt(
    stored: Option<&ContainerStatus>,
    waiting: Option<ContainerState>,
) -> (ContainerState, ContainerState) {
    let creating = || ContainerState::waiting("ContainerCreating", None);
    let Some(stored) = stored else { return (waiting.unwrap_or_else(creating), ContainerState::default()) };
    let Some(waiting) = waiting else {
        let state = if stored.state.running.is_some() { creating() } else { stored.state.clone() };
        return (state, stored.last_state.clone());
    };
    let last_state = match &stored.state {
        ContainerState { terminated: Some(_), .. } => stored.state.clone(),
        ContainerState { running: Some(running), .. } => ContainerState::terminated(ContainerStateTerminated {
            exit_code: 137,
            reason: Some("ContainerStatusUnknown".to_owned()),
            message: Some("The container could not be located. It used to be Running".to_owned()),
            started_at: running.started_at,
            container_id: stored.container_id.clone(),
            ..ContainerStateTerminated::default()
        }),
        _ => stored.last_state.clone(),
    };
    (waiting, last_state)
}

fn terminated(
    attempt: &runtime::ContainerStatus,
    stored: Option<&ContainerStatus>,
    around: Circumstances<'_>,
) -> Option<ContainerStateTerminated> {
    let runtime::ContainerState::Exited { reason, code, started_at, finished_at, message } = &attempt.state else {
        return None;
    };
    let word = match reason {
        ExitReason::Exited | ExitReason::Signaled if *code == 0 => "Completed",
        ExitReason::OutOfMemory => "OOMKilled",
        ExitReason::StartError => "StartError",
        ExitReason::Unknown => "ContainerStatusUnknown",
        _ => "Error",
    };
    let id = container_id(around.container_id_prefix, &attempt.id);
    let told = stored.and_then(|stored| stored_end(stored, &id)).map(|ended| ended.message.clone());
    let messages = [Some(message), around.messages.get(&attempt.id)];
    let said: Vec<&str> = messages.into_iter().flatten().map(String::as_str).filter(|said| !said.is_empty()).collect();
    Some(ContainerStateTerminated {
        exit_code: *code,
        signal: (*reason == ExitReason::Signaled).then(|| code - 128).filter(|signal| *signal > 0),
        reason: Some(word.to_owned()),
        // What is stored was told when the attempt had just ended. What it said is gone with its volumes.
        message: told.unwrap_or_else(|| Some(said.join(": ")).filter(|message| !message.is_empty())),
        started_at: Some((*started_at).into()),
        finished_at: Some((*finished_at).into()),
        container_id: Some(id),
    })
}

/// How an attempt ended, as the store knows it.
pub(super) fn stored_end<'a>(stored: &'a ContainerStatus, id: &str) -> Option<&'a ContainerStateTerminated> {
    let ends = [&stored.state, &stored.last_state].into_iter().filter_map(|state| state.terminated.as_ref());
    ends.into_iter().find(|ended| ended.container_id.as_deref() == Some(id))
}

/// Kubernetes' `getPhase`: a container that waits after it ended counts as ended.
fn phase(policy: RestartPolicy, init: &[ContainerStatus], statuses: &[ContainerStatus], over: bool) -> PodPhase {
    let failed = |status: &ContainerStatus| {
        let ended = status.state.terminated.as_ref();
        ended.is_some_and(|ended| ended.exit_code != 0)
    };
    if init.iter().any(failed) && (policy == RestartPolicy::Never || over) {
        return PodPhase::Failed;
    }
    if init.iter().any(|status| !status.ready) {
        return PodPhase::Pending;
    }
    let (mut waiting, mut running, mut ended, mut succeeded) = (0, 0, 0, 0);
    for status in statuses {
        if status.state.running.is_some() {
            running += 1;
        } else if let Some(terminated) = &status.state.terminated {
            ended += 1;
            succeeded += usize::from(terminated.exit_code == 0);
        } else if status.last_state.terminated.is_some() {
            ended += 1;
        } else {
            waiting += 1;
        }
    }
    match () {
        () if waiting > 0 => PodPhase::Pending,
        () if running > 0 => PodPhase::Running,
        () if policy == RestartPolicy::Always && !over => PodPhase::Running,
        () if ended == succeeded => PodPhase::Succeeded,
        () if policy == RestartPolicy::Never || over => PodPhase::Failed,
        () => PodPhase::Running,
    }
}

fn set_conditions(pod: &Pod, status: &mut PodStatus, phase: PodPhase, around: Circumstances<'_>) {
    let not_ready = |statuses: &[ContainerStatus]| {
        let names = statuses.iter().filter(|status| !status.ready).map(|status| status.name.as_str());
        Some(names.collect::<Vec<_>>().join(" ")).filter(|names| !names.is_empty())
    };
    let (ready, reason, message) = match (phase, not_ready(&status.container_statuses)) {
        (PodPhase::Succeeded, _) => (false, Some("PodCompleted"), None),
        (PodPhase::Failed, _) => (false, Some("PodFailed"), None),
        (_, None) => (true, None, None),
        (_, Some(names)) => {
            (false, Some("ContainersNotReady"), Some(format!("containers with unready status: [{names}]")))
        }
    };
    let (initialized, why_not, incomplete) = match (phase, not_ready(&status.init_container_statuses)) {
        (PodPhase::Succeeded, _) => (true, Some("PodCompleted"), None),
        (_, None) => (true, None, None),
        (_, Some(names)) => {
            (false, Some("ContainersNotInitialized"), Some(format!("containers with incomplete status: [{names}]")))
        }
    };
    for (name, holds, reason, message) in [
        (PodCondition::READY_TO_START_CONTAINERS, around.sandbox_ready, None, None),
        (PodCondition::INITIALIZED, initialized, why_not, incomplete),
        (PodCondition::READY, ready, reason, message.clone()),
        (PodCondition::CONTAINERS_READY, ready, reason, message),
    ] {
        let condition = PodCondition {
            r#type: name.to_owned(),
            status: ConditionStatus::from(holds),
            observed_generation: pod.metadata.generation,
            last_transition_time: Some(around.now.into()),
            reason: reason.map(Into::into),
            message,
            ..PodCondition::default()
        };
        set_condition(&mut status.conditions, condition);
    }
}

#[cfg(test)]
mod tests;
