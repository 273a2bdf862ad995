//! [`Running::init`]: the containers that run one after the other, each to its end, before all others start.

use orch_core::object::RestartPolicy;
use orch_core::runtime::ContainerState;

use super::super::attempts::Attempts;
use super::super::status::Observed;
use super::running::{Running, Wanted};

impl<'a> Running<'a> {
    /// Brings the init containers on, and returns whether all have done their work. Once another container was started,
    /// they have: they are not run again, whatever is still known of them.
    pub(super) fn init(&self, wanted: &mut Wanted<'a>) -> bool {
        let all: Vec<Attempts<'a>> = Attempts::of_init(self.pod, Some(self.sandbox)).collect();
        let began = Attempts::of(self.pod, Some(self.sandbox)).any(|attempts| attempts.began());
        let mut is_next = !began;
        for attempts in all {
            wanted.forget(&attempts);
            let observed = match attempts.latest.map(|latest| &latest.state) {
                _ if attempts.succeeded() || began => attempts.ended_first(),
                _ if !is_next => attempts.waiting("PodInitializing", String::new()),
                state => {
                    is_next = false;
                    self.first(attempts.clone(), state, wanted)
                }
            };
            wanted.init.push(observed);
        }
        began || is_next
    }

    /// The one that is to do its work now.
    fn first(
        &self,
        attempts: Attempts<'a>,
        state: Option<&'a ContainerState>,
        wanted: &mut Wanted<'a>,
    ) -> Observed<'a> {
        match state {
            None => self.start(attempts, wanted),
            Some(ContainerState::Running { .. }) => Observed { started: true, ..attempts.ended() },
            // The pod has failed then, as its status tells.
            Some(ContainerState::Exited { .. }) if self.pod.spec.restart_policy() == RestartPolicy::Never => {
                wanted.init_failed = true;
                attempts.ended()
            }
            Some(ContainerState::Exited { finished_at, .. }) => self.restart(attempts, *finished_at, wanted),
        }
    }
}
