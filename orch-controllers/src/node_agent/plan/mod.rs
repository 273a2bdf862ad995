//! [`plan`]: what to do about one pod.

mod begin;
mod end;
mod init;
mod running;
mod start;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{Pod, PodStatus, Quantity};
use orch_core::runtime::{
    ContainerId, ContainerName, ContainerSpec, ImageName, PodUid, SandboxSpec, SandboxStatus, VolumeName, VolumeSource,
};

use super::NodeAgentConfig;
use super::crash_loop::span;
use super::effect::Stop;
use super::environment::Surroundings;
use super::events::{Telling, events};
use super::hook::Hook;
use super::materials::{Materials, containers};
use super::memory::PodMemory;
use super::probe::{Inquiry, ProbeId, Verdict};
use super::puller::Pull;
use super::status::{Circumstances, failed};
use super::volumes::Mounts;
use running::Running;

/// What a decision about a pod is made on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) config: &'a NodeAgentConfig,
    /// The pod, if there is one and it is bound to this node.
    pub(super) pod: Option<&'a Pod>,
    /// Its sandbox.
    pub(super) sandbox: Option<&'a SandboxStatus>,
    /// Sandboxes of pods that do not exist, which must be gone before anything of this pod is started.
    pub(super) strays: &'a [SandboxStatus],
    /// What the probes that are under way have found.
    pub(super) verdicts: &'a BTreeMap<ProbeId, Verdict>,
    /// What the pod refers to.
    pub(super) materials: &'a Materials,
    /// What effects left.
    pub(super) memory: &'a PodMemory,
    /// What became of the images that were asked for.
    pub(super) pulls: &'a BTreeMap<ContainerId, Pull>,
    /// What the node has for its pods.
    pub(super) allocatable: &'a BTreeMap<String, Quantity>,
    /// What the node can give to pods.
    pub(super) gives: Gives,
    /// Why the node does not take the pod, if it was not taken yet and should not be: reason and message.
    pub(super) refusal: Option<&'a (String, String)>,
    pub(super) now: Timestamp,
}

/// What a node can give to pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gives {
    /// Containers are started from images.
    pub(super) images: bool,
    pub(super) volumes: bool,
}

impl<'a> Look<'a> {
    pub(super) fn surroundings(&self, pod_ip: IpAddr) -> Surroundings<'a> {
        let NodeAgentConfig { host_ip, environment, processes_per_container, .. } = self.config;
        Surroundings {
            pod_ip,
            host_ip: *host_ip,
            environment,
            allocatable: self.allocatable,
            processes: *processes_per_container,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// End and remove what is there of a pod that does not exist.
    ClearStray(SandboxStatus),
    /// Write this status.
    Status(Box<PodStatus>),
    CreateSandbox(SandboxSpec),
    MakeVolumes(PodUid, Vec<(VolumeName, VolumeSource)>),
    /// Fetch an image for this attempt.
    Pull(ContainerId, ImageName),
    Start(ContainerId, Box<ContainerSpec>, Box<Mounts>),
    /// Run the hook that comes after the start.
    RunHook(ContainerId, Hook),
    /// End these containers, all at once, each within its time.
    Stop(Vec<Stop>),
    /// Forget an attempt that ended.
    Forget(ContainerId),
    /// Put exactly these questions to the pod's containers.
    Ask(PodUid, Vec<Inquiry>),
    RemoveSandbox(PodUid),
    /// The pod has ended: it may go.
    Delete,
    /// Tell people why a container is ended.
    Killing(String),
    /// Tell people what came about.
    Tell(Telling),
}

/// What to do, in order, and when to look again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) revisit_after: Option<Duration>,
}

impl Steps {
    fn revisit(&mut self, after: Duration) {
        self.revisit_after = Some(self.revisit_after.map_or(after, |before| before.min(after)));
    }

    /// After an effect the next look decides, on what came of it.
    fn then_look_again(mut self) -> Self {
        self.revisit(Duration::ZERO);
        self
    }
}

/// What to do about a pod.
///
/// Strays go first, before anything is started: they may be an earlier life of the same pod. Then a pod gets its
/// sandbox, in the next look its containers, and after that what their ends and their probes ask for. A pod that is to
/// end has its containers stopped, its end told, its sandbox removed, and is removed itself, in that order, so that it
/// is gone from the store only when nothing of it runs.
pub(super) fn plan(look: Look<'_>) -> Steps {
    if !look.strays.is_empty() {
        let steps = look.strays.iter().cloned().map(Step::ClearStray).collect();
        return Steps { steps, revisit_after: None }.then_look_again();
    }
    let Some(pod) = look.pod else { return Steps::default() };
    let uid = match checked(pod) {
        Ok(uid) => uid,
        Err(_) if pod.metadata.is_deleting() => return end::delete(pod),
        Err(message) => return fail(pod, "UnexpectedAdmissionError", &format!("Pod was rejected: {message}"), look),
    };
    let deadline = Deadline::of(pod, look.now);
    if pod.metadata.is_deleting() || pod.status.phase().is_terminal() || deadline == Deadline::Passed {
        return end::end(pod, uid, deadline == Deadline::Passed, look);
    }
    let mut steps = match look.sandbox {
        None => begin::begin(pod, uid, look),
        Some(sandbox) => Running { pod, uid, sandbox, look }.steps(),
    };
    if let Deadline::In(time) = deadline {
        steps.revisit(time);
    }
    steps
}

/// The pod's uid, if it and the containers' names are fit to name things outside the store.
fn checked(pod: &Pod) -> Result<PodUid, String> {
    for container in containers(pod) {
        container.name.parse::<ContainerName>().map_err(|error| error.to_string())?;
    }
    PodUid::try_from(&pod.metadata.uid.clone().unwrap_or_default()).map_err(|error| error.to_string())
}

/// How a pod stands to its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    None,
    In(Duration),
    Passed,
}

impl Deadline {
    const REASON: (&str, &str) = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");

    fn of(pod: &Pod, now: Timestamp) -> Self {
        let seconds = pod.spec.active_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let (Some(seconds), Some(start)) = (seconds, pod.status.start_time) else { return Self::None };
        match Duration::from_secs(seconds).checked_sub(span(start.timestamp(), now)) {
            Some(left) if !left.is_zero() => Self::In(left),
            _ => Self::Passed,
        }
    }
}

/// The pod ends before anything of it was started.
fn fail(pod: &Pod, reason: &str, message: &str, look: Look<'_>) -> Steps {
    if pod.status.phase().is_terminal() {
        return Steps::default();
    }
    let status = failed(pod, reason, message, look.config.host_ip, look.now);
    Steps { steps: vec![Step::Status(Box::new(status))], revisit_after: None }
}

fn circumstances<'a>(look: Look<'a>, pod_ip: Option<IpAddr>) -> Circumstances<'a> {
    let NodeAgentConfig { host_ip, container_id_prefix, .. } = look.config;
    Circumstances { host_ip: *host_ip, pod_ip, container_id_prefix, over: false, ended_because: None, now: look.now }
}

/// The status, where it is new, and what people are to be told of it.
fn status_if_new(pod: &Pod, status: PodStatus) -> Vec<Step> {
    if status == pod.status {
        return Vec::new();
    }
    let told = events(&pod.status, &status).into_iter().map(Step::Tell);
    std::iter::once(Step::Status(Box::new(status.clone()))).chain(told).collect()
}

#[cfg(test)]
mod tests;
