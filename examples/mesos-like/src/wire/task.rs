//! What tasks are: what they run, in what, how they are looked after, and how they are.

use std::collections::BTreeMap;

use super::base::*;
use super::describe::{messages, names};

messages! {
    /// A task as its framework wants it.
    TaskInfo {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(message, required, tag = "2")] task_id: TaskId,
        #[prost(message, required, tag = "3")] agent_id: AgentId,
        #[prost(message, repeated, tag = "4")] resources: Vec<Resource>,
        #[prost(message, optional, tag = "5")] executor: Option<ExecutorInfo>,
        #[prost(message, optional, tag = "7")] command: Option<CommandInfo>,
        #[prost(message, optional, tag = "9")] container: Option<ContainerInfo>,
        #[prost(message, optional, tag = "8")] health_check: Option<HealthCheck>,
        #[prost(message, optional, tag = "13")] check: Option<CheckInfo>,
        #[prost(message, optional, tag = "12")] kill_policy: Option<KillPolicy>,
        #[prost(bytes, optional, tag = "6")] data: Option<Vec<u8>>,
        #[prost(message, optional, tag = "10")] labels: Option<Labels>,
        #[prost(message, optional, tag = "11")] discovery: Option<DiscoveryInfo>,
        #[prost(message, optional, tag = "14")] max_completion_time: Option<DurationInfo>,
        #[prost(btree_map = "string, message", tag = "15")] limits: BTreeMap<String, Scalar>,
    }

    /// Tasks that start and end together.
    TaskGroupInfo { #[prost(message, repeated, tag = "1")] tasks: Vec<TaskInfo>, }

    /// What runs tasks.
    ExecutorInfo {
        #[prost(enumeration(ExecutorType), optional, tag = "15")] r#type: Option<i32>,
        #[prost(message, required, tag = "1")] executor_id: ExecutorId,
        #[prost(message, optional, tag = "8")] framework_id: Option<FrameworkId>,
        #[prost(message, optional, tag = "7")] command: Option<CommandInfo>,
        #[prost(message, optional, tag = "11")] container: Option<ContainerInfo>,
        #[prost(message, repeated, tag = "5")] resources: Vec<Resource>,
        #[prost(string, optional, tag = "9")] name: Option<String>,
        #[prost(string, optional, tag = "10")] source: Option<String>,
        #[prost(bytes, optional, tag = "4")] data: Option<Vec<u8>>,
        #[prost(message, optional, tag = "12")] discovery: Option<DiscoveryInfo>,
        #[prost(message, optional, tag = "13")] shutdown_grace_period: Option<DurationInfo>,
        #[prost(message, optional, tag = "14")] labels: Option<Labels>,
    }

    /// What is run.
    CommandInfo {
        #[prost(message, repeated, tag = "1")] uris: Vec<Uri>,
        #[prost(message, optional, tag = "2")] environment: Option<Environment>,
        #[prost(bool, optional, tag = "6", default = "true")] shell: Option<bool>,
        #[prost(string, optional, tag = "3")] value: Option<String>,
        #[prost(string, repeated, tag = "7")] arguments: Vec<String>,
        #[prost(string, optional, tag = "5")] user: Option<String>,
    }

    /// What is fetched into the sandbox first.
    Uri {
        #[prost(string, required, tag = "1")] value: String,
        #[prost(bool, optional, tag = "2")] executable: Option<bool>,
        #[prost(bool, optional, tag = "3", default = "true")] extract: Option<bool>,
        #[prost(bool, optional, tag = "4")] cache: Option<bool>,
        #[prost(string, optional, tag = "5")] output_file: Option<String>,
    }

    /// Variables of the environment.
    Environment { #[prost(message, repeated, tag = "1")] variables: Vec<Variable>, }

    /// A variable of the environment.
    Variable {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(enumeration(VariableType), optional, tag = "3", default = "Value")] r#type: Option<i32>,
        #[prost(string, optional, tag = "2")] value: Option<String>,
        #[prost(message, optional, tag = "4")] secret: Option<Secret>,
    }

    /// Something that not everybody may see.
    Secret {
        #[prost(enumeration(SecretType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "3")] value: Option<SecretValue>,
    }

    /// The secret itself.
    SecretValue { #[prost(bytes, required, tag = "1")] data: Vec<u8>, }

    /// How long a task may take to end.
    KillPolicy { #[prost(message, optional, tag = "1")] grace_period: Option<DurationInfo>, }

    /// Whether a task works.
    HealthCheck {
        #[prost(double, optional, tag = "2", default = "15.0")] delay_seconds: Option<f64>,
        #[prost(double, optional, tag = "3", default = "10.0")] interval_seconds: Option<f64>,
        #[prost(double, optional, tag = "4", default = "20.0")] timeout_seconds: Option<f64>,
        #[prost(uint32, optional, tag = "5", default = "3")] consecutive_failures: Option<u32>,
        #[prost(double, optional, tag = "6", default = "10.0")] grace_period_seconds: Option<f64>,
        #[prost(enumeration(CheckType), optional, tag = "8")] r#type: Option<i32>,
        #[prost(message, optional, tag = "7")] command: Option<CommandInfo>,
        #[prost(message, optional, tag = "1")] http: Option<HttpCheck>,
        #[prost(message, optional, tag = "9")] tcp: Option<TcpCheck>,
    }

    /// What a task is asked by HTTP.
    HttpCheck {
        #[prost(enumeration(Protocol), optional, tag = "5", default = "IPv4")] protocol: Option<i32>,
        #[prost(string, optional, tag = "3")] scheme: Option<String>,
        #[prost(uint32, required, tag = "1")] port: u32,
        #[prost(string, optional, tag = "2")] path: Option<String>,
        #[prost(uint32, repeated, packed = "false", tag = "4")] statuses: Vec<u32>,
    }

    /// Where a task is connected to.
    TcpCheck {
        #[prost(enumeration(Protocol), optional, tag = "2", default = "IPv4")] protocol: Option<i32>,
        #[prost(uint32, required, tag = "1")] port: u32,
    }

    /// What is looked at, without a judgement.
    CheckInfo {
        #[prost(enumeration(CheckType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] command: Option<CheckCommand>,
        #[prost(message, optional, tag = "3")] http: Option<CheckHttp>,
        #[prost(message, optional, tag = "7")] tcp: Option<CheckTcp>,
        #[prost(double, optional, tag = "4", default = "15.0")] delay_seconds: Option<f64>,
        #[prost(double, optional, tag = "5", default = "10.0")] interval_seconds: Option<f64>,
        #[prost(double, optional, tag = "6", default = "20.0")] timeout_seconds: Option<f64>,
    }

    /// A command that is run to see how it ends.
    CheckCommand { #[prost(message, required, tag = "1")] command: CommandInfo, }

    /// A request that is made to see its status.
    CheckHttp {
        #[prost(uint32, required, tag = "1")] port: u32,
        #[prost(string, optional, tag = "2")] path: Option<String>,
    }

    /// A connection that is made to see whether it can be.
    CheckTcp { #[prost(uint32, required, tag = "1")] port: u32, }

    /// What a check saw.
    CheckStatusInfo {
        #[prost(enumeration(CheckType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] command: Option<CheckStatusCommand>,
        #[prost(message, optional, tag = "3")] http: Option<CheckStatusHttp>,
        #[prost(message, optional, tag = "4")] tcp: Option<CheckStatusTcp>,
    }

    /// How a command ended.
    CheckStatusCommand { #[prost(int32, optional, tag = "1")] exit_code: Option<i32>, }

    /// What a request was answered.
    CheckStatusHttp { #[prost(uint32, optional, tag = "1")] status_code: Option<u32>, }

    /// Whether there was a connection.
    CheckStatusTcp { #[prost(bool, optional, tag = "1")] succeeded: Option<bool>, }

    /// What a task or an executor runs in.
    ContainerInfo {
        #[prost(enumeration(ContainerType), required, tag = "1")] r#type: i32,
        #[prost(message, repeated, tag = "2")] volumes: Vec<Volume>,
        #[prost(string, optional, tag = "4")] hostname: Option<String>,
        #[prost(message, optional, tag = "3")] docker: Option<DockerInfo>,
        #[prost(message, optional, tag = "5")] mesos: Option<MesosInfo>,
        #[prost(message, repeated, tag = "7")] network_infos: Vec<NetworkInfo>,
    }

    /// A container as Docker makes it.
    DockerInfo {
        #[prost(string, required, tag = "1")] image: String,
        #[prost(enumeration(DockerNetwork), optional, tag = "2", default = "Host")] network: Option<i32>,
        #[prost(message, repeated, tag = "3")] port_mappings: Vec<PortMapping>,
        #[prost(bool, optional, tag = "4", default = "false")] privileged: Option<bool>,
        #[prost(message, repeated, tag = "5")] parameters: Vec<Parameter>,
        #[prost(bool, optional, tag = "6")] force_pull_image: Option<bool>,
    }

    /// A container as the agent makes it.
    MesosInfo { #[prost(message, optional, tag = "1")] image: Option<Image>, }

    /// An image.
    Image {
        #[prost(enumeration(ImageType), required, tag = "1")] r#type: i32,
        #[prost(message, optional, tag = "3")] docker: Option<DockerImage>,
        #[prost(bool, optional, tag = "4", default = "true")] cached: Option<bool>,
    }

    /// An image of Docker's.
    DockerImage { #[prost(string, required, tag = "1")] name: String, }

    /// A port of the machine that leads to one of the container.
    PortMapping {
        #[prost(uint32, required, tag = "1")] host_port: u32,
        #[prost(uint32, required, tag = "2")] container_port: u32,
        #[prost(string, optional, tag = "3")] protocol: Option<String>,
    }

    /// What a container sees under one of its paths.
    Volume {
        #[prost(enumeration(VolumeMode), required, tag = "3")] mode: i32,
        #[prost(string, required, tag = "1")] container_path: String,
        #[prost(string, optional, tag = "2")] host_path: Option<String>,
        #[prost(message, optional, tag = "5")] source: Option<VolumeSource>,
    }

    /// Where a volume comes from.
    VolumeSource {
        #[prost(enumeration(VolumeSourceType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "5")] host_path: Option<HostPath>,
        #[prost(message, optional, tag = "3")] sandbox_path: Option<SandboxPath>,
        #[prost(message, optional, tag = "4")] secret: Option<Secret>,
    }

    /// A path of the machine.
    HostPath { #[prost(string, required, tag = "1")] path: String, }

    /// A path of the sandbox.
    SandboxPath {
        #[prost(enumeration(SandboxPathType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(string, required, tag = "2")] path: String,
    }

    /// A network that a container is in.
    NetworkInfo {
        #[prost(message, repeated, tag = "5")] ip_addresses: Vec<IpAddress>,
        #[prost(string, optional, tag = "6")] name: Option<String>,
        #[prost(string, repeated, tag = "3")] groups: Vec<String>,
        #[prost(message, optional, tag = "4")] labels: Option<Labels>,
        #[prost(message, repeated, tag = "7")] port_mappings: Vec<PortMapping>,
    }

    /// An address of a container.
    IpAddress {
        #[prost(enumeration(Protocol), optional, tag = "1", default = "IPv4")] protocol: Option<i32>,
        #[prost(string, optional, tag = "2")] ip_address: Option<String>,
    }

    /// How a container is.
    ContainerStatus {
        #[prost(message, optional, tag = "4")] container_id: Option<ContainerId>,
        #[prost(message, repeated, tag = "1")] network_infos: Vec<NetworkInfo>,
        #[prost(uint32, optional, tag = "3")] executor_pid: Option<u32>,
    }

    /// How others find a task.
    DiscoveryInfo {
        #[prost(enumeration(Visibility), required, tag = "1")] visibility: i32,
        #[prost(string, optional, tag = "2")] name: Option<String>,
        #[prost(string, optional, tag = "3")] environment: Option<String>,
        #[prost(string, optional, tag = "4")] location: Option<String>,
        #[prost(string, optional, tag = "5")] version: Option<String>,
        #[prost(message, optional, tag = "6")] ports: Option<Ports>,
        #[prost(message, optional, tag = "7")] labels: Option<Labels>,
    }

    /// Ports that others find.
    Ports { #[prost(message, repeated, tag = "1")] ports: Vec<Port>, }

    /// A port that others find.
    Port {
        #[prost(uint32, required, tag = "1")] number: u32,
        #[prost(string, optional, tag = "2")] name: Option<String>,
        #[prost(string, optional, tag = "3")] protocol: Option<String>,
        #[prost(enumeration(Visibility), optional, tag = "4")] visibility: Option<i32>,
        #[prost(message, optional, tag = "5")] labels: Option<Labels>,
    }

    /// How a task is.
    TaskStatus {
        #[prost(message, required, tag = "1")] task_id: TaskId,
        #[prost(enumeration(TaskState), required, tag = "2")] state: i32,
        #[prost(string, optional, tag = "4")] message: Option<String>,
        #[prost(enumeration(Source), optional, tag = "9")] source: Option<i32>,
        #[prost(enumeration(Reason), optional, tag = "10")] reason: Option<i32>,
        #[prost(bytes, optional, tag = "3")] data: Option<Vec<u8>>,
        #[prost(message, optional, tag = "5")] agent_id: Option<AgentId>,
        #[prost(message, optional, tag = "7")] executor_id: Option<ExecutorId>,
        #[prost(double, optional, tag = "6")] timestamp: Option<f64>,
        #[prost(bytes, optional, tag = "11")] uuid: Option<Vec<u8>>,
        #[prost(bool, optional, tag = "8")] healthy: Option<bool>,
        #[prost(message, optional, tag = "15")] check_status: Option<CheckStatusInfo>,
        #[prost(message, optional, tag = "12")] labels: Option<Labels>,
        #[prost(message, optional, tag = "13")] container_status: Option<ContainerStatus>,
        #[prost(message, optional, tag = "14")] unreachable_time: Option<TimeInfo>,
        #[prost(message, optional, tag = "16")] limitation: Option<TaskResourceLimitation>,
    }

    /// What a task had too much of.
    TaskResourceLimitation { #[prost(message, repeated, tag = "1")] resources: Vec<Resource>, }

    /// A task as masters and agents tell of it.
    Task {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(message, required, tag = "2")] task_id: TaskId,
        #[prost(message, required, tag = "3")] framework_id: FrameworkId,
        #[prost(message, optional, tag = "4")] executor_id: Option<ExecutorId>,
        #[prost(message, required, tag = "5")] agent_id: AgentId,
        #[prost(enumeration(TaskState), required, tag = "6")] state: i32,
        #[prost(message, repeated, tag = "7")] resources: Vec<Resource>,
        #[prost(message, repeated, tag = "8")] statuses: Vec<TaskStatus>,
        #[prost(enumeration(TaskState), optional, tag = "9")] status_update_state: Option<i32>,
        #[prost(bytes, optional, tag = "10")] status_update_uuid: Option<Vec<u8>>,
        #[prost(message, optional, tag = "11")] labels: Option<Labels>,
        #[prost(message, optional, tag = "12")] discovery: Option<DiscoveryInfo>,
        #[prost(message, optional, tag = "13")] container: Option<ContainerInfo>,
        #[prost(message, optional, tag = "15")] health_check: Option<HealthCheck>,
        #[prost(message, optional, tag = "16")] kill_policy: Option<KillPolicy>,
        #[prost(string, optional, tag = "14")] user: Option<String>,
        #[prost(btree_map = "string, message", tag = "17")] limits: BTreeMap<String, Scalar>,
    }
}

names! {
    /// The kinds of executors.
    ExecutorType { Unknown = 0 "UNKNOWN", Default = 1 "DEFAULT", Custom = 2 "CUSTOM", }

    /// The kinds of variables.
    VariableType { Unknown = 0 "UNKNOWN", Value = 1 "VALUE", Secret = 2 "SECRET", }

    /// The kinds of secrets.
    SecretType { Unknown = 0 "UNKNOWN", Reference = 1 "REFERENCE", Value = 2 "VALUE", }

    /// The kinds of checks.
    CheckType { Unknown = 0 "UNKNOWN", Command = 1 "COMMAND", Http = 2 "HTTP", Tcp = 3 "TCP", }

    /// The versions of IP.
    Protocol { IPv4 = 1 "IPv4", IPv6 = 2 "IPv6", }

    /// Who makes the container.
    ContainerType { Docker = 1 "DOCKER", Mesos = 2 "MESOS", }

    /// The networks of Docker.
    DockerNetwork { Host = 1 "HOST", Bridge = 2 "BRIDGE", None = 3 "NONE", User = 4 "USER", }

    /// The kinds of images.
    ImageType { Appc = 1 "APPC", Docker = 2 "DOCKER", }

    /// Whether a volume may be written to.
    VolumeMode { Rw = 1 "RW", Ro = 2 "RO", }

    /// Where volumes come from.
    VolumeSourceType { Unknown = 0 "UNKNOWN", DockerVolume = 1 "DOCKER_VOLUME", SandboxPath = 2 "SANDBOX_PATH", Secret = 3 "SECRET", HostPath = 4 "HOST_PATH", CsiVolume = 5 "CSI_VOLUME", }

    /// Whose sandbox.
    SandboxPathType { Unknown = 0 "UNKNOWN", Own = 1 "SELF", Parent = 2 "PARENT", }

    /// Who finds something.
    Visibility { Framework = 0 "FRAMEWORK", Cluster = 1 "CLUSTER", External = 2 "EXTERNAL", }

    /// How far a task is.
    TaskState {
        Starting = 0 "TASK_STARTING",
        Running = 1 "TASK_RUNNING",
        Finished = 2 "TASK_FINISHED",
        Failed = 3 "TASK_FAILED",
        Killed = 4 "TASK_KILLED",
        Lost = 5 "TASK_LOST",
        Staging = 6 "TASK_STAGING",
        Error = 7 "TASK_ERROR",
        Killing = 8 "TASK_KILLING",
        Dropped = 9 "TASK_DROPPED",
        Unreachable = 10 "TASK_UNREACHABLE",
        Gone = 11 "TASK_GONE",
        GoneByOperator = 12 "TASK_GONE_BY_OPERATOR",
        Unknown = 13 "TASK_UNKNOWN",
    }

    /// Who says how a task is.
    Source { Master = 0 "SOURCE_MASTER", Agent = 1 "SOURCE_AGENT", Executor = 2 "SOURCE_EXECUTOR", }

    /// Why a task is as it is.
    Reason {
        CommandExecutorFailed = 0 "REASON_COMMAND_EXECUTOR_FAILED",
        ExecutorTerminated = 1 "REASON_EXECUTOR_TERMINATED",
        ExecutorUnregistered = 2 "REASON_EXECUTOR_UNREGISTERED",
        FrameworkRemoved = 3 "REASON_FRAMEWORK_REMOVED",
        GcError = 4 "REASON_GC_ERROR",
        InvalidFrameworkId = 5 "REASON_INVALID_FRAMEWORKID",
        InvalidOffers = 6 "REASON_INVALID_OFFERS",
        MasterDisconnected = 7 "REASON_MASTER_DISCONNECTED",
        ContainerLimitationMemory = 8 "REASON_CONTAINER_LIMITATION_MEMORY",
        Reconciliation = 9 "REASON_RECONCILIATION",
        AgentDisconnected = 10 "REASON_AGENT_DISCONNECTED",
        AgentRemoved = 11 "REASON_AGENT_REMOVED",
        AgentRestarted = 12 "REASON_AGENT_RESTARTED",
        AgentUnknown = 13 "REASON_AGENT_UNKNOWN",
        TaskInvalid = 14 "REASON_TASK_INVALID",
        TaskUnauthorized = 15 "REASON_TASK_UNAUTHORIZED",
        TaskUnknown = 16 "REASON_TASK_UNKNOWN",
        ContainerPreempted = 17 "REASON_CONTAINER_PREEMPTED",
        ResourcesUnknown = 18 "REASON_RESOURCES_UNKNOWN",
        ContainerLimitation = 19 "REASON_CONTAINER_LIMITATION",
        ContainerLimitationDisk = 20 "REASON_CONTAINER_LIMITATION_DISK",
        ContainerLaunchFailed = 21 "REASON_CONTAINER_LAUNCH_FAILED",
        ContainerUpdateFailed = 22 "REASON_CONTAINER_UPDATE_FAILED",
        ExecutorRegistrationTimeout = 23 "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
        ExecutorReregistrationTimeout = 24 "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
        TaskGroupInvalid = 25 "REASON_TASK_GROUP_INVALID",
        TaskGroupUnauthorized = 26 "REASON_TASK_GROUP_UNAUTHORIZED",
        TaskCheckStatusUpdated = 28 "REASON_TASK_CHECK_STATUS_UPDATED",
        TaskHealthCheckStatusUpdated = 29 "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
        TaskKilledDuringLaunch = 30 "REASON_TASK_KILLED_DURING_LAUNCH",
        AgentRemovedByOperator = 31 "REASON_AGENT_REMOVED_BY_OPERATOR",
        AgentReregistered = 32 "REASON_AGENT_REREGISTERED",
        MaxCompletionTimeReached = 33 "REASON_MAX_COMPLETION_TIME_REACHED",
        AgentDraining = 34 "REASON_AGENT_DRAINING",
    }
}

impl TaskState {
    /// Whether a task in this state has ended for good.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Finished
                | Self::Failed
                | Self::Killed
                | Self::Error
                | Self::Lost
                | Self::Dropped
                | Self::Gone
                | Self::GoneByOperator
        )
    }

    /// As a framework sees it that does not know of partitions: lost, in place of what it has no word for.
    #[must_use]
    pub fn without_partitions(self) -> Self {
        match self {
            Self::Dropped | Self::Unreachable | Self::Gone | Self::GoneByOperator | Self::Unknown => Self::Lost,
            other => other,
        }
    }
}
