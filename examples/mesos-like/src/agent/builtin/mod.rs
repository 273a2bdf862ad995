//! [`BuiltinExecutor`]: the executor of tasks that bring none.

mod actor;
mod core;
mod life;
mod nested;
mod status;
mod task;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use orch_core::entropy::SeededEntropy;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::core::Core;
pub(in crate::agent) use self::nested::id as nested_id;
use super::containers::Containers;
use crate::wire::executor::{Call, Event};
use crate::wire::{AgentId, ExecutorInfo, FrameworkInfo, TaskInfo, TaskState};

/// The executor of tasks that bring none: of one command, or of groups of tasks.
#[derive(Debug)]
pub struct BuiltinExecutor;

/// What a built-in executor is told at its start.
#[derive(Clone, Debug)]
pub struct BuiltinSetting {
    /// Whose tasks they are.
    pub framework: FrameworkInfo,
    /// The executor itself. With the type `DEFAULT` it runs groups, each task in a container of its own; else one command
    /// task, in the executor's container.
    pub executor: ExecutorInfo,
    /// On which agent.
    pub agent_id: AgentId,
    /// The address of tasks that have none of their own.
    pub agent_ip: IpAddr,
    /// The id of the executor's container.
    pub container_id: String,
    /// Its sandbox.
    pub sandbox: PathBuf,
    /// The user that tasks run as, if not the agent's.
    pub user: Option<String>,
    /// Variables that every task gets: those with which executors are told of their agent.
    pub environment: Vec<(String, String)>,
    /// Tasks that it had before the agent was restarted, and that had not ended as far as the agent knows.
    pub recovered: Vec<Recovered>,
}

/// A task that an executor had before its agent was restarted.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The task.
    pub task: TaskInfo,
    /// The latest state that was told of it.
    pub state: TaskState,
}

impl BuiltinExecutor {
    /// Runs what it is told to in `events`, and tells of it in `calls`: as every executor it subscribes first. It ends
    /// when every task has ended and every end was acknowledged, or when it is told to shut down and has killed all.
    #[must_use]
    pub fn start(
        containers: Arc<Containers>,
        setting: BuiltinSetting,
        events: mpsc::Receiver<Event>,
        calls: mpsc::Sender<Call>,
    ) -> JoinHandle<()> {
        let core = Core::new(&setting, Arc::new(SeededEntropy::from_os()));
        tokio::spawn(actor::run(containers, setting, core, events, calls))
    }
}
