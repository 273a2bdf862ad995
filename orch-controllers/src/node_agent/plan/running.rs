//! A pod with a sandbox that is to run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{Pod, RestartPolicy};
use orch_core::runtime::{ContainerId, ContainerState, ExitReason, PodUid, SandboxStatus};

use super::super::attempts::Attempts;
use super::super::crash_loop::span;
use super::super::environment::image;
use super::super::hook::{Hook, HookState};
use super::super::probe::{Inquiry, ProbeId, ProbeKind, Verdict};
use super::super::pull::Pull;
use super::super::question::Question;
use super::super::status::{Observations, Observed, container_id, pod_status};
use super::end::pre_stop;
use super::volumes::VolumesState;
use super::{Look, Step, Steps, Stop, circumstances, normal, warning};

/// How often a hook is looked after where nobody tells that it has ended.
const HOOK_LOOK_AGAIN: Duration = Duration::from_secs(10);

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
    pub(super) starts: Vec<Step>,
    pub(super) stops: Vec<Stop>,
    pub(super) killing: Vec<Step>,
    pub(super) forgets: Vec<Step>,
    pub(super) inquiries: Vec<Inquiry>,
    pub(super) hooks: Vec<Hook>,
    pub(super) pulls: Vec<Pull>,
    /// Whether one of them is to be tried again.
    pub(super) pulls_again: bool,
    /// What people are told of those that begin.
    pub(super) pulling: Vec<Step>,
    /// What people are told if the status is new.
    pub(super) news: Vec<Step>,
    /// Whether the status is to be written although something is started: that may fail again.
    pub(super) tells_first: bool,
    pub(super) observed: Observations<'a>,
    pub(super) revisit_after: Option<Duration>,
}

/// A container that must be ended, and started anew if its pod says so.
struct MustStop {
    grace: Duration,
    news: Vec<Step>,
}

impl<'a> Wanted<'a> {
    pub(super) fn revisit(&mut self, after: Duration) {
        self.revisit_after = Some(self.revisit_after.map_or(after, |before| before.min(after)));
    }

    /// A hook is to be run, or what has come of it is not to be forgotten yet.
    fn keep_hook(&mut self, hook: Option<Hook>, states: &BTreeMap<ContainerId, HookState>) {
        let Some(hook) = hook else { return };
        if states.get(&hook.id).is_none_or(|state| *state == HookState::Running) {
            self.revisit(HOOK_LOOK_AGAIN);
        }
        self.hooks.push(hook);
    }

    /// What every container asks for, whatever it does: what nobody needs to know is forgotten, what is new is told.
    pub(super) fn look_at(&mut self, running: &Running<'a>, attempts: &Attempts<'a>) {
        self.forgets.extend(attempts.outdated.iter().map(|attempt| Step::Forget(attempt.id.clone())));
        let Some(latest) = attempts.latest.filter(|latest| running.stored_of(attempts, &latest.id).is_none()) else {
            return;
        };
        let name = &attempts.container.name;
        if let ContainerState::Exited { reason: ExitReason::StartError, message, .. } = &latest.state {
            self.news.push(warning("Failed", format!("Error: failed to start container \"{name}\": {message}")));
        } else {
            self.news.push(normal("Created", format!("Created container {name}")));
            self.news.push(normal("Started", format!("Started container {name}")));
        }
    }
}

impl<'a> Running<'a> {
    /// A start changes the status at once, so the status is written when the start is seen; before a stop, which takes
    /// its time, it is written first.
    pub(super) fn steps(&self) -> Steps {
        if !self.sandbox.ready {
            return self.lost();
        }
        let mut wanted = Wanted::default();
        let volumes = self.volumes(&mut wanted);
        let initialized = self.init(&volumes, &mut wanted);
        for attempts in Attempts::of(self.pod, Some(self.sandbox)) {
            wanted.look_at(self, &attempts);
            let observed = match initialized {
                true => self.look_at(attempts, &volumes, &mut wanted),
                false => attempts.waiting("PodInitializing", String::new()),
            };
            wanted.observed.containers.push(observed);
        }
        self.in_order(wanted)
    }

    fn in_order(&self, mut wanted: Wanted<'a>) -> Steps {
        let acts = !(wanted.starts.is_empty() && wanted.stops.is_empty() && wanted.volumes.is_none());
        let mut steps = Steps { steps: Vec::new(), revisit_after: wanted.revisit_after };
        if wanted.starts.is_empty() || !wanted.stops.is_empty() || wanted.tells_first {
            let status = pod_status(self.pod, &wanted.observed, circumstances(self.look, Some(self.sandbox)));
            steps.tell(self.pod, status, std::mem::take(&mut wanted.news));
        }
        steps.tell_troubles(&self.uid, &self.look.found.troubles);
        steps.steps.append(&mut wanted.forgets);
        steps.steps.extend(wanted.volumes.take());
        steps.steps.extend(self.pulls(&mut wanted));
        let asked: BTreeSet<&ProbeId> = self.look.found.verdicts.keys().collect();
        if wanted.inquiries.iter().map(|inquiry| &inquiry.id).collect::<BTreeSet<_>>() != asked {
            steps.then(Step::Ask(self.uid.clone(), wanted.inquiries));
        }
        let run: BTreeSet<&ContainerId> = self.look.found.hooks.keys().collect();
        if wanted.hooks.iter().map(|hook| &hook.id).collect::<BTreeSet<_>>() != run {
            steps.then(Step::Hook(self.uid.clone(), wanted.hooks));
        }
        steps.steps.append(&mut wanted.starts);
        steps.steps.append(&mut wanted.killing);
        if !wanted.stops.is_empty() {
            steps.then(Step::Stop(wanted.stops));
        }
        if acts { steps.then_look_again() } else { steps }
    }

    pub(super) fn pod_ip(&self) -> IpAddr {
        self.sandbox.ip.unwrap_or(self.look.config.host_ip)
    }

    fn look_at(&self, attempts: Attempts<'a>, volumes: &VolumesState<'a>, wanted: &mut Wanted<'a>) -> Observed<'a> {
        match attempts.latest.map(|latest| &latest.state) {
            None => self.start(attempts, volumes, wanted),
            Some(ContainerState::Running { started_at }) => self.keep(attempts, *started_at, wanted),
            Some(ContainerState::Exited { code, finished_at, .. }) => {
                let again = match self.pod.spec.restart_policy() {
                    RestartPolicy::Always => true,
                    RestartPolicy::OnFailure => *code != 0,
                    RestartPolicy::Never => false,
                };
                if again { self.restart(attempts, *finished_at, volumes, wanted) } else { attempts.ended() }
            }
        }
    }

    /// A container that runs: what its hook and its probes say.
    fn keep(&self, attempts: Attempts<'a>, started_at: Timestamp, wanted: &mut Wanted<'a>) -> Observed<'a> {
        let Some(latest) = attempts.latest else { return attempts.ended() };
        let stored = self.stored_of(&attempts, &latest.id);
        let container = attempts.container;
        // What was known before the agent was restarted holds until there is an answer.
        let holds = |kind: ProbeKind, known: bool| match (kind.of(container), self.verdict(&latest.id, kind)) {
            (None, _) => true,
            (Some(_), Verdict::Success) => true,
            (Some(_), Verdict::Failure(_)) => false,
            (Some(_), Verdict::Undecided) => known,
        };
        let was_started = stored.is_some_and(|stored| stored.started == Some(true));
        let hook = self.post_start(&attempts, &latest.id).filter(|_| !was_started);
        let hooked = hook.is_none() || self.look.found.hooks.get(&latest.id) == Some(&HookState::Done);
        let started = hooked && holds(ProbeKind::Startup, was_started);
        // Once it has started, the status that is written now remembers that its hook was run.
        wanted.keep_hook(hook.filter(|_| !started), &self.look.found.hooks);
        let ready = started && holds(ProbeKind::Readiness, stored.is_some_and(|stored| stored.ready));
        let age = span(started_at, self.look.now);
        // That it started is known to the probe alone until it is stored.
        let asked = [
            (ProbeKind::Startup, hooked && !was_started),
            (ProbeKind::Liveness, started),
            (ProbeKind::Readiness, started),
        ];
        wanted.inquiries.extend(asked.into_iter().filter(|(_, asked)| *asked).filter_map(|(kind, _)| {
            let id = ProbeId { container: latest.id.clone(), kind };
            Some(Inquiry::new(id, kind.of(container)?, container, self.pod_ip(), age))
        }));
        let stop = self.must_stop(&attempts);
        let ready = ready && stop.is_none();
        if let Some(MustStop { grace, news }) = stop {
            let hook = pre_stop(container, self.pod_ip());
            wanted.stops.push(Stop { id: latest.id.clone(), grace, hook });
            wanted.killing.extend(news);
        }
        Observed { started, ready, ..attempts.ended() }
    }

    /// What is to be done right after the start. If the agent does not know whether it was, it is done again.
    fn post_start(&self, attempts: &Attempts<'a>, id: &ContainerId) -> Option<Hook> {
        let container = attempts.container;
        let hook = container.lifecycle.as_ref()?.post_start.as_ref()?;
        Some(Hook { id: id.clone(), question: Question::of_hook(hook, container, self.pod_ip()) })
    }

    /// Why a container that runs must be ended, if so, and how long it has to.
    fn must_stop(&self, attempts: &Attempts<'a>) -> Option<MustStop> {
        let (container, latest) = (attempts.container, attempts.latest?);
        let (name, grace) = (&container.name, self.pod.spec.termination_grace_period());
        if let Some(HookState::Failed(message)) = self.look.found.hooks.get(&latest.id) {
            let failed = warning("FailedPostStartHook", format!("PostStartHook failed: {message}"));
            return Some(MustStop { grace, news: vec![failed, normal("Killing", "FailedPostStartHook")] });
        }
        for kind in [ProbeKind::Startup, ProbeKind::Liveness] {
            if let (Some(probe), Verdict::Failure(message)) = (kind.of(container), self.verdict(&latest.id, kind)) {
                let why = format!("Container {name} failed {} probe, will be restarted: {message}", kind.word());
                let grace = probe.termination_grace_period().unwrap_or(grace);
                return Some(MustStop { grace, news: vec![normal("Killing", why)] });
            }
        }
        let why = || format!("Container {name} definition changed, will be restarted");
        let image = image(container).and_then(Result::ok);
        (image != latest.spec.image).then(|| MustStop { grace, news: vec![normal("Killing", why())] })
    }

    fn verdict(&self, id: &ContainerId, kind: ProbeKind) -> Verdict {
        let id = ProbeId { container: id.clone(), kind };
        self.look.found.verdicts.get(&id).cloned().unwrap_or_default()
    }

    /// What the store knows of this very attempt.
    fn stored_of(&self, attempts: &Attempts<'a>, id: &ContainerId) -> Option<&'a orch_core::object::ContainerStatus> {
        let id = container_id(&self.look.config.container_id_prefix, id);
        attempts.stored.filter(|status| status.container_id.as_ref() == Some(&id))
    }
}
