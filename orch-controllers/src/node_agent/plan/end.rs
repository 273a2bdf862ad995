//! A pod that is to end, or has ended.

use std::net::IpAddr;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{Container, Pod};
use orch_core::runtime::{ContainerId, PodUid, SandboxStatus};

use super::super::attempts::Attempts;
use super::super::crash_loop::span;
use super::super::question::Question;
use super::super::relief::is_evicted;
use super::super::status::{Observations, Observed, pod_status};
use super::{Deadline, Look, Step, Steps, Stop, circumstances, fail, normal};

/// Its containers are stopped, its end is told, and if it is being deleted, everything of it is removed.
pub(super) fn end(pod: &Pod, uid: PodUid, deadline_passed: bool, look: Look<'_>) -> Steps {
    let Some(sandbox) = look.sandbox else {
        if pod.metadata.is_deleting() {
            let left = look.found.volumes.is_some() || !look.found.troubles.is_empty();
            return delete(pod, left.then_some(uid));
        }
        // A pod whose time was over before it began.
        return match deadline_passed {
            true => fail(pod, Deadline::REASON.0, Deadline::REASON.1, look),
            false => Steps::default(),
        };
    };
    let mut steps = Steps::default();
    steps.tell_troubles(&uid, &look.found.troubles);
    nothing_more_goes_on(&uid, look, &mut steps);
    let stops = stops(pod, sandbox, grace_left(pod, look.now), look.config.host_ip);
    if !stops.is_empty() {
        steps.steps.extend(stops.iter().map(|stop| normal("Killing", format!("Stopping container {}", stop.id.name))));
        steps.then(Step::Stop(stops));
        return steps.then_look_again();
    }
    if !pod.status.phase().is_terminal() {
        let observed = Observations {
            init: Attempts::of_init(pod, Some(sandbox)).into_iter().map(init_ended).collect(),
            containers: Attempts::of(pod, Some(sandbox)).into_iter().map(Attempts::ended).collect(),
        };
        // Of a container that was never started there is nothing to tell.
        if deadline_passed || observed.containers.iter().all(|observed| observed.latest.is_some()) {
            let ended_because = deadline_passed.then_some(Deadline::REASON);
            let around = super::Circumstances { over: true, ended_because, ..circumstances(look, Some(sandbox)) };
            steps.tell(pod, pod_status(pod, &observed, around), Vec::new());
        }
    }
    if pod.metadata.is_deleting() {
        steps.then(Step::RemoveSandbox(uid));
        return steps.then_look_again();
    }
    steps
}

/// An init container that is not started again: it is ready if it did its work.
pub(super) fn init_ended(of: Attempts<'_>) -> Observed<'_> {
    let ready = of.succeeded();
    Observed { ready, ..of.ended() }
}

/// Nothing is left of the pod here but perhaps volumes of the one with this uid, and what is remembered of it: it may go,
/// unless somebody still holds it back.
pub(super) fn delete(pod: &Pod, volumes_of: Option<PodUid>) -> Steps {
    let given_up = pod.metadata.deletion_grace_period_seconds == Some(0) && !pod.metadata.finalizers.is_empty();
    let mut steps = Steps::default();
    if !given_up {
        steps.steps.extend(volumes_of.map(Step::RemoveVolumes));
        steps.then(Step::Delete);
    }
    steps
}

/// Ends the containers of a pod that run, all at once.
pub(super) fn stops(pod: &Pod, sandbox: &SandboxStatus, grace: Duration, host_ip: IpAddr) -> Vec<Stop> {
    let running = sandbox.containers.iter().filter(|attempt| attempt.state.is_running());
    let pod_ip = sandbox.ip.unwrap_or(host_ip);
    let of = |id: &ContainerId| {
        let container = pod.spec.containers.iter().find(|container| container.name == id.name.as_str());
        let hook = container.and_then(|container| pre_stop(container, pod_ip));
        Stop { id: id.clone(), grace, hook }
    };
    running.map(|attempt| of(&attempt.id)).collect()
}

/// What is to be done before a container is ended.
pub(super) fn pre_stop(container: &Container, pod_ip: IpAddr) -> Option<Question> {
    let hook = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
    Some(Question::of_hook(hook, container, pod_ip))
}

/// Ends what goes on in the background.
fn nothing_more_goes_on(uid: &PodUid, look: Look<'_>, steps: &mut Steps) {
    if !look.found.verdicts.is_empty() {
        steps.then(Step::Ask(uid.clone(), Vec::new()));
    }
    if !look.found.pulls.is_empty() {
        steps.then(Step::Pull(uid.clone(), Vec::new()));
    }
    if !look.found.hooks.is_empty() {
        steps.then(Step::Hook(uid.clone(), Vec::new()));
    }
}

/// How long the containers of a pod that is to end still have. Times in the store are cut to seconds, so the second
/// that the deletion is due in still belongs to the pod, up to what it was promised.
pub(super) fn grace_left(pod: &Pod, now: Timestamp) -> Duration {
    let Some(due) = pod.metadata.deletion_timestamp else {
        // What an evicted pod holds is needed now.
        return if is_evicted(pod) { Duration::ZERO } else { pod.spec.termination_grace_period() };
    };
    let promised = pod.metadata.deletion_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let promised = promised.map_or_else(|| pod.spec.termination_grace_period(), Duration::from_secs);
    let end = due.timestamp().saturating_add(Duration::from_secs(1)).unwrap_or(Timestamp::MAX);
    span(now, end).min(promised)
}
