//! [`Definition`]: a job as its owner wants it.

mod constraint;
mod container;
mod fields;
mod read;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

pub use constraint::Constraint;
pub use container::Container;

use super::schedule::Schedule;

/// A job as its owner wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// What is run.
    pub command: String,
    /// Whether a shell reads the command; otherwise it is a program, with [`arguments`](Self::arguments).
    pub shell: bool,
    /// What the program is given.
    pub arguments: Vec<String>,
    /// An executor of its own, as a command.
    pub executor: String,
    /// What that one is given beside the command.
    pub executor_flags: String,
    /// What that one is given in place of both.
    pub task_info_data: String,
    /// How often a run that fails is tried again.
    pub retries: u64,
    /// Whom it belongs to.
    pub owner: String,
    /// His name.
    pub owner_name: String,
    /// What it is for.
    pub description: String,
    /// What its tasks take.
    pub cpus: f64,
    /// In MB.
    pub mem: f64,
    /// In MB.
    pub disk: f64,
    /// Whether it is not run.
    pub disabled: bool,
    /// Whether jobs that depend on it run also after it failed.
    pub soft_error: bool,
    /// Kept for its owner.
    pub data_processing: bool,
    /// Kept for its owner.
    pub is_async: bool,
    /// What is fetched into the sandbox.
    pub fetch: Vec<Fetch>,
    /// Variables of the environment.
    pub environment: Vec<(String, String)>,
    /// Whether its tasks are launched before those of others.
    pub high_priority: bool,
    /// As which user its tasks run.
    pub run_as_user: String,
    /// Whether a run may begin before the last one has ended.
    pub concurrent: bool,
    /// After how many seconds a task is ended; never if it is zero.
    pub max_completion_time: u64,
    /// What its tasks run in.
    pub container: Option<Container>,
    /// Where it may run.
    pub constraints: Vec<Constraint>,
    /// How late a run may begin, as it was written.
    pub epsilon: String,
    /// When it runs.
    pub when: When,
}

/// When a job runs.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At these times.
    Scheduled {
        /// How far it is in them.
        schedule: Box<Schedule>,
        /// The name of the time zone, as it was given.
        zone: String,
    },
    /// When all of these have succeeded once more: each success of a parent is good for one run.
    After(BTreeSet<String>),
}

/// What is fetched into the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// From where.
    pub uri: String,
    /// Whether it is a program.
    pub executable: bool,
    /// Whether the agent keeps it.
    pub cache: bool,
    /// Whether an archive is unpacked.
    pub extract: bool,
    /// What the file is called; as in the URI if nothing is said.
    pub output_file: String,
}

/// What stands in a job that says nothing of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// What a task takes.
    pub cpus: f64,
    /// In MB.
    pub mem: f64,
    /// In MB.
    pub disk: f64,
    /// As which user tasks run; as the agent's if it is empty.
    pub user: String,
    /// How late a run may begin.
    pub epsilon: Duration,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { cpus: 0.1, mem: 128.0, disk: 256.0, user: String::new(), epsilon: Duration::from_secs(60) }
    }
}

impl Definition {
    /// Whether it runs after others, and after which.
    #[must_use]
    pub fn parents(&self) -> Option<&BTreeSet<String>> {
        match &self.when {
            When::After(parents) => Some(parents),
            When::Scheduled { .. } => None,
        }
    }

    /// At which times it runs.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        match &self.when {
            When::Scheduled { schedule, .. } => Some(schedule),
            When::After(_) => None,
        }
    }

    /// How late a run may begin.
    #[must_use]
    pub fn lateness(&self) -> Duration {
        // It was read before.
        super::schedule::length(&self.epsilon).unwrap_or(Duration::from_secs(60))
    }

    /// As Chronos writes it, but for what it counts.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let fetch: Vec<Value> = self.fetch.iter().map(Fetch::to_json).collect();
        let uris: Vec<&str> = self.fetch.iter().map(|fetch| fetch.uri.as_str()).collect();
        let variable = |(name, value): &(String, String)| json!({ "name": name, "value": value });
        let environment: Vec<Value> = self.environment.iter().map(variable).collect();
        let constraints: Vec<Value> = self.constraints.iter().map(Constraint::to_json).collect();
        let fields = json!({
            "name": self.name, "command": self.command, "shell": self.shell, "arguments": self.arguments,
            "executor": self.executor, "executorFlags": self.executor_flags, "taskInfoData": self.task_info_data,
            "retries": self.retries, "owner": self.owner, "ownerName": self.owner_name,
            "description": self.description, "cpus": self.cpus, "disk": self.disk, "mem": self.mem,
            "disabled": self.disabled, "softError": self.soft_error, "dataProcessingJobType": self.data_processing,
            "async": self.is_async, "fetch": fetch, "uris": uris, "environmentVariables": environment,
            "highPriority": self.high_priority, "runAsUser": self.run_as_user, "concurrent": self.concurrent,
            "maxCompletionTime": self.max_completion_time, "constraints": constraints, "epsilon": self.epsilon,
        });
        let Value::Object(mut fields) = fields else { return Map::new() };
        fields.extend(self.container.as_ref().map(|container| ("container".to_owned(), container.to_json())));
        match &self.when {
            When::Scheduled { schedule, zone } => {
                fields.insert("schedule".to_owned(), schedule.to_string().into());
                fields.insert("scheduleTimeZone".to_owned(), zone.clone().into());
            }
            When::After(parents) => {
                fields.insert("parents".to_owned(), parents.iter().cloned().collect());
            }
        }
        fields
    }
}

impl Fetch {
    fn to_json(&self) -> Value {
        let mut fetch =
            json!({ "uri": self.uri, "executable": self.executable, "cache": self.cache, "extract": self.extract });
        if !self.output_file.is_empty() {
            fetch["output_file"] = self.output_file.clone().into();
        }
        fetch
    }
}

#[cfg(test)]
mod tests;
