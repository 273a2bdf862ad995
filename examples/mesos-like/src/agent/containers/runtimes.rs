//! [`RuntimeSetting`]: with what an agent's containers are run.

use std::path::PathBuf;

/// With what an agent's containers are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSetting {
    /// The agent's folder: `--work_dir`.
    pub work_dir: PathBuf,
    /// What runs containers from images.
    pub images: ImageRuntime,
    /// The group of the kernel for processes, if they are to be limited: `--cgroups_root`, with `--isolation` of
    /// `cgroups/…`.
    pub cgroup: Option<PathBuf>,
    /// Whether no more processor time is used than was given: `--cgroups_enable_cfs`.
    pub cfs: bool,
    /// Where relative paths of URIs begin: `--frameworks_home`.
    pub frameworks_home: Option<PathBuf>,
}

/// What runs containers from images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageRuntime {
    /// Nothing: tasks that want an image fail.
    #[default]
    None,
    /// The Docker daemon behind this socket: `--docker_socket`.
    Docker(PathBuf),
    /// The containerd behind this socket: `--containerd_socket`.
    Containerd(PathBuf),
}
