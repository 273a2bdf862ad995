//! [`RawContainerd`]: containerd by as few calls as will do, which an adapter is held against.
//!
//! What is asked for is a copy of what the adapter's own container is, in the namespaces of the same pod. The messages are
//! written by hand from containerd's `.proto` files, as far as they are used.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use serde_json::Value;
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::trip::Way;

/// A connection to containerd, in one of its namespaces.
pub struct RawContainerd {
    grpc: Grpc<Channel>,
    namespace: String,
}

impl RawContainerd {
    pub async fn connect(socket: &Path, namespace: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).expect("an address");
        let channel = endpoint.connect().await.expect("containerd answers");
        Self { grpc: Grpc::new(channel), namespace: namespace.to_owned() }
    }

    async fn call<Q, A>(&self, path: &'static str, request: Q) -> A
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut request = Request::new(request);
        request.metadata_mut().insert("containerd-namespace", self.namespace.parse().expect("a plain name"));
        let mut grpc = self.grpc.clone();
        grpc.ready().await.expect("containerd answers");
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        let answer = grpc.unary(request, PathAndQuery::from_static(path), codec).await;
        answer.unwrap_or_else(|status| panic!("{path}: {status}")).into_inner()
    }

    /// What the container of this name is, and how its output is written.
    pub async fn template(&self, name: &str) -> Template {
        let (id, snapshotter) = (name.to_owned(), SNAPSHOTTER.to_owned());
        let found: OneContainer = self.call("/containerd.services.containers.v1.Containers/Get", ById { id }).await;
        let task = Exec { container_id: name.to_owned(), exec_id: String::new() };
        let task: OneTask = self.call("/containerd.services.tasks.v1.Tasks/Get", task).await;
        let stat = OneSnapshot { snapshotter, key: name.to_owned() };
        let snapshot: Stat = self.call("/containerd.services.snapshots.v1.Snapshots/Stat", stat).await;
        Template {
            container: found.container.expect("a container"),
            output: task.process.expect("a task").stdout,
            parent: snapshot.info.expect("a snapshot").parent,
        }
    }
}

const SNAPSHOTTER: &str = "overlayfs";
const SIGKILL: u32 = 9;

/// What a container is.
pub struct Template {
    container: Container,
    /// The logger's address.
    output: String,
    /// The snapshot of its image.
    parent: String,
}

/// Where the output of containers goes.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// To a logger for each, as the adapter's does.
    Logger,
    /// To a file for each, which the shim writes by itself.
    File,
}

/// Containers that are copies of another.
pub struct RawContainers<'a> {
    pub containerd: &'a RawContainerd,
    pub template: &'a Template,
    pub output: Output,
    /// Of the containers of the pod.
    pub folder: PathBuf,
}

impl RawContainers<'_> {
    /// The container's record, and where its output goes.
    fn asked(&self, id: &str) -> (Container, String) {
        let mut container = self.template.container.clone();
        let spec = container.spec.as_mut().expect("a spec");
        let mut oci: Value = serde_json::from_slice(&spec.value).expect("JSON");
        let group = oci["linux"]["cgroupsPath"].as_str().expect("a group").rsplit_once('/').expect("a path").0;
        oci["linux"]["cgroupsPath"] = format!("{group}/{id}").into();
        spec.value = oci.to_string().into();
        container.id = id.to_owned();
        container.snapshot_key = id.to_owned();
        let output = match self.output {
            Output::Logger => self.template.output.replace("containers%2Fmain%2F0", &format!("containers%2F{id}%2F0")),
            Output::File => format!("file://{}", self.folder.join(id).join("log").display()),
        };
        (container, output)
    }
}

impl Way for RawContainers<'_> {
    type Running = String;

    async fn start(&self, number: u32) -> String {
        let id = format!("raw{number}");
        let (container, output) = self.asked(&id);
        fs::create_dir_all(self.folder.join(&id).join("0")).expect("a folder");
        let (key, parent) = (id.clone(), self.template.parent.clone());
        let prepare = Prepare { snapshotter: SNAPSHOTTER.to_owned(), key, parent };
        let client = &self.containerd;
        // First, since containerd collects snapshots that no record names.
        let create = OneContainer { container: Some(container) };
        let _: OneContainer = client.call("/containerd.services.containers.v1.Containers/Create", create).await;
        let rootfs: Mounts = client.call("/containerd.services.snapshots.v1.Snapshots/Prepare", prepare).await;
        let (container_id, rootfs) = (id.clone(), rootfs.mounts);
        let create = CreateTask { container_id, rootfs, stdout: output.clone(), stderr: output };
        let _: Empty = client.call("/containerd.services.tasks.v1.Tasks/Create", create).await;
        let start = Exec { container_id: id.clone(), exec_id: String::new() };
        let _: Empty = client.call("/containerd.services.tasks.v1.Tasks/Start", start).await;
        id
    }

    async fn remove(&self, id: String) {
        let client = &self.containerd;
        let task = || Exec { container_id: id.clone(), exec_id: String::new() };
        let kill = Kill { container_id: id.clone(), signal: SIGKILL, all: true };
        let _: Empty = client.call("/containerd.services.tasks.v1.Tasks/Kill", kill).await;
        let _: Empty = client.call("/containerd.services.tasks.v1.Tasks/Wait", task()).await;
        let _: Empty = client.call("/containerd.services.tasks.v1.Tasks/Delete", task()).await;
        let snapshot = OneSnapshot { snapshotter: SNAPSHOTTER.to_owned(), key: id.clone() };
        let _: Empty = client.call("/containerd.services.snapshots.v1.Snapshots/Remove", snapshot).await;
        let delete = ById { id: id.clone() };
        let _: Empty = client.call("/containerd.services.containers.v1.Containers/Delete", delete).await;
        fs::remove_dir_all(self.folder.join(&id)).expect("a folder is removed");
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Empty {}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct ById {
    #[prost(string, tag = "1")]
    id: String,
}

/// The labels are left out: they are what the adapter remembers.
#[derive(Clone, PartialEq, Message)]
struct Container {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "3")]
    image: String,
    #[prost(message, optional, tag = "4")]
    runtime: Option<RuntimeName>,
    #[prost(message, optional, tag = "5")]
    spec: Option<Any>,
    #[prost(string, tag = "6")]
    snapshotter: String,
    #[prost(string, tag = "7")]
    snapshot_key: String,
}

#[derive(Clone, PartialEq, Message)]
struct RuntimeName {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct OneContainer {
    #[prost(message, optional, tag = "1")]
    container: Option<Container>,
}

#[derive(Clone, PartialEq, Message)]
struct Mount {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    source: String,
    #[prost(string, tag = "3")]
    target: String,
    #[prost(string, repeated, tag = "4")]
    options: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Prepare {
    #[prost(string, tag = "1")]
    snapshotter: String,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(string, tag = "3")]
    parent: String,
}

#[derive(Clone, PartialEq, Message)]
struct Mounts {
    #[prost(message, repeated, tag = "1")]
    mounts: Vec<Mount>,
}

#[derive(Clone, PartialEq, Message)]
struct OneSnapshot {
    #[prost(string, tag = "1")]
    snapshotter: String,
    #[prost(string, tag = "2")]
    key: String,
}

#[derive(Clone, PartialEq, Message)]
struct Stat {
    #[prost(message, optional, tag = "1")]
    info: Option<Info>,
}

#[derive(Clone, PartialEq, Message)]
struct Info {
    #[prost(string, tag = "2")]
    parent: String,
}

/// A process of a container: the first one, if `exec_id` is empty.
#[derive(Clone, PartialEq, Message)]
struct Exec {
    #[prost(string, tag = "1")]
    container_id: String,
    #[prost(string, tag = "2")]
    exec_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct OneTask {
    #[prost(message, optional, tag = "1")]
    process: Option<Process>,
}

#[derive(Clone, PartialEq, Message)]
struct Process {
    #[prost(string, tag = "6")]
    stdout: String,
}

#[derive(Clone, PartialEq, Message)]
struct CreateTask {
    #[prost(string, tag = "1")]
    container_id: String,
    #[prost(message, repeated, tag = "3")]
    rootfs: Vec<Mount>,
    #[prost(string, tag = "5")]
    stdout: String,
    #[prost(string, tag = "6")]
    stderr: String,
}

#[derive(Clone, PartialEq, Message)]
struct Kill {
    #[prost(string, tag = "1")]
    container_id: String,
    #[prost(uint32, tag = "3")]
    signal: u32,
    #[prost(bool, tag = "4")]
    all: bool,
}
