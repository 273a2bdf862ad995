//! The messages of containerd's API, as far as they are used here.
//!
//! Written by hand from containerd's `.proto` files, so that no build needs `protoc`. What is not read is left out: a
//! decoder skips fields that it does not know. The conformance suites on a real containerd show that the numbers are
//! right.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

/// A call that is answered once: its path, what is sent and what comes back.
pub(super) trait Unary: Message + Clone + Default + 'static {
    const PATH: &'static str;
    type Answer: Message + Default + 'static;
}

macro_rules! unary {
    ($($request:ident => $answer:ident at $path:literal;)*) => { $(
        impl Unary for $request {
            const PATH: &'static str = concat!("/containerd.services.", $path);
            type Answer = $answer;
        }
    )* };
}

unary! {
    GetContainer => OneContainer at "containers.v1.Containers/Get";
    ListContainers => Containers at "containers.v1.Containers/List";
    CreateContainer => OneContainer at "containers.v1.Containers/Create";
    UpdateContainer => OneContainer at "containers.v1.Containers/Update";
    DeleteContainer => Empty at "containers.v1.Containers/Delete";
    CreateTask => CreatedTask at "tasks.v1.Tasks/Create";
    StartTask => StartedTask at "tasks.v1.Tasks/Start";
    DeleteTask => Exit at "tasks.v1.Tasks/Delete";
    DeleteProcess => Exit at "tasks.v1.Tasks/DeleteProcess";
    GetTask => OneTask at "tasks.v1.Tasks/Get";
    ListTasks => Tasks at "tasks.v1.Tasks/List";
    KillTask => Empty at "tasks.v1.Tasks/Kill";
    ExecTask => Empty at "tasks.v1.Tasks/Exec";
    ResizePty => Empty at "tasks.v1.Tasks/ResizePty";
    CloseIo => Empty at "tasks.v1.Tasks/CloseIO";
    WaitTask => Waited at "tasks.v1.Tasks/Wait";
    Publish => Empty at "events.v1.Events/Publish";
    GetImage => OneImage at "images.v1.Images/Get";
    ListImages => Images at "images.v1.Images/List";
    CreateImage => OneImage at "images.v1.Images/Create";
    UpdateImage => OneImage at "images.v1.Images/Update";
    DeleteImage => Empty at "images.v1.Images/Delete";
    ContentInfoRequest => ContentInfoAnswer at "content.v1.Content/Info";
    UpdateContent => ContentInfoAnswer at "content.v1.Content/Update";
    AbortContent => Empty at "content.v1.Content/Abort";
    PrepareSnapshot => SnapshotMounts at "snapshots.v1.Snapshots/Prepare";
    CommitSnapshot => Empty at "snapshots.v1.Snapshots/Commit";
    RemoveSnapshot => Empty at "snapshots.v1.Snapshots/Remove";
    StatSnapshot => OneSnapshot at "snapshots.v1.Snapshots/Stat";
    SnapshotUsageRequest => SnapshotUsage at "snapshots.v1.Snapshots/Usage";
    GetMounts => SnapshotMounts at "snapshots.v1.Snapshots/Mounts";
    ApplyDiff => AppliedDiff at "diff.v1.Diff/Apply";
    CreateLease => OneLease at "leases.v1.Leases/Create";
    AddResource => Empty at "leases.v1.Leases/AddResource";
    DeleteLease => Empty at "leases.v1.Leases/Delete";
}

/// The call that asks for the version. Its request is [`Empty`], which several calls could have.
pub(super) const VERSION: &str = "/containerd.services.version.v1.Version/Version";
pub(super) const SUBSCRIBE: &str = "/containerd.services.events.v1.Events/Subscribe";
pub(super) const READ_CONTENT: &str = "/containerd.services.content.v1.Content/Read";
pub(super) const WRITE_CONTENT: &str = "/containerd.services.content.v1.Content/Write";

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field:meta])* $member:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Message)]
        pub(super) struct $name { $($(#[$field])* pub(super) $member: $type,)* }
    )* };
}

// What Google's own messages are.
messages! {
    Empty {}

    Any {
        #[prost(string, tag = "1")] type_url: String,
        #[prost(bytes = "bytes", tag = "2")] value: Bytes,
    }

    FieldMask {
        #[prost(string, repeated, tag = "1")] paths: Vec<String>,
    }

    Timestamp {
        #[prost(int64, tag = "1")] seconds: i64,
        #[prost(int32, tag = "2")] nanos: i32,
    }
}

messages! {
    Version {
        #[prost(string, tag = "1")] version: String,
    }

    Mount {
        #[prost(string, tag = "1")] kind: String,
        #[prost(string, tag = "2")] source: String,
        #[prost(string, tag = "3")] target: String,
        #[prost(string, repeated, tag = "4")] options: Vec<String>,
    }

    Descriptor {
        #[prost(string, tag = "1")] media_type: String,
        #[prost(string, tag = "2")] digest: String,
        #[prost(int64, tag = "3")] size: i64,
    }

    Subscribe {
        #[prost(string, repeated, tag = "1")] filters: Vec<String>,
    }

    Publish {
        #[prost(string, tag = "1")] topic: String,
        #[prost(message, optional, tag = "2")] event: Option<Any>,
    }

    Envelope {
        #[prost(string, tag = "2")] namespace: String,
        #[prost(string, tag = "3")] topic: String,
        #[prost(message, optional, tag = "4")] event: Option<Any>,
    }

    /// What of `TaskExit`, and of the other events of tasks, is read.
    TaskEvent {
        #[prost(string, tag = "1")] container_id: String,
        /// Of `TaskExit` alone: which process of the container, by the name it was started with.
        #[prost(string, tag = "2")] process: String,
    }

    CreateLease {
        #[prost(string, tag = "1")] id: String,
        #[prost(btree_map = "string, string", tag = "3")] labels: BTreeMap<String, String>,
    }

    OneLease {}

    AddResource {
        #[prost(string, tag = "1")] id: String,
        #[prost(message, optional, tag = "2")] resource: Option<Resource>,
    }

    Resource {
        #[prost(string, tag = "1")] id: String,
        #[prost(string, tag = "2")] kind: String,
    }

    DeleteLease {
        #[prost(string, tag = "1")] id: String,
        #[prost(bool, tag = "2")] sync: bool,
    }
}

// Containers: records of what is to run.
messages! {
    Container {
        #[prost(string, tag = "1")] id: String,
        #[prost(btree_map = "string, string", tag = "2")] labels: BTreeMap<String, String>,
        #[prost(string, tag = "3")] image: String,
        #[prost(message, optional, tag = "4")] runtime: Option<ContainerRuntime>,
        #[prost(message, optional, tag = "5")] spec: Option<Any>,
        #[prost(string, tag = "6")] snapshotter: String,
        #[prost(string, tag = "7")] snapshot_key: String,
        #[prost(btree_map = "string, message", tag = "10")] extensions: BTreeMap<String, Any>,
    }

    ContainerRuntime {
        #[prost(string, tag = "1")] name: String,
    }

    GetContainer {
        #[prost(string, tag = "1")] id: String,
    }

    OneContainer {
        #[prost(message, optional, tag = "1")] container: Option<Container>,
    }

    ListContainers {
        #[prost(string, repeated, tag = "1")] filters: Vec<String>,
    }

    Containers {
        #[prost(message, repeated, tag = "1")] containers: Vec<Container>,
    }

    CreateContainer {
        #[prost(message, optional, tag = "1")] container: Option<Container>,
    }

    UpdateContainer {
        #[prost(message, optional, tag = "1")] container: Option<Container>,
        #[prost(message, optional, tag = "2")] update_mask: Option<FieldMask>,
    }

    DeleteContainer {
        #[prost(string, tag = "1")] id: String,
    }
}

/// A task that was made and not started yet.
pub(super) const CREATED: i32 = 1;
/// A task that has ended.
pub(super) const STOPPED: i32 = 3;

// Tasks: the processes of containers.
messages! {
    CreateTask {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(message, repeated, tag = "3")] rootfs: Vec<Mount>,
        #[prost(string, tag = "4")] stdin: String,
        #[prost(string, tag = "5")] stdout: String,
        #[prost(string, tag = "6")] stderr: String,
        #[prost(bool, tag = "7")] terminal: bool,
    }

    CreatedTask {
        #[prost(uint32, tag = "2")] pid: u32,
    }

    StartTask {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] exec_id: String,
    }

    StartedTask {
        #[prost(uint32, tag = "1")] pid: u32,
    }

    DeleteTask {
        #[prost(string, tag = "1")] container_id: String,
    }

    DeleteProcess {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] exec_id: String,
    }

    Exit {
        #[prost(uint32, tag = "3")] exit_status: u32,
        #[prost(message, optional, tag = "4")] exited_at: Option<Timestamp>,
    }

    Waited {
        #[prost(uint32, tag = "1")] exit_status: u32,
        #[prost(message, optional, tag = "2")] exited_at: Option<Timestamp>,
    }

    GetTask {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] exec_id: String,
    }

    OneTask {
        #[prost(message, optional, tag = "1")] process: Option<Task>,
    }

    ListTasks {}

    Tasks {
        #[prost(message, repeated, tag = "1")] tasks: Vec<Task>,
    }

    Task {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] id: String,
        #[prost(uint32, tag = "3")] pid: u32,
        #[prost(int32, tag = "4")] status: i32,
        #[prost(uint32, tag = "9")] exit_status: u32,
        #[prost(message, optional, tag = "10")] exited_at: Option<Timestamp>,
    }

    KillTask {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] exec_id: String,
        #[prost(uint32, tag = "3")] signal: u32,
        #[prost(bool, tag = "4")] all: bool,
    }

    ExecTask {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] stdin: String,
        #[prost(string, tag = "3")] stdout: String,
        #[prost(string, tag = "4")] stderr: String,
        #[prost(bool, tag = "5")] terminal: bool,
        #[prost(message, optional, tag = "6")] spec: Option<Any>,
        #[prost(string, tag = "7")] exec_id: String,
    }

    ResizePty {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] exec_id: String,
        #[prost(uint32, tag = "3")] width: u32,
        #[prost(uint32, tag = "4")] height: u32,
    }

    CloseIo {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] exec_id: String,
        #[prost(bool, tag = "3")] stdin: bool,
    }

    WaitTask {
        #[prost(string, tag = "1")] container_id: String,
        #[prost(string, tag = "2")] exec_id: String,
    }
}

// Images: names of content.
messages! {
    Image {
        #[prost(string, tag = "1")] name: String,
        #[prost(btree_map = "string, string", tag = "2")] labels: BTreeMap<String, String>,
        #[prost(message, optional, tag = "3")] target: Option<Descriptor>,
    }

    GetImage {
        #[prost(string, tag = "1")] name: String,
    }

    OneImage {
        #[prost(message, optional, tag = "1")] image: Option<Image>,
    }

    ListImages {
        #[prost(string, repeated, tag = "1")] filters: Vec<String>,
    }

    Images {
        #[prost(message, repeated, tag = "1")] images: Vec<Image>,
    }

    CreateImage {
        #[prost(message, optional, tag = "1")] image: Option<Image>,
    }

    UpdateImage {
        #[prost(message, optional, tag = "1")] image: Option<Image>,
        #[prost(message, optional, tag = "2")] update_mask: Option<FieldMask>,
    }

    DeleteImage {
        #[prost(string, tag = "1")] name: String,
        #[prost(bool, tag = "2")] sync: bool,
    }
}

/// Of a message to [`WRITE_CONTENT`]: here are bytes.
pub(super) const WRITE: i32 = 1;
/// Of a message to [`WRITE_CONTENT`]: that was all.
pub(super) const COMMIT: i32 = 2;

// Content: bytes, named by their digest.
messages! {
    ContentInfo {
        #[prost(string, tag = "1")] digest: String,
        #[prost(int64, tag = "2")] size: i64,
        #[prost(btree_map = "string, string", tag = "5")] labels: BTreeMap<String, String>,
    }

    ContentInfoRequest {
        #[prost(string, tag = "1")] digest: String,
    }

    ContentInfoAnswer {
        #[prost(message, optional, tag = "1")] info: Option<ContentInfo>,
    }

    UpdateContent {
        #[prost(message, optional, tag = "1")] info: Option<ContentInfo>,
        #[prost(message, optional, tag = "2")] update_mask: Option<FieldMask>,
    }

    ReadContent {
        #[prost(string, tag = "1")] digest: String,
    }

    ReadContentAnswer {
        #[prost(bytes = "bytes", tag = "2")] data: Bytes,
    }

    WriteContent {
        #[prost(int32, tag = "1")] action: i32,
        #[prost(string, tag = "2")] reference: String,
        #[prost(int64, tag = "3")] total: i64,
        #[prost(string, tag = "4")] expected: String,
        #[prost(int64, tag = "5")] offset: i64,
        #[prost(bytes = "bytes", tag = "6")] data: Bytes,
        #[prost(btree_map = "string, string", tag = "7")] labels: BTreeMap<String, String>,
    }

    WriteContentAnswer {
        #[prost(int64, tag = "4")] offset: i64,
        #[prost(string, tag = "6")] digest: String,
    }

    AbortContent {
        #[prost(string, tag = "1")] reference: String,
    }
}

// Snapshots: file systems, each the difference to its parent.
messages! {
    PrepareSnapshot {
        #[prost(string, tag = "1")] snapshotter: String,
        #[prost(string, tag = "2")] key: String,
        #[prost(string, tag = "3")] parent: String,
        #[prost(btree_map = "string, string", tag = "4")] labels: BTreeMap<String, String>,
    }

    GetMounts {
        #[prost(string, tag = "1")] snapshotter: String,
        #[prost(string, tag = "2")] key: String,
    }

    SnapshotMounts {
        #[prost(message, repeated, tag = "1")] mounts: Vec<Mount>,
    }

    CommitSnapshot {
        #[prost(string, tag = "1")] snapshotter: String,
        #[prost(string, tag = "2")] name: String,
        #[prost(string, tag = "3")] key: String,
    }

    RemoveSnapshot {
        #[prost(string, tag = "1")] snapshotter: String,
        #[prost(string, tag = "2")] key: String,
    }

    StatSnapshot {
        #[prost(string, tag = "1")] snapshotter: String,
        #[prost(string, tag = "2")] key: String,
    }

    OneSnapshot {}

    SnapshotUsageRequest {
        #[prost(string, tag = "1")] snapshotter: String,
        #[prost(string, tag = "2")] key: String,
    }

    SnapshotUsage {
        #[prost(int64, tag = "1")] size: i64,
    }

    ApplyDiff {
        #[prost(message, optional, tag = "1")] diff: Option<Descriptor>,
        #[prost(message, repeated, tag = "2")] mounts: Vec<Mount>,
    }

    AppliedDiff {
        #[prost(message, optional, tag = "1")] applied: Option<Descriptor>,
    }
}
