//! [`ProcessRuntime`]: a container is a process group of this machine. Linux.

mod address;
mod attempt;
mod config;
mod exec;
mod found;
mod hold;
mod identity;
mod input;
mod lock;
mod names;
mod network;
mod pod;
mod privileges;
mod record;
mod sessions;
mod shim;
mod start;
mod stats;
mod trouble;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::future::try_join_all;
use futures::stream::BoxStream;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{
    ContainerId, ContainerSpec, ExecOutput, LogOptions, LogStream, PodStats, PodUid, Runtime, RuntimeError,
    SandboxSpec, SandboxStatus,
};
use tokio::process::Child;
use tokio::task::JoinSet;

pub use self::address::{AddressRange, AddressRangeError};
use self::attempt::{Attempt, Life};
pub use self::config::{ProcessConfig, Shim};
use self::hold::Hold;
use self::lock::RootLock;
use self::network::Connected;
pub use self::network::ProcessNetwork;
use self::pod::{Ledger, Pod};
use self::record::{Durability, RootFolder, SandboxRecord};
pub use self::shim::run_shim_if_asked;
use self::trouble::unavailable;
use crate::cgroup::{Cgroup, Limits};
use crate::changes::Changes;
use crate::log_file;
use crate::pod_network::Netlink;

/// Runs containers as processes of this machine, without a daemon, and without privileges where none are asked for.
///
/// Each container is supervised by a *shim*, a tiny process that outlives the user of the runtime: it copies output to
/// files of a limited size, kills what the program leaves behind when it ends, and writes down how it ended. Whatever
/// may be killed at any moment, nothing runs twice and nothing is lost: what is to run is on disk before it is started,
/// the process writes down who it is before it becomes the program, and a program dies with its shim.
///
/// A container gets the environment that its spec says and nothing else, not even a `PATH`; its working folder is one of
/// its own that goes when the attempt is removed. There is deliberately no isolation: a container sees the machine as its
/// user does, its network included unless pods have [their own](ProcessNetwork::Bridge), and one that means to can leave its
/// supervision with the help of others.
///
/// | asked for | given |
/// |---|---|
/// | input, terminal | yes |
/// | to gain nothing, or to be allowed to | yes |
/// | another user, groups, a read-only root | if this process is root; else a start error |
/// | capabilities | dropped if this process is root, and never there if it is not; added if it has them; else a start error |
/// | mounts | if this process is root, over what is on the machine or within the working folder; else a start error |
/// | memory | with control groups, of the container, and [`OutOfMemory`](orch_core::runtime::ExitReason::OutOfMemory) is told; else of each process by itself, see [`ProcessConfig::enforce_memory`] |
/// | processor time, number of processes | with control groups (see [`ProcessConfig::cgroup_parent`]); else not limited |
/// | stats | with control groups, exactly; else the sum over the processes that live, without those that ended unnoticed |
/// | whom a pod asks for names, names in `/etc/hosts` | where this process may mount, over the files that the machine has there, until the machine's are replaced; else what the machine has |
/// | a network | the machine's, or one of the pod's own if this process is root: see [`ProcessNetwork`] |
/// | images, host names | not used |
///
/// Standard output and error are one stream, so that their order is right: who attaches gets both as standard output. The
/// ports of a pod are forwarded to its address, or to 127.0.0.1 where it has none of its own, or a network of its own.
///
/// If a shim is killed, its program dies with it, and with it everything of the program's session; only a descendant
/// that had made a session of its own is not found then.
///
/// The root folder is given back by [`close`](Self::close), or when the last clone is dropped and every call has
/// returned. When that is cannot always be told: a task that was aborted drops what it holds only when tokio gets to it.
/// Who means to open the folder again in the same process closes the runtime.
#[derive(Clone, Debug)]
pub struct ProcessRuntime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ProcessConfig,
    root: RootFolder,
    /// Whether containers can see files that the machine does not.
    can_mount: bool,
    /// The group within which each container has one.
    cgroup: Option<Cgroup>,
    pods: Mutex<BTreeMap<PodUid, Arc<Pod>>>,
    network: Connected,
    /// Held while a sandbox is written down, with an address that nobody else has.
    recording: tokio::sync::Mutex<()>,
    changes: Arc<Changes>,
    watches: Mutex<JoinSet<()>>,
    hold: Hold,
}

impl ProcessRuntime {
    /// A runtime over the root folder, with every pod that an earlier runtime left there; returns when it is known of
    /// each container whether it runs. To be called within a tokio runtime that has I/O and time enabled, and lasts.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`] when another process uses the root folder, when a record cannot be read or
    /// written, or when the shim is to be the current program and that has not called [`run_shim_if_asked`].
    pub async fn open(config: ProcessConfig) -> Result<Self, RuntimeError> {
        if config.shim == Shim::CurrentExe && !shim::hook_was_called() {
            let message = "the current program is to be the shim, but its main does not begin with \
                           orch_runtime::process::run_shim_if_asked(): add the call, or name a shim by its path";
            return Err(RuntimeError::Unavailable { message: message.to_owned(), transient: false, source: None });
        }
        let netlink = config.network.netlink()?;
        let opened = tokio::task::spawn_blocking(move || Shared::open(config, netlink)).await;
        let shared = Arc::new(opened.map_err(panicked)??);
        found::take_over(&shared).await?;
        let addresses = network::addresses(shared.pods().values());
        shared.network.settle(&shared.root, &addresses).await?;
        Ok(Self { shared })
    }

    /// Gives the root folder back, as if this process had ended: containers go on, and another runtime may be opened
    /// over the folder as soon as this returns. What is being started or removed is waited for; commands beside
    /// containers are killed, and streams of changes and of output that is followed end. Clones may be left: each of their calls is an error from now on. Closing
    /// again is no error.
    ///
    /// If the future is dropped, the runtime can be used no more, and the folder is given back with the last clone.
    pub async fn close(self) {
        let watches = async {
            let mut watches = std::mem::take(&mut *self.shared.watches());
            watches.shutdown().await;
            if self.shared.pods().is_empty()
                && let Err(error) = self.shared.network.close().await
            {
                tracing::warn!(%error, "something of the network of pods is left");
            }
        };
        self.shared.hold.give_back(watches).await;
    }

    /// Does something to its end, whether the caller waits for it or not: half of it would have to be found and
    /// repaired by the next call.
    async fn to_its_end<T: Send + 'static>(
        &self,
        act: impl Future<Output = Result<T, RuntimeError>> + Send + 'static,
    ) -> Result<T, RuntimeError> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let _kept = shared.hold.keep().await?;
            act.await
        });
        task.await.map_err(panicked)?
    }
}

impl Shared {
    fn open(config: ProcessConfig, netlink: Option<Netlink>) -> Result<Self, RuntimeError> {
        let failed = |error| unavailable("cannot use the root folder", &config.root, error);
        record::make_folder(&config.root).map_err(failed)?;
        let root = RootFolder(config.root.canonicalize().map_err(failed)?);
        let lock = RootLock::take(&root)?;
        let cgroup = config.cgroup_parent.as_deref().map(group).transpose()?;
        record::make_folder(&root.pods()).and_then(|()| root.empty_removed()).map_err(failed)?;
        let pods = found::pods(&root)?;
        let latest = pods.values().max_by_key(|pod| pod.record.created_at).and_then(|pod| pod.record.ip);
        let network = config.network.connect(netlink, &root, latest)?;
        let pods = Mutex::new(pods);
        let (recording, changes, watches) = Default::default();
        let (can_mount, hold) = (names::can_mount(), Hold::new(lock));
        Ok(Self { config, root, can_mount, cgroup, pods, network, recording, changes, watches, hold })
    }

    /// A panic while the lock is held leaves nothing half done: every critical section is one step.
    fn pods(&self) -> MutexGuard<'_, BTreeMap<PodUid, Arc<Pod>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As above.
    fn watches(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group of an attempt.
    fn cgroup(&self, id: &ContainerId) -> Option<Cgroup> {
        let root = hash(&self.root.0);
        let group = |all: &Cgroup| all.child(&format!("{root:016x}.{}.{}.{}", id.pod, id.name, id.attempt));
        self.cgroup.as_ref().map(group)
    }

    fn pod(&self, uid: &PodUid) -> Option<Arc<Pod>> {
        self.pods().get(uid).cloned()
    }

    fn attempt(&self, id: &ContainerId) -> Result<Arc<Attempt>, RuntimeError> {
        let attempt = self.pod(&id.pod).and_then(|pod| pod.attempt(id));
        attempt.ok_or_else(|| RuntimeError::NoSuchContainer { id: id.clone() })
    }

    fn watch(&self, attempt: Arc<Attempt>, life: Life, shim: Option<Child>) {
        let mut watches = self.watches();
        while watches.try_join_next().is_some() {}
        watches.spawn(attempt.watch(life, shim, Arc::clone(&self.changes)));
    }

    async fn create(self: Arc<Self>, spec: SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        loop {
            let pod = self.recorded(&spec).await?;
            if self.is_ready(&pod).await? {
                return Ok(pod.status(true));
            }
            let ledger = pod.ledger.lock().await;
            if ledger.removed {
                continue;
            }
            // Somebody else may have made it meanwhile.
            if !self.is_ready(&pod).await? {
                if let Some(running) = pod.attempts().iter().find(|attempt| !attempt.has_ended()) {
                    return Err(RuntimeError::StillRunning { id: running.id.clone() });
                }
                self.network.make(&self.root, &pod.record).await?;
            }
            return Ok(pod.status(true));
        }
    }

    /// The pod, written down if it is not.
    async fn recorded(&self, spec: &SandboxSpec) -> Result<Arc<Pod>, RuntimeError> {
        let _one_at_a_time = self.recording.lock().await;
        if let Some(pod) = self.pod(&spec.pod) {
            return Ok(pod);
        }
        let known = network::addresses(self.pods().values());
        let (ip, own_network) = self.network.address(spec, &known).await?;
        let record = SandboxRecord { spec: spec.clone(), ip, own_network, created_at: SystemClock.now() };
        let (root, written) = (self.root.clone(), record.clone());
        let path = root.sandbox(&record.spec.pod);
        let write = move || {
            record::make_folder(&root.containers(&written.spec.pod))?;
            names::write(&root.pod(&written.spec.pod), &written.spec)?;
            record::write(&root.sandbox(&written.spec.pod), &written, Durability::Power)
        };
        let result = tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        result.map_err(|error| unavailable("cannot write", &path, error))?;
        let pod = Arc::new(Pod::new(record, Ledger::default()));
        self.pods().insert(spec.pod.clone(), Arc::clone(&pod));
        Ok(pod)
    }

    /// Whether what the containers of a pod share is there.
    async fn is_ready(&self, pod: &Pod) -> Result<bool, RuntimeError> {
        if !pod.record.own_network {
            return Ok(true);
        }
        let networks = self.network.look().await?;
        Ok(self.network.is_there(&self.root, &networks, &pod.record))
    }

    async fn remove_container(self: Arc<Self>, id: ContainerId) -> Result<(), RuntimeError> {
        let Some(pod) = self.pod(&id.pod) else { return Ok(()) };
        let ledger = pod.ledger.lock().await;
        let Some(attempt) = pod.attempt(&id) else { return Ok(()) };
        if !attempt.has_ended() {
            return Err(RuntimeError::StillRunning { id });
        }
        let _commands_have_ended = attempt.commands.write().await;
        let latest = ledger.latest.get(&id.name).copied();
        let path = self.root.latest(&id.pod, &id.name);
        // Its number is not used again, so the record of it outlives it.
        start::on_disk(&attempt.folder, move |_| record::write(&path, &latest, Durability::Power)).await?;
        start::forget(&self, &pod, &id, &attempt.folder).await
    }

    async fn remove(self: Arc<Self>, uid: PodUid) -> Result<(), RuntimeError> {
        let Some(pod) = self.pod(&uid) else { return Ok(()) };
        let mut ledger = pod.ledger.lock().await;
        let attempts = pod.attempts();
        try_join_all(attempts.iter().map(|attempt| attempt.kill_now())).await?;
        for attempt in &attempts {
            let _commands_have_ended = attempt.commands.write().await;
        }
        self.network.leave(&self.root, &uid).await?;
        let (root, folder, name) = (self.root.clone(), self.root.pod(&uid), uid.to_string());
        let groups: Vec<Cgroup> = attempts.iter().filter_map(|attempt| attempt.cgroup.clone()).collect();
        let remove = move || {
            groups.iter().filter(|group| group.exists()).try_for_each(Cgroup::remove)?;
            root.remove(&folder, &name)
        };
        let removed = tokio::task::spawn_blocking(remove).await;
        let removed = removed.unwrap_or_else(|error| Err(io::Error::other(error)));
        removed.map_err(|error| unavailable("cannot remove", &self.root.pod(&uid), error))?;
        self.network.give_back(&uid).await?;
        ledger.removed = true;
        self.pods().remove(&uid);
        Ok(())
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        self.to_its_end(Arc::clone(&self.shared).create(spec.clone())).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        self.shared.hold.check()?;
        let Some(pod) = self.shared.pod(&id.pod) else { return Err(RuntimeError::NoSuchPod { pod: id.pod.clone() }) };
        self.to_its_end(start::start(Arc::clone(&self.shared), pod, id.clone(), spec.clone())).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let attempt = self.shared.attempt(id)?;
        self.shared.hold.meanwhile(attempt.stop(grace)).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.to_its_end(Arc::clone(&self.shared).remove_container(id.clone())).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        self.to_its_end(Arc::clone(&self.shared).remove(pod.clone())).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        self.shared.hold.check()?;
        let Shared { network, root, .. } = &*self.shared;
        let networks = network.look().await?;
        let status = |pod: &Arc<Pod>| pod.status(network.is_there(root, &networks, &pod.record));
        Ok(self.shared.pods().values().map(status).collect())
    }

    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError> {
        self.shared.hold.check()?;
        let Some(pod) = self.shared.pod(pod) else { return Ok(None) };
        let ready = self.shared.is_ready(&pod).await?;
        Ok(Some(pod.status(ready)))
    }

    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        self.shared.hold.check()?;
        let Some(found) = self.shared.pod(pod) else { return Ok(None) };
        let measure = move || {
            let containers = found.attempts().iter().filter_map(|attempt| stats::of(attempt)).collect();
            (stats::network_of(&found), containers)
        };
        let (network, containers) = tokio::task::spawn_blocking(measure).await.map_err(panicked)?;
        Ok(Some(PodStats { pod: pod.clone(), at: SystemClock.now(), network, containers }))
    }

    fn events(&self) -> BoxStream<'static, PodUid> {
        self.shared.changes.listen().take_until(self.shared.hold.closing()).boxed()
    }

    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        self.shared.hold.check()?;
        let attempt = self.shared.attempt(id)?;
        let folder = attempt.folder.0.clone();
        let output = log_file::read(&folder, options, async move { attempt.ended().await });
        // Whoever follows waits for an end that would not be seen any more; the others have all that they read on disk.
        Ok(if options.follow {
            LogStream::new(output.take_until(self.shared.hold.closing()))
        } else {
            LogStream::new(output)
        })
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        let attempt = self.shared.attempt(id)?;
        self.shared.hold.meanwhile(exec::exec(&self.shared.config.shim, attempt, command, timeout)).await
    }
}

/// The group in which those of containers are to be, which is made.
fn group(path: &Path) -> Result<Cgroup, RuntimeError> {
    let failed = |error| unavailable("cannot use the control group", path, error);
    let group = Cgroup::at(path).map_err(failed)?;
    group.make(Limits::default()).map_err(failed)?;
    Ok(group)
}

fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

fn panicked(error: tokio::task::JoinError) -> RuntimeError {
    let message = "a task of the process runtime did not end as it should: please report it".to_owned();
    RuntimeError::Unavailable { message, transient: false, source: Some(Box::new(error)) }
}
