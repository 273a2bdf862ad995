//! [`RuntimeSetting`]: with what an agent's containers are run.

use std::path::PathBuf;
use std::sync::Arc;

use orch_core::runtime::{Images, Runtime, RuntimeError};
use orch_runtime::containerd::{ContainerdConfig, ContainerdRuntime};
use orch_runtime::docker::{DockerConfig, DockerRuntime};
use orch_runtime::process::{ProcessConfig, ProcessRuntime};
use sha2::{Digest as _, Sha256};

/// With what an agent's containers are run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// The most that is kept of what is fetched with `cache`, in bytes: `--fetcher_cache_size`.
    pub cache_bytes: u64,
    /// The program that supervises processes; by default, the one that runs.
    pub shim: Option<PathBuf>,
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

/// The runtimes of an agent, open.
#[derive(Clone, Debug)]
pub(super) struct Runtimes {
    /// Of processes.
    pub(super) host: Arc<dyn Runtime>,
    /// Of containers from images, with their images.
    pub(super) images: Option<(Arc<dyn Runtime>, Arc<dyn Images>)>,
    closing: Option<ProcessRuntime>,
}

impl Runtimes {
    pub(super) async fn open(setting: &RuntimeSetting) -> Result<Self, RuntimeError> {
        let folder = setting.work_dir.join("runtime");
        let mut config = ProcessConfig::new(folder.join("process"));
        config.cgroup_parent.clone_from(&setting.cgroup);
        // As Mesos does it: memory is limited by groups of the kernel or not at all.
        config.enforce_memory = false;
        if let Some(shim) = &setting.shim {
            config.shim = orch_runtime::process::Shim::Path(shim.clone());
        }
        let host = ProcessRuntime::open(config).await?;
        let images: Option<(Arc<dyn Runtime>, Arc<dyn Images>)> = match &setting.images {
            ImageRuntime::None => None,
            ImageRuntime::Docker(socket) => {
                let scope = mark(setting).parse().map_err(|error| unusable(&error))?;
                let mut config = DockerConfig::new(folder.join("docker"), scope);
                config.socket.clone_from(socket);
                let opened = Arc::new(DockerRuntime::open(config).await?);
                Some((Arc::clone(&opened) as _, opened))
            }
            ImageRuntime::Containerd(socket) => {
                let mut config = ContainerdConfig::new(folder.join("containerd"));
                config.socket.clone_from(socket);
                config.namespace = mark(setting).parse().map_err(|error| unusable(&error))?;
                let opened = Arc::new(ContainerdRuntime::open(config).await?);
                Some((Arc::clone(&opened) as _, opened))
            }
        };
        Ok(Self { host: Arc::new(host.clone()), images, closing: Some(host) })
    }

    /// Over runtimes that somebody else opened.
    pub(super) fn of(host: Arc<dyn Runtime>, images: Option<(Arc<dyn Runtime>, Arc<dyn Images>)>) -> Self {
        Self { host, images, closing: None }
    }

    /// Of both kinds.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<dyn Runtime>> {
        std::iter::once(&self.host).chain(self.images.iter().map(|(runtime, _)| runtime))
    }

    pub(super) async fn close(&self) {
        if let Some(host) = self.closing.clone() {
            host.close().await;
        }
    }
}

/// What tells the containers of this agent from those of others on the same daemon.
fn mark(setting: &RuntimeSetting) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = setting.work_dir.canonicalize().unwrap_or_else(|_| setting.work_dir.clone());
    let digest = Sha256::digest(folder.as_os_str().as_bytes());
    let digits: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("mesos-{digits}")
}

fn unusable(error: &impl std::fmt::Display) -> RuntimeError {
    RuntimeError::Unavailable { message: error.to_string(), transient: false, source: None }
}
