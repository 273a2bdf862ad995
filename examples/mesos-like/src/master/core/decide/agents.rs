//! Agents are emptied, deactivated, or said to be gone for ever.

use std::time::Duration;

use orch_core::allocator::AllocatorChange;

use crate::http::Refusal;
use crate::master::core::statuses::remember;
use crate::master::core::{Agent, Master, node, order};
use crate::master::registry::AgentStanding;
use crate::wire::{
    AgentEventType, DrainConfig, DrainInfo, DrainState, DurationInfo, KillPolicy, KillTask, Reason, TaskState, executor,
};

impl Master {
    /// An agent never comes back.
    pub(super) fn agent_gone(&mut self, id: &str) -> Result<(), Refusal> {
        if self.state.gone.contains_key(id) {
            return Ok(());
        }
        let message = "Agent has been marked gone by an operator";
        if self.state.agents.contains_key(id) {
            let mut shutdown = order(AgentEventType::Shutdown);
            shutdown.reason = Some(message.to_owned());
            self.order(id, shutdown);
            self.record_agent(id, AgentStanding::Gone);
            self.take_out(id, TaskState::GoneByOperator, Reason::AgentRemovedByOperator, message);
        } else {
            let unreachable = self.state.unreachable.remove(id).map(|(info, _)| info);
            let known = unreachable.or_else(|| self.state.recovered.remove(id));
            let Some(info) = known else {
                return Err(Refusal::bad_request("Agent not found"));
            };
            self.record(info, AgentStanding::Gone);
            self.unreachable_tasks_gone(id, message);
        }
        self.state.decided.remove(id);
        self.state.gone.insert(id.to_owned(), self.time_info());
        Ok(())
    }

    /// The tasks of an agent that is unreachable are gone with it.
    fn unreachable_tasks_gone(&mut self, agent: &str, message: &str) {
        let state = TaskState::GoneByOperator;
        let ids: Vec<String> = self.state.frameworks.keys().cloned().collect();
        for id in ids {
            let Some(framework) = self.state.frameworks.get_mut(&id) else { continue };
            let all = std::mem::take(&mut framework.unreachable_tasks);
            let (gone, others) = all.into_iter().partition(|(_, task)| task.agent_id.value == agent);
            framework.unreachable_tasks = others;
            let gone: std::collections::BTreeMap<_, _> = gone;
            for mut task in gone.into_values() {
                let status = self.status(&task, state, Reason::AgentRemovedByOperator, message);
                task.set_state(state);
                remember(&mut task, &status);
                self.notice_update(&id, &status, state);
                if let Some(framework) = self.state.frameworks.get_mut(&id) {
                    framework.completed_tasks.push_back(task);
                }
                self.tell_status(&id, status);
            }
        }
    }

    /// An agent gets no tasks any more, and those that it has are ended.
    pub(super) fn drain(&mut self, id: &str, grace: Option<Duration>, mark_gone: bool) -> Result<(), Refusal> {
        let nanoseconds = |grace: Duration| i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX);
        let max_grace_period = grace.map(|grace| DurationInfo { nanoseconds: nanoseconds(grace) });
        let config = DrainConfig { max_grace_period, mark_gone: Some(mark_gone) };
        let drain = DrainInfo { state: DrainState::Draining.into(), config };
        let Some(agent) = self.state.agents.get_mut(id) else {
            let is_known = self.state.recovered.contains_key(id) || self.state.unreachable.contains_key(id);
            return match is_known {
                true => Err(Refusal::bad_request("Agent is not registered now: drain it when it is back")),
                false => Err(Refusal::bad_request("Agent not found")),
            };
        };
        agent.drain = Some(drain);
        self.observe(AllocatorChange::NodeActive(node(id), false));
        self.record_agent(id, AgentStanding::Admitted);
        self.end_tasks_of(id);
        self.look_after_drains();
        Ok(())
    }

    /// Ends all tasks on an agent that is emptied.
    fn end_tasks_of(&mut self, id: &str) {
        let Some(agent) = self.state.agents.get(id) else { return };
        let most = agent.drain.as_ref().and_then(|drain| drain.config.max_grace_period.clone());
        let mut kills = Vec::new();
        for (framework, known) in &mut self.state.frameworks {
            let live = known.tasks.values_mut().filter(|entry| entry.task.agent_id.value == id && !entry.has_ended());
            for entry in live {
                entry.is_killed = true;
                let policy = entry.task.kill_policy.clone().unwrap_or_default();
                let kill_policy = shortened(policy, most.as_ref());
                let kill = executor::Kill { task_id: entry.task.task_id.clone(), kill_policy };
                kills.push(KillTask { framework_id: framework.as_str().into(), kill });
            }
        }
        for kill in kills {
            let (framework, task) = (kill.framework_id.value.clone(), kill.kill.task_id.value.clone());
            let mut said = order(AgentEventType::Kill);
            said.kill = Some(kill);
            if !self.order(id, said)
                && let Some(agent) = self.state.agents.get_mut(id)
            {
                agent.kills.insert((framework, task));
            }
        }
    }

    /// An agent gets tasks, or none.
    pub(super) fn set_deactivated(&mut self, id: &str, deactivated: bool) -> Result<(), Refusal> {
        let Some(agent) = self.state.agents.get_mut(id) else {
            return Err(Refusal::bad_request("Agent not found"));
        };
        agent.is_deactivated = deactivated;
        if !deactivated {
            agent.drain = None;
        }
        let is_active = agent.is_active();
        self.observe(AllocatorChange::NodeActive(node(id), is_active));
        self.record_agent(id, AgentStanding::Admitted);
        self.allocate();
        Ok(())
    }

    /// Whether agents that are emptied are empty now.
    pub(in crate::master::core) fn look_after_drains(&mut self) {
        let draining = |agent: &&Agent| agent.drain.as_ref().is_some_and(|drain| drain.state() == DrainState::Draining);
        let draining: Vec<String> =
            self.state.agents.values().filter(draining).map(|agent| agent.id().to_owned()).collect();
        for id in draining {
            let Some(agent) = self.state.agents.get_mut(&id) else { continue };
            if !(agent.tasks.is_empty() && agent.executors.is_empty() && agent.remains.is_empty()) {
                continue;
            }
            let Some(drain) = &mut agent.drain else { continue };
            drain.set_state(DrainState::Drained);
            let mark_gone = drain.config.mark_gone();
            self.record_agent(&id, AgentStanding::Admitted);
            if mark_gone && let Err(refusal) = self.agent_gone(&id) {
                tracing::error!(agent = id, reason = refusal.message, "an agent that was emptied cannot be gone");
            }
        }
    }

    /// What was decided of an agent before it came, or came back.
    pub(in crate::master::core) fn recall_decisions(&mut self, id: &str) {
        let decided = self.state.decided.remove(id);
        let unavailability = self.unavailability_of(id);
        if let (Some(agent), Some((drain, is_deactivated))) = (self.state.agents.get_mut(id), decided) {
            (agent.drain, agent.is_deactivated) = (drain, is_deactivated);
        }
        if unavailability.is_some() {
            self.observe(AllocatorChange::NodeUnavailable(node(id), unavailability));
        }
    }

    /// Tasks that an agent brings back while it is emptied are ended, too.
    pub(in crate::master::core) fn drain_goes_on(&mut self, id: &str) {
        if self.state.agents.get(id).is_some_and(|agent| agent.drain.is_some()) {
            self.end_tasks_of(id);
        }
    }
}

/// A task may take no longer than that, whatever it wants.
fn shortened(policy: KillPolicy, most: Option<&DurationInfo>) -> Option<KillPolicy> {
    let most = most?;
    match policy.grace_period {
        Some(wanted) if wanted.nanoseconds <= most.nanoseconds => Some(KillPolicy { grace_period: Some(wanted) }),
        _ => Some(KillPolicy { grace_period: Some(most.clone()) }),
    }
}
