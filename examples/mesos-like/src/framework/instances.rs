//! [`Instances`]: so many instances of a task, and how far each is.

use crate::wire::scheduler::{Call, Reconcile, ReconcileTask};
use crate::wire::{AgentId, TaskInfo, TaskState, TaskStatus};

/// So many instances of a task. Each runs until it ends by itself; one that is lost, or that fails as often as it may,
/// is started again under another id.
#[derive(Clone, Debug)]
pub struct Instances {
    template: TaskInfo,
    retries: u32,
    all: Vec<Instance>,
}

#[derive(Clone, Debug)]
struct Instance {
    /// How often it was started again.
    generation: u32,
    failures: u32,
    state: State,
    agent: Option<AgentId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Launched,
    Running,
    Finished,
    Failed,
}

/// How many instances are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Have no place yet.
    pub waiting: usize,
    /// Were launched and do not run yet.
    pub launched: usize,
    /// Run.
    pub running: usize,
    /// Have ended well.
    pub finished: usize,
    /// Have failed, and are not tried again.
    pub failed: usize,
}

impl Progress {
    /// Whether there is nothing left to do.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.waiting + self.launched + self.running == 0
    }
}

impl Instances {
    /// So many instances of a task, each of which may fail so often more than once. The template's id begins their ids.
    #[must_use]
    pub fn new(template: TaskInfo, count: usize, retries: u32) -> Self {
        let waiting = Instance { generation: 0, failures: 0, state: State::Waiting, agent: None };
        Self { template, retries, all: vec![waiting; count] }
    }

    /// The tasks to launch.
    pub fn waiting(&self) -> impl Iterator<Item = TaskInfo> + '_ {
        let waiting = self.all.iter().enumerate().filter(|(_, instance)| instance.state == State::Waiting);
        waiting.map(|(number, instance)| {
            let mut task = self.template.clone();
            task.task_id.value = self.id(number, instance.generation);
            task
        })
    }

    /// These tasks are launched.
    pub fn launched(&mut self, ids: &[String]) {
        let numbers: Vec<usize> = ids.iter().filter_map(|id| self.number(id)).collect();
        for number in numbers {
            self.all[number].state = State::Launched;
        }
    }

    /// A task is in another state. An update of an earlier start, or of a task of somebody else's, changes nothing.
    pub fn update(&mut self, status: &TaskStatus) {
        let Some(number) = self.number(&status.task_id.value) else { return };
        let instance = &mut self.all[number];
        if matches!(instance.state, State::Finished | State::Failed) {
            return;
        }
        instance.agent.clone_from(&status.agent_id);
        match status.state() {
            TaskState::Staging | TaskState::Starting => instance.state = State::Launched,
            TaskState::Running | TaskState::Killing | TaskState::Unreachable => instance.state = State::Running,
            TaskState::Finished => instance.state = State::Finished,
            TaskState::Failed | TaskState::Error | TaskState::Killed => {
                instance.failures += 1;
                match instance.failures > self.retries || status.state() == TaskState::Error {
                    true => instance.state = State::Failed,
                    false => instance.again(),
                }
            }
            _ => instance.again(),
        }
    }

    /// How many instances are how far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for instance in &self.all {
            *match instance.state {
                State::Waiting => &mut progress.waiting,
                State::Launched => &mut progress.launched,
                State::Running => &mut progress.running,
                State::Finished => &mut progress.finished,
                State::Failed => &mut progress.failed,
            } += 1;
        }
        progress
    }

    /// The ids of the tasks that run, or are about to.
    pub fn live(&self) -> impl Iterator<Item = String> + '_ {
        self.live_ones().map(|(number, instance)| self.id(number, instance.generation))
    }

    /// The call that asks how the tasks are that run, or are about to.
    #[must_use]
    pub fn reconcile(&self) -> Call {
        let task = |(number, instance): (usize, &Instance)| ReconcileTask {
            task_id: self.id(number, instance.generation).as_str().into(),
            agent_id: instance.agent.clone(),
        };
        Call { reconcile: Some(Reconcile { tasks: self.live_ones().map(task).collect() }), ..Call::default() }
    }

    fn live_ones(&self) -> impl Iterator<Item = (usize, &Instance)> {
        let is_live = |instance: &Instance| matches!(instance.state, State::Launched | State::Running);
        self.all.iter().enumerate().filter(move |(_, instance)| is_live(instance))
    }

    fn id(&self, number: usize, generation: u32) -> String {
        format!("{}-{number}.{generation}", self.template.task_id.value)
    }

    /// The instance that has this id now.
    fn number(&self, id: &str) -> Option<usize> {
        let rest = id.strip_prefix(self.template.task_id.value.as_str())?.strip_prefix('-')?;
        let (number, generation) = rest.split_once('.')?;
        let number: usize = number.parse().ok()?;
        let instance = self.all.get(number)?;
        (generation.parse() == Ok(instance.generation)).then_some(number)
    }
}

impl Instance {
    fn again(&mut self) {
        *self = Self { generation: self.generation + 1, failures: self.failures, state: State::Waiting, agent: None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(id: &str, state: TaskState) -> TaskStatus {
        let mut status = TaskStatus { task_id: id.into(), ..TaskStatus::default() };
        status.set_state(state);
        status
    }

    fn instances(count: usize, retries: u32) -> Instances {
        Instances::new(TaskInfo { task_id: "job".into(), ..TaskInfo::default() }, count, retries)
    }

    fn ids(instances: &Instances) -> Vec<String> {
        instances.waiting().map(|task| task.task_id.value).collect()
    }

    #[test]
    fn each_instance_is_launched_until_it_finishes() {
        let mut jobs = instances(2, 0);
        assert_eq!(ids(&jobs), ["job-0.0", "job-1.0"]);
        jobs.launched(&["job-0.0".to_owned()]);
        jobs.update(&status("job-0.0", TaskState::Running));
        assert_eq!(jobs.progress(), Progress { waiting: 1, running: 1, ..Progress::default() });
        jobs.update(&status("job-0.0", TaskState::Finished));
        jobs.launched(&["job-1.0".to_owned()]);
        jobs.update(&status("job-1.0", TaskState::Failed));
        assert_eq!(jobs.progress(), Progress { finished: 1, failed: 1, ..Progress::default() });
        assert!(jobs.progress().is_over());
    }

    #[test]
    fn what_is_lost_is_started_again_under_another_id_and_late_news_of_the_first_change_nothing() {
        let mut jobs = instances(1, 0);
        jobs.launched(&["job-0.0".to_owned()]);
        jobs.update(&status("job-0.0", TaskState::Lost));
        assert_eq!(ids(&jobs), ["job-0.1"]);
        jobs.launched(&["job-0.1".to_owned()]);
        for late in ["job-0.0", "job-7.0", "other-0.1", "job-0.1x", "job--1.0"] {
            jobs.update(&status(late, TaskState::Finished));
        }
        assert_eq!(jobs.live().collect::<Vec<_>>(), ["job-0.1"]);
    }

    #[test]
    fn a_failure_is_tried_again_as_often_as_it_may_be_and_an_error_never() {
        let mut jobs = instances(2, 1);
        jobs.update(&status("job-0.0", TaskState::Failed));
        jobs.update(&status("job-1.0", TaskState::Error));
        assert_eq!((ids(&jobs), jobs.progress().failed), (vec!["job-0.1".to_owned()], 1));
        jobs.update(&status("job-0.1", TaskState::Failed));
        assert_eq!(jobs.progress().failed, 2);
    }
}
