//! What the master tells of tasks.

use serde::{Deserialize, Serialize};

use super::tell::{News, Told};
use super::{Instance, Marathon, Phase};
use crate::framework::acknowledge;
use crate::marathon::model::Version;
use crate::wire::scheduler::{Call, CallType, Kill};
use crate::wire::{Reason, TaskState, TaskStatus};

/// How an instance of an app failed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// The id of its task.
    pub task_id: String,
    /// Its id.
    pub instance_id: String,
    /// Where it ran.
    pub host: String,
    /// The agent there.
    pub slave_id: String,
    /// The state in which it ended.
    pub state: String,
    /// What was said about it.
    pub message: String,
    /// When.
    pub timestamp: Version,
    /// The version of the app that it ran.
    pub version: Version,
}

impl Marathon {
    /// A task is in another state, or is told to be in the one that it is in.
    pub(super) fn update(&mut self, status: &TaskStatus, now: Version) {
        if let Some(call) = acknowledge(status) {
            self.call(CallType::Acknowledge, call);
        }
        let (task, state) = (&status.task_id.value, status.state());
        let Some(instance) = self.by_task.get(task).and_then(|id| self.instances.get(id)).cloned() else {
            if !state.is_terminal() && state != TaskState::Unreachable {
                tracing::warn!(task, "a task that nobody wants is ended");
                let kill = Kill { task_id: task.as_str().into(), agent_id: status.agent_id.clone(), kill_policy: None };
                self.call(CallType::Kill, Call { kill: Some(kill), ..Call::default() });
            }
            return;
        };
        if !instance.has_task() {
            return;
        }
        self.dirty.insert(instance.app.clone());
        if is_over(state) {
            self.over(instance, status, now);
        } else {
            self.lives(&instance, status, now);
        }
    }

    /// It runs, or is about to, or cannot be reached.
    fn lives(&mut self, before: &Instance, status: &TaskStatus, now: Version) {
        let mut instance = before.clone();
        match status.state() {
            TaskState::Unreachable => drop(instance.unreachable_since.get_or_insert(now)),
            TaskState::Staging => instance.unreachable_since = None,
            TaskState::Starting => {
                instance.unreachable_since = None;
                if instance.phase == Phase::Staging {
                    instance.phase = Phase::Starting;
                }
            }
            _ => {
                instance.unreachable_since = None;
                instance.phase = Phase::Running;
                instance.started_at.get_or_insert(now);
                instance.healthy = status.healthy.or(instance.healthy);
                let networks = status.container_status.iter().flat_map(|container| &container.network_infos);
                let addresses =
                    networks.flat_map(|network| &network.ip_addresses).filter_map(|ip| ip.ip_address.clone());
                let addresses: Vec<String> = addresses.collect();
                if !addresses.is_empty() {
                    instance.ip_addresses = addresses;
                }
            }
        }
        if instance == *before {
            return;
        }
        if instance.task_state() != before.task_state() {
            self.tell(Told::Of(&instance, News::Status(status)), now);
            let condition = match (instance.unreachable_since, instance.phase) {
                (Some(_), _) => "Unreachable",
                (None, Phase::Staging) => "Staging",
                (None, Phase::Starting) => "Starting",
                (None, Phase::Running) => "Running",
                (None, Phase::Reserved | Phase::Released) => "Reserved",
            };
            self.tell(Told::Of(&instance, News::Condition(condition)), now);
        }
        if instance.healthy != before.healthy {
            self.tell(Told::Of(&instance, News::Health), now);
        }
        self.put_instance(instance);
    }

    /// It has ended.
    fn over(&mut self, instance: Instance, status: &TaskStatus, now: Version) {
        let (id, state) = (instance.id.clone(), status.state());
        match instance.keeps_its_place() {
            true => self.rest(instance.clone(), now),
            false => drop(self.remove_instance(&id)),
        }
        self.asked.remove(&id);
        let condition = match state {
            TaskState::Finished => "Finished",
            TaskState::Failed => "Failed",
            TaskState::Error => "Error",
            TaskState::Killed => "Killed",
            TaskState::Gone | TaskState::GoneByOperator => "Gone",
            TaskState::Dropped => "Dropped",
            TaskState::Unknown => "Unknown",
            _ => "Lost",
        };
        self.tell(Told::Of(&instance, News::Status(status)), now);
        self.tell(Told::Of(&instance, News::Condition(condition)), now);
        if instance.killed_at.is_some() {
            return;
        }
        let was_unhealthy = status.reason() == Reason::TaskHealthCheckStatusUpdated || status.healthy == Some(false);
        if was_unhealthy {
            self.tell(Told::Of(&instance, News::UnhealthyKilled(status)), now);
        }
        // What was ended by others, or went with its agent, is no failure of the app.
        if matches!(state, TaskState::Failed | TaskState::Finished | TaskState::Error) || was_unhealthy {
            if let Some(app) = self.spec_of(&instance).cloned() {
                self.delays.failed(&app, now);
            }
            let failure = Failure {
                task_id: instance.task_id.clone(),
                instance_id: instance.id.clone(),
                host: instance.host.clone(),
                slave_id: instance.agent_id.clone(),
                state: state.text().to_owned(),
                message: status.message.clone().unwrap_or_default(),
                timestamp: now,
                version: instance.version,
            };
            self.record_failure(&instance.app, Some(failure));
        }
    }
}

/// Whether a task in this state is gone. What the master does not know is gone as well; it says nothing of agents that may
/// come back.
fn is_over(state: TaskState) -> bool {
    state.is_terminal() || state == TaskState::Unknown
}
