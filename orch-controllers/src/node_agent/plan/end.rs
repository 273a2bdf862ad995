//! [`end`]: a pod that is to end, or has ended.

use std::net::IpAddr;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{Pod, PodStatus};
use orch_core::runtime::{ContainerId, PodUid, SandboxStatus};

use super::super::attempts::Attempts;
use super::super::crash_loop::span;
use super::super::effect::Stop;
use super::super::hook::Hook;
use super::super::materials::containers;
use super::super::relief::is_evicted;
use super::super::status::{Circumstances, Found, container_statuses, pod_status};
use super::{Deadline, Look, Step, Steps, circumstances, fail, status_if_new};

/// A pod that is to end, or has ended.
pub(super) fn end(pod: &Pod, uid: PodUid, deadline_passed: bool, look: Look<'_>) -> Steps {
    let Some(sandbox) = look.sandbox else {
        if pod.metadata.is_deleting() {
            return delete(pod);
        }
        // A pod whose time was over before it began.
        return match deadline_passed {
            true => fail(pod, Deadline::REASON.0, Deadline::REASON.1, look),
            false => Steps::default(),
        };
    };
    let running: Vec<_> = sandbox.containers.iter().filter(|attempt| attempt.state.is_running()).collect();
    let mut steps = Vec::new();
    if !look.verdicts.is_empty() {
        steps.push(Step::Ask(uid.clone(), Vec::new()));
    }
    if !running.is_empty() {
        let grace = grace_left(pod, look.now);
        let pod_ip = sandbox.ip.unwrap_or(look.config.host_ip);
        let stops = running.iter().map(|attempt| stop(pod, &attempt.id, grace, pod_ip));
        steps.push(Step::Stop(stops.collect()));
        return Steps { steps, revisit_after: None }.then_look_again();
    }
    let status = if pod.status.phase().is_terminal() {
        Some(with_ends(pod, sandbox, look))
    } else {
        ended(pod, sandbox, deadline_passed, look)
    };
    if let Some(status) = status {
        steps.splice(0..0, status_if_new(pod, status));
    }
    if pod.metadata.is_deleting() {
        steps.push(Step::RemoveSandbox(uid));
        return Steps { steps, revisit_after: None }.then_look_again();
    }
    Steps { steps, revisit_after: None }
}

/// How a container of a pod is ended.
pub(super) fn stop(pod: &Pod, id: &ContainerId, grace: Duration, pod_ip: IpAddr) -> Stop {
    let container = containers(pod).find(|container| container.name == id.name.as_str());
    let hook = container.and_then(|container| {
        let handler = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
        Some(Hook::new(id, handler, container, pod_ip))
    });
    Stop { id: id.clone(), grace, hook }
}

/// What is told of a pod of which nothing runs any more.
fn ended(pod: &Pod, sandbox: &SandboxStatus, deadline_passed: bool, look: Look<'_>) -> Option<PodStatus> {
    let found = found(pod, sandbox);
    // Of a container that was never started there is nothing to tell.
    if !deadline_passed && !found.containers.iter().all(|observed| observed.latest.is_some()) {
        return None;
    }
    let ended_because = deadline_passed.then_some(Deadline::REASON);
    let pod_ip = Some(sandbox.ip.unwrap_or(look.config.host_ip));
    let around = Circumstances { over: true, ended_because, ..circumstances(look, pod_ip) };
    Some(pod_status(pod, &found, around))
}

/// What was told of a pod when it ended, with the ends of its containers, which came after.
fn with_ends(pod: &Pod, sandbox: &SandboxStatus, look: Look<'_>) -> PodStatus {
    let (init, containers) = container_statuses(pod, &found(pod, sandbox), circumstances(look, None));
    let mut status = pod.status.clone();
    for (told, found) in [(&mut status.init_container_statuses, init), (&mut status.container_statuses, containers)] {
        for found in found.into_iter().filter(|found| found.state.terminated.is_some()) {
            if let Some(told) = told.iter_mut().find(|told| told.name == found.name && told.state.terminated.is_none())
            {
                *told = found;
            }
        }
    }
    status
}

fn found<'a>(pod: &'a Pod, sandbox: &'a SandboxStatus) -> Found<'a> {
    let init: Vec<_> = Attempts::of_init(pod, Some(sandbox)).collect();
    let began = Attempts::of(pod, Some(sandbox)).any(|attempts| attempts.began());
    let initialized = began || init.iter().all(Attempts::succeeded);
    Found {
        init: init.into_iter().map(Attempts::ended_first).collect(),
        containers: Attempts::of(pod, Some(sandbox)).map(Attempts::ended).collect(),
        initialized,
    }
}

/// Nothing of the pod is left here: it may go, unless somebody still holds it back.
pub(super) fn delete(pod: &Pod) -> Steps {
    let given_up = pod.metadata.deletion_grace_period_seconds == Some(0) && !pod.metadata.finalizers.is_empty();
    Steps { steps: if given_up { Vec::new() } else { vec![Step::Delete] }, revisit_after: None }
}

/// How long the containers of a pod that is to end still have. Times in the store are cut to seconds, so the second
/// that the deletion is due in still belongs to the pod, up to what it was promised.
pub(super) fn grace_left(pod: &Pod, now: Timestamp) -> Duration {
    let Some(due) = pod.metadata.deletion_timestamp else {
        // What it holds is needed now.
        return if is_evicted(pod) { Duration::ZERO } else { pod.spec.termination_grace_period() };
    };
    let promised = pod.metadata.deletion_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let promised = promised.map_or_else(|| pod.spec.termination_grace_period(), Duration::from_secs);
    let end = due.timestamp().saturating_add(Duration::from_secs(1)).unwrap_or(Timestamp::MAX);
    span(now, end).min(promised)
}
