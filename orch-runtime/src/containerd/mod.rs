//! [`ContainerdRuntime`]: a container is a container of containerd. Linux.

mod accounts;
mod capability;
mod cgroup;
mod client;
mod close;
mod config;
mod convert;
mod error;
mod events;
mod exec;
mod family;
mod folder;
mod images;
mod interactive;
mod lock;
mod logger;
mod names;
mod oci;
mod orphan;
mod pod;
mod record;
mod remove;
mod sandbox;
mod settle;
mod start;
mod stats;
mod stop;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::runtime::{
    ContainerId, ContainerSpec, ExecOutput, LogOptions, LogStream, PodStats, PodUid, Runtime, RuntimeError,
    SandboxSpec, SandboxStatus,
};

use self::client::Client;
pub use self::config::{ContainerdConfig, ContainerdConfigError, ContainerdNamespace, Logger, Snapshotter};
use self::error::{Failure, Meaning};
use self::folder::RootFolder;
pub use self::logger::run_logger_if_asked;
use self::settle::{Life, look};
use crate::changes::Changes;
use crate::log_file;
use crate::pod_network::{Netlink, Network};

/// Runs containers by containerd 1.6 or later, on this machine, as root. Clones share everything.
///
/// Everything that it makes is in one namespace of containerd, [`ContainerdConfig::namespace`], and in one folder,
/// [`ContainerdConfig::root`]. `ctr --namespace orch container ls` shows it: each attempt is a container, and each pod one
/// without a task, of which the labels say what it is. There is no process that only holds a pod: its network and IPC
/// namespaces are kept by mounts in the folder.
///
/// Whatever may be killed at any moment, this process, containerd or a shim, nothing runs twice and nothing is lost: what is
/// to run is on record before it is started, how it ended is on record before its task is removed, and each step is found
/// and finished or undone by the next call. A restart of containerd is not noticed by containers, and by callers only as
/// errors that pass. What runs while the machine goes down is [`Unknown`](orch_core::runtime::ExitReason::Unknown)
/// afterwards. That a container of which the exit code is 129 to 192 was ended by a signal is concluded from it: containerd
/// does not tell.
///
/// Pods have addresses of [`ContainerdConfig::network`], and reach one another and the node. They reach nothing outside: that
/// takes address translation, which is a service proxy's.
///
/// Containers have the capabilities that Docker gives, cannot gain privileges, and are refused a short list of calls into the
/// kernel. Limits of memory, processor time and processes are the kernel's own, by control groups of either version.
#[derive(Clone, Debug)]
pub struct ContainerdRuntime {
    shared: Arc<Shared>,
    /// Ends what listens to containerd when the last clone is dropped.
    _events: Arc<Task>,
}

#[derive(Debug)]
struct Shared {
    config: ContainerdConfig,
    root: RootFolder,
    client: Arc<Client>,
    network: Network,
    cache: images::Cache,
    changes: Arc<Changes>,
    version: String,
    /// Of each record, whether its end is written down and all of its output is in the log. Held while that is done.
    gates: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<bool>>>>,
}

#[derive(Debug)]
struct Task(tokio::task::JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ContainerdRuntime {
    /// A runtime over a containerd that runs, with every pod that an earlier runtime left there. To be called within a
    /// tokio runtime that has I/O and time enabled, and lasts; the bridge of pods is in the network namespace of the
    /// thread that calls.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`] when containerd does not answer on its socket or is too old, when the root folder
    /// cannot be used, or when the logger is to be the current program and that has not called [`run_logger_if_asked`].
    pub async fn open(config: ContainerdConfig) -> Result<Self, RuntimeError> {
        if config.logger == Logger::CurrentExe && !logger::hook_was_called() {
            let message = "the current program is to be the logger, but its main does not begin with \
                           orch_runtime::containerd::run_logger_if_asked(): add the call, or name a logger by its path";
            return Err(Failure::new(Meaning::Refused, message).into());
        }
        if !cgroup::is_parent(&config.cgroup_parent) {
            let parent = config.cgroup_parent.display();
            let message = format!("{parent} is no parent of control groups: give an absolute path without '..'");
            return Err(Failure::new(Meaning::Refused, message).into());
        }
        let netlink = Netlink::here()?;
        let failed = |error| Failure::io("cannot use the root folder", &config.root, error);
        let root = RootFolder::make(&config.root).map_err(failed)?;
        if root.0.to_str().is_none() {
            let message = format!("the root folder {} is no text: choose another", root.0.display());
            return Err(Failure::new(Meaning::Refused, message).into());
        }
        let client = Arc::new(Client::new(&config.socket, &config.namespace, config.timeout));
        let version = client.version().await?.version;
        check_version(&version)?;
        let scope = config.namespace.to_string();
        let network = Network::new(config.network.clone(), netlink, scope, &root.0);
        let (cache, changes, gates) = Default::default();
        let shared = Shared { config, root, client, network, cache, changes, version, gates };
        let shared = Arc::new(shared);
        sweep(&shared).await?;
        let events = tokio::spawn(events::follow(Arc::downgrade(&shared)));
        Ok(Self { shared, _events: Arc::new(Task(events)) })
    }

    /// What runs containers, and its version, as a node's status tells it: `containerd://1.6.20`.
    #[must_use]
    pub fn version(&self) -> String {
        format!("containerd://{}", self.shared.version)
    }

    /// Gives the node back what no pod needs any more: if there is no pod, the bridge goes, unless somebody else made it or
    /// is joined to it, and the control group of all containers. If there is one, everything stays, and containers go on.
    /// What is in containerd beside them, such as images, stays too. Clones may be left: what they need they make again.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`] when containerd does not answer, or Linux refuses. What is left then does no harm, and
    /// the next runtime that is closed removes it.
    pub async fn close(self) -> Result<(), RuntimeError> {
        let shared = Arc::clone(&self.shared);
        self.to_its_end(async move { close::close(&shared).await }).await
    }

    /// Does something to its end, whether the caller waits for it or not: half of it would have to be found and
    /// repaired by the next call.
    async fn to_its_end<T: Send + 'static>(
        &self,
        act: impl Future<Output = Result<T, RuntimeError>> + Send + 'static,
    ) -> Result<T, RuntimeError> {
        tokio::spawn(act).await.map_err(|error| {
            let message = "a task of the containerd runtime did not end as it should: please report it".to_owned();
            RuntimeError::Unavailable { message, transient: false, source: Some(Box::new(error)) }
        })?
    }
}

/// Removes what is left of pods of which the record is gone, and writes down what ended while nobody watched.
async fn sweep(shared: &Arc<Shared>) -> Result<(), RuntimeError> {
    let with_files = shared.root.pods_with_files();
    let with_files = with_files.map_err(|error| Failure::io("cannot list", &shared.root.pods(), error))?;
    let pods = shared.pods().await?;
    let is_whole =
        |uid: &PodUid| pods.iter().any(|pod| pod.sandbox.as_ref().is_some_and(|sandbox| sandbox.spec.pod == *uid));
    let orphans = pods.iter().filter(|pod| pod.sandbox.is_none());
    let orphans = orphans.filter_map(|pod| pod.attempts.first().map(|(attempt, _)| attempt.id.pod.clone()));
    for uid in with_files.into_iter().chain(orphans).filter(|uid| !is_whole(uid)) {
        tracing::info!(pod = %uid, "it has no record any more; what is left of it is removed");
        remove::remove(shared, uid).await?;
    }
    sandbox::settle_addresses(shared).await
}

fn check_version(version: &str) -> Result<(), Failure> {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '~', '+']).map_while(|part| part.parse().ok());
    let found: (Option<u32>, Option<u32>) = (numbers.next(), numbers.next());
    match found {
        (Some(major), Some(minor)) if (major, minor) < (1, 6) => {
            let message = format!("containerd {version} is too old: install 1.6 or later");
            Err(Failure::new(Meaning::Refused, message))
        }
        _ => Ok(()),
    }
}

impl Shared {
    fn cgroup(&self, record: &str) -> String {
        cgroup::path(&self.config.cgroup_parent, &self.config.namespace, record)
    }

    fn gate(&self, record: &str) -> Arc<tokio::sync::Mutex<bool>> {
        Arc::clone(lock(&self.gates).entry(record.to_owned()).or_default())
    }

    fn is_settled(&self, record: &str) -> bool {
        lock(&self.gates).get(record).is_some_and(|gate| gate.try_lock().is_ok_and(|settled| *settled))
    }

    fn forget(&self, record: &str) {
        lock(&self.gates).remove(record);
    }
}

/// A panic while the lock is held leaves nothing half done: every critical section here is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Runtime for ContainerdRuntime {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        let (shared, spec) = (Arc::clone(&self.shared), spec.clone());
        self.to_its_end(async move { sandbox::create(&shared, spec).await }).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let (shared, id, spec) = (Arc::clone(&self.shared), id.clone(), spec.clone());
        self.to_its_end(async move { start::start(&shared, id, spec).await }).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        stop::stop(&self.shared, id, grace).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let (shared, id) = (Arc::clone(&self.shared), id.clone());
        self.to_its_end(async move { remove::remove_container(&shared, id).await }).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        let (shared, pod) = (Arc::clone(&self.shared), pod.clone());
        self.to_its_end(async move { remove::remove(&shared, pod).await }).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        let (pods, joined) = (self.shared.pods().await?, self.shared.network.joined().await?);
        let status = |pod: &pod::Pod| pod.status(self.shared.is_ready(pod.sandbox.as_ref()?, &joined));
        Ok(pods.iter().filter_map(status).collect())
    }

    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError> {
        let Some(pod) = self.shared.pod(pod).await? else { return Ok(None) };
        let joined = self.shared.network.joined().await?;
        let ready = pod.sandbox.as_ref().is_some_and(|sandbox| self.shared.is_ready(sandbox, &joined));
        Ok(pod.status(ready))
    }

    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        Ok(stats::stats(&self.shared, pod).await?)
    }

    fn events(&self) -> BoxStream<'static, PodUid> {
        self.shared.changes.listen()
    }

    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        if self.shared.attempt(id).await?.is_none() {
            return Err(RuntimeError::NoSuchContainer { id: id.clone() });
        }
        let (folder, ended) = (self.shared.root.attempt(id), ended(Arc::clone(&self.shared), id.clone()));
        Ok(LogStream::new(log_file::read(&folder, options, ended)))
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        exec::exec(&self.shared, id, command, timeout).await
    }
}

/// Returns when a container has ended and all of its output is in the log.
async fn ended(shared: Arc<Shared>, id: ContainerId) {
    use futures::StreamExt as _;
    let mut changes = shared.changes.listen();
    loop {
        match shared.attempt(&id).await {
            Ok(None) => return,
            Ok(Some(attempt)) => match look(&shared, attempt).await {
                Ok((_, Life::Running(_))) => {}
                Ok(_) => return,
                Err(failure) => tracing::debug!(%id, error = %failure.message, "cannot tell whether it has ended"),
            },
            Err(failure) => tracing::debug!(%id, error = %failure.message, "cannot tell whether it has ended"),
        }
        // An end that was not told is seen all the same, a little later.
        let _ = tokio::time::timeout(Duration::from_secs(5), changes.next()).await;
    }
}
