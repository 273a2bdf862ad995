//! How executors come and go, and what they say.

use std::time::Duration;

use orch_core::clock::Timestamp;

use super::{Core, Executor, Key, Output, Phase, TaskLife};
use crate::agent::builtin::Recovered;
use crate::agent::containers::{Ended, LaunchError, Launched};
use crate::agent::record::ExecutorRecord;
use crate::wire::executor::{Call, CallType, Event, EventType, Subscribed};
use crate::wire::{AgentCallType, ExecutorMessage, ExitedExecutor, Reason, TaskState};

/// Why an executor's call is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallRefused {
    /// There is no such framework here.
    UnknownFramework,
    /// There is no such executor here.
    UnknownExecutor,
    /// It has to subscribe first.
    NotSubscribed,
    /// What it says cannot be; the reason.
    Invalid(String),
}

impl Core {
    /// What was written down of an executor.
    pub(super) fn recover(&mut self, record: ExecutorRecord) {
        let ExecutorRecord { framework, executor: info, container_id, is_builtin, tasks, has_ended } = record;
        let Some(framework_id) = framework.id.as_ref().map(|id| id.value.clone()) else { return };
        let key = Key { framework: framework_id.clone(), executor: info.executor_id.value.clone() };
        self.frameworks.insert(framework_id, framework);
        let tasks: Vec<TaskLife> = tasks
            .into_iter()
            .map(|record| TaskLife {
                info: record.info,
                task: record.task,
                pending: record.pending.into(),
                repeat: None,
            })
            .collect();
        let live = tasks.iter().filter(|life| !life.has_ended());
        let recovered: Vec<Recovered> =
            live.map(|life| Recovered { task: life.info.clone(), state: life.task.state() }).collect();
        let until = self.later(self.settings.reregistration);
        let phase = if has_ended { Phase::Ended } else { Phase::Returning(until) };
        let tasks = tasks.into_iter().map(|life| (life.info.task_id.value.clone(), life)).collect();
        let executor = Executor { info, container_id, is_builtin, phase, waiting: Vec::new(), tasks, pid: None };
        self.executors.insert(key.clone(), executor);
        match has_ended {
            true => self.forget_if_over(&key),
            false => self.output.push(Output::Recover(key, recovered)),
        }
    }

    /// The container of an executor runs.
    pub fn launched(&mut self, key: &Key, launched: &Launched) {
        if let Some(executor) = self.executors.get_mut(key) {
            executor.pid = launched.pid;
        }
    }

    /// An executor subscribes; whoever sends it events can do so now.
    ///
    /// # Errors
    /// [`CallRefused`]
    pub fn executor_subscribes(&mut self, key: &Key, call: Call) -> Result<(), CallRefused> {
        self.known(key)?;
        let subscribe = call.subscribe.unwrap_or_default();
        let (agent_info, framework_info) = (self.info.clone(), self.frameworks.get(&key.framework).cloned());
        let Some(executor) = self.executors.get_mut(key) else { return Err(CallRefused::UnknownExecutor) };
        let mut said = event(EventType::Subscribed);
        said.subscribed = Some(Subscribed {
            executor_info: executor.info.clone(),
            framework_info: framework_info.unwrap_or_default(),
            agent_info,
            container_id: Some(container(&executor.container_id)),
        });
        let is_ending = matches!(executor.phase, Phase::Ending(_));
        if !is_ending {
            executor.phase = Phase::Running;
        }
        let waiting = std::mem::take(&mut executor.waiting);
        self.output.push(Output::ToExecutor(key.clone(), Box::new(said)));
        if is_ending {
            self.output.push(Output::ToExecutor(key.clone(), Box::new(event(EventType::Shutdown))));
        }
        for told in waiting {
            self.output.push(Output::ToExecutor(key.clone(), Box::new(told)));
        }
        for update in subscribe.unacknowledged_updates {
            self.executor_updates(key, update.status)?;
        }
        Ok(())
    }

    /// What an executor says, once it is subscribed.
    ///
    /// # Errors
    /// [`CallRefused`]
    pub fn executor_says(&mut self, key: &Key, call: Call) -> Result<(), CallRefused> {
        let executor = self.known(key)?;
        if matches!(executor.phase, Phase::Registering(_) | Phase::Returning(_)) {
            return Err(CallRefused::NotSubscribed);
        }
        match call.r#type() {
            CallType::Update => self.executor_updates(key, call.update.unwrap_or_default().status),
            CallType::Message => {
                let mut told = self.call(AgentCallType::Message);
                told.message = Some(ExecutorMessage {
                    framework_id: key.framework.as_str().into(),
                    executor_id: key.executor.as_str().into(),
                    data: call.message.unwrap_or_default().data,
                });
                self.tell_master(told);
                Ok(())
            }
            CallType::Heartbeat | CallType::Subscribe | CallType::Unknown => Ok(()),
        }
    }

    fn known(&self, key: &Key) -> Result<&Executor, CallRefused> {
        if !self.frameworks.contains_key(&key.framework) {
            return Err(CallRefused::UnknownFramework);
        }
        let executor = self.executors.get(key).filter(|executor| executor.is_alive());
        executor.ok_or(CallRefused::UnknownExecutor)
    }

    /// Says something to an executor, when it can hear.
    pub(super) fn tell_executor(&mut self, key: &Key, told: Event) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        match executor.phase {
            Phase::Registering(_) | Phase::Returning(_) => executor.waiting.push(told),
            Phase::Running | Phase::Ending(_) => {
                self.output.push(Output::ToExecutor(key.clone(), Box::new(told)));
            }
            Phase::Ended => {}
        }
    }

    /// Asks an executor to end.
    pub(super) fn shut_down(&mut self, key: &Key) {
        let grace = self.grace(key);
        let until = self.later(grace);
        let Some(executor) = self.executors.get_mut(key) else { return };
        match executor.phase {
            Phase::Running => {
                // The agent's own ends when its tasks have, however long these may take.
                executor.phase = Phase::Ending(if executor.is_builtin { Timestamp::MAX } else { until });
                self.output.push(Output::ToExecutor(key.clone(), Box::new(event(EventType::Shutdown))));
            }
            Phase::Registering(_) | Phase::Returning(_) => {
                executor.phase = Phase::Ending(until);
                executor.waiting.clear();
                if !executor.is_builtin {
                    self.output.push(Output::Kill(key.clone(), Duration::ZERO));
                }
            }
            Phase::Ending(_) | Phase::Ended => {}
        }
    }

    fn grace(&self, key: &Key) -> Duration {
        let given = self.executors.get(key).and_then(|executor| executor.info.shutdown_grace_period.as_ref());
        let given = given.and_then(|grace| u64::try_from(grace.nanoseconds).ok()).map(Duration::from_nanos);
        given.unwrap_or(self.settings.shutdown_grace)
    }

    /// An executor could not be started.
    pub fn not_launched(&mut self, key: &Key, error: &LaunchError) {
        self.ended(key, 1, error.reason, &error.message);
    }

    /// The container of an executor has ended.
    pub fn container_ended(&mut self, key: &Key, ended: &Ended) {
        let reason = ended.reason.unwrap_or(Reason::ExecutorTerminated);
        self.ended(key, ended.status.unwrap_or(-1), reason, &ended.message);
    }

    fn ended(&mut self, key: &Key, status: i32, reason: Reason, message: &str) {
        let Some(executor) = self.executors.get_mut(key).filter(|executor| executor.is_alive()) else { return };
        executor.phase = Phase::Ended;
        let is_told = executor.is_told();
        let live = executor.tasks.values().filter(|life| !life.has_ended());
        let live: Vec<String> = live.map(|life| life.info.task_id.value.clone()).collect();
        for task in live {
            self.end_task(key, &task, TaskState::Failed, reason, message);
        }
        if is_told {
            let mut told = self.call(AgentCallType::Exited);
            let (framework_id, executor_id) = (key.framework.as_str().into(), key.executor.as_str().into());
            told.exited = Some(ExitedExecutor { framework_id, executor_id, status });
            self.tell_master(told);
        }
        self.save(key);
        self.forget_if_over(key);
        self.end_if_nothing_runs();
    }

    /// Kills executors that have not subscribed, or have not ended, in time.
    pub(super) fn look_after_executors(&mut self) {
        let (mut late, mut stubborn) = (Vec::new(), Vec::new());
        for (key, executor) in &self.executors {
            match executor.phase {
                Phase::Registering(until) if until <= self.now && !executor.is_builtin => {
                    let message = format!("Executor did not register within {:?}", self.settings.registration);
                    late.push((key.clone(), Reason::ExecutorRegistrationTimeout, message));
                }
                Phase::Returning(until) if until <= self.now && !executor.is_builtin => {
                    let message = format!("Executor did not re-register within {:?}", self.settings.reregistration);
                    late.push((key.clone(), Reason::ExecutorReregistrationTimeout, message));
                }
                Phase::Ending(until) if until <= self.now && !executor.is_builtin => stubborn.push(key.clone()),
                _ => {}
            }
        }
        for (key, reason, message) in late {
            let Some(executor) = self.executors.get_mut(&key) else { continue };
            executor.phase = Phase::Ending(Timestamp::MAX);
            executor.waiting.clear();
            let live = executor.tasks.values().filter(|life| !life.has_ended());
            let live: Vec<String> = live.map(|life| life.info.task_id.value.clone()).collect();
            for task in live {
                self.end_task(&key, &task, TaskState::Failed, reason, &message);
            }
            self.output.push(Output::Kill(key, Duration::ZERO));
        }
        for key in stubborn {
            if let Some(executor) = self.executors.get_mut(&key) {
                executor.phase = Phase::Ending(Timestamp::MAX);
            }
            self.output.push(Output::Kill(key, Duration::ZERO));
        }
    }

    /// Forgets an executor that has ended and of which all was acknowledged.
    pub(super) fn forget_if_over(&mut self, key: &Key) {
        let is_over = |executor: &&Executor| !executor.is_alive() && executor.tasks.is_empty();
        let Some(executor) = self.executors.get(key).filter(is_over) else { return };
        self.output.push(Output::Forget(key.clone(), executor.container_id.clone()));
        self.executors.remove(key);
        self.forget_frameworks();
    }

    pub(super) fn later(&self, by: Duration) -> Timestamp {
        self.now.checked_add(by).unwrap_or(Timestamp::MAX)
    }
}

/// An event of this kind.
pub(super) fn event(kind: EventType) -> Event {
    Event { r#type: Some(kind.into()), ..Event::default() }
}

pub(super) fn container(id: &str) -> crate::wire::ContainerId {
    crate::wire::ContainerId { value: id.to_owned(), parent: None }
}
