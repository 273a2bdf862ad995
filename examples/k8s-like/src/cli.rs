//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use orch_core::network::Cidr;
use orch_core::object::{GoDuration, GoDurationError};

use crate::commands::{Format, Ports, Where};
use crate::control_plane::SchedulerKind;
use crate::hello_web::HelloWeb;
use crate::node::PodNetworkKind;
use crate::proxy::ProxyKind;
use crate::routes::RoutesKind;
use crate::runtimes::{RuntimeChoice, RuntimeKind};
use crate::store::StoreChoice;

/// A Kubernetes-like system: in one process, a control plane and nodes that run pods as local processes; or control planes
/// and nodes as processes of their own, on several hosts that share an etcd.
#[derive(Debug, Parser)]
#[command(name = "k8s-like", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts a cluster, applies a manifest whenever it changes, and stops everything on Ctrl-C.
    Up(Up),
    /// Runs a control plane for nodes on other hosts: schedules pods, keeps Deployments and Services, and runs nothing.
    ///
    /// Several may be started for one cluster: one leads, the others stand by and take over when it is gone.
    ControlPlane(ControlPlane),
    /// Runs one node: of a cluster whose objects are in etcd (--name, --store), or without any (--static-pods).
    ///
    /// With --name and --store it joins the cluster, whose control plane is `k8s-like control-plane`, and runs the pods that
    /// are placed on it. With --static-pods there is no control plane: it runs the pods of a folder of manifests, which is
    /// looked at every second.
    Node(Node),
    /// Shows what a container wrote.
    Logs(Logs),
    /// Runs a command beside a container: `k8s-like exec -it POD -- sh`.
    Exec(Exec),
    /// Shows what a container writes from now on, and passes on what is typed.
    Attach(Attach),
    /// Leads ports of this machine to those of a pod.
    PortForward(PortForward),
    /// Shows objects: `k8s-like get pods -A`.
    Get(Get),
    /// Shows what nodes or pods use.
    Top(Top),
    /// A small web server to look at, which the manifests of this example run.
    HelloWeb(HelloWeb),
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) at: Where,
    /// The pod.
    pub(crate) pod: String,
    /// The container, where the pod has several.
    #[arg(short, long)]
    pub(crate) container: Option<String>,
    /// Go on with what is written later.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Only so many of the last lines.
    #[arg(long, value_name = "LINES")]
    pub(crate) tail: Option<u64>,
    /// Only what was written lately: `90s`, `10m`, `2h`.
    #[arg(long, value_name = "SPAN", value_parser = seconds)]
    pub(crate) since: Option<u64>,
    /// What the run before this one wrote.
    #[arg(short, long)]
    pub(crate) previous: bool,
    /// When each line was written.
    #[arg(long)]
    pub(crate) timestamps: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) at: Where,
    /// The pod.
    pub(crate) pod: String,
    /// The container, where the pod has several.
    #[arg(short, long)]
    pub(crate) container: Option<String>,
    /// Pass on what is typed.
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// The command gets a terminal.
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// The command.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Attach {
    #[command(flatten)]
    pub(crate) at: Where,
    /// The pod.
    pub(crate) pod: String,
    /// The container, where the pod has several.
    #[arg(short, long)]
    pub(crate) container: Option<String>,
    /// Pass on what is typed.
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// The container has a terminal.
    #[arg(short, long)]
    pub(crate) tty: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PortForward {
    #[command(flatten)]
    pub(crate) at: Where,
    /// The pod.
    pub(crate) pod: String,
    /// Ports: `8080:80` leads port 8080 of this machine to the pod's port 80.
    #[arg(required = true, value_name = "[LOCAL:]REMOTE")]
    pub(crate) ports: Vec<Ports>,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) at: Where,
    /// The kind: `pods`, `nodes`, `deployments`, `services`, `events` and others.
    pub(crate) kind: String,
    /// One object only.
    pub(crate) name: Option<String>,
    /// Those of all namespaces.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// How they are shown.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// Read them from where they are kept, on any host: `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]`.
    #[arg(long, value_name = "STORE", conflicts_with_all = ["state_dir", "file"])]
    pub(crate) store: Option<StoreChoice>,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Top {
    /// Of what.
    #[arg(value_enum)]
    pub(crate) what: TopWhat,
    #[command(flatten)]
    pub(crate) at: Where,
    /// Pods of all namespaces.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
}

/// A node's name stands in the names of leases, and in a label.
const NODE_NAME_MAX: usize = 63;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum TopWhat {
    /// Pods, measured for a second
    Pods,
    /// Nodes, as they last told
    Nodes,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Up {
    /// The manifest: YAML or JSON, one or several objects.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How many nodes there are.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=200))]
    pub(crate) nodes: u8,
    /// The namespace of objects that do not name one.
    #[arg(short, long, default_value = "default", value_parser = namespace)]
    pub(crate) namespace: String,
    /// Where the objects are kept: `memory`, gone with this program; `embedded`, in the state folder; or in an etcd
    /// cluster, `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]`. What an earlier run left running with one of the latter two goes
    /// on. [default: embedded with --state-dir, memory without]
    ///
    /// With a user: `etcd://USER@HOST:PORT?password-file=FILE`. Encrypted, with PEM files:
    /// `etcds://HOST:PORT?ca=FILE[&cert=FILE&key=FILE][&server-name=NAME]`.
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<StoreChoice>,
    /// Who decides on which node a pod runs.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) scheduler: SchedulerKind,
    /// What leads to services. Those of the kernel need root, and pods with networks of their own, as Docker and containerd
    /// make them.
    #[arg(long, value_enum, default_value_t = ProxyKind::Userspace)]
    pub(crate) proxy: ProxyKind,
    #[command(flatten)]
    pub(crate) pods: PodOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ControlPlane {
    /// Where the objects are kept, in an etcd that the nodes reach too: `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]`.
    ///
    /// With a user: `etcd://USER@HOST:PORT?password-file=FILE`. Encrypted, with PEM files:
    /// `etcds://HOST:PORT?ca=FILE[&cert=FILE&key=FILE][&server-name=NAME]`.
    #[arg(long, value_name = "STORE")]
    pub(crate) store: StoreChoice,
    /// A manifest that is applied now and whenever it changes: YAML or JSON, one or several objects. The control plane that
    /// leads applies it; give all of them the same, at the same path.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The namespace of objects that do not name one.
    #[arg(short, long, default_value = "default", value_parser = namespace)]
    pub(crate) namespace: String,
    /// Who decides on which node a pod runs. The control plane that leads has its choice; give all of them the same.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) scheduler: SchedulerKind,
    /// The addresses of pods, of which each node gets a part.
    #[arg(long, value_name = "RANGE", default_value = "10.244.0.0/16")]
    pub(crate) pod_cidr: Cidr,
    /// How many bits the addresses of a node's part begin with.
    #[arg(long, value_name = "BITS", default_value_t = 24)]
    pub(crate) node_cidr_bits: u8,
    /// The addresses of services; a cluster keeps them. Within 127.0.0.0/8 they are reached on each node by itself, without
    /// root. [default: those that the cluster has, or 10.96.0.0/16]
    #[arg(long, value_name = "RANGE")]
    pub(crate) service_cidr: Option<Cidr>,
    /// How long nothing may be heard of a node before it counts as lost, and requests go elsewhere. Several times the
    /// interval in which nodes are heard of, a quarter of their --node-lease-duration. [default: 40s]
    #[arg(long, value_name = "SPAN", value_parser = span, hide_short_help = true)]
    pub(crate) node_monitor_grace_period: Option<Duration>,
    /// More about what goes on, on standard error; twice for still more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["name", "static_pods"]))]
pub(crate) struct Node {
    #[command(flatten)]
    pub(crate) member: Option<Member>,
    /// No cluster: the pods of this folder. Each file in it that ends in .yaml, .yml or .json is a manifest of one or
    /// several pods. What is no pod, and a pod that needs other objects, is refused.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "store", "node_ip", "proxy", "pod_network", "pod_routes"])]
    pub(crate) static_pods: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pods: PodOptions,
}

/// A node of a cluster.
#[derive(Clone, Debug, clap::Args)]
#[group(requires_all = ["name", "store"], multiple = true)]
pub(crate) struct Member {
    /// The node's name, which no other node of the cluster has.
    #[arg(long, required = false, value_name = "NAME", value_parser = node_name)]
    pub(crate) name: String,
    /// Where the cluster's objects are: as its control plane was told.
    #[arg(long, required = false, value_name = "STORE")]
    pub(crate) store: StoreChoice,
    /// The address at which other hosts reach this one. [default: that of the device with the default route]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) node_ip: Option<IpAddr>,
    /// What leads to services on this node.
    #[arg(long, value_enum, default_value_t = ProxyKind::Userspace)]
    pub(crate) proxy: ProxyKind,
    /// What network pods have. [default: bridge where this runs as root, host otherwise]
    #[arg(long, value_enum)]
    pub(crate) pod_network: Option<PodNetworkKind>,
    /// What leads to pods of other nodes: direct routes to hosts that share a link, or a tunnel to hosts anywhere. [default: direct where this runs as root, none otherwise]
    #[arg(long, value_enum)]
    pub(crate) pod_routes: Option<RoutesKind>,
    /// How long the lease counts by which this node is heard of; it is renewed four times as often. When a node counts as
    /// lost is for the control plane to say: --node-monitor-grace-period. [default: 40s]
    #[arg(long, value_name = "SPAN", value_parser = span, hide_short_help = true)]
    pub(crate) node_lease_duration: Option<Duration>,
    /// How often rules and routes of the kernel are compared with what they should be; routes whenever the kernel tells of a
    /// change, too. [default: 30s, 60s for rules of iptables]
    #[arg(long, value_name = "SPAN", value_parser = span, hide_short_help = true)]
    pub(crate) sync_period: Option<Duration>,
}

/// How pods are run, and where.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PodOptions {
    /// Where logs and the records of processes are kept. A later run with the same folder finds the processes of an
    /// earlier one that was killed. [default: a folder for this path below the temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// What containers are run with.
    #[arg(long, value_enum, default_value_t = RuntimeKind::Process)]
    pub(crate) runtime: RuntimeKind,
    /// The socket of the Docker daemon. [default: that of DOCKER_HOST, or /var/run/docker.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) docker_socket: Option<PathBuf>,
    /// The socket of containerd. [default: that of CONTAINERD_ADDRESS, or /run/containerd/containerd.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) containerd_socket: Option<PathBuf>,
    /// Images to be taken from an archive, as `docker save` writes it, before anything is started. May be given several
    /// times.
    #[arg(long, value_name = "FILE")]
    pub(crate) image_archive: Vec<PathBuf>,
    /// More about what goes on, on standard error; twice for still more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl PodOptions {
    /// What containers are run with, if it is to be of this kind.
    pub(crate) fn runtime_at(&self, kind: RuntimeKind) -> RuntimeChoice {
        kind.at(self.docker_socket.clone(), self.containerd_socket.clone())
    }
}

impl Up {
    /// Where the objects are kept.
    pub(crate) fn store(&self) -> StoreChoice {
        let by_default = || if self.pods.state_dir.is_some() { StoreChoice::Embedded } else { StoreChoice::Memory };
        self.store.clone().unwrap_or_else(by_default)
    }
}

/// `90s`, `10m`, `2h`
fn seconds(text: &str) -> Result<u64, String> {
    span(text).map(|span| span.as_secs())
}

/// As above; no less than a second.
fn span(text: &str) -> Result<Duration, String> {
    let span: GoDuration = text.parse().map_err(|error: GoDurationError| error.to_string())?;
    Ok(span.0.max(Duration::from_secs(1)))
}

fn namespace(text: &str) -> Result<String, String> {
    if orch_core::validation::is_dns_label(text) {
        return Ok(text.to_owned());
    }
    Err("use at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit".to_owned())
}

fn node_name(text: &str) -> Result<String, String> {
    if text.len() <= NODE_NAME_MAX && orch_core::validation::is_dns_subdomain(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "use at most {NODE_NAME_MAX} of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit"
    ))
}
