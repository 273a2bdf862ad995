//! What the master says of tasks.

use jiff::Timestamp;

use super::run::parts_of;
use super::{Chronos, Kill, Output, Stage};
use crate::wire::TaskState;

/// How a task is, as the master says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The task's id.
    pub task: String,
    /// Its agent, if it is known.
    pub agent: Option<String>,
    /// How it is.
    pub state: TaskState,
    /// What is said of it.
    pub message: String,
}

impl Chronos {
    /// These tasks are about to be launched, each on its agent: once that is recorded, they may be.
    pub fn launch(&mut self, tasks: &[(String, String)], now: Timestamp) -> Output {
        let mut output = Output::default();
        for (task, agent) in tasks {
            let Some((name, due, attempt)) = parts_of(task) else { continue };
            let Some(job) = self.jobs.get_mut(name) else { continue };
            let run = job.runs.iter_mut().find(|run| run.due == due && run.attempt == attempt);
            if let Some(run) = run.filter(|run| run.is_ready(now)) {
                run.stage = Stage::Launched { agent: agent.clone(), at: now };
                output.changed.insert(name.to_owned());
            }
        }
        output
    }

    /// Takes in what the master says of a task, however often and late. A task that is not known here is ended.
    pub fn update(&mut self, news: &News, now: Timestamp) -> Output {
        self.unconfirmed.remove(&news.task);
        let kill = || Kill { task: news.task.clone(), agent: news.agent.clone() };
        let known = parts_of(&news.task).and_then(|(name, ..)| {
            let job = self.jobs.get(name)?;
            Some((name.to_owned(), job.run_of(&news.task)?))
        });
        let Some((name, index)) = known else {
            // Nobody can end what is not there, and what is over need not be ended.
            let is_there =
                !news.state.is_terminal() && !matches!(news.state, TaskState::Unknown | TaskState::Unreachable);
            let kills = if is_there { vec![kill()] } else { Vec::new() };
            return Output { kills, ..Output::default() };
        };
        match news.state {
            TaskState::Finished => self.finished(&name, index, now),
            TaskState::Staging
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Killing
            | TaskState::Unreachable => self.goes_on(&name, index, news, now),
            state => self.ended(&name, index, state, &news.message, now),
        }
    }

    fn goes_on(&mut self, name: &str, index: usize, news: &News, now: Timestamp) -> Output {
        let Some(job) = self.jobs.get_mut(name) else { return Output::default() };
        let run = &mut job.runs[index];
        let (Some(agent), Some(at)) = (run.agent().map(str::to_owned), run.began()) else { return Output::default() };
        let stage = match (&run.stage, news.state) {
            (Stage::Unreachable { .. }, TaskState::Unreachable) => None,
            (_, TaskState::Unreachable) => Some(Stage::Unreachable { agent, at, since: now }),
            (Stage::Launched { .. }, TaskState::Running) => Some(Stage::Running { agent, at: now }),
            (Stage::Unreachable { .. }, _) => Some(Stage::Running { agent, at }),
            _ => None,
        };
        let mut output = match stage {
            Some(stage) => {
                run.stage = stage;
                Output::changed(name)
            }
            None => Output::default(),
        };
        if run.to_end && !matches!(news.state, TaskState::Killing | TaskState::Unreachable) {
            output.kills.push(Kill { task: news.task.clone(), agent: news.agent.clone() });
        }
        output
    }

    fn finished(&mut self, name: &str, index: usize, now: Timestamp) -> Output {
        let limit = self.settings.history_limit;
        let Some(job) = self.jobs.get_mut(name) else { return Output::default() };
        job.remember(index, true, "finished", now, limit);
        job.runs.remove(index);
        self.succeeded(name, now);
        if let Some(job) = self.jobs.get_mut(name)
            && job.runs.is_empty()
            && job.definition.schedule().is_some_and(|schedule| schedule.is_over())
        {
            job.definition.disabled = true;
        }
        self.forget_if_over(name);
        Output::changed(name)
    }

    /// A task has ended, or is not there, and did not do what it should.
    fn ended(&mut self, name: &str, index: usize, state: TaskState, message: &str, now: Timestamp) -> Output {
        let limit = self.settings.history_limit;
        let Some(job) = self.jobs.get_mut(name) else { return Output::default() };
        let run = &mut job.runs[index];
        if run.to_end {
            job.remember(index, false, "killed", now, limit);
            job.runs.remove(index);
            self.forget_if_over(name);
            return Output::changed(name);
        }
        let never_was = matches!(run.stage, Stage::Launched { .. })
            && matches!(
                state,
                TaskState::Lost | TaskState::Dropped | TaskState::Unknown | TaskState::Gone | TaskState::GoneByOperator
            );
        if never_was {
            run.again(now, std::time::Duration::ZERO);
            return Output::changed(name);
        }
        let how = if message.is_empty() { state.text() } else { message };
        let task = job.task_id(&job.runs[index]);
        // What is wrong with the task itself will be wrong the next time.
        self.failed(name, &task, how, state == TaskState::Error, now)
    }

    /// The task of a run has failed; for good, or as often as it may.
    pub(super) fn failed(&mut self, name: &str, task: &str, how: &str, for_good: bool, now: Timestamp) -> Output {
        let settings = &self.settings;
        let Some(job) = self.jobs.get_mut(name) else { return Output::default() };
        let Some(index) = job.run_of(task) else { return Output::default() };
        job.remember(index, false, how, now, settings.history_limit);
        let run = &mut job.runs[index];
        run.failures += 1;
        if run.failures <= job.definition.retries && !for_good && !run.to_end {
            run.again(now, settings.failure_retry);
            return Output::changed(name);
        }
        let to_end = job.runs.remove(index).to_end;
        if !to_end {
            job.counts.errors += 1;
            job.counts.errors_since_success += 1;
            job.counts.last_error = Some(now);
            let most = settings.disable_after_failures;
            job.definition.disabled |= most > 0 && job.counts.errors_since_success >= most;
            job.links.released += u64::from(job.definition.soft_error);
        }
        self.forget_if_over(name);
        Output::changed(name)
    }
}
