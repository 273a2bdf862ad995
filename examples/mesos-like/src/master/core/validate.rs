//! Whether a task may be launched.

use std::collections::BTreeSet;

use orch_core::allocator::{Resources, Role};

use super::{Framework, State};
use crate::resources::from_wire;
use crate::wire::{self, AllocationInfo, ExecutorInfo, ExecutorType, TaskInfo};

/// What tasks are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered<'a> {
    pub(super) state: &'a State,
    pub(super) id: &'a str,
    pub(super) framework: &'a Framework,
    pub(super) agent: &'a str,
    pub(super) role: &'a Role,
}

impl Offered<'_> {
    /// What a task takes, without its executor.
    ///
    /// # Errors
    /// What is wrong with it, in Mesos's words where it has some.
    pub(super) fn task(&self, task: &TaskInfo, launched: &BTreeSet<String>) -> Result<Resources, String> {
        let id = task.task_id.value.as_str();
        valid_id("TaskID", id)?;
        if launched.contains(id) || self.framework.tasks.contains_key(id) {
            return Err(format!("Task has duplicate ID: {id}"));
        }
        if task.agent_id.value != self.agent {
            return Err(format!("Task uses invalid agent {} while agent {} is expected", task.agent_id, self.agent));
        }
        let resources = self.resources(&task.resources)?;
        if resources.is_empty() {
            return Err("Task uses no resources".to_owned());
        }
        if let Some(grace) = task.kill_policy.as_ref().and_then(|policy| policy.grace_period.as_ref())
            && grace.nanoseconds < 0
        {
            return Err("Task's 'kill_policy.grace_period' must be non-negative".to_owned());
        }
        if task.max_completion_time.as_ref().is_some_and(|time| time.nanoseconds < 0) {
            return Err("Task's `max_completion_time` must be non-negative".to_owned());
        }
        Ok(resources)
    }

    /// An executor of a task as its agent gets it, and what it takes if it does not run yet.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn executor(&self, executor: &ExecutorInfo) -> Result<(ExecutorInfo, Resources), String> {
        let mut executor = executor.clone();
        self.allocate(&mut executor.resources);
        valid_id("ExecutorID", &executor.executor_id.value)?;
        match &executor.framework_id {
            Some(id) if id.value != self.id => {
                return Err(format!("ExecutorInfo has an invalid FrameworkID (Actual: {id} vs Expected: {})", self.id));
            }
            _ => executor.framework_id = Some(self.id.into()),
        }
        let resources = self.resources(&executor.resources)?;
        let key = (self.agent.to_owned(), executor.executor_id.value.clone());
        match self.framework.executors.get(&key) {
            Some(running) if running.info != executor => Err(format!(
                "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID '{}'",
                executor.executor_id
            )),
            Some(_) => Ok((executor, Resources::new())),
            None => Ok((executor, resources)),
        }
    }

    /// An executor of a single task.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn executor_of_task(&self, task: &TaskInfo) -> Result<Option<(ExecutorInfo, Resources)>, String> {
        match (&task.executor, &task.command) {
            (Some(_), Some(_)) | (None, None) => {
                Err("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present".to_owned())
            }
            (None, Some(_)) => Ok(None),
            (Some(executor), None) if executor.r#type() == ExecutorType::Default => {
                Err("'ExecutorInfo.type' must not be DEFAULT for a task that is launched alone".to_owned())
            }
            (Some(executor), None) if executor.command.is_none() => {
                Err("'ExecutorInfo.command' must be set for 'CUSTOM' executor".to_owned())
            }
            (Some(executor), None) => self.executor(executor).map(Some),
        }
    }

    /// An executor of a group of tasks.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn executor_of_group(&self, executor: &ExecutorInfo) -> Result<(ExecutorInfo, Resources), String> {
        if executor.r#type() == ExecutorType::Unknown {
            return Err("'ExecutorInfo.type' must be set for LAUNCH_GROUP".to_owned());
        }
        let (executor, resources) = self.executor(executor)?;
        for (name, least) in [("cpus", 0.01), ("mem", 32.0)] {
            let has = from_wire(&executor.resources)?.scalar(name).as_f64();
            if has < least {
                return Err(format!(
                    "Executor '{}' uses less {name} ({has}) than the minimum required ({least})",
                    executor.executor_id
                ));
            }
        }
        Ok((executor, resources))
    }

    /// Resources of a task or executor: of the role that they were offered in.
    fn resources(&self, resources: &[wire::Resource]) -> Result<Resources, String> {
        for resource in resources {
            let allocated = resource.allocation_info.as_ref().and_then(|info| info.role.as_deref());
            if allocated.is_some_and(|role| role != self.role.as_str()) {
                return Err(format!("Resource '{}' is allocated to another role than {}", resource.name, self.role));
            }
        }
        from_wire(resources)
    }

    /// A task that says in which role it has its resources, which a framework need not.
    pub(super) fn allocated_task(&self, task: &TaskInfo) -> TaskInfo {
        let mut task = task.clone();
        self.allocate(&mut task.resources);
        task
    }

    fn allocate(&self, resources: &mut [wire::Resource]) {
        for resource in resources {
            let unsaid = || AllocationInfo { role: Some(self.role.to_string()) };
            resource.allocation_info.get_or_insert_with(unsaid);
        }
    }

    /// The agent's name for people.
    pub(super) fn hostname(&self) -> &str {
        self.state.agents.get(self.agent).map_or("", |agent| agent.info.hostname.as_str())
    }
}

fn valid_id(kind: &str, id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err(format!("{kind} must not be empty"));
    }
    if matches!(id, "." | "..") || id.contains(['/', '\\']) || id.chars().any(char::is_control) {
        return Err(format!("{kind} '{}' contains invalid characters", id.escape_default()));
    }
    if id.len() > 255 {
        return Err(format!("{kind} must not be longer than 255 characters"));
    }
    Ok(())
}
