//! [`Core`]: decides what a built-in executor does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::entropy::Entropy;

use super::life::{Ending, Life, Told};
use super::nested;
use super::status::{About, status};
use crate::agent::checks::Verdict;
use crate::agent::containers::{Ended, LaunchError, Launched};
use crate::wire::{
    CapabilityType, CheckStatusInfo, DurationInfo, ExecutorType, KillPolicy, Reason, TaskInfo, TaskState, TaskStatus,
};

use super::BuiltinSetting;

/// Decides what a built-in executor does: no clock, and nothing that waits.
#[derive(Debug)]
pub(super) struct Core {
    about: About,
    entropy: Arc<dyn Entropy>,
    /// Whether each task has a container of its own, within the executor's.
    is_group: bool,
    tells_killing: bool,
    lives: BTreeMap<String, Life>,
    /// The tasks that live and die together.
    groups: Vec<Vec<String>>,
    /// The ends that the agent has not taken in yet, by the updates' uuids.
    untold: BTreeMap<Vec<u8>, String>,
    shutting_down: bool,
    shutdown_grace: Duration,
}

/// What an executor hears of.
#[derive(Debug)]
pub(super) enum Input {
    Launch(Vec<TaskInfo>),
    Kill(String, Option<KillPolicy>),
    Acknowledged(Vec<u8>),
    Shutdown,
    Launched(String, Launched),
    NotLaunched(String, LaunchError),
    Ended(String, Ended),
    Judged(String, Verdict),
    Checked(String, CheckStatusInfo),
    TimeIsUp(String),
    /// A task from before is not to be found.
    Lost(String),
}

/// What an executor does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Output {
    /// The container of a task is to be started.
    Start(String),
    /// The container of a task is not to be started any more, or not to stay.
    GiveUp(String),
    /// The agent is to be told.
    Tell(Box<TaskStatus>),
    /// The task runs: its end, its checks and its time are to be looked after.
    Watch(String),
    /// The task's checks are over.
    StopChecks(String),
    /// The task is to end within this time.
    End(String, Duration),
    /// The task's container is not needed any more.
    Remove(String),
    /// There is nothing left to do.
    Done,
}

impl Core {
    pub(super) fn new(setting: &BuiltinSetting, entropy: Arc<dyn Entropy>) -> Self {
        let grace = setting.executor.shutdown_grace_period.as_ref().and_then(span);
        let mut new = Self {
            about: About::of(setting),
            entropy,
            is_group: setting.executor.r#type() == ExecutorType::Default,
            tells_killing: setting.framework.can(CapabilityType::TaskKillingState),
            lives: BTreeMap::new(),
            groups: Vec::new(),
            untold: BTreeMap::new(),
            shutting_down: false,
            shutdown_grace: grace.unwrap_or(Duration::from_secs(5)),
        };
        // Which of them came together is not known any more: an executor has one group, as a rule.
        let group: Vec<String> = setting.recovered.iter().map(|known| known.task.task_id.value.clone()).collect();
        for known in &setting.recovered {
            let id = known.task.task_id.value.clone();
            let life = Life::recovered(known.task.clone(), new.container_of(&id), known.state);
            new.lives.insert(id, life);
        }
        new.groups.extend(Some(group).filter(|group| !group.is_empty()));
        new
    }

    /// A task that is known.
    pub(super) fn life(&self, id: &str) -> Option<&Life> {
        self.lives.get(id)
    }

    /// The tasks that are known.
    pub(super) fn ids(&self) -> Vec<String> {
        self.lives.keys().cloned().collect()
    }

    /// What is to be done.
    pub(super) fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Launch(tasks) => self.launch(now, tasks, &mut outputs),
            Input::Kill(id, policy) => self.end(now, &id, Ending::Killed, policy.as_ref(), &mut outputs),
            Input::Acknowledged(uuid) => {
                if let Some(id) = self.untold.remove(&uuid) {
                    outputs.push(Output::Remove(id));
                }
            }
            Input::Shutdown => self.shut_down(now, &mut outputs),
            Input::Launched(id, launched) => self.launched(now, &id, launched, &mut outputs),
            Input::NotLaunched(id, error) => {
                self.change(now, &id, &mut outputs, |life| life.not_launched(error));
            }
            Input::Ended(id, end) => self.change(now, &id, &mut outputs, |life| life.ended(end)),
            Input::Judged(id, verdict) => {
                self.change(now, &id, &mut outputs, |life| life.judged(&verdict));
                if verdict.kill {
                    self.end(now, &id, Ending::Unhealthy, None, &mut outputs);
                }
            }
            Input::Checked(id, status) => self.change(now, &id, &mut outputs, |life| life.checked(status)),
            Input::TimeIsUp(id) => self.end(now, &id, Ending::TimeIsUp, None, &mut outputs),
            Input::Lost(id) => {
                let message = "Its container was not there any more when the agent was restarted".to_owned();
                let error = LaunchError { reason: Reason::AgentRestarted, message };
                self.change(now, &id, &mut outputs, |life| life.not_launched(error));
            }
        }
        if self.is_done() {
            outputs.push(Output::Done);
        }
        outputs
    }

    fn is_done(&self) -> bool {
        let all_over = self.lives.values().all(Life::is_over);
        let told = self.untold.is_empty() && !self.lives.is_empty();
        all_over && (told || self.shutting_down)
    }

    fn launch(&mut self, now: Timestamp, tasks: Vec<TaskInfo>, outputs: &mut Vec<Output>) {
        let tasks: Vec<TaskInfo> =
            tasks.into_iter().filter(|task| !self.lives.contains_key(&task.task_id.value)).collect();
        self.groups.push(tasks.iter().map(|task| task.task_id.value.clone()).collect());
        for task in tasks {
            let id = task.task_id.value.clone();
            self.lives.insert(id.clone(), Life::new(task, self.container_of(&id)));
            self.change(now, &id, outputs, |life| Some(life.told()));
            outputs.push(Output::Start(id.clone()));
            if self.shutting_down {
                self.end(now, &id, Ending::Killed, None, outputs);
            }
        }
    }

    fn launched(&mut self, now: Timestamp, id: &str, launched: Launched, outputs: &mut Vec<Output>) {
        self.change(now, id, outputs, |life| life.launched(launched));
        outputs.push(Output::Watch(id.to_owned()));
        // Its end was wanted before it began.
        if let Some(why) = self.lives.get(id).and_then(|life| life.ending) {
            self.end(now, id, why, None, outputs);
        }
    }

    fn end(&mut self, now: Timestamp, id: &str, why: Ending, policy: Option<&KillPolicy>, outputs: &mut Vec<Output>) {
        // What has not begun need not end: its files may take long to come.
        if self.lives.get(id).is_some_and(Life::is_starting) {
            outputs.push(Output::GiveUp(id.to_owned()));
        }
        let (tells_killing, most) = (self.tells_killing, self.shutting_down.then_some(self.shutdown_grace));
        let mut time = None;
        self.change(now, id, outputs, |life| {
            let (told, grace) = life.end(why, policy, tells_killing);
            time = grace;
            told
        });
        if let Some(grace) = time {
            outputs.push(Output::StopChecks(id.to_owned()));
            outputs.push(Output::End(id.to_owned(), most.map_or(grace, |most| grace.min(most))));
        }
    }

    fn shut_down(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        self.shutting_down = true;
        for id in self.ids() {
            self.end(now, &id, Ending::Killed, None, outputs);
        }
    }

    /// Lets a task change, and tells of it. Where one of a group did not succeed, the others end, too.
    fn change(
        &mut self,
        now: Timestamp,
        id: &str,
        outputs: &mut Vec<Output>,
        act: impl FnOnce(&mut Life) -> Option<Told>,
    ) {
        let Some(life) = self.lives.get_mut(id) else { return };
        let Some(told) = act(life) else { return };
        let state = told.state;
        let uuid = [self.entropy.next_u64().to_be_bytes(), self.entropy.next_u64().to_be_bytes()].concat();
        if state.is_terminal() {
            self.untold.insert(uuid.clone(), id.to_owned());
            outputs.push(Output::StopChecks(id.to_owned()));
        }
        outputs.push(Output::Tell(Box::new(status(&self.about, life, told, uuid, now))));
        if state.is_terminal() && state != TaskState::Finished {
            let group = self.groups.iter().find(|group| group.iter().any(|member| member == id)).cloned();
            for other in group.into_iter().flatten().filter(|other| other != id) {
                self.end(now, &other, Ending::Killed, None, outputs);
            }
        }
    }

    /// A command task has the executor's container.
    fn container_of(&self, task: &str) -> String {
        let own = &self.about.container_id;
        if self.is_group { nested::id(own, task) } else { own.clone() }
    }
}

/// A length of time; none if it is negative.
pub(super) fn span(span: &DurationInfo) -> Option<Duration> {
    u64::try_from(span.nanoseconds).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests;
