//! What an agent knows of its executors and tasks.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::entropy::{Entropy, SeededEntropy};

use crate::agent::record::{ExecutorRecord, TaskRecord};
use crate::wire::executor::Event;
use crate::wire::{ExecutorInfo, FrameworkInfo, Task, TaskInfo, TaskStatus};

/// What an agent goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an executor may take to subscribe.
    pub registration: Duration,
    /// How long it may take after the agent was started again.
    pub reregistration: Duration,
    /// How long it may take to end.
    pub shutdown_grace: Duration,
    /// After what time an update is told again; twice as long each time.
    pub retry: Duration,
    /// The longest of these times.
    pub longest_retry: Duration,
    /// The address of tasks that have none of their own.
    pub ip: Option<IpAddr>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            registration: Duration::from_secs(60),
            reregistration: Duration::from_secs(2),
            shutdown_grace: Duration::from_secs(5),
            retry: Duration::from_secs(10),
            longest_retry: Duration::from_secs(600),
            ip: None,
            entropy: Arc::new(SeededEntropy::from_os()),
        }
    }
}

/// Tells an executor from all others here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whose it is.
    pub framework: String,
    /// Its id; that of its task, if it is the agent's own for that task alone.
    pub executor: String,
}

/// An executor.
#[derive(Debug)]
pub struct Executor {
    /// As it was asked for.
    pub info: ExecutorInfo,
    /// The id of its container.
    pub container_id: String,
    /// Whether it is the agent's own.
    pub is_builtin: bool,
    /// How far it is.
    pub phase: Phase,
    /// What it is told when it subscribes.
    pub waiting: Vec<Event>,
    /// Its tasks, until their end was acknowledged.
    pub tasks: BTreeMap<String, TaskLife>,
    /// The process of its container, where that is known.
    pub pid: Option<u32>,
}

/// How far an executor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not subscribed, and has so long to do so.
    Registering(Timestamp),
    /// It ran before the agent was started again, and has so long to subscribe to it.
    Returning(Timestamp),
    /// It is subscribed.
    Running,
    /// It is to end, and is killed then.
    Ending(Timestamp),
    /// It has ended: what it left to tell is told.
    Ended,
}

/// A task.
#[derive(Clone, Debug)]
pub struct TaskLife {
    /// As its framework wants it.
    pub info: TaskInfo,
    /// As it is told of; its state is the latest.
    pub task: Task,
    /// What the framework has not acknowledged, the oldest first. The next is told when that before was acknowledged.
    pub pending: VecDeque<TaskStatus>,
    /// When the oldest is told again, and how long after that once more.
    pub repeat: Option<(Timestamp, Duration)>,
}

impl Executor {
    /// Whether it has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.phase != Phase::Ended
    }

    /// Whether masters and frameworks know of it: that of a command task is the agent's own affair.
    #[must_use]
    pub fn is_told(&self) -> bool {
        !self.is_builtin || self.info.r#type() == crate::wire::ExecutorType::Default
    }

    /// As it is written down.
    pub(super) fn record(&self, framework: &FrameworkInfo) -> ExecutorRecord {
        let task = |life: &TaskLife| TaskRecord {
            info: life.info.clone(),
            task: life.task.clone(),
            pending: life.pending.iter().cloned().collect(),
        };
        ExecutorRecord {
            framework: framework.clone(),
            executor: self.info.clone(),
            container_id: self.container_id.clone(),
            is_builtin: self.is_builtin,
            tasks: self.tasks.values().map(task).collect(),
            has_ended: !self.is_alive(),
        }
    }
}

impl TaskLife {
    /// Whether it has ended, acknowledged or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.task.state().is_terminal()
    }

    /// As a master is told of it: with the update that is under way.
    #[must_use]
    pub fn told(&self) -> Task {
        let mut task = self.task.clone();
        if let Some(head) = self.pending.front() {
            task.status_update_state = Some(head.state);
            task.status_update_uuid.clone_from(&head.uuid);
        }
        task
    }
}
