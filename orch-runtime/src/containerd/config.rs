//! [`ContainerdConfig`]: where containerd is, what is ours in it, and what pods get.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::pod_network::PodNetwork;

/// How a [`ContainerdRuntime`](super::ContainerdRuntime) works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerdConfig {
    /// The socket that containerd listens on.
    pub socket: PathBuf,
    /// containerd's namespace in which everything of this runtime is. What is in it must be made by nobody else.
    pub namespace: ContainerdNamespace,
    /// The folder of what containerd does not keep: logs, the files that all containers of a pod see, and the pods'
    /// network namespaces. It is made if it is not there, readable by its owner only.
    pub root: PathBuf,
    /// What makes root file systems out of layers: `overlayfs`, or `native` where that is not to be had.
    pub snapshotter: Snapshotter,
    /// The network of pods. Runtimes on one machine need networks that do not overlap.
    pub network: PodNetwork,
    /// The program that writes the logs of each container.
    pub logger: Logger,
    /// Of each attempt's output the last bytes are kept: at least this many, and about twice as many at most.
    pub log_bytes: u64,
    /// The control group below which those of containers are made, `/orch` by default: an absolute path below the root of
    /// each hierarchy.
    pub cgroup_parent: PathBuf,
    /// How long containerd may take for what it does on its own disk; 10 seconds by default.
    pub timeout: Duration,
    /// How long it may take to make or remove a container; 2 minutes by default.
    pub start_timeout: Duration,
    /// The most bytes that an image may have, compressed or not; 64 GiB by default.
    pub image_bytes: u64,
}

impl ContainerdConfig {
    /// The defaults: Debian's socket, namespace `orch`, overlayfs, `10.88.0.0/16` on the bridge `orch0`, the current
    /// program writes logs, 10 MiB of each.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            socket: "/run/containerd/containerd.sock".into(),
            namespace: ContainerdNamespace("orch".to_owned()),
            root: root.into(),
            snapshotter: Snapshotter::Overlayfs,
            network: PodNetwork::default(),
            logger: Logger::CurrentExe,
            log_bytes: 10 << 20,
            cgroup_parent: "/orch".into(),
            timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(120),
            image_bytes: 64 << 30,
        }
    }
}

/// The program that writes the logs of a container, and outlives the process that uses the runtime. See
/// [`run_logger_if_asked`](super::run_logger_if_asked).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logger {
    /// The program that runs now. Its `main` must begin with [`run_logger_if_asked`](super::run_logger_if_asked).
    CurrentExe,
    /// Another program of which `main` begins so, such as this crate's binary `orch-logger`.
    Path(PathBuf),
}

/// What makes root file systems out of layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Snapshotter {
    /// The kernel shows layers as one: nothing is copied.
    #[default]
    Overlayfs,
    /// Every container gets a copy of its image.
    Native,
}

impl Snapshotter {
    /// What containerd calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlayfs => "overlayfs",
            Self::Native => "native",
        }
    }
}

/// A namespace of containerd, checked: 1 to 40 of `a-z`, `0-9` and single `-`, `.` between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerdNamespace(String);

impl ContainerdNamespace {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerdNamespace {
    type Err = ContainerdConfigError;

    fn from_str(text: &str) -> Result<Self, ContainerdConfigError> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= 40 && text.split(['-', '.']).all(|part| !part.is_empty() && part.bytes().all(word));
        if fits { Ok(Self(text.to_owned())) } else { Err(ContainerdConfigError::Namespace { text: text.to_owned() }) }
    }
}

impl fmt::Display for ContainerdNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a part of a [`ContainerdConfig`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerdConfigError {
    /// A namespace that is none.
    #[error(
        "{text:?} is no namespace of containerd: use at most 40 of a-z and 0-9, with single '-' or '.' between them"
    )]
    Namespace {
        /// The text as given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_something_else_are_refused() {
        for text in ["", "-a", "a--b", "A", "a/b", "../a", &"a".repeat(41)] {
            assert!(text.parse::<ContainerdNamespace>().is_err(), "{text:?}");
        }
    }
}
