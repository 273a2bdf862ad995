//! What the container of a task is to be.

use std::path::{Path, PathBuf};

use super::BuiltinSetting;
use super::life::Life;
use crate::agent::containers::{ContainerPlan, LaunchError};

/// What the container of a task is to be.
pub(super) fn plan(setting: &BuiltinSetting, life: &Life) -> Result<ContainerPlan, LaunchError> {
    let task = &life.task;
    let Some(command) = task.command.clone() else {
        return Err(LaunchError::failed("the task has no command: set `command`, or name an executor of your own"));
    };
    let mut environment = setting.environment.clone();
    environment.push(("MESOS_TASK_ID".to_owned(), task.task_id.value.clone()));
    Ok(ContainerPlan {
        id: life.container_id.clone(),
        name: task.task_id.value.clone(),
        sandbox: sandbox(setting, &life.container_id),
        parent: is_nested(setting, &life.container_id).then(|| setting.sandbox.clone()),
        environment,
        command,
        container: task.container.clone(),
        resources: task.resources.clone(),
        limits: task.limits.clone(),
        user: setting.user.clone(),
    })
}

/// The sandbox of a task: the executor's, or one within.
pub(super) fn sandbox(setting: &BuiltinSetting, container_id: &str) -> PathBuf {
    if is_nested(setting, container_id) {
        setting.sandbox.join("containers").join(container_id)
    } else {
        setting.sandbox.clone()
    }
}

/// The link by which people find the sandbox of a task within its executor's, and where it leads.
pub(super) fn link(setting: &BuiltinSetting, life: &Life) -> Option<(PathBuf, PathBuf)> {
    let task = &life.task.task_id.value;
    let is_name = !task.is_empty() && task != "." && task != ".." && !task.contains(['/', '\0']);
    let wanted = is_name && is_nested(setting, &life.container_id);
    wanted.then(|| (setting.sandbox.join("tasks").join(task), Path::new("../containers").join(&life.container_id)))
}

fn is_nested(setting: &BuiltinSetting, container_id: &str) -> bool {
    setting.container_id != container_id
}
