//! [`Attempts`]: what the runtime and the store know of the runs of one container.

use orch_core::object::{self, Container, Pod};
use orch_core::runtime::{ContainerState, ContainerStatus, SandboxStatus};

use super::status::Observed;

/// What is known of the runs of one container.
#[derive(Clone, Debug)]
pub(super) struct Attempts<'a> {
    pub(super) container: &'a Container,
    pub(super) latest: Option<&'a ContainerStatus>,
    /// The one before, which tells how the last run ended and how long the wait after it was.
    pub(super) previous: Option<&'a ContainerStatus>,
    /// Earlier ones, of which nobody needs to know any more.
    pub(super) outdated: Vec<&'a ContainerStatus>,
    /// What the store knows.
    pub(super) stored: Option<&'a object::ContainerStatus>,
}

impl<'a> Attempts<'a> {
    /// The runs of each container of a pod, init containers left out, in the order in which the pod names them.
    pub(super) fn of(pod: &'a Pod, sandbox: Option<&'a SandboxStatus>) -> Vec<Self> {
        Self::of_each(&pod.spec.containers, &pod.status.container_statuses, sandbox)
    }

    /// The same of the init containers.
    pub(super) fn of_init(pod: &'a Pod, sandbox: Option<&'a SandboxStatus>) -> Vec<Self> {
        Self::of_each(&pod.spec.init_containers, &pod.status.init_container_statuses, sandbox)
    }

    fn of_each(
        containers: &'a [Container],
        stored: &'a [object::ContainerStatus],
        sandbox: Option<&'a SandboxStatus>,
    ) -> Vec<Self> {
        let of_container = |container: &'a Container| {
            let attempts = sandbox.iter().flat_map(|sandbox| &sandbox.containers);
            let mut attempts: Vec<_> = attempts.filter(|attempt| attempt.id.name.as_str() == container.name).collect();
            attempts.sort_by_key(|attempt| attempt.id.attempt);
            let (latest, previous) = (attempts.pop(), attempts.pop());
            let stored = stored.iter().find(|status| status.name == container.name);
            Self { container, latest, previous, outdated: attempts, stored }
        };
        containers.iter().map(of_container).collect()
    }

    /// The number of the next attempt: later than any that the runtime or the store knows of. The runtime may have lost the
    /// latest, or all, and takes no attempt for a later one that was started before.
    pub(super) fn next(&self) -> u32 {
        let known = self.latest.map(|latest| latest.id.attempt);
        known.max(self.told()).map_or(0, |latest| latest.saturating_add(1))
    }

    /// The latest attempt that the store knows of.
    fn told(&self) -> Option<u32> {
        let stored = self.stored.filter(|stored| stored.container_id.is_some())?;
        Some(u32::try_from(stored.restart_count).unwrap_or(0))
    }

    pub(super) fn runs(&self) -> bool {
        self.latest.is_some_and(|latest| latest.state.is_running())
    }

    /// Whether the latest run has ended with 0.
    pub(super) fn succeeded(&self) -> bool {
        self.latest.is_some_and(|latest| matches!(latest.state, ContainerState::Exited { code: 0, .. }))
    }

    /// As it is, neither waiting nor ready.
    pub(super) fn ended(self) -> Observed<'a> {
        let Self { container, latest, previous, stored, .. } = self;
        Observed { container, latest, previous, stored, waiting: None, started: false, ready: false }
    }

    /// It is to be started, and is not, for this reason.
    pub(super) fn waiting(self, reason: &'static str, message: String) -> Observed<'a> {
        Observed { waiting: Some((reason, message)), ..self.ended() }
    }
}
