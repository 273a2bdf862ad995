//! [`Job`]: a job, what is counted of it, and its runs.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::run::{Run, parts_of};
use crate::chronos::job::{Definition, When};
use crate::chronos::schedule::Schedule;

/// A job, what is counted of it, and its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What its owner wants.
    pub definition: Definition,
    /// What is counted of it.
    pub counts: Counts,
    /// Its runs that have not ended.
    pub runs: Vec<Run>,
    /// Its last tasks that ended, the last one first.
    pub history: VecDeque<Past>,
    pub(super) links: Links,
    /// Whether it is no job any more, but for tasks that have not ended.
    pub(super) is_removed: bool,
}

/// What is counted of a job, since it was last written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Runs that succeeded.
    pub successes: u64,
    /// Runs that failed, all attempts included.
    pub errors: u64,
    /// Of these, since the last success.
    pub errors_since_success: u64,
    /// When one succeeded last.
    pub last_success: Option<Timestamp>,
    /// When one failed last.
    pub last_error: Option<Timestamp>,
}

/// How a job hangs together with others, and with what it was before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Links {
    /// How often those that depend on it were let go.
    pub(super) released: u64,
    /// How often each parent has let it go, of which it has made use.
    pub(super) seen: BTreeMap<String, u64>,
    /// The slot of its last run, in milliseconds; no run has an earlier one.
    pub(super) last_due: i64,
}

/// A task that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Its id.
    pub task: String,
    /// Its agent.
    pub agent: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Whether it did what it should.
    pub succeeded: bool,
    /// How it ended, in words.
    pub how: String,
}

/// How the last run of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastState {
    /// There was none.
    Fresh,
    /// Well.
    Success,
    /// Badly.
    Failure,
}

impl LastState {
    /// As Chronos writes it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

impl Job {
    /// A job that was never there before.
    pub(super) fn new(definition: Definition, now: Timestamp) -> Self {
        // A job of this name may have been removed just now: its runs had earlier slots.
        let links = Links { last_due: now.as_millisecond() - 1, ..Links::default() };
        let (counts, runs, history) = (Counts::default(), Vec::new(), VecDeque::new());
        Self { definition, counts, runs, history, links, is_removed: false }
    }

    /// How its last run ended.
    #[must_use]
    pub fn last_state(&self) -> LastState {
        match (self.counts.last_success, self.counts.last_error) {
            (None, None) => LastState::Fresh,
            (success, error) if success > error => LastState::Success,
            _ => LastState::Failure,
        }
    }

    /// What it is doing: `idle`, `queued`, or how many tasks are `running`.
    #[must_use]
    pub fn activity(&self) -> String {
        match self.runs.iter().filter(|run| run.is_live()).count() {
            0 if self.runs.is_empty() => "idle".to_owned(),
            0 => "queued".to_owned(),
            count => format!("{count} running"),
        }
    }

    /// The id of a run's task.
    #[must_use]
    pub fn task_id(&self, run: &Run) -> String {
        run.task_id(&self.definition.name)
    }

    /// Which of its runs a task is of, if it is the task of one.
    pub(super) fn run_of(&self, task_id: &str) -> Option<usize> {
        let (_, due, attempt) = parts_of(task_id)?;
        self.runs.iter().position(|run| run.due == due && run.attempt == attempt && run.is_live())
    }

    /// Whether the next run may begin.
    pub(super) fn is_free(&self) -> bool {
        self.definition.concurrent || self.runs.is_empty()
    }

    pub(super) fn schedule_mut(&mut self) -> Option<&mut Schedule> {
        match &mut self.definition.when {
            When::Scheduled { schedule, .. } => Some(schedule),
            When::After(_) => None,
        }
    }

    /// Begins a run that waits for its task.
    pub(super) fn begin(&mut self, slot: Timestamp, arguments: Option<String>, now: Timestamp) {
        let due = slot.as_millisecond().max(self.links.last_due.saturating_add(1));
        self.links.last_due = due;
        self.runs.push(Run::new(due, arguments, &self.definition.arguments, now));
    }

    /// Remembers that the task of a run has ended.
    pub(super) fn remember(&mut self, run: usize, succeeded: bool, how: &str, now: Timestamp, limit: usize) {
        let run = &self.runs[run];
        let (Some(agent), Some(began)) = (run.agent(), run.began()) else { return };
        let (task, agent, how) = (self.task_id(run), agent.to_owned(), how.to_owned());
        // Clocks jump: nothing ends before it began.
        self.history.push_front(Past { task, agent, began, ended: now.max(began), succeeded, how });
        self.history.truncate(limit);
    }
}
