//! How frameworks go: disconnected, away for too long, torn down.

use orch_core::allocator::{AllocatorChange, FrameworkId};

use super::subscribe::failover_timeout;
use super::{Master, Notice, Output, Remaining, Remains, order};
use crate::master::registry::{CompletedRecord, RegistryChange};
use crate::wire::{AgentEventType, Reason, TaskState};

impl Master {
    /// Nobody reads this stream any more, or nobody reads it fast enough.
    pub fn stream_ended(&mut self, stream: &str) {
        let reads = |theirs: &Option<String>| theirs.as_deref() == Some(stream);
        let framework = self.state.frameworks.iter().find(|(_, framework)| reads(&framework.stream));
        if let Some(id) = framework.map(|(id, _)| id.clone()) {
            self.framework_disconnected(&id);
        }
        let agent = self.state.agents.iter().find(|(_, agent)| reads(&agent.stream));
        if let Some(id) = agent.map(|(id, _)| id.clone()) {
            self.agent_disconnected(&id);
        }
    }

    fn framework_disconnected(&mut self, id: &str) {
        let Some(framework) = self.state.frameworks.get_mut(id) else { return };
        framework.stream = None;
        framework.unregistered = Some(self.now);
        framework.expires = self.now.checked_add(failover_timeout(&framework.info)).ok();
        self.observe(AllocatorChange::FrameworkActive(FrameworkId::new(id), false));
        self.record_framework(id);
        self.look_after_frameworks();
    }

    /// Ends the frameworks that have been away for too long.
    pub(super) fn look_after_frameworks(&mut self) {
        let is_over = |expires: Option<_>| expires.is_some_and(|expires| expires <= self.now);
        let all = self.state.frameworks.iter();
        let over: Vec<String> =
            all.filter(|(_, framework)| is_over(framework.expires)).map(|(id, _)| id.clone()).collect();
        for id in over {
            self.remove_framework(&id);
        }
    }

    /// Ends a framework, with its tasks. Its id is of no use from now on.
    pub fn remove_framework(&mut self, id: &str) {
        let Some(mut framework) = self.state.frameworks.remove(id) else { return };
        if let Some(stream) = framework.stream.take() {
            self.say(Output::Close(stream));
        }
        self.observe(AllocatorChange::FrameworkActive(FrameworkId::new(id), false));
        for agent in framework.agents() {
            let mut shutdown = order(AgentEventType::ShutdownFramework);
            shutdown.shutdown_framework = Some(id.into());
            self.order(&agent, shutdown);
        }
        for (task_id, mut entry) in std::mem::take(&mut framework.tasks) {
            let agent = entry.task.agent_id.value.clone();
            if let Some(agent) = self.state.agents.get_mut(&agent) {
                agent.tasks.remove(&(id.to_owned(), task_id.clone()));
            }
            if !entry.has_ended() {
                entry.task.set_state(TaskState::Killed);
                let remains = Remains {
                    framework: id.to_owned(),
                    of: Remaining::Task(task_id),
                    role: entry.role.clone(),
                    used: entry.used.clone(),
                };
                if let Some(agent) = self.state.agents.get_mut(&agent) {
                    agent.remains.push(remains);
                }
                let status = self.status(&entry.task, TaskState::Killed, Reason::FrameworkRemoved, "Framework removed");
                self.notice_update(id, &status, TaskState::Killed);
            }
            framework.completed_tasks.push_back(entry.task);
        }
        for ((agent, executor), entry) in std::mem::take(&mut framework.executors) {
            let of = Remaining::Executor(executor.clone());
            let remains = Remains { framework: id.to_owned(), of, role: entry.role, used: entry.used };
            if let Some(agent) = self.state.agents.get_mut(&agent) {
                agent.executors.remove(&(id.to_owned(), executor));
                agent.remains.push(remains);
            }
        }
        framework.unreachable_tasks.clear();
        framework.unregistered = Some(self.now);
        let record = CompletedRecord { framework_id: id.into(), since: self.time_info() };
        self.say(Output::Record(RegistryChange::FrameworkCompleted(record)));
        self.say(Output::Notice(Notice::FrameworkRemoved(Box::new(framework.info.clone()))));
        self.state.completed_ids.insert(id.to_owned(), self.time_info());
        self.state.inverse_offers.retain(|_, offer| offer.framework_id.value != id);
        trim(&mut framework.completed_tasks, self.settings.completed_tasks);
        self.state.completed.push_back(framework);
        trim(&mut self.state.completed, self.settings.completed_frameworks);
        self.forget_if_nothing_remains(id);
    }

    /// Something of a framework that has ended has ended, too.
    pub(super) fn end_remains(&mut self, agent: &str, framework: &str, ended: &Remaining) {
        let Some(on) = self.state.agents.get_mut(agent) else { return };
        let Some(index) = on.remains.iter().position(|one| one.framework == framework && one.of == *ended) else {
            return;
        };
        let remains = on.remains.remove(index);
        self.recover_resources(framework, agent, &remains.role, remains.used);
        self.forget_if_nothing_remains(framework);
    }

    /// The allocator forgets a framework that has ended when nothing of it runs.
    pub(super) fn forget_if_nothing_remains(&mut self, id: &str) {
        let remains = self.state.agents.values().any(|agent| agent.remains.iter().any(|one| one.framework == id));
        if !remains && !self.state.frameworks.contains_key(id) {
            self.observe(AllocatorChange::FrameworkRemoved(FrameworkId::new(id)));
        }
    }
}

/// Forgets the oldest.
pub(super) fn trim<T>(all: &mut std::collections::VecDeque<T>, most: usize) {
    while all.len() > most {
        all.pop_front();
    }
}
