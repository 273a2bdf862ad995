//! [`Chronos`]: decides which run of which job begins when. It does nothing by itself: it is told what happens and at what
//! time, and says what is to be recorded and what is to be asked of the master.

mod advance;
mod change;
mod job;
mod record;
mod run;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

pub use job::{Counts, Job, LastState, Past};
pub use run::{Run, Stage};
pub use update::News;

use super::job::Defaults;

/// How it decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What stands in a job that says nothing of it.
    pub defaults: Defaults,
    /// After what time a run that failed is tried again.
    pub failure_retry: Duration,
    /// After how many failures in a row a job is disabled; never if it is zero.
    pub disable_after_failures: u64,
    /// How long a task on an agent that is away is waited for.
    pub unreachable_timeout: Duration,
    /// How many tasks that ended are remembered of each job.
    pub history_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            defaults: Defaults::default(),
            failure_retry: Duration::from_secs(60),
            disable_after_failures: 0,
            unreachable_timeout: Duration::from_secs(900),
            history_limit: 20,
        }
    }
}

/// All jobs, and what becomes of them.
#[derive(Clone, Debug)]
pub struct Chronos {
    settings: Settings,
    jobs: BTreeMap<String, Job>,
    /// Tasks of which the master has not said how they are since the last subscription.
    unconfirmed: BTreeSet<String>,
}

/// What is to be done: first all that is to be recorded, then the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Output {
    /// Jobs that are other than before, or no more.
    pub changed: BTreeSet<String>,
    /// Tasks to end.
    pub kills: Vec<Kill>,
}

/// A task to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Its id.
    pub task: String,
    /// Its agent, if it is known.
    pub agent: Option<String>,
}

/// A request that is not followed, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Output {
    fn changed(name: &str) -> Self {
        Self { changed: BTreeSet::from([name.to_owned()]), kills: Vec::new() }
    }

    /// Both of them.
    pub fn and(mut self, other: Self) -> Self {
        self.changed.extend(other.changed);
        self.kills.extend(other.kills);
        self
    }
}

impl Chronos {
    /// One that knows of no job.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, jobs: BTreeMap::new(), unconfirmed: BTreeSet::new() }
    }

    /// How it decides.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All jobs, by their names.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| !job.is_removed)
    }

    /// The job of this name.
    ///
    /// # Errors
    /// That there is none.
    pub fn job(&self, name: &str) -> Result<&Job, Refused> {
        let job = self.jobs.get(name).filter(|job| !job.is_removed);
        job.ok_or_else(|| Refused(format!("Job '{name}' not found")))
    }

    /// The jobs that run after this one.
    pub fn children(&self, name: &str) -> impl Iterator<Item = &Job> {
        self.jobs().filter(move |job| job.definition.parents().is_some_and(|parents| parents.contains(name)))
    }

    /// The runs whose tasks are to be launched, those that are most wanted first. Of a job that is not concurrent there is
    /// one at most, and none while a task of it may run.
    #[must_use]
    pub fn waiting(&self, now: Timestamp) -> Vec<(&Job, &Run)> {
        let mut waiting = Vec::new();
        for job in self.jobs().filter(|job| !job.runs.is_empty()) {
            let ready = job.runs.iter().filter(|run| run.is_ready(now));
            if job.definition.concurrent {
                waiting.extend(ready.map(|run| (job, run)));
            } else if !job.runs.iter().any(Run::is_live) {
                waiting.extend(ready.min_by_key(|run| run.due).map(|run| (job, run)));
            }
        }
        waiting.sort_by_key(|(job, run)| (!job.definition.high_priority, run.due));
        waiting
    }

    /// The tasks that may run, with their agents: to ask the master how they are.
    #[must_use]
    pub fn live(&self) -> Vec<(String, String)> {
        let live = |job: &Job| {
            let live = job.runs.iter().filter_map(|run| Some((job.task_id(run), run.agent()?.to_owned())));
            live.collect::<Vec<_>>()
        };
        self.jobs.values().flat_map(live).collect()
    }

    /// A subscription begins anew: nobody knows how the tasks are.
    pub fn subscribed(&mut self) {
        self.unconfirmed = self.live().into_iter().map(|(task, _)| task).collect();
    }

    /// Of these [`live`](Self::live) tasks the master has not said how they are.
    #[must_use]
    pub fn unconfirmed(&self) -> Vec<(String, String)> {
        self.live().into_iter().filter(|(task, _)| self.unconfirmed.contains(task)).collect()
    }
}

#[cfg(test)]
mod tests;
