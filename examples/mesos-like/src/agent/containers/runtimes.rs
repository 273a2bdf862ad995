//! [`RuntimeSetting`]: with what an agent's containers are run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::runtime::{Images, Interactive, RuntimeError};
use orch_runtime::containerd::{ContainerdConfig, ContainerdRuntime};
use orch_runtime::docker::{DockerConfig, DockerRuntime};
use orch_runtime::pod_network::PodNetwork;
use orch_runtime::process::{ProcessConfig, ProcessRuntime};
use sha2::{Digest as _, Sha256};

/// With what an agent's containers are run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeSetting {
    /// The agent's folder: `--work_dir`.
    pub work_dir: PathBuf,
    /// What runs containers from images.
    pub images: ImageBackend,
    /// The group of the kernel for processes, if they are to be limited: `--cgroups_root`, with `--isolation` of
    /// `cgroups/…`.
    pub cgroup: Option<PathBuf>,
    /// Whether no more processor time is used than was given: `--cgroups_enable_cfs`.
    pub cfs: bool,
    /// Where relative paths of URIs begin: `--frameworks_home`.
    pub frameworks_home: Option<PathBuf>,
    /// The most that is kept of what is fetched with `cache`, in bytes: `--fetcher_cache_size`.
    pub cache_bytes: u64,
    /// The group of the kernel for containers of containerd; by default, `/orch`.
    pub image_cgroup: Option<PathBuf>,
    /// The program that supervises processes; by default, the one that runs.
    pub shim: Option<PathBuf>,
}

impl RuntimeSetting {
    /// What tells the containers of this agent from those of others on the same daemon: in containerd, its namespace.
    #[must_use]
    pub fn mark(&self) -> String {
        let digits: String = digest(self).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("mesos-{digits}")
    }
}

/// What runs containers from images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageBackend {
    /// Nothing: tasks that want an image fail.
    #[default]
    None,
    /// The Docker daemon behind this socket: `--runtime=docker`, `--docker_socket`.
    Docker(PathBuf),
    /// The containerd behind this socket: `--runtime=containerd`, `--containerd_socket`.
    Containerd(PathBuf),
}

/// The runtimes of an agent, open.
#[derive(Clone, Debug)]
pub(super) struct Runtimes {
    /// Of processes.
    pub(super) host: Arc<dyn Interactive>,
    /// Of containers from images, with their images.
    pub(super) images: Option<(Arc<dyn Interactive>, Arc<dyn Images>)>,
    closing: Option<ProcessRuntime>,
}

impl Runtimes {
    pub(super) async fn open(setting: &RuntimeSetting) -> Result<Self, RuntimeError> {
        let folder = setting.work_dir.join("runtime");
        let mut config = ProcessConfig::new(folder.join("process"));
        // Mesos's users name it without a slash.
        config.cgroup_parent = setting.cgroup.as_ref().map(|group| Path::new("/").join(group));
        // As Mesos does it: memory is limited by groups of the kernel or not at all.
        config.enforce_memory = false;
        if let Some(shim) = &setting.shim {
            config.shim = orch_runtime::process::Shim::Path(shim.clone());
        }
        let host = ProcessRuntime::open(config).await?;
        let images: Option<(Arc<dyn Interactive>, Arc<dyn Images>)> = match &setting.images {
            ImageBackend::None => None,
            ImageBackend::Docker(socket) => {
                let scope = setting.mark().parse().map_err(|error| unusable(&error))?;
                let mut config = DockerConfig::new(folder.join("docker"), scope);
                config.socket.clone_from(socket);
                let opened = Arc::new(DockerRuntime::open(config).await?);
                Some((Arc::clone(&opened) as _, opened))
            }
            ImageBackend::Containerd(socket) => {
                let mut config = ContainerdConfig::new(folder.join("containerd"));
                config.socket.clone_from(socket);
                config.namespace = setting.mark().parse().map_err(|error| unusable(&error))?;
                if let Some(group) = &setting.image_cgroup {
                    config.cgroup_parent.clone_from(group);
                }
                config.network = network(setting)?;
                if let Some(program) = &setting.shim {
                    config.logger = orch_runtime::containerd::Logger::Path(program.clone());
                }
                let opened = Arc::new(ContainerdRuntime::open(config).await?);
                Some((Arc::clone(&opened) as _, opened))
            }
        };
        Ok(Self { host: Arc::new(host.clone()), images, closing: Some(host) })
    }

    /// Over runtimes that somebody else opened.
    pub(super) fn of(host: Arc<dyn Interactive>, images: Option<(Arc<dyn Interactive>, Arc<dyn Images>)>) -> Self {
        Self { host, images, closing: None }
    }

    /// Of both kinds.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<dyn Interactive>> {
        std::iter::once(&self.host).chain(self.images.iter().map(|(runtime, _)| runtime))
    }

    pub(super) async fn close(&self) {
        if let Some(host) = self.closing.clone() {
            host.close().await;
        }
    }
}

/// A bridge for containers of containerd that have networks of their own: another one for each agent of a machine, as far
/// as chance has it.
fn network(setting: &RuntimeSetting) -> Result<PodNetwork, RuntimeError> {
    let [first, second, ..] = digest(setting);
    let bridge = format!("mesos-{first:02x}{second:02x}").parse().map_err(|error| unusable(&error))?;
    let subnet = format!("10.{}.{second}.0/24", 128 + first % 64).parse().map_err(|error| unusable(&error))?;
    PodNetwork::new(bridge, subnet).map_err(|error| unusable(&error))
}

/// Some bytes by which the agent's folder is known.
fn digest(setting: &RuntimeSetting) -> [u8; 6] {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = setting.work_dir.canonicalize().unwrap_or_else(|_| setting.work_dir.clone());
    let mut bytes = [0; 6];
    bytes.iter_mut().zip(Sha256::digest(folder.as_os_str().as_bytes())).for_each(|(byte, from)| *byte = from);
    bytes
}

fn unusable(error: &impl std::fmt::Display) -> RuntimeError {
    RuntimeError::Unavailable { message: error.to_string(), transient: false, source: None }
}
