//! [`Running`]: a pod with a sandbox that is to run.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{Pod, RestartPolicy};
use orch_core::runtime::{ContainerId, ContainerState, PodUid, SandboxStatus};

use super::super::attempts::Attempts;
use super::super::crash_loop::span;
use super::super::effect::Stop;
use super::super::hook::Hook;
use super::super::probe::{Inquiry, ProbeId, ProbeKind, Verdict};
use super::super::status::{Found, Observed, container_id, pod_status};
use super::begin::sandbox_spec;
use super::end::stop;
use super::{Look, Step, Steps, circumstances, status_if_new};

/// A pod with a sandbox that is to run.
pub(super) struct Running<'a> {
    pub(super) pod: &'a Pod,
    pub(super) uid: PodUid,
    pub(super) sandbox: &'a SandboxStatus,
    pub(super) look: Look<'a>,
}

/// What the containers of a pod ask for, gathered.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub(super) volumes: Option<Step>,
    /// Why no container can be started now.
    pub(super) held_back: Option<String>,
    pub(super) pulls: Vec<Step>,
    pub(super) starts: Vec<Step>,
    hooks: Vec<Step>,
    stops: Vec<Stop>,
    killing: Vec<String>,
    forgets: Vec<Step>,
    inquiries: Vec<Inquiry>,
    pub(super) init: Vec<Observed<'a>>,
    pub(super) init_failed: bool,
    observed: Vec<Observed<'a>>,
    revisit_after: Option<Duration>,
}

impl<'a> Wanted<'a> {
    pub(super) fn revisit(&mut self, after: Option<Duration>) {
        let Some(after) = after else { return };
        self.revisit_after = Some(self.revisit_after.map_or(after, |before| before.min(after)));
    }

    pub(super) fn forget(&mut self, attempts: &Attempts<'a>) {
        self.forgets.extend(attempts.outdated.iter().map(|attempt| Step::Forget(attempt.id.clone())));
    }
}

impl<'a> Running<'a> {
    /// A start changes the status at once, so the status is written when the start is seen, unless it did not succeed
    /// before; before a stop, a hook and a pull, which take their time, it is written first.
    pub(super) fn steps(&self) -> Steps {
        if !self.sandbox.ready {
            return self.renew_sandbox();
        }
        let mut wanted = Wanted::default();
        self.volumes(&mut wanted);
        let initialized = self.init(&mut wanted);
        for attempts in Attempts::of(self.pod, Some(self.sandbox)) {
            self.look_at(attempts, initialized, &mut wanted);
        }
        let acts = wanted.volumes.is_some()
            || [&wanted.starts, &wanted.pulls, &wanted.hooks].iter().any(|steps| !steps.is_empty())
            || !wanted.stops.is_empty();
        let mut steps = Steps { steps: Vec::new(), revisit_after: wanted.revisit_after };
        if wanted.starts.is_empty() || !wanted.stops.is_empty() || self.look.memory.trouble.is_some() {
            let found = Found { init: wanted.init, containers: wanted.observed, initialized };
            let mut around = circumstances(self.look, Some(self.pod_ip()));
            around.over = wanted.init_failed;
            steps.steps = status_if_new(self.pod, pod_status(self.pod, &found, around));
        }
        steps.steps.append(&mut wanted.forgets);
        let asked: BTreeSet<&ProbeId> = self.look.verdicts.keys().collect();
        if wanted.inquiries.iter().map(|inquiry| &inquiry.id).collect::<BTreeSet<_>>() != asked {
            steps.steps.push(Step::Ask(self.uid.clone(), wanted.inquiries));
        }
        steps.steps.append(&mut wanted.pulls);
        steps.steps.extend(wanted.volumes);
        steps.steps.append(&mut wanted.starts);
        steps.steps.append(&mut wanted.hooks);
        steps.steps.extend(wanted.killing.into_iter().map(Step::Killing));
        if !wanted.stops.is_empty() {
            steps.steps.push(Step::Stop(wanted.stops));
        }
        if acts { steps.then_look_again() } else { steps }
    }

    /// What the containers share was destroyed by others: those that run are ended, and it is made anew.
    fn renew_sandbox(&self) -> Steps {
        let running: Vec<_> = self.sandbox.containers.iter().filter(|attempt| attempt.state.is_running()).collect();
        let mut steps = Vec::new();
        if running.is_empty() {
            steps.push(Step::CreateSandbox(sandbox_spec(self.pod, self.uid.clone())));
        } else {
            let grace = self.pod.spec.termination_grace_period();
            steps.push(Step::Killing("Pod sandbox changed, it will be killed and re-created.".to_owned()));
            let pod_ip = self.pod_ip();
            let stops = running.iter().map(|attempt| stop(self.pod, &attempt.id, grace, pod_ip));
            steps.push(Step::Stop(stops.collect()));
        }
        Steps { steps, revisit_after: None }.then_look_again()
    }

    pub(super) fn pod_ip(&self) -> IpAddr {
        self.sandbox.ip.unwrap_or(self.look.config.host_ip)
    }

    fn look_at(&self, attempts: Attempts<'a>, initialized: bool, wanted: &mut Wanted<'a>) {
        wanted.forget(&attempts);
        let state = attempts.latest.map(|latest| &latest.state);
        let observed = match state {
            _ if !initialized => attempts.waiting("PodInitializing", String::new()),
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

    /// A container that runs: what its hook and its probes say.
    fn keep(&self, attempts: Attempts<'a>, started_at: Timestamp, wanted: &mut Wanted<'a>) -> Observed<'a> {
        let Some(latest) = attempts.latest else { return attempts.waiting_to_begin() };
        let stored = self.stored_of(&latest.id);
        let container = attempts.container;
        let was_started = stored.is_some_and(|stored| stored.started == Some(true));
        if !was_started && let Some(observed) = self.hook(&attempts, wanted) {
            return observed;
        }
        // What was known before the agent was restarted holds until there is an answer.
        let holds = |kind: ProbeKind, known: bool| match (kind.of(container), self.verdict(&latest.id, kind)) {
            (None, _) => true,
            (Some(_), Verdict::Success) => true,
            (Some(_), Verdict::Failure(_)) => false,
            (Some(_), Verdict::Undecided) => known,
        };
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
        let must = self.must_stop(&attempts);
        let ready = ready && must.is_none();
        if let Some((grace, why)) = must {
            self.end(&latest.id, grace, why, wanted);
        }
        Observed { started, ready, ..attempts.ended() }
    }

    /// The hook that comes after the start, until it has succeeded: it is not known to have started before.
    fn hook(&self, attempts: &Attempts<'a>, wanted: &mut Wanted<'a>) -> Option<Observed<'a>> {
        let latest = attempts.latest?;
        let handler = attempts.container.lifecycle.as_ref()?.post_start.as_ref()?;
        match self.look.memory.hooks.get(&latest.id) {
            Some(Ok(())) => return None,
            Some(Err(message)) => {
                let name = &attempts.container.name;
                let why = format!("FailedPostStartHook: container {name}: {message}: it will be restarted");
                self.end(&latest.id, self.pod.spec.termination_grace_period(), why, wanted);
            }
            None => {
                let hook = Hook::new(&latest.id, handler, attempts.container, self.pod_ip());
                wanted.hooks.push(Step::RunHook(latest.id.clone(), hook));
            }
        }
        Some(attempts.clone().ended())
    }

    fn end(&self, id: &ContainerId, grace: Duration, why: String, wanted: &mut Wanted<'a>) {
        wanted.stops.push(stop(self.pod, id, grace, self.pod_ip()));
        wanted.killing.push(why);
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
