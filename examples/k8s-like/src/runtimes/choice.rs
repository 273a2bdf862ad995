//! [`RuntimeChoice`]: what containers are run with.

use std::env;
use std::fmt;
use std::path::PathBuf;

/// What containers are run with, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuntimeChoice {
    /// As processes of this machine.
    Process,
    /// By the Docker daemon that listens on this socket.
    Docker(PathBuf),
    /// By the containerd that listens on this socket.
    Containerd(PathBuf),
}

/// The word for it on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum RuntimeKind {
    /// As processes of this machine: no daemon, no root, no images
    Process,
    /// As containers of a Docker daemon
    Docker,
    /// As containers of a containerd
    Containerd,
}

impl RuntimeKind {
    pub(crate) const ALL: [Self; 3] = [Self::Process, Self::Docker, Self::Containerd];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
        }
    }

    /// With the socket that is given, or else the one that the stock client would use.
    pub(crate) fn at(self, docker: Option<PathBuf>, containerd: Option<PathBuf>) -> RuntimeChoice {
        match self {
            Self::Process => RuntimeChoice::Process,
            Self::Docker => RuntimeChoice::Docker(docker.unwrap_or_else(|| {
                let host = env::var("DOCKER_HOST").ok();
                let socket = host.as_deref().and_then(|host| host.strip_prefix("unix://"));
                PathBuf::from(socket.unwrap_or("/var/run/docker.sock"))
            })),
            Self::Containerd => RuntimeChoice::Containerd(containerd.unwrap_or_else(|| {
                let address = env::var("CONTAINERD_ADDRESS").ok().filter(|address| !address.is_empty());
                PathBuf::from(address.as_deref().unwrap_or("/run/containerd/containerd.sock"))
            })),
        }
    }
}

impl RuntimeChoice {
    pub(crate) fn kind(&self) -> RuntimeKind {
        match self {
            Self::Process => RuntimeKind::Process,
            Self::Docker(_) => RuntimeKind::Docker,
            Self::Containerd(_) => RuntimeKind::Containerd,
        }
    }
}

impl fmt::Display for RuntimeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("processes"),
            Self::Docker(socket) => write!(f, "Docker at {}", socket.display()),
            Self::Containerd(socket) => write!(f, "containerd at {}", socket.display()),
        }
    }
}
