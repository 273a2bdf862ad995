//! What an agent writes down, so that it is the same one when it is started again.

use crate::wire::describe::messages;
use crate::wire::{AgentInfo, ExecutorInfo, FrameworkInfo, Resource, Task, TaskInfo, TaskStatus};

messages! {
    /// Who the agent is.
    AgentRecord {
        #[prost(message, required, tag = "1")] agent: AgentInfo,
        /// All that it has, with what was reserved and created since it came.
        #[prost(message, repeated, tag = "2")] resources: Vec<Resource>,
    }

    /// An executor that runs, or ran, with its tasks.
    ExecutorRecord {
        #[prost(message, required, tag = "1")] framework: FrameworkInfo,
        #[prost(message, required, tag = "2")] executor: ExecutorInfo,
        #[prost(string, required, tag = "3")] container_id: String,
        /// Whether it is the agent's own: of a command task, or of groups.
        #[prost(bool, required, tag = "4")] is_builtin: bool,
        #[prost(message, repeated, tag = "5")] tasks: Vec<TaskRecord>,
        #[prost(bool, required, tag = "6")] has_ended: bool,
    }

    /// A task whose end was not acknowledged.
    TaskRecord {
        #[prost(message, required, tag = "1")] info: TaskInfo,
        /// As it is told of; its state is the latest.
        #[prost(message, required, tag = "2")] task: Task,
        /// What the framework has not acknowledged, the oldest first.
        #[prost(message, repeated, tag = "3")] pending: Vec<TaskStatus>,
    }
}
