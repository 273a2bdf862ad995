//! The operator API of an agent, as far as it is there.

use super::base::{AgentInfo, ExecutorId, FrameworkId, FrameworkInfo};
use super::describe::{messages, names};
use super::operator::{FileData, FileInfos, GetFlags, GetHealth, GetVersion, ListFiles, ReadFile};
use super::task::{ContainerStatus, ExecutorInfo, Task};
use super::{ContainerId, TaskState};

messages! {
    /// What an agent is asked.
    Call {
        #[prost(enumeration(CallType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "4")] list_files: Option<ListFiles>,
        #[prost(message, optional, tag = "5")] read_file: Option<ReadFile>,
    }

    /// What an agent answers.
    Response {
        #[prost(enumeration(ResponseType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] get_health: Option<GetHealth>,
        #[prost(message, optional, tag = "3")] get_flags: Option<GetFlags>,
        #[prost(message, optional, tag = "4")] get_version: Option<GetVersion>,
        #[prost(message, optional, tag = "7")] list_files: Option<FileInfos>,
        #[prost(message, optional, tag = "8")] read_file: Option<FileData>,
        #[prost(message, optional, tag = "9")] get_state: Option<State>,
        #[prost(message, optional, tag = "10")] get_containers: Option<Containers>,
        #[prost(message, optional, tag = "11")] get_frameworks: Option<Frameworks>,
        #[prost(message, optional, tag = "12")] get_executors: Option<Executors>,
        #[prost(message, optional, tag = "13")] get_tasks: Option<Tasks>,
        #[prost(message, optional, tag = "15")] get_agent: Option<Agent>,
    }

    /// All that the agent knows.
    State {
        #[prost(message, optional, tag = "1")] get_tasks: Option<Tasks>,
        #[prost(message, optional, tag = "2")] get_executors: Option<Executors>,
        #[prost(message, optional, tag = "3")] get_frameworks: Option<Frameworks>,
    }

    /// Its containers.
    Containers { #[prost(message, repeated, tag = "1")] containers: Vec<Container>, }

    /// A container.
    Container {
        #[prost(message, optional, tag = "1")] framework_id: Option<FrameworkId>,
        #[prost(message, optional, tag = "2")] executor_id: Option<ExecutorId>,
        #[prost(string, optional, tag = "3")] executor_name: Option<String>,
        #[prost(message, required, tag = "4")] container_id: ContainerId,
        #[prost(message, optional, tag = "5")] container_status: Option<ContainerStatus>,
    }

    /// The frameworks that run something there.
    Frameworks { #[prost(message, repeated, tag = "1")] frameworks: Vec<Framework>, }

    /// A framework.
    Framework { #[prost(message, required, tag = "1")] framework_info: FrameworkInfo, }

    /// Its executors.
    Executors { #[prost(message, repeated, tag = "1")] executors: Vec<Executor>, }

    /// An executor.
    Executor { #[prost(message, required, tag = "1")] executor_info: ExecutorInfo, }

    /// Its tasks: those that wait for their executor, those that run, and those whose end was not acknowledged.
    Tasks {
        #[prost(message, repeated, tag = "2")] queued_tasks: Vec<Task>,
        #[prost(message, repeated, tag = "3")] launched_tasks: Vec<Task>,
        #[prost(message, repeated, tag = "4")] terminated_tasks: Vec<Task>,
    }

    /// Who it is.
    Agent { #[prost(message, optional, tag = "1")] agent_info: Option<AgentInfo>, }
}

names! {
    /// What an agent is asked.
    CallType {
        Unknown = 0 "UNKNOWN",
        GetHealth = 1 "GET_HEALTH",
        GetFlags = 2 "GET_FLAGS",
        GetVersion = 3 "GET_VERSION",
        ListFiles = 7 "LIST_FILES",
        ReadFile = 8 "READ_FILE",
        GetState = 9 "GET_STATE",
        GetContainers = 10 "GET_CONTAINERS",
        GetFrameworks = 11 "GET_FRAMEWORKS",
        GetExecutors = 12 "GET_EXECUTORS",
        GetTasks = 13 "GET_TASKS",
        GetAgent = 20 "GET_AGENT",
    }

    /// What an agent answers.
    ResponseType {
        Unknown = 0 "UNKNOWN",
        GetHealth = 1 "GET_HEALTH",
        GetFlags = 2 "GET_FLAGS",
        GetVersion = 3 "GET_VERSION",
        ListFiles = 6 "LIST_FILES",
        ReadFile = 7 "READ_FILE",
        GetState = 8 "GET_STATE",
        GetContainers = 9 "GET_CONTAINERS",
        GetFrameworks = 10 "GET_FRAMEWORKS",
        GetExecutors = 11 "GET_EXECUTORS",
        GetTasks = 12 "GET_TASKS",
        GetAgent = 14 "GET_AGENT",
    }
}

impl Tasks {
    /// Puts a task where it belongs.
    pub fn put(&mut self, task: Task) {
        let kind = match task.state() {
            TaskState::Staging => &mut self.queued_tasks,
            state if state.is_terminal() => &mut self.terminated_tasks,
            _ => &mut self.launched_tasks,
        };
        kind.push(task);
    }
}
