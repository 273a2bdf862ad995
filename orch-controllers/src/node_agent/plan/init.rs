//! The init containers of a pod: one after another, each until it has done its work.

use orch_core::object::RestartPolicy;
use orch_core::runtime::ContainerState;

use super::super::attempts::Attempts;
use super::super::status::Observed;
use super::creating;
use super::end::init_ended;
use super::running::{Running, Wanted};
use super::volumes::VolumesState;

impl<'a> Running<'a> {
    /// Looks at the init containers. Returns whether the containers may be started.
    ///
    /// That the runtime knows an attempt of any container says that the init containers had done their work in this
    /// sandbox: where a sandbox is made anew, all attempts are forgotten before. So none runs twice, even if what was
    /// known of it is lost.
    pub(super) fn init(&self, volumes: &VolumesState<'a>, wanted: &mut Wanted<'a>) -> bool {
        let begun = Attempts::of(self.pod, Some(self.sandbox)).iter().any(|attempts| attempts.latest.is_some());
        let mut done = true;
        for attempts in Attempts::of_init(self.pod, Some(self.sandbox)) {
            wanted.look_at(self, &attempts);
            let succeeded = attempts.succeeded();
            let observed = if begun {
                Observed { ready: true, ..attempts.ended() }
            } else if succeeded {
                init_ended(attempts)
            } else if done {
                self.init_next(attempts, volumes, wanted)
            } else {
                attempts.waiting(creating(self.pod), String::new())
            };
            done &= begun || succeeded;
            wanted.observed.init.push(observed);
        }
        done
    }

    /// The first one that has not done its work. It is restarted under every policy but `Never`.
    fn init_next(&self, attempts: Attempts<'a>, volumes: &VolumesState<'a>, wanted: &mut Wanted<'a>) -> Observed<'a> {
        match attempts.latest.map(|latest| &latest.state) {
            None => self.start(attempts, volumes, wanted),
            Some(ContainerState::Running { .. }) => Observed { started: true, ..attempts.ended() },
            Some(ContainerState::Exited { .. }) if self.pod.spec.restart_policy() == RestartPolicy::Never => {
                attempts.ended()
            }
            Some(ContainerState::Exited { finished_at, .. }) => self.restart(attempts, *finished_at, volumes, wanted),
        }
    }
}
