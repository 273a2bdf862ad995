//! The scheduler API: what frameworks and masters say to each other.

use super::base::*;
use super::describe::{messages, names};
use super::task::*;

messages! {
    /// What a framework says.
    Call {
        #[prost(message, optional, tag = "1")] framework_id: Option<FrameworkId>,
        #[prost(enumeration(CallType), optional, tag = "2")] r#type: Option<i32>,
        #[prost(message, optional, tag = "3")] subscribe: Option<Subscribe>,
        #[prost(message, optional, tag = "4")] accept: Option<Accept>,
        #[prost(message, optional, tag = "5")] decline: Option<Decline>,
        #[prost(message, optional, tag = "13")] accept_inverse_offers: Option<AnswerInverseOffers>,
        #[prost(message, optional, tag = "14")] decline_inverse_offers: Option<AnswerInverseOffers>,
        #[prost(message, optional, tag = "15")] revive: Option<InRoles>,
        #[prost(message, optional, tag = "6")] kill: Option<Kill>,
        #[prost(message, optional, tag = "7")] shutdown: Option<Shutdown>,
        #[prost(message, optional, tag = "8")] acknowledge: Option<Acknowledge>,
        #[prost(message, optional, tag = "17")] acknowledge_operation_status: Option<AcknowledgeOperationStatus>,
        #[prost(message, optional, tag = "9")] reconcile: Option<Reconcile>,
        #[prost(message, optional, tag = "18")] reconcile_operations: Option<ReconcileOperations>,
        #[prost(message, optional, tag = "10")] message: Option<Message>,
        #[prost(message, optional, tag = "11")] request: Option<Requests>,
        #[prost(message, optional, tag = "16")] suppress: Option<InRoles>,
        #[prost(message, optional, tag = "19")] update_framework: Option<Subscribe>,
    }

    /// Who the framework is, or who it is now.
    Subscribe {
        #[prost(message, required, tag = "1")] framework_info: FrameworkInfo,
        #[prost(string, repeated, tag = "2")] suppressed_roles: Vec<String>,
    }

    /// What becomes of some offers.
    Accept {
        #[prost(message, repeated, tag = "1")] offer_ids: Vec<OfferId>,
        #[prost(message, repeated, tag = "2")] operations: Vec<Operation>,
        #[prost(message, optional, tag = "3")] filters: Option<Filters>,
    }

    /// What is done with what was offered.
    Operation {
        #[prost(enumeration(OperationType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "12")] id: Option<OperationId>,
        #[prost(message, optional, tag = "2")] launch: Option<Launch>,
        #[prost(message, optional, tag = "7")] launch_group: Option<LaunchGroup>,
        #[prost(message, optional, tag = "3")] reserve: Option<Reserve>,
        #[prost(message, optional, tag = "4")] unreserve: Option<Unreserve>,
        #[prost(message, optional, tag = "5")] create: Option<Volumes>,
        #[prost(message, optional, tag = "6")] destroy: Option<Volumes>,
        #[prost(message, optional, tag = "13")] grow_volume: Option<GrowVolume>,
        #[prost(message, optional, tag = "14")] shrink_volume: Option<ShrinkVolume>,
    }

    /// Tasks to run.
    Launch { #[prost(message, repeated, tag = "1")] task_infos: Vec<TaskInfo>, }

    /// Tasks to run together.
    LaunchGroup {
        #[prost(message, required, tag = "1")] executor: ExecutorInfo,
        #[prost(message, required, tag = "2")] task_group: TaskGroupInfo,
    }

    /// Resources to keep for a role, as they shall be.
    Reserve {
        #[prost(message, repeated, tag = "2")] source: Vec<Resource>,
        #[prost(message, repeated, tag = "1")] resources: Vec<Resource>,
    }

    /// Resources to keep no longer, as they are.
    Unreserve { #[prost(message, repeated, tag = "1")] resources: Vec<Resource>, }

    /// Persistent volumes.
    Volumes { #[prost(message, repeated, tag = "1")] volumes: Vec<Resource>, }

    /// A volume, and what is added to it.
    GrowVolume {
        #[prost(message, required, tag = "1")] volume: Resource,
        #[prost(message, required, tag = "2")] addition: Resource,
    }

    /// A volume, and what is taken from it.
    ShrinkVolume {
        #[prost(message, required, tag = "1")] volume: Resource,
        #[prost(message, required, tag = "2")] subtract: Scalar,
    }

    /// Offers of which nothing is wanted.
    Decline {
        #[prost(message, repeated, tag = "1")] offer_ids: Vec<OfferId>,
        #[prost(message, optional, tag = "2")] filters: Option<Filters>,
    }

    /// Whether agents will be free in time.
    AnswerInverseOffers {
        #[prost(message, repeated, tag = "1")] inverse_offer_ids: Vec<OfferId>,
        #[prost(message, optional, tag = "2")] filters: Option<Filters>,
    }

    /// In which roles; in all if none is named.
    InRoles { #[prost(string, repeated, tag = "1")] roles: Vec<String>, }

    /// A task to end.
    Kill {
        #[prost(message, required, tag = "1")] task_id: TaskId,
        #[prost(message, optional, tag = "2")] agent_id: Option<AgentId>,
        #[prost(message, optional, tag = "3")] kill_policy: Option<KillPolicy>,
    }

    /// An executor to end.
    Shutdown {
        #[prost(message, required, tag = "1")] executor_id: ExecutorId,
        #[prost(message, required, tag = "2")] agent_id: AgentId,
    }

    /// An update that was taken in.
    Acknowledge {
        #[prost(message, required, tag = "1")] agent_id: AgentId,
        #[prost(message, required, tag = "2")] task_id: TaskId,
        #[prost(bytes, required, tag = "3")] uuid: Vec<u8>,
    }

    /// An operation's status that was taken in.
    AcknowledgeOperationStatus {
        #[prost(message, optional, tag = "1")] agent_id: Option<AgentId>,
        #[prost(bytes, required, tag = "3")] uuid: Vec<u8>,
        #[prost(message, required, tag = "4")] operation_id: OperationId,
    }

    /// Tasks to tell the state of; all if none is named.
    Reconcile { #[prost(message, repeated, tag = "1")] tasks: Vec<ReconcileTask>, }

    /// A task to tell the state of.
    ReconcileTask {
        #[prost(message, required, tag = "1")] task_id: TaskId,
        #[prost(message, optional, tag = "2")] agent_id: Option<AgentId>,
    }

    /// Operations to tell the state of.
    ReconcileOperations { #[prost(message, repeated, tag = "1")] operations: Vec<ReconcileOperation>, }

    /// An operation to tell the state of.
    ReconcileOperation {
        #[prost(message, required, tag = "1")] operation_id: OperationId,
        #[prost(message, optional, tag = "2")] agent_id: Option<AgentId>,
    }

    /// Bytes from a framework to an executor, or back.
    Message {
        #[prost(message, required, tag = "1")] agent_id: AgentId,
        #[prost(message, required, tag = "2")] executor_id: ExecutorId,
        #[prost(bytes, required, tag = "3")] data: Vec<u8>,
    }

    /// What a framework would like to have.
    Requests { #[prost(message, repeated, tag = "1")] requests: Vec<Request>, }

    /// What a master says.
    Event {
        #[prost(enumeration(EventType), optional, tag = "1")] r#type: Option<i32>,
        #[prost(message, optional, tag = "2")] subscribed: Option<Subscribed>,
        #[prost(message, optional, tag = "3")] offers: Option<Offers>,
        #[prost(message, optional, tag = "9")] inverse_offers: Option<InverseOffers>,
        #[prost(message, optional, tag = "4")] rescind: Option<Rescind>,
        #[prost(message, optional, tag = "10")] rescind_inverse_offer: Option<RescindInverseOffer>,
        #[prost(message, optional, tag = "5")] update: Option<Update>,
        #[prost(message, optional, tag = "11")] update_operation_status: Option<UpdateOperationStatus>,
        #[prost(message, optional, tag = "6")] message: Option<Message>,
        #[prost(message, optional, tag = "7")] failure: Option<Failure>,
        #[prost(message, optional, tag = "8")] error: Option<Error>,
    }

    /// The framework is subscribed.
    Subscribed {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(double, optional, tag = "2")] heartbeat_interval_seconds: Option<f64>,
        #[prost(message, optional, tag = "3")] master_info: Option<MasterInfo>,
    }

    /// Offers.
    Offers { #[prost(message, repeated, tag = "1")] offers: Vec<Offer>, }

    /// Inverse offers.
    InverseOffers { #[prost(message, repeated, tag = "1")] inverse_offers: Vec<InverseOffer>, }

    /// An offer is no more.
    Rescind { #[prost(message, required, tag = "1")] offer_id: OfferId, }

    /// An inverse offer is no more.
    RescindInverseOffer { #[prost(message, required, tag = "1")] inverse_offer_id: OfferId, }

    /// A task is other than before.
    Update { #[prost(message, required, tag = "1")] status: TaskStatus, }

    /// An operation is further than before.
    UpdateOperationStatus { #[prost(message, required, tag = "1")] status: OperationStatus, }

    /// How far an operation is.
    OperationStatus {
        #[prost(message, optional, tag = "1")] operation_id: Option<OperationId>,
        #[prost(enumeration(OperationState), required, tag = "2")] state: i32,
        #[prost(string, optional, tag = "3")] message: Option<String>,
        #[prost(message, repeated, tag = "4")] converted_resources: Vec<Resource>,
        #[prost(message, optional, tag = "5")] uuid: Option<Uuid>,
        #[prost(message, optional, tag = "6")] agent_id: Option<AgentId>,
    }

    /// Sixteen bytes.
    Uuid { #[prost(bytes, required, tag = "1")] value: Vec<u8>, }

    /// An agent is gone, or an executor ended.
    Failure {
        #[prost(message, optional, tag = "1")] agent_id: Option<AgentId>,
        #[prost(message, optional, tag = "2")] executor_id: Option<ExecutorId>,
        #[prost(int32, optional, tag = "3")] status: Option<i32>,
    }

    /// Nothing more will be said.
    Error { #[prost(string, required, tag = "1")] message: String, }
}

names! {
    /// What frameworks say.
    CallType {
        Unknown = 0 "UNKNOWN",
        Subscribe = 1 "SUBSCRIBE",
        Teardown = 2 "TEARDOWN",
        Accept = 3 "ACCEPT",
        Decline = 4 "DECLINE",
        Revive = 5 "REVIVE",
        Kill = 6 "KILL",
        Shutdown = 7 "SHUTDOWN",
        Acknowledge = 8 "ACKNOWLEDGE",
        Reconcile = 9 "RECONCILE",
        Message = 10 "MESSAGE",
        Request = 11 "REQUEST",
        Suppress = 12 "SUPPRESS",
        AcceptInverseOffers = 13 "ACCEPT_INVERSE_OFFERS",
        DeclineInverseOffers = 14 "DECLINE_INVERSE_OFFERS",
        AcknowledgeOperationStatus = 15 "ACKNOWLEDGE_OPERATION_STATUS",
        ReconcileOperations = 16 "RECONCILE_OPERATIONS",
        UpdateFramework = 17 "UPDATE_FRAMEWORK",
    }

    /// What is done with what was offered.
    OperationType {
        Unknown = 0 "UNKNOWN",
        Launch = 1 "LAUNCH",
        Reserve = 2 "RESERVE",
        Unreserve = 3 "UNRESERVE",
        Create = 4 "CREATE",
        Destroy = 5 "DESTROY",
        LaunchGroup = 6 "LAUNCH_GROUP",
        GrowVolume = 11 "GROW_VOLUME",
        ShrinkVolume = 12 "SHRINK_VOLUME",
        CreateDisk = 13 "CREATE_DISK",
        DestroyDisk = 14 "DESTROY_DISK",
    }

    /// What masters say.
    EventType {
        Unknown = 0 "UNKNOWN",
        Subscribed = 1 "SUBSCRIBED",
        Offers = 2 "OFFERS",
        Rescind = 3 "RESCIND",
        Update = 4 "UPDATE",
        Message = 5 "MESSAGE",
        Failure = 6 "FAILURE",
        Error = 7 "ERROR",
        Heartbeat = 8 "HEARTBEAT",
        InverseOffers = 9 "INVERSE_OFFERS",
        RescindInverseOffer = 10 "RESCIND_INVERSE_OFFER",
        UpdateOperationStatus = 11 "UPDATE_OPERATION_STATUS",
    }

    /// How far an operation is.
    OperationState {
        Unsupported = 0 "OPERATION_UNSUPPORTED",
        Pending = 1 "OPERATION_PENDING",
        Finished = 2 "OPERATION_FINISHED",
        Failed = 3 "OPERATION_FAILED",
        Error = 4 "OPERATION_ERROR",
        Dropped = 5 "OPERATION_DROPPED",
        Unreachable = 6 "OPERATION_UNREACHABLE",
        GoneByOperator = 7 "OPERATION_GONE_BY_OPERATOR",
        Recovering = 8 "OPERATION_RECOVERING",
        Unknown = 9 "OPERATION_UNKNOWN",
    }
}
