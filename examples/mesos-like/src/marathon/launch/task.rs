//! [`task`]: an instance of an app, as a master is told of it.

use super::port::{labels, ports};
use super::{container, discovery, environment, health};
use crate::marathon::model::App;
use crate::wire::{self, CommandInfo, DurationInfo, Environment, KillPolicy, TaskInfo, Uri, Variable};

/// Where an instance is started, and with what.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// The id of its task.
    pub task_id: &'a str,
    /// Its own id, which it keeps when it is started again.
    pub instance_id: &'a str,
    /// The name of the agent.
    pub host: &'a str,
    /// The id of the agent.
    pub agent_id: &'a wire::AgentId,
    /// Ports of the agent, in the order of the app's ports; 0 where it has none.
    pub ports: &'a [u16],
    /// What it has of the agent, these ports and its disks included.
    pub resources: Vec<wire::Resource>,
}

/// An instance of an app.
#[must_use]
pub fn task(app: &App, launch: Launch<'_>) -> TaskInfo {
    let ports = ports(app, launch.ports);
    let name = app.id.names().rev().collect::<Vec<_>>().join(".");
    let variables = environment::variables(app, &launch, &ports);
    TaskInfo {
        task_id: launch.task_id.into(),
        agent_id: launch.agent_id.clone(),
        command: Some(command(app, variables)),
        container: container::container(app, &ports),
        health_check: app.health_checks.first().map(|check| health::health_check(check, &ports)),
        kill_policy: Some(KillPolicy { grace_period: Some(seconds(app.task_kill_grace_period_seconds)) }),
        labels: labels(&app.labels),
        discovery: Some(discovery::discovery(app, &name, &ports)),
        resources: launch.resources,
        name,
        ..TaskInfo::default()
    }
}

fn command(app: &App, variables: impl IntoIterator<Item = (String, String)>) -> CommandInfo {
    let variable = |(name, value)| Variable { name, value: Some(value), ..Variable::default() };
    let has_image = app.container.as_ref().is_some_and(|container| container.docker.is_some());
    let arguments = app.args.clone().unwrap_or_default();
    let value = match &app.cmd {
        Some(line) => Some(line.clone()),
        // The arguments of an image are for its own program.
        None if has_image => None,
        None => arguments.first().cloned(),
    };
    CommandInfo {
        uris: app.fetch.iter().map(uri).collect(),
        environment: Some(Environment { variables: variables.into_iter().map(variable).collect() }),
        shell: Some(app.cmd.is_some()),
        value,
        arguments,
        user: app.user.clone(),
    }
}

fn uri(fetch: &crate::marathon::model::Fetch) -> Uri {
    Uri {
        value: fetch.uri.clone(),
        executable: Some(fetch.executable),
        extract: Some(fetch.extract),
        cache: Some(fetch.cache),
        output_file: fetch.dest_path.clone(),
    }
}

fn seconds(seconds: u64) -> DurationInfo {
    let nanoseconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    DurationInfo { nanoseconds }
}

#[cfg(test)]
mod tests;
