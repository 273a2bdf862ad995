//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use orch_core::object::{GoDuration, GoDurationError};

use crate::commands::{Format, Ports, Where};
use crate::hello_web::HelloWeb;
use crate::runtimes::{RuntimeChoice, RuntimeKind};
use crate::store::StoreChoice;

/// A Kubernetes-like system in one process: a control plane, and nodes that run pods as local processes.
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
    /// Runs one node without a control plane: the pods of a folder of manifests, looked at every second.
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
    #[command(flatten)]
    pub(crate) pods: PodOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Node {
    /// The folder: each file in it that ends in .yaml, .yml or .json is a manifest of one or several pods. What is no pod,
    /// and a pod that needs other objects, is refused.
    #[arg(long, value_name = "DIR")]
    pub(crate) static_pods: PathBuf,
    #[command(flatten)]
    pub(crate) pods: PodOptions,
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
    let span: GoDuration = text.parse().map_err(|error: GoDurationError| error.to_string())?;
    Ok(span.0.as_secs().max(1))
}

fn namespace(text: &str) -> Result<String, String> {
    if orch_core::validation::is_dns_label(text) {
        return Ok(text.to_owned());
    }
    Err("use at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit".to_owned())
}
