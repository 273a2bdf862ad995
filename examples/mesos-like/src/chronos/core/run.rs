//! [`Run`]: one run of a job, from its slot to its end, over as many tasks as it takes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// As much of a run's arguments as stands in the id of its task.
const LONGEST_ARGUMENTS: usize = 80;

/// One run of a job, from its slot to its end. Each attempt is a task with an id of its own, which no other attempt ever has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The slot that it is for, in milliseconds since 1970; no two runs of a job have the same.
    pub due: i64,
    /// How many tasks there were before.
    pub attempt: u32,
    /// How many of them failed: one that was never begun did not.
    pub failures: u64,
    /// What the command is given by whoever asked for the run, in place of what the job says.
    pub arguments: Option<String>,
    /// What stands of its arguments in the ids of its tasks.
    pub label: String,
    /// How far it is.
    pub stage: Stage,
    /// Whether it is to end.
    pub to_end: bool,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Stage {
    /// There is no task yet, or no more.
    Waiting {
        /// When there may be one.
        from: Timestamp,
    },
    /// A task may have been launched.
    Launched {
        /// On which agent.
        agent: String,
        /// When.
        at: Timestamp,
    },
    /// The task runs.
    Running {
        /// On which agent.
        agent: String,
        /// Since when.
        at: Timestamp,
    },
    /// The task's agent is away; it may run there.
    Unreachable {
        /// Which.
        agent: String,
        /// When it began, as far as is known.
        at: Timestamp,
        /// Since when the agent is away.
        since: Timestamp,
    },
}

impl Run {
    /// A run that waits for its first task.
    pub(super) fn new(due: i64, arguments: Option<String>, of_job: &[String], from: Timestamp) -> Self {
        let label = label(arguments.as_deref().unwrap_or(&of_job.join(" ")));
        Self { due, attempt: 0, failures: 0, arguments, label, stage: Stage::Waiting { from }, to_end: false }
    }

    /// The agent of the task, if there may be one.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        match &self.stage {
            Stage::Waiting { .. } => None,
            Stage::Launched { agent, .. } | Stage::Running { agent, .. } | Stage::Unreachable { agent, .. } => {
                Some(agent)
            }
        }
    }

    /// Whether there may be a task that runs.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.agent().is_some()
    }

    /// When the task began, if there may be one.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Waiting { .. } => None,
            Stage::Launched { at, .. } | Stage::Running { at, .. } | Stage::Unreachable { at, .. } => Some(*at),
        }
    }

    /// Whether its next task may be launched now.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        matches!(&self.stage, Stage::Waiting { from } if *from <= now)
    }

    /// Waits for another task.
    pub(super) fn again(&mut self, now: Timestamp, after: std::time::Duration) {
        let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
        self.attempt = self.attempt.saturating_add(1);
        self.stage = Stage::Waiting { from: now.saturating_add(after).unwrap_or(Timestamp::MAX) };
    }

    /// The id of its task: `ct:DUE:ATTEMPT:JOB:ARGUMENTS`.
    #[must_use]
    pub fn task_id(&self, job: &str) -> String {
        format!("ct:{}:{}:{job}:{}", self.due, self.attempt, self.label)
    }
}

/// As much of arguments as can stand in an id.
fn label(arguments: &str) -> String {
    let is_fine = |c: &char| *c != ';' && !c.is_control();
    let letter = |c: char| if matches!(c, '/' | '\\') || !c.is_ascii() { '_' } else { c };
    arguments.chars().filter(is_fine).map(letter).take(LONGEST_ARGUMENTS).collect()
}

/// Of which job and run a task is, and which attempt, by its id.
pub(super) fn parts_of(task_id: &str) -> Option<(&str, i64, u32)> {
    let mut parts = task_id.splitn(5, ':');
    let (prefix, due, attempt, job) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (prefix == "ct").then_some((job, due.parse().ok()?, attempt.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_named_after_its_slot_its_attempt_its_job_and_its_arguments() {
        let now = Timestamp::UNIX_EPOCH;
        let run = Run::new(1_700_000_000_000, None, &[], now);
        assert_eq!(run.task_id("a.b-c_d"), "ct:1700000000000:0:a.b-c_d:");
        let of_job = ["-v".to_owned(), "x".to_owned()];
        assert_eq!(Run::new(1_700_000_000_000, None, &of_job, now).task_id("a"), "ct:1700000000000:0:a:-v x");
        let arguments = "--in=/tmp/x; rm\n-é".to_owned() + &"y".repeat(100);
        let mut run = Run::new(1_700_000_000_000, Some(arguments), &of_job, now);
        run.again(now, std::time::Duration::ZERO);
        let id = run.task_id("a");
        assert!(id.starts_with("ct:1700000000000:1:a:--in=_tmp_x rm-_yyy") && id.len() < 110, "{id}");
        assert_eq!(parts_of(&id), Some(("a", 1_700_000_000_000, 1)));
        for other in ["", "ct", "ct:1:2", "xx:1:0:a:", "ct:x:0:a:", "ct:1:-1:a:", "web.instance-1._app.1"] {
            assert_eq!(parts_of(other), None, "{other}");
        }
    }
}
