//! What a master says.

use orch_core::object::Uid;

use super::{Core, Executor, Key, Output, Phase, TaskLife};
use crate::agent::core::executors::event;
use crate::wire::executor::{self, EventType, Launch, LaunchGroup};
use crate::wire::{
    AgentEvent, AgentEventType, ExecutorId, ExecutorInfo, ExecutorType, FrameworkInfo, Reason, RunTasks, Task,
    TaskGroupInfo, TaskInfo, TaskState,
};

impl Core {
    /// A master takes the agent in, or the connection to it is there again.
    pub(super) fn registered(&mut self, id: crate::wire::AgentId) {
        self.is_registered = true;
        if self.info.id.as_ref() != Some(&id) {
            self.info.id = Some(id);
            self.save_agent();
        }
        let keys: Vec<Key> = self.executors.keys().cloned().collect();
        for key in keys {
            self.tell_all(&key);
        }
    }

    /// The connection to the master is broken.
    pub fn disconnected(&mut self) {
        self.is_registered = false;
    }

    /// What a master says.
    pub fn master_says(&mut self, said: AgentEvent) {
        match said.r#type() {
            AgentEventType::Registered => self.registered(said.registered.unwrap_or_default().agent_id),
            AgentEventType::Ping => self.tell_master(self.call(crate::wire::AgentCallType::Pong)),
            AgentEventType::Run => self.run(said.run.unwrap_or_default()),
            AgentEventType::Kill => {
                let kill = said.kill.unwrap_or_default();
                self.kill_task(&kill.framework_id.value, kill.kill);
            }
            AgentEventType::Acknowledge => {
                let acknowledged = said.acknowledge.unwrap_or_default();
                self.acknowledged(&acknowledged.framework_id.value, &acknowledged.acknowledge);
            }
            AgentEventType::Message => {
                let message = said.message.unwrap_or_default();
                let key = Key { framework: message.framework_id.value, executor: message.executor_id.value };
                let mut told = event(EventType::Message);
                told.message = Some(executor::EventMessage { data: message.data });
                self.tell_executor(&key, told);
            }
            AgentEventType::ShutdownExecutor => {
                let shutdown = said.shutdown_executor.unwrap_or_default();
                let key = Key { framework: shutdown.framework_id.value, executor: shutdown.executor_id.value };
                self.shut_down(&key);
            }
            AgentEventType::ShutdownFramework => {
                let id = said.shutdown_framework.unwrap_or_default().value;
                let all: Vec<Key> = self.executors.keys().filter(|key| key.framework == id).cloned().collect();
                all.iter().for_each(|key| self.shut_down(key));
            }
            AgentEventType::Apply => {
                let apply = said.apply.unwrap_or_default();
                self.resources.clone_from(&apply.resources);
                self.save_agent();
                self.output.push(Output::Volumes(Box::new(apply)));
            }
            AgentEventType::Framework => {
                if let Some(info) = said.framework {
                    self.framework_changed(info);
                }
            }
            AgentEventType::Shutdown => {
                self.is_ending = true;
                let all: Vec<Key> = self.executors.keys().cloned().collect();
                all.iter().for_each(|key| self.shut_down(key));
                self.end_if_nothing_runs();
            }
            AgentEventType::Refused => {
                let reason = said.reason.unwrap_or_else(|| "no reason is given".to_owned());
                self.output.push(Output::End(format!("the master refuses this agent: {reason}")));
            }
        }
    }

    fn framework_changed(&mut self, info: FrameworkInfo) {
        let Some(id) = info.id.as_ref().map(|id| id.value.clone()) else { return };
        let keys: Vec<Key> = self.executors.keys().filter(|key| key.framework == id).cloned().collect();
        if !keys.is_empty() {
            self.frameworks.insert(id, info);
            keys.iter().for_each(|key| self.save(key));
        }
    }

    fn run(&mut self, run: RunTasks) {
        let RunTasks { framework, executor, tasks, group } = run;
        let framework_id = framework.id.clone().unwrap_or_default();
        let key = |executor: &str| Key { framework: framework_id.value.clone(), executor: executor.to_owned() };
        self.frameworks.insert(framework_id.value.clone(), framework.clone());
        if group {
            let Some(executor) = executor else { return };
            let key = key(&executor.executor_id.value);
            let is_builtin = executor.r#type() == ExecutorType::Default;
            self.executor_for(&key, executor, is_builtin);
            let mut told = event(EventType::LaunchGroup);
            told.launch_group = Some(LaunchGroup { task_group: TaskGroupInfo { tasks: tasks.clone() } });
            self.hand_over(&key, &framework, tasks, told);
            return;
        }
        for task in tasks {
            let (key, executor) = match &executor {
                Some(executor) => (key(&executor.executor_id.value), executor.clone()),
                None => (key(&task.task_id.value), own_executor(&framework_id, &task)),
            };
            let is_builtin = task.executor.is_none();
            self.executor_for(&key, executor, is_builtin);
            let mut told = event(EventType::Launch);
            told.launch = Some(Launch { task: task.clone() });
            self.hand_over(&key, &framework, vec![task], told);
        }
    }

    /// Sees to it that there is an executor.
    fn executor_for(&mut self, key: &Key, info: ExecutorInfo, is_builtin: bool) {
        if self.executors.get(key).is_some_and(Executor::is_alive) {
            return;
        }
        // One that has ended has told all by then, or tells it yet: its tasks go on being told by the one that comes.
        let tasks = self.executors.remove(key).map(|ended| ended.tasks).unwrap_or_default();
        let until = self.later(self.settings.registration);
        let executor = Executor {
            info,
            container_id: Uid::random(&*self.settings.entropy).to_string(),
            is_builtin,
            phase: Phase::Registering(until),
            waiting: Vec::new(),
            tasks,
            pid: None,
        };
        self.executors.insert(key.clone(), executor);
        self.output.push(Output::Launch(key.clone()));
    }

    /// Gives tasks to an executor, which is told when it can hear.
    fn hand_over(&mut self, key: &Key, framework: &FrameworkInfo, tasks: Vec<TaskInfo>, told: executor::Event) {
        let agent_id = self.info.id.clone().unwrap_or_default();
        let Some(executor) = self.executors.get_mut(key) else { return };
        let executor_id: Option<ExecutorId> = executor.is_told().then(|| key.executor.as_str().into());
        for info in tasks {
            let user = info.command.as_ref().and_then(|command| command.user.clone());
            let mut task = Task {
                name: info.name.clone(),
                task_id: info.task_id.clone(),
                framework_id: framework.id.clone().unwrap_or_default(),
                executor_id: executor_id.clone(),
                agent_id: agent_id.clone(),
                resources: info.resources.clone(),
                labels: info.labels.clone(),
                discovery: info.discovery.clone(),
                container: info.container.clone(),
                health_check: info.health_check.clone(),
                kill_policy: info.kill_policy.clone(),
                user: user.or_else(|| Some(framework.user.clone())),
                limits: info.limits.clone(),
                ..Task::default()
            };
            task.set_state(TaskState::Staging);
            let life = TaskLife { info, task, pending: Default::default(), repeat: None };
            executor.tasks.insert(life.info.task_id.value.clone(), life);
        }
        // Before it is launched: whoever finds it running knows what it is.
        let launch = self.output.pop_if(|output| matches!(output, Output::Launch(launched) if launched == key));
        self.save(key);
        self.output.extend(launch);
        self.tell_executor(key, told);
    }

    fn kill_task(&mut self, framework: &str, kill: executor::Kill) {
        let id = kill.task_id.value.clone();
        let has_it = |(key, executor): &(&Key, &Executor)| {
            key.framework == framework && executor.tasks.get(&id).is_some_and(|life| !life.has_ended())
        };
        let Some(key) = self.executors.iter().find(has_it).map(|(key, _)| key.clone()) else { return };
        let Some(executor) = self.executors.get_mut(&key) else { return };
        let waits = executor.waiting.iter().position(|waiting| launches(waiting, &id));
        match waits {
            Some(index) => {
                let told = executor.waiting.remove(index);
                let message = "Killed before delivery to the executor";
                for task in launched(&told) {
                    self.end_task(&key, &task, TaskState::Killed, Reason::TaskKilledDuringLaunch, message);
                }
                if self.executors.get(&key).is_some_and(|executor| executor.waiting.is_empty() && executor.is_builtin) {
                    self.shut_down(&key);
                }
            }
            None => {
                let mut told = event(EventType::Kill);
                told.kill = Some(kill);
                self.tell_executor(&key, told);
            }
        }
    }

    pub(super) fn end_if_nothing_runs(&mut self) {
        if self.is_ending && !self.executors.values().any(Executor::is_alive) {
            self.output.push(Output::End("the master has shut this agent down".to_owned()));
        }
    }
}

/// The executor of a task that brings none.
fn own_executor(framework: &crate::wire::FrameworkId, task: &TaskInfo) -> ExecutorInfo {
    ExecutorInfo {
        executor_id: task.task_id.value.as_str().into(),
        framework_id: Some(framework.clone()),
        name: Some(format!("Command Executor (Task: {})", task.task_id)),
        source: Some(task.task_id.value.clone()),
        ..ExecutorInfo::default()
    }
}

fn launched(told: &executor::Event) -> Vec<String> {
    let alone = told.launch.iter().map(|launch| &launch.task);
    let grouped = told.launch_group.iter().flat_map(|group| &group.task_group.tasks);
    alone.chain(grouped).map(|task| task.task_id.value.clone()).collect()
}

fn launches(told: &executor::Event, task: &str) -> bool {
    launched(told).iter().any(|id| id == task)
}
