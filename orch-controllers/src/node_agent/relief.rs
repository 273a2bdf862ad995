//! [`relief`]: what gets a node back that it is short of.

use std::sync::Arc;

use orch_core::clock::Timestamp;
use orch_core::object::{ConditionStatus, Pod, PodCondition, PodPhase, PodStatus, find_condition, set_condition};
use orch_core::runtime::{PodUid, SandboxStatus};

use super::NodeAgentConfig;
use super::collection::unused_images;
use super::eviction::{EVICTED, Use, over_its_limit, victim};
use super::gauge::Measured;
use super::pressure::{Scarce, pressures};
use super::status::failed;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Relief {
    /// These images are removed, which nobody uses.
    RemoveImages(Vec<String>),
    /// This pod is ended, and why.
    Evict(Arc<Pod>, String),
}

/// What gets the node back that it is short of: nothing at all, as a rule. Images come before pods, and one pod at a
/// time: what its end gave back is measured before the next one goes.
pub(super) fn relief(
    config: &NodeAgentConfig,
    measured: &Measured,
    pods: &[Arc<Pod>],
    sandboxes: &[SandboxStatus],
    now: Timestamp,
) -> Option<Relief> {
    if pods.iter().any(|pod| is_being_evicted(pod, sandboxes, measured.machine.at)) {
        return None;
    }
    let uses: Vec<Use<'_>> = pods.iter().filter_map(|pod| usage_of(pod, measured)).collect();
    let named = |(pod, why): (&Pod, String)| {
        let pod = pods.iter().find(|other| other.metadata.uid == pod.metadata.uid)?;
        Some(Relief::Evict(Arc::clone(pod), why))
    };
    if let Some(found) = over_its_limit(&uses) {
        return named(found);
    }
    let pressures = pressures(&config.thresholds, &measured.machine);
    let pressed = pressures.iter().any(|pressure| matches!(pressure.of, Scarce::Disk | Scarce::Inodes));
    let unused = measured.machine.disk.map(|disk| {
        let Measured { images, last_used, .. } = measured;
        unused_images(&config.image_collection, images, last_used, disk, pressed, now)
    });
    if let Some(unused) = unused.filter(|unused| !unused.is_empty()) {
        return Some(Relief::RemoveImages(unused));
    }
    pressures.into_iter().find_map(|pressure| victim(pressure, &uses)).and_then(named)
}

/// The status of a pod that is ended to get something back.
pub(super) fn evicted(pod: &Pod, message: &str, config: &NodeAgentConfig, now: Timestamp) -> PodStatus {
    let mut status = failed(pod, EVICTED, message, config.host_ip, now);
    for (name, status_of, reason, message) in [
        (PodCondition::DISRUPTION_TARGET, ConditionStatus::True, "TerminationByKubelet", Some(message)),
        (PodCondition::READY, ConditionStatus::False, "PodFailed", None),
        (PodCondition::CONTAINERS_READY, ConditionStatus::False, "PodFailed", None),
    ] {
        let condition = PodCondition {
            r#type: name.to_owned(),
            status: status_of,
            observed_generation: pod.metadata.generation,
            last_transition_time: Some(now.into()),
            reason: Some(reason.to_owned()),
            message: message.map(str::to_owned),
            ..PodCondition::default()
        };
        set_condition(&mut status.conditions, condition);
    }
    status
}

/// Whether the node has ended it to get something back.
pub(super) fn is_evicted(pod: &Pod) -> bool {
    pod.status.phase() == PodPhase::Failed && pod.status.reason.as_deref() == Some(EVICTED)
}

/// Whether what its end gives back cannot have been measured yet.
fn is_being_evicted(pod: &Pod, sandboxes: &[SandboxStatus], measured_at: Timestamp) -> bool {
    let since = find_condition(&pod.status.conditions, PodCondition::DISRUPTION_TARGET)
        .and_then(|condition| condition.last_transition_time)
        // Times in the store are cut to seconds.
        .is_some_and(|evicted| evicted.timestamp().as_second() >= measured_at.as_second());
    let runs = |sandbox: &SandboxStatus| {
        uid(pod).as_ref() == Some(&sandbox.spec.pod) && sandbox.containers.iter().any(|each| each.state.is_running())
    };
    is_evicted(pod) && (since || sandboxes.iter().any(runs))
}

fn usage_of<'a>(pod: &'a Arc<Pod>, measured: &'a Measured) -> Option<Use<'a>> {
    let uid = uid(pod)?;
    let (stats, volumes) = (measured.stats.get(&uid), measured.volumes.get(&uid));
    let lives = !pod.status.phase().is_terminal() && !pod.metadata.is_deleting() && stats.is_some();
    lives.then_some(Use { pod, stats, volumes })
}

fn uid(pod: &Pod) -> Option<PodUid> {
    PodUid::try_from(pod.metadata.uid.as_ref()?).ok()
}

#[cfg(test)]
mod tests;
