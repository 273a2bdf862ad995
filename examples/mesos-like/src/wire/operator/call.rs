//! What a master is asked.

use crate::wire::describe::{messages, names};
use crate::wire::{AgentId, DurationInfo, FrameworkId, MachineId, QuotaConfig, Resource, Scalar, Schedule, WeightInfo};

messages! {
    /// What a master is asked.
    Call {
        #[prost(enumeration(CallType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] get_metrics: Option<GetMetricsCall>,
        #[prost(message, optional, tag = "3")] set_logging_level: Option<SetLoggingLevel>,
        #[prost(message, optional, tag = "4")] list_files: Option<ListFiles>,
        #[prost(message, optional, tag = "5")] read_file: Option<ReadFile>,
        #[prost(message, optional, tag = "6")] update_weights: Option<UpdateWeights>,
        #[prost(message, optional, tag = "7")] reserve_resources: Option<ReserveResources>,
        #[prost(message, optional, tag = "8")] unreserve_resources: Option<UnreserveResources>,
        #[prost(message, optional, tag = "9")] create_volumes: Option<AgentVolumes>,
        #[prost(message, optional, tag = "10")] destroy_volumes: Option<AgentVolumes>,
        #[prost(message, optional, tag = "18")] grow_volume: Option<GrowAgentVolume>,
        #[prost(message, optional, tag = "19")] shrink_volume: Option<ShrinkAgentVolume>,
        #[prost(message, optional, tag = "11")] update_maintenance_schedule: Option<UpdateMaintenanceSchedule>,
        #[prost(message, optional, tag = "12")] start_maintenance: Option<Machines>,
        #[prost(message, optional, tag = "13")] stop_maintenance: Option<Machines>,
        #[prost(message, optional, tag = "21")] drain_agent: Option<DrainAgent>,
        #[prost(message, optional, tag = "22")] deactivate_agent: Option<OneAgent>,
        #[prost(message, optional, tag = "23")] reactivate_agent: Option<OneAgent>,
        #[prost(message, optional, tag = "20")] update_quota: Option<UpdateQuota>,
        #[prost(message, optional, tag = "14")] set_quota: Option<SetQuota>,
        #[prost(message, optional, tag = "15")] remove_quota: Option<RemoveQuota>,
        #[prost(message, optional, tag = "16")] teardown: Option<Teardown>,
        #[prost(message, optional, tag = "17")] mark_agent_gone: Option<OneAgent>,
    }

    /// How long metrics are waited for.
    GetMetricsCall { #[prost(message, optional, tag = "1")] timeout: Option<DurationInfo>, }

    /// What is logged for a while.
    SetLoggingLevel {
        #[prost(uint32, required, tag = "1")] level: u32,
        #[prost(message, required, tag = "2")] duration: DurationInfo,
    }

    /// A folder.
    ListFiles { #[prost(string, required, tag = "1")] path: String, }

    /// Part of a file.
    ReadFile {
        #[prost(string, required, tag = "1")] path: String,
        #[prost(uint64, required, tag = "2")] offset: u64,
        #[prost(uint64, optional, tag = "3")] length: Option<u64>,
    }

    /// How much more than others some roles get.
    UpdateWeights { #[prost(message, repeated, tag = "1")] weight_infos: Vec<WeightInfo>, }

    /// What an agent is to keep for a role.
    ReserveResources {
        #[prost(message, required, tag = "1")] agent_id: AgentId,
        #[prost(message, repeated, tag = "3")] source: Vec<Resource>,
        #[prost(message, repeated, tag = "2")] resources: Vec<Resource>,
    }

    /// What an agent is to keep no longer.
    UnreserveResources {
        #[prost(message, required, tag = "1")] agent_id: AgentId,
        #[prost(message, repeated, tag = "2")] resources: Vec<Resource>,
    }

    /// Volumes of an agent.
    AgentVolumes {
        #[prost(message, required, tag = "1")] agent_id: AgentId,
        #[prost(message, repeated, tag = "2")] volumes: Vec<Resource>,
    }

    /// A volume of an agent, and what is added to it.
    GrowAgentVolume {
        #[prost(message, optional, tag = "1")] agent_id: Option<AgentId>,
        #[prost(message, required, tag = "2")] volume: Resource,
        #[prost(message, required, tag = "3")] addition: Resource,
    }

    /// A volume of an agent, and what is taken from it.
    ShrinkAgentVolume {
        #[prost(message, optional, tag = "1")] agent_id: Option<AgentId>,
        #[prost(message, required, tag = "2")] volume: Resource,
        #[prost(message, required, tag = "3")] subtract: Scalar,
    }

    /// When machines are out of use: all of it.
    UpdateMaintenanceSchedule { #[prost(message, required, tag = "1")] schedule: Schedule, }

    /// Machines.
    Machines { #[prost(message, repeated, tag = "1")] machines: Vec<MachineId>, }

    /// An agent that is to be emptied.
    DrainAgent {
        #[prost(message, required, tag = "1")] agent_id: AgentId,
        #[prost(message, optional, tag = "2")] max_grace_period: Option<ProtobufDuration>,
        #[prost(bool, optional, tag = "3", default = "false")] mark_gone: Option<bool>,
    }

    /// A length of time as protobuf has it.
    ProtobufDuration {
        #[prost(int64, optional, tag = "1")] seconds: Option<i64>,
        #[prost(int32, optional, tag = "2")] nanos: Option<i32>,
    }

    /// An agent.
    OneAgent { #[prost(message, required, tag = "1")] agent_id: AgentId, }

    /// What roles are to have at least, and at most.
    UpdateQuota {
        #[prost(bool, optional, tag = "1")] force: Option<bool>,
        #[prost(message, repeated, tag = "2")] quota_configs: Vec<QuotaConfig>,
    }

    /// What a role is to have, the old way.
    SetQuota { #[prost(message, required, tag = "1")] quota_request: QuotaRequest, }

    /// What a role is to have, the old way.
    QuotaRequest {
        #[prost(bool, optional, tag = "1")] force: Option<bool>,
        #[prost(string, optional, tag = "2")] role: Option<String>,
        #[prost(message, repeated, tag = "3")] guarantee: Vec<Resource>,
    }

    /// A role that is to have no quota.
    RemoveQuota { #[prost(string, required, tag = "1")] role: String, }

    /// A framework that is to end.
    Teardown { #[prost(message, required, tag = "1")] framework_id: FrameworkId, }
}

names! {
    /// What masters are asked.
    CallType {
        Unknown = 0 "UNKNOWN",
        GetHealth = 1 "GET_HEALTH",
        GetFlags = 2 "GET_FLAGS",
        GetVersion = 3 "GET_VERSION",
        GetMetrics = 4 "GET_METRICS",
        GetLoggingLevel = 5 "GET_LOGGING_LEVEL",
        SetLoggingLevel = 6 "SET_LOGGING_LEVEL",
        ListFiles = 7 "LIST_FILES",
        ReadFile = 8 "READ_FILE",
        GetState = 9 "GET_STATE",
        GetAgents = 10 "GET_AGENTS",
        GetFrameworks = 11 "GET_FRAMEWORKS",
        GetExecutors = 12 "GET_EXECUTORS",
        GetOperations = 33 "GET_OPERATIONS",
        GetTasks = 13 "GET_TASKS",
        GetRoles = 14 "GET_ROLES",
        GetWeights = 15 "GET_WEIGHTS",
        UpdateWeights = 16 "UPDATE_WEIGHTS",
        GetMaster = 17 "GET_MASTER",
        Subscribe = 18 "SUBSCRIBE",
        ReserveResources = 19 "RESERVE_RESOURCES",
        UnreserveResources = 20 "UNRESERVE_RESOURCES",
        CreateVolumes = 21 "CREATE_VOLUMES",
        DestroyVolumes = 22 "DESTROY_VOLUMES",
        GrowVolume = 34 "GROW_VOLUME",
        ShrinkVolume = 35 "SHRINK_VOLUME",
        GetMaintenanceStatus = 23 "GET_MAINTENANCE_STATUS",
        GetMaintenanceSchedule = 24 "GET_MAINTENANCE_SCHEDULE",
        UpdateMaintenanceSchedule = 25 "UPDATE_MAINTENANCE_SCHEDULE",
        StartMaintenance = 26 "START_MAINTENANCE",
        StopMaintenance = 27 "STOP_MAINTENANCE",
        DrainAgent = 37 "DRAIN_AGENT",
        DeactivateAgent = 38 "DEACTIVATE_AGENT",
        ReactivateAgent = 39 "REACTIVATE_AGENT",
        GetQuota = 28 "GET_QUOTA",
        UpdateQuota = 36 "UPDATE_QUOTA",
        SetQuota = 29 "SET_QUOTA",
        RemoveQuota = 30 "REMOVE_QUOTA",
        Teardown = 31 "TEARDOWN",
        MarkAgentGone = 32 "MARK_AGENT_GONE",
    }
}
