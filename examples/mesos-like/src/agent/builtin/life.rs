//! [`Life`]: how far one task is.

use std::time::Duration;

use crate::agent::checks::{self, Verdict};
use crate::agent::containers::{Ended, LaunchError, Launched};
use crate::wire::{CheckStatusInfo, KillPolicy, Reason, TaskInfo, TaskState};

/// How long a task may take to end if nobody says.
const GRACE: Duration = Duration::from_secs(3);

/// How far one task is. What it is told it answers with what is to be told of it, if anything.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) task: TaskInfo,
    pub(super) container_id: String,
    pub(super) state: TaskState,
    pub(super) launched: Launched,
    /// Why it is to end, if it is to.
    pub(super) ending: Option<Ending>,
    healthy: Option<bool>,
    check_status: Option<CheckStatusInfo>,
    unhealthy: Option<String>,
}

/// Why a task is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its framework, its executor or its group wants it.
    Killed,
    /// It does not work.
    Unhealthy,
    /// Its time is over.
    TimeIsUp,
}

/// What is to be told of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) state: TaskState,
    pub(super) reason: Option<Reason>,
    pub(super) message: Option<String>,
    pub(super) healthy: Option<bool>,
    pub(super) check_status: Option<CheckStatusInfo>,
}

impl Life {
    pub(super) fn new(task: TaskInfo, container_id: String) -> Self {
        let check_status = task.check.as_ref().and_then(checks::nothing_seen);
        Self {
            task,
            container_id,
            state: TaskState::Starting,
            launched: Launched::default(),
            ending: None,
            healthy: None,
            check_status,
            unhealthy: None,
        }
    }

    /// A task of which some state was told already.
    pub(super) fn recovered(task: TaskInfo, container_id: String, state: TaskState) -> Self {
        let state = if state == TaskState::Staging { TaskState::Starting } else { state };
        // Whoever waited to kill it is gone.
        let ending = (state == TaskState::Killing).then_some(Ending::Killed);
        Self { state, ending, ..Self::new(task, container_id) }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.is_terminal()
    }

    /// Whether its container was not started yet, and nobody has given it up.
    pub(super) fn is_starting(&self) -> bool {
        self.state == TaskState::Starting && self.ending.is_none()
    }

    /// How it is now.
    pub(super) fn told(&self) -> Told {
        Told { state: self.state, healthy: self.healthy, check_status: self.check_status.clone(), ..Told::default() }
    }

    pub(super) fn launched(&mut self, launched: Launched) -> Option<Told> {
        self.launched = launched;
        if self.state != TaskState::Starting {
            return None;
        }
        self.state = TaskState::Running;
        Some(self.told())
    }

    pub(super) fn not_launched(&mut self, error: LaunchError) -> Option<Told> {
        if self.is_over() {
            return None;
        }
        let (state, reason) = match self.ending {
            Some(_) => (TaskState::Killed, Reason::TaskKilledDuringLaunch),
            None => (TaskState::Failed, error.reason),
        };
        self.state = state;
        Some(Told { reason: Some(reason), message: Some(error.message), ..self.told() })
    }

    pub(super) fn ended(&mut self, end: Ended) -> Option<Told> {
        if self.is_over() {
            return None;
        }
        let (state, reason) = match self.ending {
            // What it had too much of matters more than who wanted its end.
            _ if end.reason.is_some() => (TaskState::Failed, end.reason),
            Some(Ending::TimeIsUp) => (TaskState::Failed, Some(Reason::MaxCompletionTimeReached)),
            Some(Ending::Killed | Ending::Unhealthy) => (TaskState::Killed, None),
            None if end.is_success() => (TaskState::Finished, None),
            None => (TaskState::Failed, None),
        };
        self.state = state;
        let message = match &self.unhealthy {
            Some(why) => format!("{}: {why}", end.message),
            None => end.message,
        };
        Some(Told { reason, message: Some(message), ..self.told() })
    }

    /// It is to end. Returns what is to be told, and how long it has; nothing if it has ended, or does not run yet.
    pub(super) fn end(
        &mut self,
        why: Ending,
        policy: Option<&KillPolicy>,
        tells_killing: bool,
    ) -> (Option<Told>, Option<Duration>) {
        if self.is_over() {
            return (None, None);
        }
        let is_first = self.ending.is_none();
        self.ending.get_or_insert(why);
        if self.state == TaskState::Starting {
            return (None, None);
        }
        let grace = grace(policy).or_else(|| grace(self.task.kill_policy.as_ref())).unwrap_or(GRACE);
        let told = (is_first && tells_killing && self.state != TaskState::Killing).then(|| {
            self.state = TaskState::Killing;
            Told { message: self.unhealthy.clone(), ..self.told() }
        });
        (told, Some(grace))
    }

    pub(super) fn judged(&mut self, verdict: &Verdict) -> Option<Told> {
        if self.state != TaskState::Running || self.ending.is_some() {
            return None;
        }
        self.healthy = Some(verdict.healthy);
        if verdict.kill {
            self.unhealthy.clone_from(&verdict.message);
        }
        let reason = Some(Reason::TaskHealthCheckStatusUpdated);
        Some(Told { reason, message: verdict.message.clone(), ..self.told() })
    }

    pub(super) fn checked(&mut self, status: CheckStatusInfo) -> Option<Told> {
        if self.state != TaskState::Running || self.ending.is_some() {
            return None;
        }
        self.check_status = Some(status);
        Some(Told { reason: Some(Reason::TaskCheckStatusUpdated), ..self.told() })
    }
}

fn grace(policy: Option<&KillPolicy>) -> Option<Duration> {
    let grace = policy?.grace_period.as_ref()?;
    // Less than nothing is nothing.
    Some(Duration::from_nanos(u64::try_from(grace.nanoseconds).unwrap_or_default()))
}
