//! Reconciliation: a framework asks how its tasks are.

use super::Master;
use crate::wire::scheduler::ReconcileTask;
use crate::wire::{AgentId, Reason, Task, TaskId, TaskState, TimeInfo};

/// What is known of a task that the master does not have.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It may come back with its agent: nothing is said.
    MayComeBack,
    Gone,
    Unreachable(TimeInfo),
    GoneByOperator,
    Unknown,
}

impl Master {
    /// Tells a framework how these tasks are, or all that have not ended if none is named.
    pub(super) fn reconcile(&mut self, id: &str, asked: &[ReconcileTask]) {
        let Some(framework) = self.state.frameworks.get(id) else { return };
        if asked.is_empty() {
            let live = framework.tasks.values().filter(|entry| !entry.told().is_terminal());
            let live: Vec<_> = live.map(|entry| (entry.task.clone(), entry.told())).collect();
            let away: Vec<_> = framework.unreachable_tasks.values().map(|task| (task.clone(), task.state())).collect();
            for (task, state) in live.into_iter().chain(away) {
                self.answer(id, &task, state, None);
            }
            return;
        }
        for ReconcileTask { task_id, agent_id } in asked {
            let known = self.state.frameworks.get(id).and_then(|framework| framework.tasks.get(&task_id.value));
            if let Some((task, state)) = known.map(|entry| (entry.task.clone(), entry.told())) {
                self.answer(id, &task, state, None);
                continue;
            }
            let away =
                self.state.frameworks.get(id).and_then(|framework| framework.unreachable_tasks.get(&task_id.value));
            let agent_id = agent_id.clone().or_else(|| away.map(|task| task.agent_id.clone()));
            let (state, since) = match self.fate(agent_id.as_ref()) {
                Fate::MayComeBack => continue,
                Fate::Gone => (TaskState::Gone, None),
                Fate::Unreachable(since) => (TaskState::Unreachable, Some(since)),
                Fate::GoneByOperator => (TaskState::GoneByOperator, None),
                Fate::Unknown => (TaskState::Unknown, None),
            };
            self.answer(id, &unknown(task_id.clone(), agent_id), state, since);
        }
    }

    fn fate(&self, agent: Option<&AgentId>) -> Fate {
        let Some(agent) = agent.map(|agent| agent.value.as_str()) else {
            return if self.state.recovered.is_empty() { Fate::Unknown } else { Fate::MayComeBack };
        };
        match () {
            () if self.state.recovered.contains_key(agent) => Fate::MayComeBack,
            () if self.state.agents.contains_key(agent) => Fate::Gone,
            () if self.state.gone.contains_key(agent) => Fate::GoneByOperator,
            () => match self.state.unreachable.get(agent) {
                Some((_, since)) => Fate::Unreachable(since.clone()),
                None => Fate::Unknown,
            },
        }
    }

    fn answer(&mut self, framework: &str, task: &Task, state: TaskState, since: Option<TimeInfo>) {
        let mut status = self.status(task, state, Reason::Reconciliation, "Reconciliation: Latest task state");
        if let Some(last) = task.statuses.last() {
            status.healthy = last.healthy;
            status.container_status.clone_from(&last.container_status);
            status.check_status.clone_from(&last.check_status);
        }
        if task.agent_id.value.is_empty() {
            status.agent_id = None;
        }
        status.unreachable_time = since;
        self.tell_status(framework, status);
    }
}

fn unknown(task_id: TaskId, agent_id: Option<AgentId>) -> Task {
    Task { task_id, agent_id: agent_id.unwrap_or_default(), ..Task::default() }
}
