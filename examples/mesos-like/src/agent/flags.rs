//! [`AgentFlags`]: how an agent is started, by the names that `mesos-agent` has for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use orch_core::allocator::{Resources, Role};

use super::containers::ImageBackend;
use crate::duration::{parse_duration, written_duration};
use crate::resources;
use crate::wire::{Attribute, DomainInfo, MediaType};

/// An agent: runs executors and tasks on this machine.
///
/// Every flag can also be given by the variable MESOS_ and its name in capitals.
#[derive(Clone, Debug, clap::Args)]
pub struct AgentFlags {
    /// The masters, as host:port, separated by commas.
    #[arg(long = "master", env = "MESOS_MASTER", value_delimiter = ',', required = true, value_parser = master)]
    pub master: Vec<String>,
    /// The address that it listens on.
    #[arg(long = "ip", env = "MESOS_IP", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// The port that it listens on.
    #[arg(long = "port", env = "MESOS_PORT", default_value_t = 5051)]
    pub port: u16,
    /// The name that others are told; its address if none is given.
    #[arg(long = "hostname", env = "MESOS_HOSTNAME")]
    pub hostname: Option<String>,
    /// Where it keeps sandboxes, volumes, and what it is to know when it is started again.
    #[arg(long = "work_dir", env = "MESOS_WORK_DIR", required = true)]
    pub work_dir: PathBuf,
    /// What it has: cpus:4;mem:4096;disk:8192;ports:[31000-32000]. What is not named is what the machine has.
    #[arg(long = "resources", env = "MESOS_RESOURCES", value_parser = |text: &str| text.parse::<Resources>())]
    pub resources: Option<Resources>,
    /// What else is so about it: rack:r1;level:10.
    #[arg(long = "attributes", env = "MESOS_ATTRIBUTES", value_parser = attributes)]
    pub attributes: Option<Attributes>,
    /// The role that resources are reserved for which name none.
    #[arg(long = "default_role", env = "MESOS_DEFAULT_ROLE", default_value = "*", value_parser = |text: &str| text.parse::<Role>())]
    pub default_role: Role,
    /// What runs containers from images: process runs none, and tasks that want one fail.
    #[arg(long = "runtime", env = "MESOS_RUNTIME", default_value = "process")]
    pub runtime: RuntimeChoice,
    /// Taken: mesos and docker are what this agent can do, as far as --runtime runs images.
    #[arg(long = "containerizers", env = "MESOS_CONTAINERIZERS", default_value = "mesos")]
    pub containerizers: String,
    /// Where the Docker daemon listens.
    #[arg(long = "docker_socket", env = "MESOS_DOCKER_SOCKET", default_value = "/var/run/docker.sock")]
    pub docker_socket: PathBuf,
    /// Where containerd listens.
    #[arg(
        long = "containerd_socket",
        env = "MESOS_CONTAINERD_SOCKET",
        default_value = "/run/containerd/containerd.sock"
    )]
    pub containerd_socket: PathBuf,
    /// What keeps tasks apart: posix/cpu,posix/mem do not; cgroups/cpu,cgroups/mem limit processes, which takes root.
    #[arg(long = "isolation", env = "MESOS_ISOLATION", default_value = "posix/cpu,posix/mem")]
    pub isolation: String,
    /// The group of the kernel that those of tasks are made in.
    #[arg(long = "cgroups_root", env = "MESOS_CGROUPS_ROOT", default_value = "mesos")]
    pub cgroups_root: PathBuf,
    /// Whether tasks get no more processor time than they were given, even if some is free.
    #[arg(long = "cgroups_enable_cfs", env = "MESOS_CGROUPS_ENABLE_CFS", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub cgroups_enable_cfs: bool,
    /// Where relative paths of URIs begin.
    #[arg(long = "frameworks_home", env = "MESOS_FRAMEWORKS_HOME")]
    pub frameworks_home: Option<PathBuf>,
    /// The most that is kept of what is fetched to be used again, in bytes.
    #[arg(long = "fetcher_cache_size", env = "MESOS_FETCHER_CACHE_SIZE", default_value_t = 2 << 30)]
    pub fetcher_cache_size: u64,
    /// How long an executor may take to subscribe.
    #[arg(long = "executor_registration_timeout", env = "MESOS_EXECUTOR_REGISTRATION_TIMEOUT", default_value = "1mins", value_parser = parse_duration)]
    pub executor_registration_timeout: Duration,
    /// How long it may take when the agent was started again.
    #[arg(long = "executor_reregistration_timeout", env = "MESOS_EXECUTOR_REREGISTRATION_TIMEOUT", default_value = "2secs", value_parser = parse_duration)]
    pub executor_reregistration_timeout: Duration,
    /// How long an executor may take to end.
    #[arg(long = "executor_shutdown_grace_period", env = "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", default_value = "5secs", value_parser = parse_duration)]
    pub executor_shutdown_grace_period: Duration,
    /// After what time an update that was not acknowledged is told again; twice as long each time.
    #[arg(long = "status_update_retry_interval", env = "MESOS_STATUS_UPDATE_RETRY_INTERVAL", default_value = "10secs", value_parser = parse_duration)]
    pub status_update_retry_interval: Duration,
    /// The first pause before the agent registers again is at most so long.
    #[arg(long = "registration_backoff_factor", env = "MESOS_REGISTRATION_BACKOFF_FACTOR", default_value = "1secs", value_parser = parse_duration)]
    pub registration_backoff_factor: Duration,
    /// What becomes of what an agent of before left: reconnect goes on with it, cleanup ends it and forgets it.
    #[arg(long = "recover", env = "MESOS_RECOVER", default_value = "reconnect")]
    pub recover: Recover,
    /// What may be other than before: nothing (equal), or more resources and attributes (additive).
    #[arg(long = "reconfiguration_policy", env = "MESOS_RECONFIGURATION_POLICY", default_value = "equal")]
    pub reconfiguration_policy: Reconfiguration,
    /// How long sandboxes are kept at most; less as the disk fills.
    #[arg(long = "gc_delay", env = "MESOS_GC_DELAY", default_value = "1weeks", value_parser = parse_duration)]
    pub gc_delay: Duration,
    /// The part of the disk that is to be free.
    #[arg(long = "gc_disk_headroom", env = "MESOS_GC_DISK_HEADROOM", default_value_t = 0.1)]
    pub gc_disk_headroom: f64,
    /// Where the agent stands: {"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}.
    #[arg(long = "domain", env = "MESOS_DOMAIN", value_parser = domain)]
    pub domain: Option<DomainInfo>,
}

/// What runs containers from images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum RuntimeChoice {
    /// Nothing: tasks are processes.
    Process,
    /// A Docker daemon.
    Docker,
    /// containerd.
    Containerd,
}

/// What becomes of what an agent of before left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Recover {
    /// It goes on.
    Reconnect,
    /// It is ended and forgotten.
    Cleanup,
}

/// What may be other than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Reconfiguration {
    /// Nothing.
    Equal,
    /// There may be more.
    Additive,
}

/// What is so about an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Vec<Attribute>);

fn attributes(text: &str) -> Result<Attributes, String> {
    resources::attributes(text).map(Attributes)
}

fn master(text: &str) -> Result<String, String> {
    if text.starts_with("zk://") || text.starts_with("zoo://") {
        return Err("there is no ZooKeeper here: name the masters as host:port,host:port".to_owned());
    }
    let with_port = match text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        true => text.to_owned(),
        false => format!("{text}:5050"),
    };
    Ok(with_port.trim_start_matches("http://").to_owned())
}

fn domain(text: &str) -> Result<DomainInfo, String> {
    MediaType::Json.decode(text.as_bytes(), "DomainInfo").map_err(|error| error.to_string())
}

impl AgentFlags {
    /// What runs containers from images, and where it is.
    #[must_use]
    pub fn images(&self) -> ImageBackend {
        match self.runtime {
            RuntimeChoice::Process => ImageBackend::None,
            RuntimeChoice::Docker => ImageBackend::Docker(self.docker_socket.clone()),
            RuntimeChoice::Containerd => ImageBackend::Containerd(self.containerd_socket.clone()),
        }
    }

    /// The group of the kernel for processes, if they are to be limited.
    #[must_use]
    pub fn cgroup(&self) -> Option<PathBuf> {
        self.isolation.contains("cgroups/").then(|| self.cgroups_root.clone())
    }

    /// The flags as `/flags` shows them.
    #[must_use]
    pub fn shown(&self) -> BTreeMap<&'static str, String> {
        let attributes = self.attributes.clone().unwrap_or_default().0;
        let attributes: Vec<String> =
            attributes.iter().map(|one| format!("{}:{}", one.name, resources::attribute_text(one))).collect();
        let mut shown = BTreeMap::from([
            ("attributes", attributes.join(";")),
            ("cgroups_enable_cfs", self.cgroups_enable_cfs.to_string()),
            ("containerizers", self.containerizers.clone()),
            ("default_role", self.default_role.to_string()),
            ("executor_registration_timeout", written_duration(self.executor_registration_timeout)),
            ("executor_reregistration_timeout", written_duration(self.executor_reregistration_timeout)),
            ("executor_shutdown_grace_period", written_duration(self.executor_shutdown_grace_period)),
            ("fetcher_cache_size", self.fetcher_cache_size.to_string()),
            ("gc_delay", written_duration(self.gc_delay)),
            ("gc_disk_headroom", self.gc_disk_headroom.to_string()),
            ("ip", self.ip.to_string()),
            ("isolation", self.isolation.clone()),
            ("master", self.master.join(",")),
            ("port", self.port.to_string()),
            ("registration_backoff_factor", written_duration(self.registration_backoff_factor)),
            ("status_update_retry_interval", written_duration(self.status_update_retry_interval)),
            ("work_dir", self.work_dir.display().to_string()),
        ]);
        let optional = [
            ("hostname", self.hostname.clone()),
            ("resources", self.resources.as_ref().map(ToString::to_string)),
            ("frameworks_home", self.frameworks_home.as_ref().map(|path| path.display().to_string())),
        ];
        shown.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        shown
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Alone {
        #[command(flatten)]
        flags: AgentFlags,
    }

    fn flags(arguments: &[&str]) -> Result<AgentFlags, clap::Error> {
        let needed = ["mesos-agent", "--master=127.0.0.1", "--work_dir=/tmp/a"];
        Alone::try_parse_from([&needed, arguments].concat()).map(|alone| alone.flags)
    }

    #[test]
    fn an_agent_takes_the_flags_that_mesos_has() {
        let flags = flags(&[
            "--resources=cpus:2;mem:512;ports:[31000-31010]",
            "--attributes=rack:r1;level:2",
            "--executor_registration_timeout=5secs",
            "--isolation=cgroups/cpu,cgroups/mem",
        ])
        .unwrap();
        assert_eq!(flags.master, ["127.0.0.1:5050"]);
        let shown = flags.shown();
        assert_eq!(shown["attributes"], "rack:r1;level:2");
        assert_eq!((&*shown["executor_registration_timeout"], flags.cgroup().is_some()), ("5secs", true));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        for (argument, said) in [
            ("--master=zk://127.0.0.1:2181/mesos", "host:port"),
            ("--resources=cpus", "cpus"),
            ("--attributes=rack", "name:value"),
            ("--recover=forget", "reconnect"),
        ] {
            let error = flags(&[argument]).expect_err(argument).to_string();
            assert!(error.contains(said), "{argument}: {error}");
        }
    }
}
