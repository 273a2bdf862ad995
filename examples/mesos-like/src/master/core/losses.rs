//! How agents are lost: disconnected, unreachable, gone; and what becomes of their tasks.

use orch_core::allocator::AllocatorChange;

use super::{Master, Notice, Output, event, node, order};
use crate::master::registry::{AgentStanding, RegistryChange};
use crate::wire::scheduler::{EventType, Failure};
use crate::wire::{AgentEventType, CapabilityType, Reason, TaskState};

impl Master {
    pub(super) fn agent_disconnected(&mut self, id: &str) {
        let expires = self.later(self.settings.reregister);
        let Some(agent) = self.state.agents.get_mut(id) else { return };
        agent.stream = None;
        agent.expires = Some(expires);
        self.observe(AllocatorChange::NodeActive(node(id), false));
        // Who does not checkpoint has nothing to come back to.
        let tasks = self.state.agents.get(id).map(|agent| agent.tasks.clone()).unwrap_or_default();
        for (framework, task) in tasks {
            let known = self.state.frameworks.get(&framework).filter(|known| !known.info.checkpoint());
            if known.and_then(|known| known.tasks.get(&task)).is_some_and(|entry| !entry.has_ended()) {
                let message = "Agent disconnected, and its framework does not checkpoint";
                self.lose_task(&framework, &task, TaskState::Gone, Reason::AgentDisconnected, message);
            }
        }
    }

    /// Pings agents, and gives up those that have been away for too long.
    pub(super) fn look_after_agents(&mut self) {
        let (now, next, most) = (self.now, self.later(self.settings.ping), self.settings.missed_pings);
        let (mut pings, mut lost) = (Vec::new(), Vec::new());
        for (id, agent) in &mut self.state.agents {
            if agent.next_ping <= now {
                agent.next_ping = next;
                match agent.missed_pings >= most {
                    true => lost.push(id.clone()),
                    false => {
                        agent.missed_pings += 1;
                        pings.push(id.clone());
                    }
                }
            } else if agent.expires.is_some_and(|expires| expires <= now) {
                lost.push(id.clone());
            }
        }
        for id in pings {
            self.order(&id, order(AgentEventType::Ping));
        }
        for id in lost {
            self.agent_unreachable(&id);
        }
        if !self.state.recovered.is_empty()
            && self.state.elected.checked_add(self.settings.reregister).is_ok_and(|over| over <= now)
        {
            for (id, info) in std::mem::take(&mut self.state.recovered) {
                let since = self.time_info();
                self.record(info.clone(), AgentStanding::Unreachable);
                self.state.unreachable.insert(id, (info, since));
            }
        }
    }

    fn agent_unreachable(&mut self, id: &str) {
        let since = self.time_info();
        let Some(info) = self.state.agents.get(id).map(|agent| agent.info.clone()) else { return };
        self.record_agent(id, AgentStanding::Unreachable);
        self.take_out(id, TaskState::Unreachable, Reason::AgentRemoved, "Agent is unreachable");
        self.state.unreachable.insert(id.to_owned(), (info, since));
    }

    /// An agent goes for good, by its own word or an operator's.
    pub(super) fn remove_agent(&mut self, id: &str, message: &str) {
        self.say(Output::Record(RegistryChange::AgentForgotten(id.to_owned())));
        self.take_out(id, TaskState::Gone, Reason::AgentRemoved, message);
    }

    /// Takes an agent out of all that is known, with its tasks, which are in this state then.
    pub(in crate::master) fn take_out(&mut self, id: &str, state: TaskState, reason: Reason, message: &str) {
        let Some(agent) = self.state.agents.remove(id) else { return };
        if let Some(stream) = agent.stream {
            self.say(Output::Close(stream));
        }
        // First, so that nothing of it is offered any more.
        self.observe(AllocatorChange::NodeRemoved(node(id)));
        for (framework, executor) in agent.executors {
            self.state.take_executor(&framework, id, &executor);
        }
        for (framework, task) in agent.tasks {
            self.lose_task(&framework, &task, state, reason, message);
        }
        let frameworks: Vec<String> = self.state.frameworks.keys().cloned().collect();
        for framework in frameworks {
            let mut said = event(EventType::Failure);
            said.failure = Some(Failure { agent_id: Some(id.into()), executor_id: None, status: None });
            self.tell(&framework, said);
        }
        agent.remains.iter().for_each(|remains| self.forget_if_nothing_remains(&remains.framework));
        self.say(Output::Notice(Notice::AgentRemoved(id.to_owned())));
    }

    /// A task is lost to this master: it is told, and what it used is free.
    pub(super) fn lose_task(&mut self, framework: &str, task: &str, state: TaskState, reason: Reason, message: &str) {
        self.free_task(framework, task);
        let since = (state == TaskState::Unreachable).then(|| self.time_info());
        let most = self.settings.completed_tasks;
        let Some(mut entry) = self.state.take_task(framework, task) else { return };
        let Some(known) = self.state.frameworks.get_mut(framework) else { return };
        if entry.has_ended() {
            // It is known how: nobody will ask its agent again.
            known.completed_tasks.push_back(entry.task);
            return super::frameworks::trim(&mut known.completed_tasks, most);
        }
        let aware = known.can(CapabilityType::PartitionAware);
        entry.task.set_state(if aware { state } else { state.without_partitions() });
        let mut status = self.status(&entry.task, state, reason, message);
        status.unreachable_time = since;
        super::statuses::remember(&mut entry.task, &status);
        self.notice_update(framework, &status, entry.task.state());
        let Some(known) = self.state.frameworks.get_mut(framework) else { return };
        if state == TaskState::Unreachable {
            known.unreachable_tasks.insert(task.to_owned(), entry.task);
        } else {
            known.completed_tasks.push_back(entry.task);
            super::frameworks::trim(&mut known.completed_tasks, most);
        }
        self.tell_status(framework, status);
    }

    /// A task that ended is known no more.
    pub(super) fn drop_task(&mut self, framework: &str, task: &str) {
        let Some(entry) = self.state.take_task(framework, task) else { return };
        if let Some(known) = self.state.frameworks.get_mut(framework) {
            known.completed_tasks.push_back(entry.task);
            super::frameworks::trim(&mut known.completed_tasks, self.settings.completed_tasks);
        }
    }

    /// The tasks that a framework has on an agent.
    pub(super) fn tasks_on(&self, agent: &str, framework: &str) -> Vec<String> {
        let from = (framework.to_owned(), String::new());
        let known = self.state.agents.get(agent).map(|agent| agent.tasks.range(from..));
        let of_framework = known.into_iter().flatten().take_while(|(of, _)| of == framework);
        of_framework.map(|(_, task)| task.clone()).collect()
    }
}
