//! A pod of which the sandbox was destroyed by others.

use orch_core::object::RestartPolicy;

use super::super::attempts::Attempts;
use super::super::status::{Observations, pod_status};
use super::end::stops;
use super::running::Running;
use super::{Circumstances, Step, Steps, begin, circumstances, normal};

impl Running<'_> {
    /// What still runs is ended, and the sandbox is made anew; in that one the pod begins again with its init
    /// containers.
    pub(super) fn lost(&self) -> Steps {
        let (pod, look) = (self.pod, self.look);
        let mut steps = Steps::default();
        let stops = stops(pod, self.sandbox, pod.spec.termination_grace_period(), look.config.host_ip);
        if !stops.is_empty() {
            steps.then(normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created."));
            steps.then(Step::Stop(stops));
            return steps.then_look_again();
        }
        if !self.goes_on() {
            return self.over();
        }
        let observed = begin::all_wait(pod, Some(self.sandbox), look);
        // The status has the numbers of the attempts that are forgotten then.
        steps.tell(pod, pod_status(pod, &observed, circumstances(look, Some(self.sandbox))), Vec::new());
        steps.tell_troubles(&self.uid, &look.found.troubles);
        if !pod.spec.init_containers.is_empty() {
            steps.steps.extend(self.sandbox.containers.iter().map(|attempt| Step::Forget(attempt.id.clone())));
        }
        steps.then(Step::CreateSandbox(begin::sandbox(pod, self.uid.clone(), look)));
        steps.then_look_again()
    }

    /// Whether any container is to be started again.
    fn goes_on(&self) -> bool {
        let containers = Attempts::of(self.pod, Some(self.sandbox));
        match self.pod.spec.restart_policy() {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => !containers.iter().all(Attempts::succeeded),
            RestartPolicy::Never => self.sandbox.containers.is_empty(),
        }
    }

    fn over(&self) -> Steps {
        let containers = Attempts::of(self.pod, Some(self.sandbox));
        let started = containers.iter().all(|attempts| attempts.latest.is_some());
        let observed = Observations {
            init: Attempts::of_init(self.pod, Some(self.sandbox)).into_iter().map(super::end::init_ended).collect(),
            containers: containers.into_iter().map(Attempts::ended).collect(),
        };
        let why = ("SandboxChanged", "Pod sandbox was destroyed before all of its containers were started");
        let ended_because = (!started).then_some(why);
        let around = Circumstances { over: true, ended_because, ..circumstances(self.look, Some(self.sandbox)) };
        let mut steps = Steps::default();
        steps.tell(self.pod, pod_status(self.pod, &observed, around), Vec::new());
        steps
    }
}
