//! What a master answers.

use crate::wire::describe::{messages, names};
use crate::wire::scheduler::Operation;
use crate::wire::{
    AgentId, AgentInfo, DrainInfo, ExecutorInfo, FrameworkId, FrameworkInfo, InverseOffer, MachineId, MasterInfo,
    Offer, QuotaConfig, Resource, Schedule, Task, TimeInfo, WeightInfo,
};

messages! {
    /// What a master answers.
    Response {
        #[prost(enumeration(ResponseType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] get_health: Option<GetHealth>,
        #[prost(message, optional, tag = "3")] get_flags: Option<GetFlags>,
        #[prost(message, optional, tag = "4")] get_version: Option<GetVersion>,
        #[prost(message, optional, tag = "5")] get_metrics: Option<GetMetrics>,
        #[prost(message, optional, tag = "6")] get_logging_level: Option<GetLoggingLevel>,
        #[prost(message, optional, tag = "7")] list_files: Option<FileInfos>,
        #[prost(message, optional, tag = "8")] read_file: Option<FileData>,
        #[prost(message, optional, tag = "9")] get_state: Option<GetState>,
        #[prost(message, optional, tag = "10")] get_agents: Option<GetAgents>,
        #[prost(message, optional, tag = "11")] get_frameworks: Option<GetFrameworks>,
        #[prost(message, optional, tag = "12")] get_executors: Option<GetExecutors>,
        #[prost(message, optional, tag = "20")] get_operations: Option<GetOperations>,
        #[prost(message, optional, tag = "13")] get_tasks: Option<GetTasks>,
        #[prost(message, optional, tag = "14")] get_roles: Option<GetRoles>,
        #[prost(message, optional, tag = "15")] get_weights: Option<GetWeights>,
        #[prost(message, optional, tag = "16")] get_master: Option<GetMaster>,
        #[prost(message, optional, tag = "17")] get_maintenance_status: Option<GetMaintenanceStatus>,
        #[prost(message, optional, tag = "18")] get_maintenance_schedule: Option<GetMaintenanceSchedule>,
        #[prost(message, optional, tag = "19")] get_quota: Option<GetQuota>,
    }

    /// Whether all is well.
    GetHealth { #[prost(bool, required, tag = "1")] healthy: bool, }

    /// How the program was started.
    GetFlags { #[prost(message, repeated, tag = "1")] flags: Vec<Flag>, }

    /// One way in which the program was started.
    Flag {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(string, optional, tag = "2")] value: Option<String>,
    }

    /// Which program it is.
    GetVersion { #[prost(message, required, tag = "1")] version_info: VersionInfo, }

    /// Which program it is.
    VersionInfo {
        #[prost(string, required, tag = "1")] version: String,
        #[prost(string, optional, tag = "2")] build_date: Option<String>,
        #[prost(double, optional, tag = "3")] build_time: Option<f64>,
        #[prost(string, optional, tag = "4")] build_user: Option<String>,
        #[prost(string, optional, tag = "5")] git_sha: Option<String>,
        #[prost(string, optional, tag = "6")] git_branch: Option<String>,
        #[prost(string, optional, tag = "7")] git_tag: Option<String>,
    }

    /// What is measured.
    GetMetrics { #[prost(message, repeated, tag = "1")] metrics: Vec<Metric>, }

    /// Something that is measured.
    Metric {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(double, optional, tag = "2")] value: Option<f64>,
    }

    /// How much is logged.
    GetLoggingLevel { #[prost(uint32, required, tag = "1")] level: u32, }

    /// What is in a folder.
    FileInfos { #[prost(message, repeated, tag = "1")] file_infos: Vec<FileInfo>, }

    /// A file.
    FileInfo {
        #[prost(string, required, tag = "1")] path: String,
        #[prost(int32, optional, tag = "2")] nlink: Option<i32>,
        #[prost(uint64, optional, tag = "3")] size: Option<u64>,
        #[prost(message, optional, tag = "4")] mtime: Option<TimeInfo>,
        #[prost(uint32, optional, tag = "5")] mode: Option<u32>,
        #[prost(string, optional, tag = "6")] uid: Option<String>,
        #[prost(string, optional, tag = "7")] gid: Option<String>,
    }

    /// Part of a file, and how long all of it is.
    FileData {
        #[prost(uint64, required, tag = "1")] size: u64,
        #[prost(bytes, required, tag = "2")] data: Vec<u8>,
    }

    /// All that the master knows.
    GetState {
        #[prost(message, optional, tag = "1")] get_tasks: Option<GetTasks>,
        #[prost(message, optional, tag = "2")] get_executors: Option<GetExecutors>,
        #[prost(message, optional, tag = "3")] get_frameworks: Option<GetFrameworks>,
        #[prost(message, optional, tag = "4")] get_agents: Option<GetAgents>,
    }

    /// Agents: those that are there, and those that are waited for.
    GetAgents {
        #[prost(message, repeated, tag = "1")] agents: Vec<Agent>,
        #[prost(message, repeated, tag = "2")] recovered_agents: Vec<AgentInfo>,
    }

    /// An agent.
    Agent {
        #[prost(message, required, tag = "1")] agent_info: AgentInfo,
        #[prost(bool, required, tag = "2")] active: bool,
        #[prost(bool, optional, tag = "12")] deactivated: Option<bool>,
        #[prost(string, required, tag = "3")] version: String,
        #[prost(string, optional, tag = "4")] pid: Option<String>,
        #[prost(message, optional, tag = "5")] registered_time: Option<TimeInfo>,
        #[prost(message, optional, tag = "6")] reregistered_time: Option<TimeInfo>,
        #[prost(message, repeated, tag = "7")] total_resources: Vec<Resource>,
        #[prost(message, repeated, tag = "8")] allocated_resources: Vec<Resource>,
        #[prost(message, repeated, tag = "9")] offered_resources: Vec<Resource>,
        #[prost(message, repeated, tag = "10")] capabilities: Vec<AgentCapability>,
        #[prost(message, optional, tag = "13")] drain_info: Option<DrainInfo>,
        #[prost(message, optional, tag = "14")] estimated_drain_start_time: Option<TimeInfo>,
    }

    /// What an agent can do.
    AgentCapability { #[prost(enumeration(AgentCapabilityType), optional, tag = "1")] r#type: Option<i32>, }

    /// Frameworks: those that have not ended, and those that have.
    GetFrameworks {
        #[prost(message, repeated, tag = "1")] frameworks: Vec<Framework>,
        #[prost(message, repeated, tag = "2")] completed_frameworks: Vec<Framework>,
    }

    /// A framework.
    Framework {
        #[prost(message, required, tag = "1")] framework_info: FrameworkInfo,
        #[prost(bool, required, tag = "2")] active: bool,
        #[prost(bool, required, tag = "3")] connected: bool,
        #[prost(bool, required, tag = "11")] recovered: bool,
        #[prost(message, optional, tag = "4")] registered_time: Option<TimeInfo>,
        #[prost(message, optional, tag = "5")] reregistered_time: Option<TimeInfo>,
        #[prost(message, optional, tag = "6")] unregistered_time: Option<TimeInfo>,
        #[prost(message, repeated, tag = "7")] offers: Vec<Offer>,
        #[prost(message, repeated, tag = "8")] inverse_offers: Vec<InverseOffer>,
        #[prost(message, repeated, tag = "9")] allocated_resources: Vec<Resource>,
        #[prost(message, repeated, tag = "10")] offered_resources: Vec<Resource>,
    }

    /// Executors.
    GetExecutors { #[prost(message, repeated, tag = "1")] executors: Vec<Executor>, }

    /// An executor, and where it is.
    Executor {
        #[prost(message, required, tag = "1")] executor_info: ExecutorInfo,
        #[prost(message, required, tag = "2")] agent_id: AgentId,
    }

    /// Operations that have not ended.
    GetOperations { #[prost(message, repeated, tag = "1")] operations: Vec<Operation>, }

    /// Tasks: those that run, those whose agents do not answer, and those that have ended.
    GetTasks {
        #[prost(message, repeated, tag = "2")] tasks: Vec<Task>,
        #[prost(message, repeated, tag = "5")] unreachable_tasks: Vec<Task>,
        #[prost(message, repeated, tag = "3")] completed_tasks: Vec<Task>,
    }

    /// Roles.
    GetRoles { #[prost(message, repeated, tag = "1")] roles: Vec<Role>, }

    /// A role, who is in it, and what it has.
    Role {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(double, required, tag = "2")] weight: f64,
        #[prost(message, repeated, tag = "3")] frameworks: Vec<FrameworkId>,
        #[prost(message, repeated, tag = "4")] resources: Vec<Resource>,
    }

    /// How much more than others some roles get.
    GetWeights { #[prost(message, repeated, tag = "1")] weight_infos: Vec<WeightInfo>, }

    /// Which master leads, and since when.
    GetMaster {
        #[prost(message, optional, tag = "1")] master_info: Option<MasterInfo>,
        #[prost(double, optional, tag = "2")] start_time: Option<f64>,
        #[prost(double, optional, tag = "3")] elected_time: Option<f64>,
    }

    /// Which machines are, or will be, out of use.
    GetMaintenanceStatus { #[prost(message, required, tag = "1")] status: ClusterStatus, }

    /// Which machines are, or will be, out of use.
    ClusterStatus {
        #[prost(message, repeated, tag = "1")] draining_machines: Vec<DrainingMachine>,
        #[prost(message, repeated, tag = "2")] down_machines: Vec<MachineId>,
    }

    /// A machine that will be out of use, and what the frameworks on it say to that.
    DrainingMachine {
        #[prost(message, required, tag = "1")] id: MachineId,
        #[prost(message, repeated, tag = "2")] statuses: Vec<InverseOfferStatus>,
    }

    /// What a framework says to an inverse offer.
    InverseOfferStatus {
        #[prost(enumeration(InverseOfferAnswer), required, tag = "1")] status: i32,
        #[prost(message, required, tag = "2")] framework_id: FrameworkId,
        #[prost(message, required, tag = "3")] timestamp: TimeInfo,
    }

    /// When machines are out of use.
    GetMaintenanceSchedule { #[prost(message, required, tag = "1")] schedule: Schedule, }

    /// What roles are to have at least, and at most.
    GetQuota { #[prost(message, required, tag = "1")] status: QuotaStatus, }

    /// What roles are to have at least, and at most, the old way and the new one.
    QuotaStatus {
        #[prost(message, repeated, tag = "1")] infos: Vec<QuotaInfo>,
        #[prost(message, repeated, tag = "2")] configs: Vec<QuotaConfig>,
    }

    /// What a role is to have, the old way.
    QuotaInfo {
        #[prost(string, optional, tag = "1")] role: Option<String>,
        #[prost(string, optional, tag = "2")] principal: Option<String>,
        #[prost(message, repeated, tag = "3")] guarantee: Vec<Resource>,
    }
}

names! {
    /// What masters answer.
    ResponseType {
        Unknown = 0 "UNKNOWN",
        GetHealth = 1 "GET_HEALTH",
        GetFlags = 2 "GET_FLAGS",
        GetVersion = 3 "GET_VERSION",
        GetMetrics = 4 "GET_METRICS",
        GetLoggingLevel = 5 "GET_LOGGING_LEVEL",
        ListFiles = 6 "LIST_FILES",
        ReadFile = 7 "READ_FILE",
        GetState = 8 "GET_STATE",
        GetAgents = 9 "GET_AGENTS",
        GetFrameworks = 10 "GET_FRAMEWORKS",
        GetExecutors = 11 "GET_EXECUTORS",
        GetOperations = 19 "GET_OPERATIONS",
        GetTasks = 12 "GET_TASKS",
        GetRoles = 13 "GET_ROLES",
        GetWeights = 14 "GET_WEIGHTS",
        GetMaster = 15 "GET_MASTER",
        GetMaintenanceStatus = 16 "GET_MAINTENANCE_STATUS",
        GetMaintenanceSchedule = 17 "GET_MAINTENANCE_SCHEDULE",
        GetQuota = 18 "GET_QUOTA",
    }

    /// What agents can do.
    AgentCapabilityType {
        Unknown = 0 "UNKNOWN",
        MultiRole = 1 "MULTI_ROLE",
        HierarchicalRole = 2 "HIERARCHICAL_ROLE",
        ReservationRefinement = 3 "RESERVATION_REFINEMENT",
        ResourceProvider = 4 "RESOURCE_PROVIDER",
        ResizeVolume = 5 "RESIZE_VOLUME",
        AgentOperationFeedback = 6 "AGENT_OPERATION_FEEDBACK",
        AgentDraining = 7 "AGENT_DRAINING",
        TaskResourceLimits = 8 "TASK_RESOURCE_LIMITS",
    }

    /// What frameworks say to inverse offers.
    InverseOfferAnswer { Unknown = 1 "UNKNOWN", Accept = 2 "ACCEPT", Decline = 3 "DECLINE", }
}
