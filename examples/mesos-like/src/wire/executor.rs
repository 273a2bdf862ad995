//! The executor API: what executors and their agent say to each other.

use super::base::*;
use super::describe::{messages, names};
use super::task::*;

messages! {
    /// What an executor says.
    Call {
        #[prost(message, required, tag = "1")] executor_id: ExecutorId,
        #[prost(message, required, tag = "2")] framework_id: FrameworkId,
        #[prost(enumeration(CallType), optional, tag = "3")] r#type: Option<i32>,
        #[prost(message, optional, tag = "4")] subscribe: Option<Subscribe>,
        #[prost(message, optional, tag = "5")] update: Option<Update>,
        #[prost(message, optional, tag = "6")] message: Option<CallMessage>,
    }

    /// What the executor knows that the agent may have lost.
    Subscribe {
        #[prost(message, repeated, tag = "1")] unacknowledged_tasks: Vec<TaskInfo>,
        #[prost(message, repeated, tag = "2")] unacknowledged_updates: Vec<Update>,
    }

    /// A task is other than before.
    Update { #[prost(message, required, tag = "1")] status: TaskStatus, }

    /// Bytes for the framework.
    CallMessage { #[prost(bytes, required, tag = "2")] data: Vec<u8>, }

    /// What an agent says.
    Event {
        #[prost(enumeration(EventType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] subscribed: Option<Subscribed>,
        #[prost(message, optional, tag = "3")] acknowledged: Option<Acknowledged>,
        #[prost(message, optional, tag = "4")] launch: Option<Launch>,
        #[prost(message, optional, tag = "8")] launch_group: Option<LaunchGroup>,
        #[prost(message, optional, tag = "5")] kill: Option<Kill>,
        #[prost(message, optional, tag = "6")] message: Option<EventMessage>,
        #[prost(message, optional, tag = "7")] error: Option<Error>,
    }

    /// The executor is subscribed.
    Subscribed {
        #[prost(message, required, tag = "1")] executor_info: ExecutorInfo,
        #[prost(message, required, tag = "2")] framework_info: FrameworkInfo,
        #[prost(message, required, tag = "3")] agent_info: AgentInfo,
        #[prost(message, optional, tag = "4")] container_id: Option<ContainerId>,
    }

    /// A task to run.
    Launch { #[prost(message, required, tag = "1")] task: TaskInfo, }

    /// Tasks to run together.
    LaunchGroup { #[prost(message, required, tag = "1")] task_group: TaskGroupInfo, }

    /// A task to end.
    Kill {
        #[prost(message, required, tag = "1")] task_id: TaskId,
        #[prost(message, optional, tag = "2")] kill_policy: Option<KillPolicy>,
    }

    /// An update was taken in.
    Acknowledged {
        #[prost(message, required, tag = "1")] task_id: TaskId,
        #[prost(bytes, required, tag = "2")] uuid: Vec<u8>,
    }

    /// Bytes from the framework.
    EventMessage { #[prost(bytes, required, tag = "1")] data: Vec<u8>, }

    /// Nothing more will be said.
    Error { #[prost(string, required, tag = "1")] message: String, }
}

names! {
    /// What executors say.
    CallType {
        Unknown = 0 "UNKNOWN",
        Subscribe = 1 "SUBSCRIBE",
        Update = 2 "UPDATE",
        Message = 3 "MESSAGE",
        Heartbeat = 4 "HEARTBEAT",
    }

    /// What agents say.
    EventType {
        Unknown = 0 "UNKNOWN",
        Subscribed = 1 "SUBSCRIBED",
        Launch = 2 "LAUNCH",
        Kill = 3 "KILL",
        Acknowledged = 4 "ACKNOWLEDGED",
        Message = 5 "MESSAGE",
        Error = 6 "ERROR",
        Shutdown = 7 "SHUTDOWN",
        LaunchGroup = 8 "LAUNCH_GROUP",
        Heartbeat = 9 "HEARTBEAT",
    }
}
