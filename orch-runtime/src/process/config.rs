//! [`ProcessConfig`]: where the records are, who supervises, and what containers get.

use std::path::PathBuf;

use super::ProcessNetwork;

/// How a [`ProcessRuntime`](super::ProcessRuntime) works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    /// The folder of all records, outputs and working folders. It is made if it is not there, readable by its owner
    /// only. One runtime at a time may use it; opened again, it finds what runs.
    pub root: PathBuf,
    /// The program that supervises each container.
    pub shim: Shim,
    /// The network of pods.
    pub network: ProcessNetwork,
    /// Where a command is looked up when the container's environment has no `PATH`. The container does not see it.
    pub path: String,
    /// Of each attempt's log the last bytes are kept, the times of its lines included: at least this many, and at most
    /// little more than twice as many.
    pub log_bytes: u64,
    /// Whether [`memory_bytes`](orch_core::runtime::ResourceLimits::memory_bytes) is enforced, for each process of a
    /// container by itself, as `RLIMIT_DATA`: an allocation beyond it fails. Address space that is only reserved does
    /// not count, but stacks of threads count in full.
    pub enforce_memory: bool,
    /// The group of the kernel within which each container has one of its own: a path like `/orch` in every hierarchy, made
    /// if it is not there. Then processor time, memory and processes of a container are limited as a whole and counted
    /// exactly. It needs root, or a group that was delegated to this user; where it cannot be used, opening fails. `None`:
    /// limits are as near as they can be without. Two root folders may have the same.
    pub cgroup_parent: Option<PathBuf>,
}

impl ProcessConfig {
    /// The defaults: the shim is the current program, the network is the machine's, the usual `PATH`, 10 MiB of output, memory is
    /// enforced.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            shim: Shim::CurrentExe,
            network: ProcessNetwork::Host,
            path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            log_bytes: 10 << 20,
            enforce_memory: true,
            cgroup_parent: None,
        }
    }
}

/// The program that supervises a container, and outlives the process that uses the runtime. See
/// [`run_shim_if_asked`](super::run_shim_if_asked).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shim {
    /// The program that runs now. Its `main` must begin with [`run_shim_if_asked`](super::run_shim_if_asked).
    CurrentExe,
    /// Another program of which `main` begins so, such as this crate's binary `orch-shim`.
    Path(PathBuf),
}
