//! [`plan`]: what to do about one pod.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{Pod, PodStatus, RestartPolicy};
use orch_core::runtime::{
    ContainerId, ContainerName, ContainerSpec, ContainerState, PodUid, SandboxSpec, SandboxStatus,
};

use super::NodeAgentConfig;
use super::attempts::Attempts;
use super::crash_loop::{in_words, span};
use super::environment::{Surroundings, container_spec, hostname};
use super::probe::{Inquiry, ProbeId, ProbeKind, Verdict};
use super::status::{Circumstances, Observed, container_id, failed, pod_status};

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
    /// Why the node does not take the pod, if it was not taken yet and should not be: reason and message.
    pub(super) refusal: Option<&'a (String, String)>,
    pub(super) now: Timestamp,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// End and remove what is there of a pod that does not exist.
    ClearStray(SandboxStatus),
    /// Write this status.
    Status(Box<PodStatus>),
    CreateSandbox(SandboxSpec),
    Start(ContainerId, Box<ContainerSpec>),
    /// End these containers, all at once, each within its time.
    Stop(Vec<(ContainerId, Duration)>),
    /// Forget an attempt that ended.
    Forget(ContainerId),
    /// Put exactly these questions to the pod's containers.
    Ask(PodUid, Vec<Inquiry>),
    RemoveSandbox(PodUid),
    /// The pod has ended: it may go.
    Delete,
    /// Tell people why a container is ended.
    Killing(String),
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
        Err(_) if pod.metadata.is_deleting() => return delete(pod),
        Err(message) => return fail(pod, "UnexpectedAdmissionError", &format!("Pod was rejected: {message}"), look),
    };
    let deadline = Deadline::of(pod, look.now);
    if pod.metadata.is_deleting() || pod.status.phase().is_terminal() || deadline == Deadline::Passed {
        return end(pod, uid, deadline == Deadline::Passed, look);
    }
    let mut steps = match look.sandbox {
        None => begin(pod, uid, look),
        Some(sandbox) => Running { pod, uid, sandbox, look }.steps(),
    };
    if let Deadline::In(time) = deadline {
        steps.revisit(time);
    }
    steps
}

/// The pod's uid, if it and the containers' names are fit to name things outside the store.
fn checked(pod: &Pod) -> Result<PodUid, String> {
    for container in &pod.spec.containers {
        container.name.parse::<ContainerName>().map_err(|error| error.to_string())?;
    }
    PodUid::try_from(&pod.metadata.uid.clone().unwrap_or_default()).map_err(|error| error.to_string())
}

fn name_of(text: &str) -> Option<ContainerName> {
    text.parse().ok()
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

/// The first look at a pod: it is told that it was taken on, and gets a sandbox.
fn begin(pod: &Pod, uid: PodUid, look: Look<'_>) -> Steps {
    if let Some((reason, message)) = look.refusal {
        return fail(pod, reason, &format!("Pod was rejected: {message}"), look);
    }
    if pod.spec.restart_policy() == RestartPolicy::Never && Attempts::of(pod, None).any(|attempts| attempts.next() > 0)
    {
        let message = "The container could not be located when the pod was terminated";
        return fail(pod, "ContainerStatusUnknown", message, look);
    }
    let observed: Vec<Observed<'_>> = Attempts::of(pod, None).map(Attempts::waiting_to_begin).collect();
    let mut steps = status_if_new(pod, pod_status(pod, &observed, circumstances(look, None)));
    steps.push(Step::CreateSandbox(SandboxSpec {
        pod: uid,
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone(),
        hostname: hostname(pod),
        host_network: false,
    }));
    Steps { steps, revisit_after: None }.then_look_again()
}

fn circumstances<'a>(look: Look<'a>, pod_ip: Option<IpAddr>) -> Circumstances<'a> {
    let NodeAgentConfig { host_ip, container_id_prefix, .. } = look.config;
    Circumstances { host_ip: *host_ip, pod_ip, container_id_prefix, over: false, ended_because: None, now: look.now }
}

fn status_if_new(pod: &Pod, status: PodStatus) -> Vec<Step> {
    if status == pod.status { Vec::new() } else { vec![Step::Status(Box::new(status))] }
}

/// A pod that is to end, or has ended.
fn end(pod: &Pod, uid: PodUid, deadline_passed: bool, look: Look<'_>) -> Steps {
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
        steps.push(Step::Stop(running.iter().map(|attempt| (attempt.id.clone(), grace)).collect()));
        return Steps { steps, revisit_after: None }.then_look_again();
    }
    if !pod.status.phase().is_terminal() {
        let observed: Vec<Observed<'_>> = Attempts::of(pod, Some(sandbox)).map(Attempts::ended).collect();
        // Of a container that was never started there is nothing to tell.
        if deadline_passed || observed.iter().all(|observed| observed.latest.is_some()) {
            let ended_because = deadline_passed.then_some(Deadline::REASON);
            let pod_ip = Some(sandbox.ip.unwrap_or(look.config.host_ip));
            let around = Circumstances { over: true, ended_because, ..circumstances(look, pod_ip) };
            steps.splice(0..0, status_if_new(pod, pod_status(pod, &observed, around)));
        }
    }
    if pod.metadata.is_deleting() {
        steps.push(Step::RemoveSandbox(uid));
        return Steps { steps, revisit_after: None }.then_look_again();
    }
    Steps { steps, revisit_after: None }
}

/// Nothing of the pod is left here: it may go, unless somebody still holds it back.
fn delete(pod: &Pod) -> Steps {
    let given_up = pod.metadata.deletion_grace_period_seconds == Some(0) && !pod.metadata.finalizers.is_empty();
    Steps { steps: if given_up { Vec::new() } else { vec![Step::Delete] }, revisit_after: None }
}

/// How long the containers of a pod that is to end still have. Times in the store are cut to seconds, so the second
/// that the deletion is due in still belongs to the pod, up to what it was promised.
fn grace_left(pod: &Pod, now: Timestamp) -> Duration {
    let Some(due) = pod.metadata.deletion_timestamp else { return pod.spec.termination_grace_period() };
    let promised = pod.metadata.deletion_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let promised = promised.map_or_else(|| pod.spec.termination_grace_period(), Duration::from_secs);
    let end = due.timestamp().saturating_add(Duration::from_secs(1)).unwrap_or(Timestamp::MAX);
    span(now, end).min(promised)
}

/// A pod with a sandbox that is to run.
struct Running<'a> {
    pod: &'a Pod,
    uid: PodUid,
    sandbox: &'a SandboxStatus,
    look: Look<'a>,
}

/// What the containers of a pod ask for, gathered.
#[derive(Default)]
struct Wanted<'a> {
    starts: Vec<Step>,
    stops: Vec<(ContainerId, Duration)>,
    killing: Vec<String>,
    forgets: Vec<Step>,
    inquiries: Vec<Inquiry>,
    observed: Vec<Observed<'a>>,
    revisit_after: Option<Duration>,
}

impl<'a> Running<'a> {
    /// A start changes the status at once, so the status is written when the start is seen; before a stop, which takes
    /// its time, it is written first.
    fn steps(&self) -> Steps {
        let mut wanted = Wanted::default();
        for attempts in Attempts::of(self.pod, Some(self.sandbox)) {
            self.look_at(attempts, &mut wanted);
        }
        let acts = !(wanted.starts.is_empty() && wanted.stops.is_empty());
        let mut steps = Steps { steps: Vec::new(), revisit_after: wanted.revisit_after };
        if wanted.starts.is_empty() || !wanted.stops.is_empty() {
            let status = pod_status(self.pod, &wanted.observed, circumstances(self.look, Some(self.pod_ip())));
            steps.steps = status_if_new(self.pod, status);
        }
        steps.steps.append(&mut wanted.forgets);
        let asked: BTreeSet<&ProbeId> = self.look.verdicts.keys().collect();
        if wanted.inquiries.iter().map(|inquiry| &inquiry.id).collect::<BTreeSet<_>>() != asked {
            steps.steps.push(Step::Ask(self.uid.clone(), wanted.inquiries));
        }
        steps.steps.append(&mut wanted.starts);
        steps.steps.extend(wanted.killing.into_iter().map(Step::Killing));
        if !wanted.stops.is_empty() {
            steps.steps.push(Step::Stop(wanted.stops));
        }
        if acts { steps.then_look_again() } else { steps }
    }

    fn pod_ip(&self) -> IpAddr {
        self.sandbox.ip.unwrap_or(self.look.config.host_ip)
    }

    fn look_at(&self, attempts: Attempts<'a>, wanted: &mut Wanted<'a>) {
        wanted.forgets.extend(attempts.outdated.iter().map(|attempt| Step::Forget(attempt.id.clone())));
        let state = attempts.latest.map(|latest| &latest.state);
        let observed = match state {
            None => self.start(attempts, wanted),
            Some(ContainerState::Running { started_at }) => self.keep(attempts, *started_at, wanted),
            Some(ContainerState::Exited { code, finished_at, .. }) => {
                let again = match self.pod.spec.restart_policy() {
                    RestartPolicy::Always => true,
                    RestartPolicy::OnFailure => *code != 0,
                    RestartPolicy::Never => false,
                };
                if again { self.restart(attempts, *finished_at, wanted) } else { attempts.ended() }
            }
        };
        wanted.observed.push(observed);
    }

    /// Starts the container's next attempt, or tells why that is impossible.
    fn start(&self, attempts: Attempts<'a>, wanted: &mut Wanted<'a>) -> Observed<'a> {
        let config = self.look.config;
        let around = Surroundings { pod_ip: self.pod_ip(), host_ip: config.host_ip, environment: &config.environment };
        let Some(name) = name_of(&attempts.container.name) else { return attempts.waiting_to_begin() };
        match container_spec(self.pod, attempts.container, around) {
            Ok(spec) => {
                let id = ContainerId { pod: self.uid.clone(), name, attempt: attempts.next() };
                wanted.starts.push(Step::Start(id, Box::new(spec)));
                attempts.ended()
            }
            Err(message) => attempts.waiting("CreateContainerConfigError", message),
        }
    }

    fn restart(&self, attempts: Attempts<'a>, finished_at: Timestamp, wanted: &mut Wanted<'a>) -> Observed<'a> {
        let Some(latest) = attempts.latest else { return self.start(attempts, wanted) };
        let wait = self.look.config.backoff.wait(latest, attempts.previous);
        let left = wait.saturating_sub(span(finished_at, self.look.now));
        if left.is_zero() {
            return self.start(attempts, wanted);
        }
        wanted.revisit_after = Some(wanted.revisit_after.map_or(left, |before| before.min(left)));
        let metadata = &self.pod.metadata;
        let message = format!(
            "back-off {} restarting failed container={} pod={}_{}({})",
            in_words(wait),
            attempts.container.name,
            metadata.name,
            metadata.namespace.as_deref().unwrap_or_default(),
            self.uid
        );
        attempts.waiting("CrashLoopBackOff", message)
    }

    /// A container that runs: what its probes say.
    fn keep(&self, attempts: Attempts<'a>, started_at: Timestamp, wanted: &mut Wanted<'a>) -> Observed<'a> {
        let Some(latest) = attempts.latest else { return attempts.waiting_to_begin() };
        let stored = self.stored_of(&latest.id);
        let container = attempts.container;
        // What was known before the agent was restarted holds until there is an answer.
        let holds = |kind: ProbeKind, known: bool| match (kind.of(container), self.verdict(&latest.id, kind)) {
            (None, _) => true,
            (Some(_), Verdict::Success) => true,
            (Some(_), Verdict::Failure(_)) => false,
            (Some(_), Verdict::Undecided) => known,
        };
        let was_started = stored.is_some_and(|stored| stored.started == Some(true));
        let started = holds(ProbeKind::Startup, was_started);
        let ready = started && holds(ProbeKind::Readiness, stored.is_some_and(|stored| stored.ready));
        let age = span(started_at, self.look.now);
        // That it started is known to the probe alone until it is stored.
        let asked =
            [(ProbeKind::Startup, !was_started), (ProbeKind::Liveness, started), (ProbeKind::Readiness, started)];
        wanted.inquiries.extend(asked.into_iter().filter(|(_, asked)| *asked).filter_map(|(kind, _)| {
            let id = ProbeId { container: latest.id.clone(), kind };
            Some(Inquiry::new(id, kind.of(container)?, container, self.pod_ip(), age))
        }));
        let stop = self.must_stop(&attempts);
        let ready = ready && stop.is_none();
        if let Some((grace, why)) = stop {
            wanted.stops.push((latest.id.clone(), grace));
            wanted.killing.push(why);
        }
        Observed { started, ready, ..attempts.ended() }
    }

    /// Why a container that runs must be started anew, if so, and how long it has to end.
    fn must_stop(&self, attempts: &Attempts<'a>) -> Option<(Duration, String)> {
        let (container, latest) = (attempts.container, attempts.latest?);
        let grace = self.pod.spec.termination_grace_period();
        for kind in [ProbeKind::Startup, ProbeKind::Liveness] {
            if let (Some(probe), Verdict::Failure(message)) = (kind.of(container), self.verdict(&latest.id, kind)) {
                let why =
                    format!("Container {} failed {} probe, will be restarted: {message}", container.name, kind.word());
                return Some((probe.termination_grace_period().unwrap_or(grace), why));
            }
        }
        let image = container.image.as_deref().and_then(|image| image.parse().ok());
        let why = || format!("Container {} definition changed, will be restarted", container.name);
        (image != latest.spec.image).then(|| (grace, why()))
    }

    fn verdict(&self, id: &ContainerId, kind: ProbeKind) -> Verdict {
        let id = ProbeId { container: id.clone(), kind };
        self.look.verdicts.get(&id).cloned().unwrap_or_default()
    }

    /// What the store knows of this very attempt.
    fn stored_of(&self, id: &ContainerId) -> Option<&'a orch_core::object::ContainerStatus> {
        let id = container_id(&self.look.config.container_id_prefix, id);
        self.pod.status.container_statuses.iter().find(|status| status.container_id.as_ref() == Some(&id))
    }
}

#[cfg(test)]
mod tests;
