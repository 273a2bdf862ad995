//! What subscribers are told of what happens.

use super::{Agent, Framework, GetState};
use crate::wire::describe::{messages, names};
use crate::wire::{AgentId, FrameworkId, FrameworkInfo, Task, TaskState, TaskStatus};

messages! {
    /// What happens.
    Event {
        #[prost(enumeration(EventType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] subscribed: Option<Subscribed>,
        #[prost(message, optional, tag = "3")] task_added: Option<TaskAdded>,
        #[prost(message, optional, tag = "4")] task_updated: Option<TaskUpdated>,
        #[prost(message, optional, tag = "5")] agent_added: Option<AgentAdded>,
        #[prost(message, optional, tag = "6")] agent_removed: Option<AgentRemoved>,
        #[prost(message, optional, tag = "7")] framework_added: Option<FrameworkChanged>,
        #[prost(message, optional, tag = "8")] framework_updated: Option<FrameworkChanged>,
        #[prost(message, optional, tag = "9")] framework_removed: Option<FrameworkRemoved>,
    }

    /// How all is now; what follows are changes of it.
    Subscribed {
        #[prost(message, optional, tag = "1")] get_state: Option<GetState>,
        #[prost(double, optional, tag = "2")] heartbeat_interval_seconds: Option<f64>,
    }

    /// There is a task more.
    TaskAdded { #[prost(message, required, tag = "1")] task: Task, }

    /// A task is other than before.
    TaskUpdated {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(message, required, tag = "2")] status: TaskStatus,
        #[prost(enumeration(TaskState), required, tag = "3")] state: i32,
    }

    /// There is an agent more.
    AgentAdded { #[prost(message, required, tag = "1")] agent: Agent, }

    /// There is an agent less.
    AgentRemoved { #[prost(message, required, tag = "1")] agent_id: AgentId, }

    /// There is a framework more, or one is other than before.
    FrameworkChanged { #[prost(message, required, tag = "1")] framework: Framework, }

    /// A framework has ended.
    FrameworkRemoved { #[prost(message, required, tag = "1")] framework_info: FrameworkInfo, }
}

names! {
    /// What happens.
    EventType {
        Unknown = 0 "UNKNOWN",
        Subscribed = 1 "SUBSCRIBED",
        TaskAdded = 2 "TASK_ADDED",
        TaskUpdated = 3 "TASK_UPDATED",
        AgentAdded = 4 "AGENT_ADDED",
        AgentRemoved = 5 "AGENT_REMOVED",
        FrameworkAdded = 6 "FRAMEWORK_ADDED",
        FrameworkUpdated = 7 "FRAMEWORK_UPDATED",
        FrameworkRemoved = 8 "FRAMEWORK_REMOVED",
        Heartbeat = 9 "HEARTBEAT",
    }
}
