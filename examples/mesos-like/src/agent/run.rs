//! [`RunningAgent`]: an agent from its start to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use orch_core::allocator::{Ranges, Reservation, Resource, Resources, Scalar, Value};
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{Machine as _, RuntimeError};
use orch_runtime::machine::{LinuxMachine, LinuxMachineConfig};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::actor::{Handle, Parts};
use super::api::Api;
use super::builtin::nested_id;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::containers::{Containers, RuntimeSetting};
use super::core::{Core, Key, Settings};
use super::files::{Collector, Files, GcSetting};
use super::flags::{AgentFlags, Reconfiguration, Recover};
use super::layout;
use super::record::{AgentRecord, ExecutorRecord};
use super::register::{self, Masters};
use crate::http::Server;
use crate::resources::{Form, from_wire, to_wire};
use crate::wire::AgentInfo;

/// An agent that runs. Its tasks go on when it is dropped.
#[derive(Debug)]
pub struct RunningAgent {
    address: SocketAddr,
    handle: Handle,
    containers: Arc<Containers>,
    _server: Server,
    _work: JoinSet<()>,
}

/// Why an agent does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address.
    #[error("cannot listen on {address}: {error}. Choose another --ip or --port")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The folder.
    #[error("cannot use --work_dir={}: {error}", path.display())]
    Folder {
        /// Which.
        path: std::path::PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// What was written down.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What runs containers.
    #[error("what runs containers cannot be used: {0}")]
    Runtime(#[from] RuntimeError),
    /// The machine.
    #[error("it is not known what this machine has: {0}. Say it by --resources")]
    Machine(std::io::Error),
    /// It is another agent than before.
    #[error(
        "this agent had {before} and has {now}: start it as before, with --reconfiguration_policy=additive if there is only \
         more of it, or with --recover=cleanup, which ends its tasks"
    )]
    Changed {
        /// What it had.
        before: String,
        /// What it has.
        now: String,
    },
}

impl RunningAgent {
    /// Starts an agent: with its tasks of before, if it had some.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(mut flags: AgentFlags) -> Result<Self, StartError> {
        let folder = |error| StartError::Folder { path: flags.work_dir.clone(), error };
        std::fs::create_dir_all(&flags.work_dir).map_err(folder)?;
        flags.work_dir = flags.work_dir.canonicalize().map_err(folder)?;
        let wanted = SocketAddr::new(flags.ip, flags.port);
        let listen = |error| StartError::Listen { address: wanted, error };
        let listener = TcpListener::bind(wanted).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let checkpoint = Checkpoint::open(&flags.work_dir)?;
        let containers = Arc::new(Containers::open(runtimes(&flags)).await?);
        if flags.recover == Recover::Cleanup {
            end_all(&containers).await;
            checkpoint.clear()?;
        }
        let record = who(&flags, address, &checkpoint).await?;
        let executors = checkpoint.executors()?;
        end_strangers(&containers, &executors).await;
        let settings = settings(&flags);
        let (files, collector) = sandboxes(&flags, &record, &executors);
        let parts = Parts {
            work_dir: flags.work_dir.clone(),
            address,
            settings: settings.clone(),
            checkpoint,
            containers: Arc::clone(&containers),
            collector: Arc::clone(&collector),
        };
        let core = Core::new(settings, record, executors, SystemClock.now());
        let handle = Handle::start(core, parts);
        let masters = Masters { addresses: flags.master.clone(), backoff: flags.registration_backoff_factor };
        let api = Api { agent: handle.clone(), files, flags: Arc::new(flags) };
        let server = Server::start(listener, Arc::new(api)).map_err(listen)?;
        let mut work = JoinSet::new();
        work.spawn(register::stay(handle.clone(), masters));
        work.spawn(collector.run());
        Ok(Self { address, handle, containers, _server: server, _work: work })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when it has ended by itself, and why.
    pub async fn ended(&self) -> String {
        self.handle.ended().await
    }

    /// Ends the agent; its tasks go on, and it finds them when it is started again.
    pub async fn stop(self) {
        let containers = Arc::clone(&self.containers);
        drop(self);
        containers.close().await;
    }

    /// Ends the agent and its tasks, which nobody needs any more.
    pub async fn stop_with_tasks(self) {
        let containers = Arc::clone(&self.containers);
        drop(self);
        end_all(&containers).await;
        containers.close().await;
    }
}

fn runtimes(flags: &AgentFlags) -> RuntimeSetting {
    RuntimeSetting {
        work_dir: flags.work_dir.clone(),
        images: flags.images(),
        cgroup: flags.cgroup(),
        cfs: flags.cgroups_enable_cfs,
        frameworks_home: flags.frameworks_home.clone(),
        cache_bytes: flags.fetcher_cache_size,
        image_cgroup: None,
        shim: None,
    }
}

fn settings(flags: &AgentFlags) -> Settings {
    Settings {
        registration: flags.executor_registration_timeout,
        reregistration: flags.executor_reregistration_timeout,
        shutdown_grace: flags.executor_shutdown_grace_period,
        retry: flags.status_update_retry_interval,
        ip: Some(flags.ip),
        ..Settings::default()
    }
}

/// Who shows sandboxes, and who removes them: all that an earlier agent left are among them.
fn sandboxes(flags: &AgentFlags, agent: &AgentRecord, executors: &[ExecutorRecord]) -> (Arc<Files>, Arc<Collector>) {
    let gc = GcSetting { delay: flags.gc_delay, headroom: flags.gc_disk_headroom, ..GcSetting::default() };
    let (root, volumes) = (layout::sandboxes(&flags.work_dir), flags.work_dir.join("volumes"));
    let files = Files::default();
    for folder in [&root, &volumes] {
        files.attach(folder.clone(), folder.clone());
    }
    let collector = Collector::new(gc, root, Arc::new(SystemClock));
    let id = agent.agent.id.clone().unwrap_or_default().value;
    let sandbox = |record: &ExecutorRecord| {
        let framework = record.framework.id.clone().unwrap_or_default().value;
        let key = Key { framework, executor: record.executor.executor_id.value.clone() };
        layout::sandbox(&flags.work_dir, &id, &key, &record.container_id)
    };
    if let Err(error) = collector.find(&executors.iter().map(sandbox).collect()) {
        tracing::warn!(%error, "not all sandboxes of before are removed in time");
    }
    (Arc::new(files), Arc::new(collector))
}

/// Who the agent is: the one that was written down, if it is the same.
async fn who(flags: &AgentFlags, address: SocketAddr, checkpoint: &Checkpoint) -> Result<AgentRecord, StartError> {
    let stated = stated(flags).await?;
    let form = Form { allocated_to: None, stacked: true };
    let mut record = AgentRecord {
        agent: AgentInfo {
            hostname: flags.hostname.clone().unwrap_or_else(|| flags.ip.to_string()),
            port: Some(address.port().into()),
            resources: to_wire(&stated, &form),
            attributes: flags.attributes.clone().unwrap_or_default().0,
            id: None,
            domain: flags.domain.clone(),
        },
        resources: to_wire(&stated, &form),
    };
    let Some(before) = checkpoint.agent()? else { return Ok(record) };
    let had = from_wire(&before.agent.resources).unwrap_or_default();
    let mut total = from_wire(&before.resources).unwrap_or_default();
    let is_same = had == stated && before.agent.attributes == record.agent.attributes;
    let has_more = stated.contains(&had)
        && before.agent.attributes.iter().all(|attribute| record.agent.attributes.contains(attribute));
    match flags.reconfiguration_policy {
        _ if is_same => {}
        Reconfiguration::Additive if has_more => total = total.plus(&stated.saturating_minus(&had)),
        _ => {
            let shown = |resources: &Resources, agent: &AgentInfo| {
                let attributes = agent
                    .attributes
                    .iter()
                    .map(|one| format!("{}:{}", one.name, crate::resources::attribute_text(one)));
                format!("{resources} ({})", attributes.collect::<Vec<_>>().join(";"))
            };
            let (before, now) = (shown(&had, &before.agent), shown(&stated, &record.agent));
            return Err(StartError::Changed { before, now });
        }
    }
    record.agent.id = before.agent.id;
    record.resources = to_wire(&total, &form);
    Ok(record)
}

/// What the agent has by its flags, and by what the machine has where they say nothing.
async fn stated(flags: &AgentFlags) -> Result<Resources, StartError> {
    let mut all = flags.resources.clone().unwrap_or_default();
    let lacks = |name: &str| !all.iter().any(|resource| &*resource.name == name);
    let missing: Vec<&str> = ["cpus", "mem", "disk", "ports"].into_iter().filter(|name| lacks(name)).collect();
    if !missing.is_empty() {
        let machine = LinuxMachine::new(LinuxMachineConfig::new(flags.work_dir.clone()));
        let stats = machine.measure().await.map_err(StartError::Machine)?;
        let mega = |bytes: u64| i64::try_from(bytes >> 20).unwrap_or(i64::MAX / 1000);
        for name in missing {
            let value = match name {
                "cpus" => Value::Scalar(Scalar::from_millis(i64::try_from(stats.cpu_millis).unwrap_or(1000))),
                // As Mesos does it: a gigabyte is left to the machine, or half of what there is.
                "mem" => Value::Scalar(Scalar::from_units(left(mega(stats.memory.capacity), 1024))),
                "disk" => {
                    Value::Scalar(Scalar::from_units(left(mega(stats.disk.map_or(0, |disk| disk.capacity)), 5120)))
                }
                _ => Value::Ranges(Ranges::new([(31_000, 32_000)])),
            };
            all.add(Resource::of(name, value));
        }
    }
    if flags.default_role.as_str() == "*" {
        return Ok(all);
    }
    let mut reserved = Resources::new();
    for mut resource in all.iter().cloned() {
        if resource.reservations.is_empty() {
            let role = flags.default_role.clone();
            resource.reservations.push(Reservation { role, dynamic: false, principal: None, labels: Vec::new() });
        }
        reserved.add(resource);
    }
    Ok(reserved)
}

fn left(all: i64, kept: i64) -> i64 {
    if all > 2 * kept { all - kept } else { all / 2 }
}

/// Ends the containers that nothing is written down of.
async fn end_strangers(containers: &Containers, executors: &[ExecutorRecord]) {
    let of = |record: &ExecutorRecord| {
        let nested = record.tasks.iter().map(|task| nested_id(&record.container_id, &task.info.task_id.value));
        nested.chain([record.container_id.clone()]).collect::<Vec<_>>()
    };
    let ours: std::collections::BTreeSet<String> = executors.iter().flat_map(of).collect();
    for id in containers.known().await.into_iter().filter(|id| !ours.contains(id)) {
        tracing::info!(id, "a container of before is ended, of which nothing is written down");
        containers.remove(&id).await;
    }
}

async fn end_all(containers: &Arc<Containers>) {
    let mut ending = JoinSet::new();
    for id in containers.known().await {
        let containers = Arc::clone(containers);
        ending.spawn(async move { containers.remove(&id).await });
    }
    while ending.join_next().await.is_some() {}
}
