//! Tasks and executors.

use serde_json::{Value, json};

use super::{Fields, labels, message, quantities, resources};
use crate::wire::{CommandInfo, ContainerStatus, ExecutorInfo, NetworkInfo, Resource, Task, TaskState, TaskStatus};

/// A task.
#[must_use]
pub fn task(task: &Task) -> Value {
    let mut fields = Fields::default();
    fields.put("id", task.task_id.value.clone());
    fields.put("name", task.name.clone());
    fields.put("framework_id", task.framework_id.value.clone());
    fields.put("executor_id", task.executor_id.as_ref().map_or_else(String::new, |id| id.value.clone()));
    fields.put("slave_id", task.agent_id.value.clone());
    fields.put("state", task.state().text());
    fields.put("resources", resources(&task.resources));
    if !task.limits.is_empty() {
        fields.put("limits", quantities(&task.limits));
    }
    fields.put("role", allocated_to(&task.resources));
    fields.put("statuses", task.statuses.iter().map(status).collect::<Vec<_>>());
    fields.put_some("user", task.user.clone());
    fields.put_some("labels", task.labels.as_ref().map(labels));
    fields.put_some("discovery", task.discovery.as_ref().map(message));
    fields.put_some("container", task.container.as_ref().map(message));
    fields.put_some("health_check", task.health_check.as_ref().map(message));
    fields.into()
}

/// An executor.
#[must_use]
pub fn executor(executor: &ExecutorInfo) -> Value {
    let mut fields = Fields::default();
    fields.put("executor_id", executor.executor_id.value.clone());
    fields.put("name", executor.name.clone().unwrap_or_default());
    fields.put("framework_id", executor.framework_id.as_ref().map_or_else(String::new, |id| id.value.clone()));
    fields.put("command", command(&executor.command.clone().unwrap_or_default()));
    fields.put("resources", resources(&executor.resources));
    if !executor.resources.is_empty() {
        fields.put("role", allocated_to(&executor.resources));
    }
    fields.put_some("labels", executor.labels.as_ref().map(labels));
    fields.put_some("type", executor.r#type.map(|_| executor.r#type().text()));
    fields.into()
}

/// How many tasks are in each state.
#[derive(Clone, Debug, Default)]
pub struct TaskCounts {
    counts: std::collections::BTreeMap<&'static str, u64>,
}

impl TaskCounts {
    /// The states that a summary shows.
    const SHOWN: [TaskState; 10] = [
        TaskState::Staging,
        TaskState::Starting,
        TaskState::Running,
        TaskState::Killing,
        TaskState::Finished,
        TaskState::Killed,
        TaskState::Failed,
        TaskState::Lost,
        TaskState::Error,
        TaskState::Unreachable,
    ];

    /// Counts a task.
    pub fn count(&mut self, task: &Task) {
        *self.counts.entry(task.state().text()).or_default() += 1;
    }

    /// Puts the counts into a summary.
    pub fn show(&self, fields: &mut Fields) {
        for state in Self::SHOWN {
            fields.put(state.text(), self.counts.get(state.text()).copied().unwrap_or(0));
        }
    }
}

fn allocated_to(resources: &[Resource]) -> String {
    let role = resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.clone());
    role.unwrap_or_else(|| "*".to_owned())
}

fn status(status: &TaskStatus) -> Value {
    let mut fields = Fields::default();
    fields.put("state", status.state().text());
    fields.put("timestamp", status.timestamp.unwrap_or(0.0));
    fields.put_some("labels", status.labels.as_ref().map(labels));
    fields.put_some("container_status", status.container_status.as_ref().map(container_status));
    fields.put_some("healthy", status.healthy);
    fields.into()
}

fn container_status(status: &ContainerStatus) -> Value {
    let mut fields = Fields::default();
    fields.put_some("container_id", status.container_id.as_ref().map(message));
    if !status.network_infos.is_empty() {
        fields.put("network_infos", status.network_infos.iter().map(network).collect::<Vec<_>>());
    }
    fields.into()
}

fn network(network: &NetworkInfo) -> Value {
    let mut shown = message(network);
    // Labels stand there without the message around them.
    if let (Some(fields), Some(all)) = (shown.as_object_mut(), &network.labels) {
        fields.insert("labels".to_owned(), labels(all));
    }
    shown
}

fn command(command: &CommandInfo) -> Value {
    let mut fields = Fields::default();
    fields.put_some("shell", command.shell);
    fields.put_some("value", command.value.clone());
    fields.put("argv", command.arguments.clone());
    fields.put_some("environment", command.environment.as_ref().map(message));
    let uri = |uri: &crate::wire::Uri| json!({"value": uri.value, "executable": uri.executable.unwrap_or(false)});
    fields.put("uris", command.uris.iter().map(uri).collect::<Vec<_>>());
    fields.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ContainerId, IpAddress, Labels};

    #[test]
    fn a_task_shows_its_states_and_where_its_container_is_reached() {
        let address = IpAddress { ip_address: Some("10.0.0.7".to_owned()), ..IpAddress::default() };
        let network =
            NetworkInfo { ip_addresses: vec![address], labels: Some(Labels::default()), ..NetworkInfo::default() };
        let container = ContainerStatus {
            container_id: Some(ContainerId { value: "c".to_owned(), parent: None }),
            network_infos: vec![network],
            ..ContainerStatus::default()
        };
        let status = TaskStatus {
            state: TaskState::Running.into(),
            timestamp: Some(1.5),
            healthy: Some(true),
            container_status: Some(container),
            ..TaskStatus::default()
        };
        let state = TaskState::Running.into();
        let shown = task(&Task { task_id: "t".into(), state, statuses: vec![status], ..Task::default() });
        assert_eq!(
            shown["statuses"],
            json!([{
                "state": "TASK_RUNNING", "timestamp": 1.5, "healthy": true,
                "container_status": {
                    "container_id": {"value": "c"},
                    "network_infos": [{"ip_addresses": [{"protocol": "IPv4", "ip_address": "10.0.0.7"}], "labels": []}],
                },
            }])
        );
        assert_eq!((&shown["executor_id"], &shown["role"], &shown["id"]), (&json!(""), &json!("*"), &json!("t")));
    }
}
