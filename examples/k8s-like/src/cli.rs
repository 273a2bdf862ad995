//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

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
    /// Where logs and the records of processes are kept. A later run with the same folder finds the processes of an
    /// earlier one that was killed. [default: a folder of this manifest below the temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Where the objects are kept: `memory`, gone with this program; `embedded`, in the state folder; or in an etcd
    /// cluster, `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]`. What an earlier run left running with one of the latter two goes
    /// on. [default: embedded with --state-dir, memory without]
    ///
    /// With a user: `etcd://USER@HOST:PORT?password-file=FILE`. Encrypted, with PEM files:
    /// `etcds://HOST:PORT?ca=FILE[&cert=FILE&key=FILE][&server-name=NAME]`.
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<StoreChoice>,
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

impl Up {
    /// What containers are run with, if it is to be of this kind.
    pub(crate) fn runtime_at(&self, kind: RuntimeKind) -> RuntimeChoice {
        kind.at(self.docker_socket.clone(), self.containerd_socket.clone())
    }

    /// Where the objects are kept.
    pub(crate) fn store(&self) -> StoreChoice {
        let by_default = || if self.state_dir.is_some() { StoreChoice::Embedded } else { StoreChoice::Memory };
        self.store.clone().unwrap_or_else(by_default)
    }
}

fn namespace(text: &str) -> Result<String, String> {
    if orch_core::validation::is_dns_label(text) {
        return Ok(text.to_owned());
    }
    Err("use at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit".to_owned())
}
