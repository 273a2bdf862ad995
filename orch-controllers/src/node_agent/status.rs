//! [`pod_status`]: what the agent tells about a pod, worded as Kubernetes words it.

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
    /// Why it is to be started and is not: reason and message.
    pub(super) waiting: Option<(&'static str, String)>,
    /// Whether it runs, and its startup probe, if any, has succeeded.
    pub(super) started: bool,
    /// Whether it can be sent requests; of one that runs before the others, whether its work is done.
    pub(super) ready: bool,
}

/// What is known of all containers of the pod.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    /// Those that run one after the other before the others.
    pub(super) init: Vec<Observed<'a>>,
    pub(super) containers: Vec<Observed<'a>>,
    /// Whether those that run before the others have done their work.
    pub(super) initialized: bool,
}

/// What is known of the pod as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) host_ip: IpAddr,
    /// The pod's address, once it has a sandbox.
    pub(super) pod_ip: Option<IpAddr>,
    /// What stands before `://` in the ids of containers.
    pub(super) container_id_prefix: &'a str,
    /// Whether no container will be started again, whatever the restart policy.
    pub(super) over: bool,
    /// Why it is over, if not by its own doing: reason and message.
    pub(super) ended_because: Option<(&'static str, &'static str)>,
    pub(super) now: Timestamp,
}

/// The status that the pod should have. Where nothing changed it equals the one that it has; conditions of others stay.
pub(super) fn pod_status(pod: &Pod, found: &Found<'_>, around: Circumstances<'_>) -> PodStatus {
    let mut status = pod.status.clone();
    (status.init_container_statuses, status.container_statuses) = container_statuses(pod, found, around);
    let phase = if around.over && around.ended_because.is_some() {
        PodPhase::Failed
    } else if !found.initialized {
        // None of the others will ever be started when one of those before them has failed for good.
        if around.over { PodPhase::Failed } else { PodPhase::Pending }
    } else {
        phase(pod.spec.restart_policy(), &status.container_statuses, around.over)
    };
    status.phase = Some(phase);
    status.qos_class = status.qos_class.or(Some(PodQosClass::of(&pod.spec)));
    (status.reason, status.message) =
        around.ended_because.map(|(reason, message)| (reason.to_owned(), message.to_owned())).unzip();
    status.observed_generation = pod.metadata.generation;
    status.start_time = status.start_time.or(Some(around.now.into()));
    status.host_ip = Some(around.host_ip.to_string());
    if let Some(ip) = around.pod_ip {
        status.pod_ip = Some(ip.to_string());
        status.pod_ips = vec![PodIp { ip: ip.to_string() }];
    }
    set_conditions(pod, &mut status, found, around, phase);
    status
}

/// What is told of each container: of those that run before the others, and of the others.
pub(super) fn container_statuses(
    pod: &Pod,
    found: &Found<'_>,
    around: Circumstances<'_>,
) -> (Vec<ContainerStatus>, Vec<ContainerStatus>) {
    let tell = |observed: &[Observed<'_>], stored: &[ContainerStatus]| {
        observed.iter().map(|observed| container_status(stored, observed, around.container_id_prefix)).collect()
    };
    let stored = &pod.status;
    (tell(&found.init, &stored.init_container_statuses), tell(&found.containers, &stored.container_statuses))
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
    status
}

/// The runtime's name for an attempt, as the store knows it.
pub(super) fn container_id(prefix: &str, id: &ContainerId) -> String {
    format!("{prefix}://{id}")
}

fn container_status(stored: &[ContainerStatus], observed: &Observed<'_>, prefix: &str) -> ContainerStatus {
    let container = observed.container;
    let stored = stored.iter().find(|status| status.name == container.name);
    let ended = |attempt: &runtime::ContainerStatus| {
        terminated(attempt, prefix).map(|end| ContainerState::terminated(with_last_words(end, stored)))
    };
    let last = |attempt: Option<&runtime::ContainerStatus>| attempt.and_then(ended);
    let waiting = observed.waiting.as_ref().map(|(reason, message)| {
        ContainerState::waiting(*reason, Some(message.clone()).filter(|message| !message.is_empty()))
    });
    let (state, last_state) = match (observed.latest, waiting) {
        (None, waiting) => {
            let state = waiting.unwrap_or_else(|| ContainerState::waiting("ContainerCreating", None));
            (state, stored.map(|stored| stored.last_state.clone()))
        }
        (Some(latest), Some(waiting)) => (waiting, last(Some(latest))),
        (Some(latest), None) => match latest.state {
            runtime::ContainerState::Running { started_at } => {
                (ContainerState::running(started_at.into()), last(observed.previous))
            }
            runtime::ContainerState::Exited { .. } => (ended(latest).unwrap_or_default(), last(observed.previous)),
        },
    };
    let attempt = observed.latest.map(|latest| latest.id.attempt);
    ContainerStatus {
        name: container.name.clone(),
        state,
        last_state: last_state.unwrap_or_default(),
        ready: observed.ready,
        started: Some(observed.started),
        restart_count: match (attempt, stored) {
            (Some(attempt), _) => i32::try_from(attempt).unwrap_or(i32::MAX),
            (None, stored) => stored.map_or(0, |stored| stored.restart_count),
        },
        image: container.image.clone().unwrap_or_default(),
        image_id: match observed.latest.and_then(|latest| latest.image_id.clone()) {
            Some(found) => found,
            None => stored.map(|stored| stored.image_id.clone()).unwrap_or_default(),
        },
        container_id: observed.latest.map(|latest| container_id(prefix, &latest.id)),
    }
}

fn terminated(attempt: &runtime::ContainerStatus, prefix: &str) -> Option<ContainerStateTerminated> {
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
    Some(ContainerStateTerminated {
        exit_code: *code,
        signal: (*reason == ExitReason::Signaled).then(|| code - 128).filter(|signal| *signal > 0),
        reason: Some(word.to_owned()),
        message: Some(message.clone()).filter(|message| !message.is_empty()),
        started_at: Some((*started_at).into()),
        finished_at: Some((*finished_at).into()),
        container_id: Some(container_id(prefix, &attempt.id)),
    })
}

/// What a container said at its end may have been forgotten on the node since it was told.
fn with_last_words(mut end: ContainerStateTerminated, stored: Option<&ContainerStatus>) -> ContainerStateTerminated {
    if end.message.is_none() {
        let told = stored.into_iter().flat_map(|stored| [&stored.state, &stored.last_state]);
        let told = told.filter_map(|state| state.terminated.as_ref());
        end.message = told.filter(|told| told.container_id == end.container_id).find_map(|told| told.message.clone());
    }
    end
}

/// Kubernetes' `getPhase`: a container that waits after it ended counts as ended.
fn phase(policy: RestartPolicy, statuses: &[ContainerStatus], over: bool) -> PodPhase {
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

fn set_conditions(pod: &Pod, status: &mut PodStatus, found: &Found<'_>, around: Circumstances<'_>, phase: PodPhase) {
    let names = |statuses: &[ContainerStatus]| {
        statuses.iter().filter(|status| !status.ready).map(|status| status.name.clone()).collect::<Vec<_>>().join(" ")
    };
    let (incomplete, unready) = (names(&status.init_container_statuses), names(&status.container_statuses));
    let (ready, reason, message) = match phase {
        PodPhase::Succeeded => (false, Some("PodCompleted"), None),
        PodPhase::Failed => (false, Some("PodFailed"), None),
        _ if unready.is_empty() => (true, None, None),
        _ => (false, Some("ContainersNotReady"), Some(format!("containers with unready status: [{unready}]"))),
    };
    let initialized = match (found.initialized, phase) {
        (true, PodPhase::Succeeded) => (true, Some("PodCompleted"), None),
        (true, _) => (true, None, None),
        (false, _) => {
            let message = format!("containers with incomplete status: [{incomplete}]");
            (false, Some("ContainersNotInitialized"), Some(message))
        }
    };
    let has_sandbox = around.pod_ip.is_some() && !phase.is_terminal();
    for (name, (holds, reason, message)) in [
        (PodCondition::READY_TO_START_CONTAINERS, (has_sandbox, None, None)),
        (PodCondition::INITIALIZED, initialized),
        (PodCondition::READY, (ready, reason, message.clone())),
        (PodCondition::CONTAINERS_READY, (ready, reason, message)),
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
