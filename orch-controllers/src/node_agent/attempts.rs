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
    /// The number that a start must have if the runtime knows of none: it may have lost what the store still knows.
    first: u32,
}

impl<'a> Attempts<'a> {
    /// The runs of each container of a pod, in the order in which the pod names them.
    pub(super) fn of(pod: &'a Pod, sandbox: Option<&'a SandboxStatus>) -> impl Iterator<Item = Self> {
        let stored = &pod.status.container_statuses;
        pod.spec.containers.iter().map(move |container| Self::new(container, stored, sandbox))
    }

    /// The same of the containers that run one after the other before those.
    pub(super) fn of_init(pod: &'a Pod, sandbox: Option<&'a SandboxStatus>) -> impl Iterator<Item = Self> {
        let stored = &pod.status.init_container_statuses;
        pod.spec.init_containers.iter().map(move |container| Self::new(container, stored, sandbox))
    }

    fn new(
        container: &'a Container,
        stored: &'a [object::ContainerStatus],
        sandbox: Option<&'a SandboxStatus>,
    ) -> Self {
        let attempts = sandbox.into_iter().flat_map(|sandbox| &sandbox.containers);
        let mut attempts: Vec<_> = attempts.filter(|attempt| attempt.id.name.as_str() == container.name).collect();
        attempts.sort_by_key(|attempt| attempt.id.attempt);
        let (latest, previous) = (attempts.pop(), attempts.pop());
        let stored = stored.iter().find(|status| status.name == container.name);
        let ran = stored.filter(|stored| stored.container_id.is_some());
        let first = ran.map_or(0, |stored| u32::try_from(stored.restart_count).unwrap_or(0).saturating_add(1));
        Self { container, latest, previous, outdated: attempts, stored, first }
    }

    /// Whether it was ever started, as far as anybody knows.
    pub(super) fn began(&self) -> bool {
        self.latest.is_some() || self.first > 0
    }

    /// Whether its last run ended as it should.
    pub(super) fn succeeded(&self) -> bool {
        self.latest.is_some_and(|latest| matches!(latest.state, ContainerState::Exited { code: 0, .. }))
    }

    /// The number of the next attempt.
    pub(super) fn next(&self) -> u32 {
        self.latest.map_or(self.first, |latest| latest.id.attempt.saturating_add(1))
    }

    /// As it is, neither waiting nor ready.
    pub(super) fn ended(self) -> Observed<'a> {
        let Self { container, latest, previous, .. } = self;
        Observed { container, latest, previous, waiting: None, started: false, ready: false }
    }

    /// As it is, of a container that runs before the others: it is ready when its work is done.
    pub(super) fn ended_first(self) -> Observed<'a> {
        let ready = self.succeeded();
        Observed { ready, ..self.ended() }
    }

    /// It is to be started when the pod has a sandbox.
    pub(super) fn waiting_to_begin(self) -> Observed<'a> {
        self.waiting("ContainerCreating", String::new())
    }

    /// It is to be started, and is not, for this reason.
    pub(super) fn waiting(self, reason: &'static str, message: String) -> Observed<'a> {
        Observed { waiting: Some((reason, message)), ..self.ended() }
    }
}
