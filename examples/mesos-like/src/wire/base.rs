//! What all of Mesos's APIs speak of: ids, resources, frameworks, agents, offers.

use std::collections::BTreeMap;

use super::describe::{messages, names};

messages! {
    /// Tells a framework from all others.
    FrameworkId { #[prost(string, required, tag = "1")] value: String, }

    /// Tells an offer from all others.
    OfferId { #[prost(string, required, tag = "1")] value: String, }

    /// Tells an agent from all others.
    AgentId { #[prost(string, required, tag = "1")] value: String, }

    /// Tells a task from the others of its framework.
    TaskId { #[prost(string, required, tag = "1")] value: String, }

    /// Tells an executor from the others of its framework on its agent.
    ExecutorId { #[prost(string, required, tag = "1")] value: String, }

    /// Tells an operation from the others of its framework.
    OperationId { #[prost(string, required, tag = "1")] value: String, }

    /// Tells a container from all others.
    ContainerId {
        #[prost(string, required, tag = "1")] value: String,
        #[prost(message, boxed, optional, tag = "2")] parent: Option<Box<ContainerId>>,
    }

    /// A point in time, since 1970.
    TimeInfo { #[prost(int64, required, tag = "1")] nanoseconds: i64, }

    /// A length of time.
    DurationInfo { #[prost(int64, required, tag = "1")] nanoseconds: i64, }

    /// Where something listens.
    Address {
        #[prost(string, optional, tag = "1")] hostname: Option<String>,
        #[prost(string, optional, tag = "2")] ip: Option<String>,
        #[prost(int32, required, tag = "3")] port: i32,
    }

    /// Where something is to be had.
    Url {
        #[prost(string, required, tag = "1")] scheme: String,
        #[prost(message, required, tag = "2")] address: Address,
        #[prost(string, optional, tag = "3")] path: Option<String>,
        #[prost(message, repeated, tag = "4")] query: Vec<Parameter>,
        #[prost(string, optional, tag = "5")] fragment: Option<String>,
    }

    /// A name and a value.
    Parameter {
        #[prost(string, required, tag = "1")] key: String,
        #[prost(string, required, tag = "2")] value: String,
    }

    /// Names and values.
    Parameters { #[prost(message, repeated, tag = "1")] parameter: Vec<Parameter>, }

    /// What somebody says about something.
    Label {
        #[prost(string, required, tag = "1")] key: String,
        #[prost(string, optional, tag = "2")] value: Option<String>,
    }

    /// All that somebody says about something.
    Labels { #[prost(message, repeated, tag = "1")] labels: Vec<Label>, }

    /// When a machine will be out of use.
    Unavailability {
        #[prost(message, required, tag = "1")] start: TimeInfo,
        #[prost(message, optional, tag = "2")] duration: Option<DurationInfo>,
    }

    /// A machine, which may have several agents.
    MachineId {
        #[prost(string, optional, tag = "1")] hostname: Option<String>,
        #[prost(string, optional, tag = "2")] ip: Option<String>,
    }

    /// An amount.
    Scalar { #[prost(double, required, tag = "1")] value: f64, }

    /// From one number to another, both of them included.
    Range {
        #[prost(uint64, required, tag = "1")] begin: u64,
        #[prost(uint64, required, tag = "2")] end: u64,
    }

    /// Numbers.
    Ranges { #[prost(message, repeated, tag = "1")] range: Vec<Range>, }

    /// Words.
    Set { #[prost(string, repeated, tag = "1")] item: Vec<String>, }

    /// A text.
    Text { #[prost(string, required, tag = "1")] value: String, }

    /// What is so about an agent.
    Attribute {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(enumeration(ValueType), required, tag = "2")] r#type: i32,
        #[prost(message, optional, tag = "3")] scalar: Option<Scalar>,
        #[prost(message, optional, tag = "4")] ranges: Option<Ranges>,
        #[prost(message, optional, tag = "6")] set: Option<Set>,
        #[prost(message, optional, tag = "5")] text: Option<Text>,
    }

    /// Some of what an agent has.
    Resource {
        #[prost(string, required, tag = "1")] name: String,
        #[prost(enumeration(ValueType), required, tag = "2")] r#type: i32,
        #[prost(message, optional, tag = "3")] scalar: Option<Scalar>,
        #[prost(message, optional, tag = "4")] ranges: Option<Ranges>,
        #[prost(message, optional, tag = "5")] set: Option<Set>,
        /// The old form of a reservation: no default, for it stands beside `reservations` only where a client is old.
        #[prost(string, optional, tag = "6")] role: Option<String>,
        #[prost(message, optional, tag = "11")] allocation_info: Option<AllocationInfo>,
        #[prost(message, optional, tag = "8")] reservation: Option<ReservationInfo>,
        #[prost(message, repeated, tag = "13")] reservations: Vec<ReservationInfo>,
        #[prost(message, optional, tag = "7")] disk: Option<DiskInfo>,
        #[prost(message, optional, tag = "9")] revocable: Option<Nothing>,
        #[prost(message, optional, tag = "10")] shared: Option<Nothing>,
    }

    /// A message that says something by being there.
    Nothing {}

    /// In which role something was offered.
    AllocationInfo { #[prost(string, optional, tag = "1")] role: Option<String>, }

    /// For whom something is kept.
    ReservationInfo {
        #[prost(enumeration(ReservationType), optional, tag = "4")] r#type: Option<i32>,
        #[prost(string, optional, tag = "3")] role: Option<String>,
        #[prost(string, optional, tag = "1")] principal: Option<String>,
        #[prost(message, optional, tag = "2")] labels: Option<Labels>,
    }

    /// What kind of disk it is.
    DiskInfo {
        #[prost(message, optional, tag = "1")] persistence: Option<Persistence>,
        #[prost(message, optional, tag = "2")] volume: Option<super::Volume>,
        #[prost(message, optional, tag = "3")] source: Option<DiskSource>,
    }

    /// A volume that outlives its tasks.
    Persistence {
        #[prost(string, required, tag = "1")] id: String,
        #[prost(string, optional, tag = "2")] principal: Option<String>,
    }

    /// Where a disk comes from.
    DiskSource {
        #[prost(enumeration(DiskSourceType), required, tag = "1")] r#type: i32,
        #[prost(message, optional, tag = "2")] path: Option<DiskRoot>,
        #[prost(message, optional, tag = "3")] mount: Option<DiskRoot>,
    }

    /// The folder of a disk.
    DiskRoot { #[prost(string, optional, tag = "1")] root: Option<String>, }

    /// Where a machine stands.
    DomainInfo { #[prost(message, optional, tag = "1")] fault_domain: Option<FaultDomain>, }

    /// What fails together.
    FaultDomain {
        #[prost(message, required, tag = "1")] region: Named,
        #[prost(message, required, tag = "2")] zone: Named,
    }

    /// Something with a name.
    Named { #[prost(string, required, tag = "1")] name: String, }

    /// A framework.
    FrameworkInfo {
        #[prost(string, required, tag = "1")] user: String,
        #[prost(string, required, tag = "2")] name: String,
        #[prost(message, optional, tag = "3")] id: Option<FrameworkId>,
        #[prost(double, optional, tag = "4", default = "0.0")] failover_timeout: Option<f64>,
        #[prost(bool, optional, tag = "5", default = "false")] checkpoint: Option<bool>,
        #[prost(string, optional, tag = "6")] role: Option<String>,
        #[prost(string, repeated, tag = "12")] roles: Vec<String>,
        #[prost(string, optional, tag = "7")] hostname: Option<String>,
        #[prost(string, optional, tag = "8")] principal: Option<String>,
        #[prost(string, optional, tag = "9")] webui_url: Option<String>,
        #[prost(message, repeated, tag = "10")] capabilities: Vec<Capability>,
        #[prost(message, optional, tag = "11")] labels: Option<Labels>,
        #[prost(btree_map = "string, message", tag = "13")] offer_filters: BTreeMap<String, OfferFilters>,
    }

    /// What a framework can deal with.
    Capability { #[prost(enumeration(CapabilityType), optional, tag = "1")] r#type: Option<i32>, }

    /// What makes an offer worth while.
    OfferFilters { #[prost(message, optional, tag = "1")] min_allocatable_resources: Option<MinAllocatable>, }

    /// Any of these amounts.
    MinAllocatable { #[prost(message, repeated, tag = "1")] quantities: Vec<ResourceQuantities>, }

    /// Amounts by the names of resources.
    ResourceQuantities { #[prost(btree_map = "string, message", tag = "1")] quantities: BTreeMap<String, Scalar>, }

    /// A master.
    MasterInfo {
        #[prost(string, required, tag = "1")] id: String,
        #[prost(uint32, required, tag = "2")] ip: u32,
        #[prost(uint32, required, tag = "3")] port: u32,
        #[prost(string, optional, tag = "4")] pid: Option<String>,
        #[prost(string, optional, tag = "5")] hostname: Option<String>,
        #[prost(string, optional, tag = "6")] version: Option<String>,
        #[prost(message, optional, tag = "7")] address: Option<Address>,
        #[prost(message, optional, tag = "8")] domain: Option<DomainInfo>,
        #[prost(message, repeated, tag = "9")] capabilities: Vec<MasterCapability>,
    }

    /// What a master can do.
    MasterCapability { #[prost(enumeration(MasterCapabilityType), optional, tag = "1")] r#type: Option<i32>, }

    /// An agent.
    AgentInfo {
        #[prost(string, required, tag = "1")] hostname: String,
        #[prost(int32, optional, tag = "8", default = "5051")] port: Option<i32>,
        #[prost(message, repeated, tag = "3")] resources: Vec<Resource>,
        #[prost(message, repeated, tag = "5")] attributes: Vec<Attribute>,
        #[prost(message, optional, tag = "6")] id: Option<AgentId>,
        #[prost(message, optional, tag = "10")] domain: Option<DomainInfo>,
    }

    /// What a framework may use, until it answers or it is taken back.
    Offer {
        #[prost(message, required, tag = "1")] id: OfferId,
        #[prost(message, required, tag = "2")] framework_id: FrameworkId,
        #[prost(message, required, tag = "3")] agent_id: AgentId,
        #[prost(string, required, tag = "4")] hostname: String,
        #[prost(message, optional, tag = "8")] url: Option<Url>,
        #[prost(message, optional, tag = "11")] domain: Option<DomainInfo>,
        #[prost(message, repeated, tag = "5")] resources: Vec<Resource>,
        #[prost(message, repeated, tag = "7")] attributes: Vec<Attribute>,
        #[prost(message, repeated, tag = "6")] executor_ids: Vec<ExecutorId>,
        #[prost(message, optional, tag = "9")] unavailability: Option<Unavailability>,
        #[prost(message, optional, tag = "10")] allocation_info: Option<AllocationInfo>,
    }

    /// What a framework is asked to give back.
    InverseOffer {
        #[prost(message, required, tag = "1")] id: OfferId,
        #[prost(message, optional, tag = "2")] url: Option<Url>,
        #[prost(message, required, tag = "3")] framework_id: FrameworkId,
        #[prost(message, optional, tag = "4")] agent_id: Option<AgentId>,
        #[prost(message, required, tag = "5")] unavailability: Unavailability,
        #[prost(message, repeated, tag = "6")] resources: Vec<Resource>,
    }

    /// How long the rest of an offer is refused.
    Filters { #[prost(double, optional, tag = "1", default = "5.0")] refuse_seconds: Option<f64>, }

    /// What a framework would like to have.
    Request {
        #[prost(message, optional, tag = "1")] agent_id: Option<AgentId>,
        #[prost(message, repeated, tag = "2")] resources: Vec<Resource>,
    }
}

names! {
    /// The kinds of values.
    ValueType { Scalar = 0 "SCALAR", Ranges = 1 "RANGES", Set = 2 "SET", Text = 3 "TEXT", }

    /// Who reserved.
    ReservationType { Unknown = 0 "UNKNOWN", Static = 1 "STATIC", Dynamic = 2 "DYNAMIC", }

    /// The kinds of disks.
    DiskSourceType { Unknown = 0 "UNKNOWN", Path = 1 "PATH", Mount = 2 "MOUNT", Block = 3 "BLOCK", Raw = 4 "RAW", }

    /// What frameworks can deal with.
    CapabilityType {
        Unknown = 0 "UNKNOWN",
        RevocableResources = 1 "REVOCABLE_RESOURCES",
        TaskKillingState = 2 "TASK_KILLING_STATE",
        GpuResources = 3 "GPU_RESOURCES",
        SharedResources = 4 "SHARED_RESOURCES",
        PartitionAware = 5 "PARTITION_AWARE",
        MultiRole = 6 "MULTI_ROLE",
        ReservationRefinement = 7 "RESERVATION_REFINEMENT",
        RegionAware = 8 "REGION_AWARE",
    }

    /// What masters can do.
    MasterCapabilityType { Unknown = 0 "UNKNOWN", AgentUpdate = 1 "AGENT_UPDATE", AgentDraining = 2 "AGENT_DRAINING", QuotaV2 = 3 "QUOTA_V2", }
}

macro_rules! ids {
    ($($name:ident),*) => { $(
        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self { value: value.to_owned() }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.value)
            }
        }
    )* };
}

ids!(FrameworkId, OfferId, AgentId, TaskId, ExecutorId, OperationId);

impl FrameworkInfo {
    /// Whether the framework can deal with something.
    #[must_use]
    pub fn can(&self, capability: CapabilityType) -> bool {
        self.capabilities.iter().any(|has| has.r#type() == capability)
    }
}
