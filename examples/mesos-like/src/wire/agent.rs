//! What agents and masters say to each other. This is not Mesos's: there it is libprocess, here it has the shape of the
//! other APIs, a stream of records from the master and a call each from the agent.

use super::base::*;
use super::describe::{messages, names};
use super::executor;
use super::scheduler::{Acknowledge, Operation};
use super::task::*;

messages! {
    /// What an agent says.
    AgentCall {
        #[prost(enumeration(AgentCallType), required, tag = "1")] r#type: i32,
        /// Who says it; not yet known at the first registration.
        #[prost(message, optional, tag = "2")] agent_id: Option<AgentId>,
        #[prost(message, optional, tag = "3")] register: Option<Register>,
        #[prost(message, optional, tag = "4")] update: Option<AgentUpdate>,
        #[prost(message, optional, tag = "5")] message: Option<ExecutorMessage>,
        #[prost(message, optional, tag = "6")] exited: Option<ExitedExecutor>,
    }

    /// All that an agent has and runs.
    Register {
        #[prost(message, required, tag = "1")] agent: AgentInfo,
        #[prost(string, required, tag = "2")] version: String,
        /// All that it has now, with what was reserved and created since it came.
        #[prost(message, repeated, tag = "3")] resources: Vec<Resource>,
        #[prost(message, repeated, tag = "4")] frameworks: Vec<FrameworkInfo>,
        /// Executors that run.
        #[prost(message, repeated, tag = "5")] executors: Vec<ExecutorInfo>,
        /// Tasks that have not ended, or whose end was not acknowledged.
        #[prost(message, repeated, tag = "6")] tasks: Vec<Task>,
        /// Where it listens, if not where it calls from.
        #[prost(string, optional, tag = "7")] ip: Option<String>,
    }

    /// A task is other than before. It is said until it is acknowledged.
    AgentUpdate {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        /// What the framework is told.
        #[prost(message, required, tag = "2")] status: TaskStatus,
        /// The state after all updates that have not been told yet.
        #[prost(enumeration(TaskState), required, tag = "3")] latest_state: i32,
    }

    /// Bytes between a framework and an executor.
    ExecutorMessage {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(message, required, tag = "2")] executor_id: ExecutorId,
        #[prost(bytes, required, tag = "3")] data: Vec<u8>,
    }

    /// An executor ended.
    ExitedExecutor {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(message, required, tag = "2")] executor_id: ExecutorId,
        /// As `wait` reports it.
        #[prost(int32, required, tag = "3")] status: i32,
    }

    /// What a master says.
    AgentEvent {
        #[prost(enumeration(AgentEventType), required, tag = "1")] r#type: i32,
        #[prost(message, optional, tag = "2")] registered: Option<Registered>,
        #[prost(message, optional, tag = "3")] run: Option<RunTasks>,
        #[prost(message, optional, tag = "4")] kill: Option<KillTask>,
        #[prost(message, optional, tag = "5")] acknowledge: Option<AgentAcknowledge>,
        #[prost(message, optional, tag = "6")] message: Option<ExecutorMessage>,
        #[prost(message, optional, tag = "7")] shutdown_executor: Option<ShutdownExecutor>,
        #[prost(message, optional, tag = "8")] shutdown_framework: Option<FrameworkId>,
        #[prost(message, optional, tag = "9")] apply: Option<Apply>,
        #[prost(message, optional, tag = "10")] framework: Option<FrameworkInfo>,
        /// Why the agent is to end, or why it is refused.
        #[prost(string, optional, tag = "11")] reason: Option<String>,
    }

    /// The agent is registered.
    Registered {
        #[prost(message, required, tag = "1")] agent_id: AgentId,
        /// How often the master wants to hear of the agent, and the agent hears of the master.
        #[prost(double, required, tag = "2")] ping_seconds: f64,
    }

    /// Tasks to run: one alone, or a group together.
    RunTasks {
        #[prost(message, required, tag = "1")] framework: FrameworkInfo,
        /// The executor for them; none for one that only runs a command.
        #[prost(message, optional, tag = "2")] executor: Option<ExecutorInfo>,
        #[prost(message, repeated, tag = "3")] tasks: Vec<TaskInfo>,
        #[prost(bool, required, tag = "4")] group: bool,
    }

    /// A task to end.
    KillTask {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(message, required, tag = "2")] kill: executor::Kill,
    }

    /// An update was taken in.
    AgentAcknowledge {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(message, required, tag = "2")] acknowledge: Acknowledge,
    }

    /// An executor to end.
    ShutdownExecutor {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(message, required, tag = "2")] executor_id: ExecutorId,
    }

    /// What became of the agent's resources.
    Apply {
        /// What was done, for volumes that are to be made or destroyed.
        #[prost(message, required, tag = "1")] operation: Operation,
        /// All that the agent has from now on.
        #[prost(message, repeated, tag = "2")] resources: Vec<Resource>,
    }
}

names! {
    /// What agents say.
    AgentCallType {
        Register = 1 "REGISTER",
        Pong = 2 "PONG",
        Update = 3 "UPDATE",
        Message = 4 "MESSAGE",
        Exited = 5 "EXITED",
        Unregister = 6 "UNREGISTER",
    }

    /// What masters say to agents.
    AgentEventType {
        Registered = 1 "REGISTERED",
        Ping = 2 "PING",
        Run = 3 "RUN",
        Kill = 4 "KILL",
        Acknowledge = 5 "ACKNOWLEDGE",
        Message = 6 "MESSAGE",
        ShutdownExecutor = 7 "SHUTDOWN_EXECUTOR",
        ShutdownFramework = 8 "SHUTDOWN_FRAMEWORK",
        Apply = 9 "APPLY",
        Framework = 10 "FRAMEWORK",
        Shutdown = 11 "SHUTDOWN",
        Refused = 12 "REFUSED",
    }
}
