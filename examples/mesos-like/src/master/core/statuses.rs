//! How tasks are: what agents say, what frameworks are told, and what is free when a task has ended.

use orch_core::allocator::{AllocatorChange, Filters, FrameworkId, Resources, Role, Usage};

use super::{Master, Notice, Output, Remaining, event, node, order};
use crate::wire::scheduler::{Acknowledge, EventType, Update};
use crate::wire::{
    AgentAcknowledge, AgentEventType, AgentUpdate, CapabilityType, Reason, Source, Task, TaskState, TaskStatus,
};

impl Master {
    /// An agent says how a task is. It says so until the framework has acknowledged it.
    pub(super) fn agent_says(&mut self, agent: &str, update: AgentUpdate) {
        let AgentUpdate { framework_id, status, latest_state } = update;
        let latest = TaskState::try_from(latest_state).unwrap_or_else(|_| status.state());
        let framework = framework_id.value;
        let known = self.state.frameworks.get_mut(&framework).and_then(|known| {
            known.tasks.get_mut(&status.task_id.value).filter(|entry| entry.task.agent_id.value == agent)
        });
        let Some(entry) = known else {
            // Nobody will acknowledge it: the framework has ended, or has done so before.
            if latest.is_terminal() {
                self.end_remains(agent, &framework, &Remaining::Task(status.task_id.value.clone()));
            }
            self.acknowledge_for(agent, &framework, &status);
            return;
        };
        let has_ended = latest.is_terminal() && !entry.has_ended();
        if !entry.has_ended() {
            entry.task.set_state(latest);
        }
        entry.task.set_status_update_state(status.state());
        entry.task.status_update_uuid.clone_from(&status.uuid);
        remember(&mut entry.task, &status);
        if has_ended {
            self.free_task(&framework, &status.task_id.value);
        }
        self.notice_update(&framework, &status, latest);
        self.tell_status(&framework, status);
    }

    /// Tells a framework how a task is, in words that it knows.
    pub(super) fn tell_status(&mut self, framework: &str, mut status: TaskStatus) {
        let Some(known) = self.state.frameworks.get(framework) else { return };
        if !known.can(CapabilityType::PartitionAware) {
            status.set_state(status.state().without_partitions());
        }
        let mut said = event(EventType::Update);
        said.update = Some(Update { status });
        self.tell(framework, said);
    }

    pub(super) fn notice_update(&mut self, framework: &str, status: &TaskStatus, latest: TaskState) {
        self.say(Output::Notice(Notice::TaskUpdated {
            framework: framework.to_owned(),
            status: Box::new(status.clone()),
            latest: latest.into(),
        }));
    }

    /// A status that this master gives, which nobody acknowledges.
    pub(super) fn status(&self, task: &Task, state: TaskState, reason: Reason, message: &str) -> TaskStatus {
        let mut status = TaskStatus {
            task_id: task.task_id.clone(),
            agent_id: Some(task.agent_id.clone()),
            executor_id: task.executor_id.clone(),
            message: Some(message.to_owned()),
            timestamp: Some(self.seconds()),
            ..TaskStatus::default()
        };
        status.set_state(state);
        status.set_source(Source::Master);
        status.set_reason(reason);
        status
    }

    /// Now, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.now.as_nanosecond() as f64 / 1e9
    }

    /// A framework has taken in an update.
    pub(super) fn acknowledge(&mut self, framework: &str, acknowledge: Acknowledge) {
        let agent = acknowledge.agent_id.value.clone();
        let task_id = acknowledge.task_id.value.clone();
        let known = self.state.frameworks.get(framework).and_then(|known| known.tasks.get(&task_id));
        let is_end = known.is_some_and(|entry| {
            entry.task.agent_id.value == agent
                && entry.task.status_update_uuid.as_deref() == Some(&acknowledge.uuid[..])
                && entry.told().is_terminal()
        });
        if is_end {
            self.drop_task(framework, &task_id);
        }
        let mut said = order(AgentEventType::Acknowledge);
        said.acknowledge = Some(AgentAcknowledge { framework_id: framework.into(), acknowledge });
        self.order(&agent, said);
    }

    /// Acknowledges in place of a framework that will not.
    fn acknowledge_for(&mut self, agent: &str, framework: &str, status: &TaskStatus) {
        let Some(uuid) = status.uuid.clone() else { return };
        let acknowledge = Acknowledge { agent_id: agent.into(), task_id: status.task_id.clone(), uuid };
        let mut said = order(AgentEventType::Acknowledge);
        said.acknowledge = Some(AgentAcknowledge { framework_id: framework.into(), acknowledge });
        self.order(agent, said);
    }

    /// What a task used is free.
    pub(super) fn free_task(&mut self, framework: &str, task: &str) {
        let known = self.state.frameworks.get_mut(framework).and_then(|known| known.tasks.get_mut(task));
        let Some(entry) = known else { return };
        let (agent, role) = (entry.task.agent_id.value.clone(), entry.role.clone());
        let used = std::mem::take(&mut entry.used);
        self.recover_resources(framework, &agent, &role, used);
    }

    /// Resources are used no more. Those of an agent that is gone went with it.
    pub(super) fn recover_resources(&mut self, framework: &str, agent: &str, role: &Role, resources: Resources) {
        if resources.is_empty() || !self.state.agents.contains_key(agent) {
            return;
        }
        let (framework, role, node) = (FrameworkId::new(framework), role.clone(), node(agent));
        self.observe(AllocatorChange::Recovered(Usage { framework, role, node, resources }, Filters::NONE));
    }
}

/// Keeps a status with its task: one of each state, the last.
pub(super) fn remember(task: &mut Task, status: &TaskStatus) {
    match task.statuses.last_mut().filter(|last| last.state == status.state) {
        Some(last) => last.clone_from(status),
        None => task.statuses.push(status.clone()),
    }
}
