//! [`plan`]: what to do about one pod.

mod begin;
mod end;
mod images;
mod init;
mod lost;
mod running;
mod start;
mod volumes;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::controller::EventType;
use orch_core::object::{Pod, PodStatus};
use orch_core::runtime::{
    ContainerId, ContainerName, ContainerSpec, ImageName, PodUid, SandboxDns, SandboxSpec, SandboxStatus, VolumeName,
    VolumeSource,
};

use super::NodeAgentConfig;
use super::crash_loop::span;
use super::hook::{Hook, HookState};
use super::names;
use super::probe::{Inquiry, ProbeId, Verdict};
use super::pull::{Pull, PullState};
use super::question::Question;
use super::references::References;
use super::status::{Circumstances, failed};
use super::troubles::{Subject, Trouble};
use super::volumes::{Made, VolumeAt};
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
    /// Why the node does not take the pod, if it was not taken yet and should not be: reason and message.
    pub(super) refusal: Option<&'a (String, String)>,
    /// What was found about the pod besides.
    pub(super) found: &'a Found,
    pub(super) now: Timestamp,
}

/// What was found about a pod, in the store, on the node, and in the memory of the agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// What the probes that are under way have found.
    pub(super) verdicts: BTreeMap<ProbeId, Verdict>,
    /// What has come of the hooks that were run.
    pub(super) hooks: BTreeMap<ContainerId, HookState>,
    /// How far the pulls have come, by the attempts that are to be started.
    pub(super) pulls: BTreeMap<ContainerId, PullState>,
    /// What went wrong.
    pub(super) troubles: BTreeMap<Subject, Trouble>,
    /// The config maps and secrets that the pod names.
    pub(super) references: References,
    /// What is known of the images of containers that do not run; `None` where containers need no images.
    pub(super) images: Option<BTreeMap<ImageName, ImageFound>>,
    /// The volumes that this process has made; `None` where pods can have no volumes.
    pub(super) volumes: Option<BTreeMap<VolumeName, Made>>,
    /// How the node finds names, where that is known, and as long as the pod has no sandbox.
    pub(super) node_dns: Option<SandboxDns>,
    /// What attempts that have ended said about it.
    pub(super) messages: BTreeMap<ContainerId, String>,
}

/// Whether an image is on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ImageFound {
    Present,
    Absent,
    /// Nobody can tell, for this reason.
    Unknown(String),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// End and remove what is there of a pod that does not exist.
    ClearStray(SandboxStatus),
    /// Write this status.
    Status(Box<PodStatus>),
    /// Tell people: the reason, in one word, and the message.
    Report(EventType, &'static str, String),
    /// People were told of these troubles.
    Told(PodUid, Vec<Subject>),
    CreateSandbox(SandboxSpec),
    MakeVolumes(PodUid, Vec<(VolumeName, VolumeSource)>),
    /// Fetch exactly these images for the pod's containers.
    Pull(PodUid, Vec<Pull>),
    Start(Box<Start>),
    /// Run exactly these hooks in the pod's containers.
    Hook(PodUid, Vec<Hook>),
    /// End these containers, all at once.
    Stop(Vec<Stop>),
    /// Forget an attempt that ended.
    Forget(ContainerId),
    /// Put exactly these questions to the pod's containers.
    Ask(PodUid, Vec<Inquiry>),
    RemoveSandbox(PodUid),
    RemoveVolumes(PodUid),
    /// The pod has ended: it may go.
    Delete,
}

/// An attempt to be started.
#[derive(Clone, PartialEq)]
pub(super) struct Start {
    pub(super) id: ContainerId,
    /// What it gets, but for its mounts.
    pub(super) spec: ContainerSpec,
    /// Where it sees the volumes of the pod.
    pub(super) mounts: Vec<VolumeAt>,
    /// Where it finds the file for what it says about its end, in a volume of this name.
    pub(super) message: Option<(VolumeName, PathBuf)>,
}

/// Shows which attempt alone: its environment may be secret.
impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A container to be ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stop {
    pub(super) id: ContainerId,
    /// How long it and its hook have.
    pub(super) grace: Duration,
    /// What is done before.
    pub(super) hook: Option<Question>,
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

    fn then(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Writes a status if it is new, and tells people the news that came with it.
    fn tell(&mut self, pod: &Pod, status: PodStatus, news: Vec<Step>) {
        if status != pod.status {
            self.then(Step::Status(Box::new(status)));
            self.steps.extend(news);
        }
    }

    /// Tells people what went wrong and they were not told yet.
    fn tell_troubles(&mut self, uid: &PodUid, troubles: &BTreeMap<Subject, Trouble>) {
        let mut subjects = Vec::new();
        for (subject, trouble) in troubles.iter().filter(|(_, trouble)| !trouble.told) {
            self.then(match subject {
                Subject::Start(_) => warning("Failed", format!("Error: {}", trouble.message)),
                _ => warning(trouble.reason, trouble.message.clone()),
            });
            subjects.push(subject.clone());
        }
        if !subjects.is_empty() {
            self.then(Step::Told(uid.clone(), subjects));
        }
    }
}

fn normal(reason: &'static str, message: impl Into<String>) -> Step {
    Step::Report(EventType::Normal, reason, message.into())
}

fn warning(reason: &'static str, message: impl Into<String>) -> Step {
    Step::Report(EventType::Warning, reason, message.into())
}

/// What to do about a pod.
///
/// Strays go first, before anything is started: they may be an earlier life of the same pod. Then a pod gets its
/// sandbox, in the next look its volumes, then its init containers, one after another, then its containers, and after
/// that what their ends and their probes ask for. A pod that is to end has its containers stopped, its end told, its
/// volumes and its sandbox removed, and is removed itself, in that order, so that it is gone from the store only when
/// nothing of it is left.
pub(super) fn plan(look: Look<'_>) -> Steps {
    if !look.strays.is_empty() {
        let steps = look.strays.iter().cloned().map(Step::ClearStray).collect();
        return Steps { steps, revisit_after: None }.then_look_again();
    }
    let Some(pod) = look.pod else { return Steps::default() };
    let uid = match checked(pod) {
        Ok(uid) => uid,
        Err(_) if pod.metadata.is_deleting() => return end::delete(pod, None),
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

/// The pod's uid, if it and the names of the containers and volumes are fit to name things outside the store, and what
/// it says about names to be written into files.
fn checked(pod: &Pod) -> Result<PodUid, String> {
    for container in pod.spec.containers.iter().chain(&pod.spec.init_containers) {
        container.name.parse::<ContainerName>().map_err(|error| error.to_string())?;
    }
    for volume in &pod.spec.volumes {
        volume.name.parse::<VolumeName>().map_err(|error| error.to_string())?;
    }
    names::check(pod)?;
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

fn circumstances<'a>(look: Look<'a>, sandbox: Option<&SandboxStatus>) -> Circumstances<'a> {
    let NodeAgentConfig { host_ip, container_id_prefix, .. } = look.config;
    Circumstances {
        host_ip: *host_ip,
        pod_ip: sandbox.map(|sandbox| sandbox.ip.unwrap_or(*host_ip)),
        sandbox_ready: sandbox.is_some_and(|sandbox| sandbox.ready),
        container_id_prefix,
        messages: &look.found.messages,
        over: false,
        ended_because: None,
        now: look.now,
    }
}

/// Why a container waits of which nothing else can be told.
fn creating(pod: &Pod) -> &'static str {
    if pod.spec.init_containers.is_empty() { "ContainerCreating" } else { "PodInitializing" }
}

#[cfg(test)]
mod tests;
