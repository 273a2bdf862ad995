//! [`MasterFlags`]: how a master is started, by the names that `mesos-master` has for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;

use super::begin::{Least, Roles};
use crate::duration::{parse_duration, written_duration};
use crate::store::StoreChoice;
use crate::wire::{DomainInfo, MediaType};

/// A master: takes in agents, offers what they have to frameworks, and passes on what these want to run.
///
/// Every flag can also be given by the variable MESOS_ and its name in capitals.
#[derive(Clone, Debug, clap::Args)]
pub struct MasterFlags {
    /// The address that it listens on.
    #[arg(long = "ip", env = "MESOS_IP", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// The port that it listens on.
    #[arg(long = "port", env = "MESOS_PORT", default_value_t = 5050)]
    pub port: u16,
    /// The address that others are told, if it is another one.
    #[arg(long = "advertise_ip", env = "MESOS_ADVERTISE_IP")]
    pub advertise_ip: Option<IpAddr>,
    /// The port that others are told, if it is another one.
    #[arg(long = "advertise_port", env = "MESOS_ADVERTISE_PORT")]
    pub advertise_port: Option<u16>,
    /// The name that others are told; its address if none is given.
    #[arg(long = "hostname", env = "MESOS_HOSTNAME")]
    pub hostname: Option<String>,
    /// Taken and of no effect: what is kept is in the store.
    #[arg(long = "work_dir", env = "MESOS_WORK_DIR")]
    pub work_dir: Option<PathBuf>,
    /// What the cluster is called.
    #[arg(long = "cluster", env = "MESOS_CLUSTER")]
    pub cluster: Option<String>,
    /// Where masters agree on who leads, and keep what outlives them: memory, embedded:FOLDER,
    /// etcd://HOST:PORT,HOST:PORT/PREFIX, where one address will do and the prefix may be left out. Several masters need etcd.
    #[arg(long = "store", env = "MESOS_STORE", default_value = "memory")]
    pub store: StoreChoice,
    /// Refused: there is no ZooKeeper here. Use --store.
    #[arg(long = "zk", env = "MESOS_ZK", value_parser = no_zookeeper, hide = true)]
    pub zk: Option<String>,
    /// Taken and of no effect: how many masters must agree is the store's affair.
    #[arg(long = "quorum", env = "MESOS_QUORUM", hide = true)]
    pub quorum: Option<u32>,
    /// How long a leading master that is not heard of is waited for.
    #[arg(long = "leader_timeout", env = "MESOS_LEADER_TIMEOUT", default_value = "10secs", value_parser = parse_duration)]
    pub leader_timeout: Duration,
    /// How often a subscriber is told that the master is there.
    #[arg(long = "heartbeat_interval", env = "MESOS_HEARTBEAT_INTERVAL", default_value = "15secs", value_parser = parse_duration)]
    pub heartbeat_interval: Duration,
    /// How often offers are made at least.
    #[arg(long = "allocation_interval", env = "MESOS_ALLOCATION_INTERVAL", default_value = "1secs", value_parser = parse_duration)]
    pub allocation_interval: Duration,
    /// Who decides what is offered to whom: HierarchicalDRF, or optimistic, where all see everything.
    #[arg(long = "allocator", env = "MESOS_ALLOCATOR", default_value = "HierarchicalDRF")]
    pub allocator: AllocatorChoice,
    /// How long an agent may take to answer.
    #[arg(long = "agent_ping_timeout", alias = "slave_ping_timeout", env = "MESOS_AGENT_PING_TIMEOUT", default_value = "15secs", value_parser = parse_duration)]
    pub agent_ping_timeout: Duration,
    /// How often in a row an agent may fail to answer before it is unreachable.
    #[arg(
        long = "max_agent_ping_timeouts",
        alias = "max_slave_ping_timeouts",
        env = "MESOS_MAX_AGENT_PING_TIMEOUTS",
        default_value_t = 5
    )]
    pub max_agent_ping_timeouts: u32,
    /// How long agents may take to come back to a new leading master.
    #[arg(long = "agent_reregister_timeout", alias = "slave_reregister_timeout", env = "MESOS_AGENT_REREGISTER_TIMEOUT", default_value = "10mins", value_parser = parse_duration)]
    pub agent_reregister_timeout: Duration,
    /// After what time an offer that is not answered is taken back; never unless given.
    #[arg(long = "offer_timeout", env = "MESOS_OFFER_TIMEOUT", value_parser = parse_duration)]
    pub offer_timeout: Option<Duration>,
    /// What is worth an offer: any of these, as in cpus:0.01|mem:32.
    #[arg(
        long = "min_allocatable_resources",
        env = "MESOS_MIN_ALLOCATABLE_RESOURCES",
        default_value = "cpus:0.01|mem:32"
    )]
    pub min_allocatable_resources: Least,
    /// Resources that do not count for what is fair, separated by commas.
    #[arg(long = "fair_sharing_excluded_resource_names", env = "MESOS_FAIR_SHARING_EXCLUDED_RESOURCE_NAMES")]
    pub fair_sharing_excluded_resource_names: Option<String>,
    /// Whether agents with GPUs are offered only to frameworks that ask for GPUs.
    #[arg(long = "filter_gpu_resources", env = "MESOS_FILTER_GPU_RESOURCES", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new(), action = clap::ArgAction::Set)]
    pub filter_gpu_resources: bool,
    /// The roles that there may be, separated by commas; any unless given.
    #[arg(long = "roles", env = "MESOS_ROLES")]
    pub roles: Option<Roles>,
    /// How much more than others roles get, as in dev=1,prod=2: the store's own count where it has some.
    #[arg(long = "weights", env = "MESOS_WEIGHTS", value_parser = weights)]
    pub weights: Option<Weights>,
    /// How many frameworks that ended are remembered.
    #[arg(long = "max_completed_frameworks", env = "MESOS_MAX_COMPLETED_FRAMEWORKS", default_value_t = 50)]
    pub max_completed_frameworks: usize,
    /// How many tasks that ended are remembered of each framework.
    #[arg(
        long = "max_completed_tasks_per_framework",
        env = "MESOS_MAX_COMPLETED_TASKS_PER_FRAMEWORK",
        default_value_t = 1000
    )]
    pub max_completed_tasks_per_framework: usize,
    /// How many may follow the stream of the operator's events.
    #[arg(
        long = "max_operator_event_stream_subscribers",
        env = "MESOS_MAX_OPERATOR_EVENT_STREAM_SUBSCRIBERS",
        default_value_t = 1000
    )]
    pub max_operator_event_stream_subscribers: usize,
    /// How often agents that are gone or unreachable for too long are forgotten.
    #[arg(long = "registry_gc_interval", env = "MESOS_REGISTRY_GC_INTERVAL", default_value = "15mins", value_parser = parse_duration)]
    pub registry_gc_interval: Duration,
    /// After what time such an agent is forgotten.
    #[arg(long = "registry_max_agent_age", env = "MESOS_REGISTRY_MAX_AGENT_AGE", default_value = "2weeks", value_parser = parse_duration)]
    pub registry_max_agent_age: Duration,
    /// How many such agents are remembered.
    #[arg(long = "registry_max_agent_count", env = "MESOS_REGISTRY_MAX_AGENT_COUNT", default_value_t = 102_400)]
    pub registry_max_agent_count: usize,
    /// Where the master stands: {"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}.
    #[arg(long = "domain", env = "MESOS_DOMAIN", value_parser = domain)]
    pub domain: Option<DomainInfo>,
    /// What followers do with a request: redirect sends whoever asks to the leading master, proxy asks it for them.
    #[arg(long = "redirect", env = "MESOS_REDIRECT", default_value = "redirect")]
    pub redirect: Redirection,
    /// Taken and of no effect: what is logged goes to standard error.
    #[arg(long = "log_dir", env = "MESOS_LOG_DIR")]
    pub log_dir: Option<PathBuf>,
    /// Taken and of no effect: RUST_LOG says what is logged.
    #[arg(long = "logging_level", env = "MESOS_LOGGING_LEVEL", default_value = "INFO")]
    pub logging_level: String,
}

/// Who decides what is offered to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AllocatorChoice {
    /// By dominant shares, each thing to one framework at a time.
    #[value(name = "HierarchicalDRF", alias = "hierarchical")]
    Hierarchical,
    /// Everything to all, and the first one has it.
    #[value(name = "optimistic")]
    Optimistic,
}

/// What followers do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Redirection {
    /// They send whoever asks to the leading master.
    Redirect,
    /// They ask it themselves: for clients that keep the one address that they know.
    Proxy,
}

/// How much more than others roles get.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(pub BTreeMap<String, f64>);

fn no_zookeeper(url: &str) -> Result<String, String> {
    Err(format!(
        "{url} is a ZooKeeper, which is not needed here. Give all masters the same etcd, `--store=etcd://HOST:PORT`; one \
         master alone takes `--store=embedded:FOLDER`"
    ))
}

fn weights(text: &str) -> Result<Weights, String> {
    let one = |pair: &str| {
        let (role, weight) = pair.split_once('=')?;
        let weight: f64 = weight.trim().parse().ok()?;
        (weight > 0.0 && weight.is_finite()).then(|| (role.trim().to_owned(), weight))
    };
    let all: Option<_> = text.split(',').filter(|pair| !pair.trim().is_empty()).map(one).collect();
    all.map(Weights).ok_or_else(|| format!("{text:?}: write role=weight,role=weight, with weights above 0"))
}

fn domain(text: &str) -> Result<DomainInfo, String> {
    MediaType::Json.decode(text.as_bytes(), "DomainInfo").map_err(|error| error.to_string())
}

impl MasterFlags {
    /// The flags as `/flags` shows them.
    #[must_use]
    pub fn shown(&self) -> BTreeMap<&'static str, String> {
        let mut shown = BTreeMap::from([
            ("agent_ping_timeout", written_duration(self.agent_ping_timeout)),
            ("agent_reregister_timeout", written_duration(self.agent_reregister_timeout)),
            ("allocation_interval", written_duration(self.allocation_interval)),
            ("allocator", name(self.allocator)),
            ("authenticate_agents", "false".to_owned()),
            ("authenticate_frameworks", "false".to_owned()),
            ("filter_gpu_resources", self.filter_gpu_resources.to_string()),
            ("heartbeat_interval", written_duration(self.heartbeat_interval)),
            ("ip", self.ip.to_string()),
            ("leader_timeout", written_duration(self.leader_timeout)),
            ("logging_level", self.logging_level.clone()),
            ("max_agent_ping_timeouts", self.max_agent_ping_timeouts.to_string()),
            ("max_completed_frameworks", self.max_completed_frameworks.to_string()),
            ("max_completed_tasks_per_framework", self.max_completed_tasks_per_framework.to_string()),
            ("max_operator_event_stream_subscribers", self.max_operator_event_stream_subscribers.to_string()),
            ("min_allocatable_resources", self.min_allocatable_resources.to_string()),
            ("port", self.port.to_string()),
            ("redirect", name(self.redirect)),
            ("registry_gc_interval", written_duration(self.registry_gc_interval)),
            ("registry_max_agent_age", written_duration(self.registry_max_agent_age)),
            ("registry_max_agent_count", self.registry_max_agent_count.to_string()),
            ("store", self.store.to_string()),
            ("version", "false".to_owned()),
        ]);
        let path = |path: &PathBuf| path.display().to_string();
        let optional = [
            ("advertise_ip", self.advertise_ip.map(|ip| ip.to_string())),
            ("advertise_port", self.advertise_port.map(|port| port.to_string())),
            ("cluster", self.cluster.clone()),
            ("domain", self.domain.as_ref().map(json)),
            ("fair_sharing_excluded_resource_names", self.fair_sharing_excluded_resource_names.clone()),
            ("hostname", self.hostname.clone()),
            ("log_dir", self.log_dir.as_ref().map(path)),
            ("offer_timeout", self.offer_timeout.map(written_duration)),
            ("quorum", self.quorum.map(|quorum| quorum.to_string())),
            ("roles", self.roles.as_ref().map(Roles::to_string)),
            ("weights", self.weights.as_ref().map(Weights::to_string)),
            ("work_dir", self.work_dir.as_ref().map(path)),
        ];
        shown.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        shown
    }
}

fn name(choice: impl clap::ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn json(domain: &DomainInfo) -> String {
    String::from_utf8_lossy(&MediaType::Json.encode(domain)).into_owned()
}

impl std::fmt::Display for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(role, weight)| format!("{role}={weight}")).collect();
        f.write_str(&pairs.join(","))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Alone {
        #[command(flatten)]
        flags: MasterFlags,
    }

    pub(crate) fn flags(arguments: &[&str]) -> Result<MasterFlags, clap::Error> {
        Alone::try_parse_from([&["mesos-master"], arguments].concat()).map(|alone| alone.flags)
    }

    #[test]
    fn a_master_takes_the_flags_that_mesos_has() {
        let flags = flags(&[
            "--ip=127.0.0.2",
            "--port=15050",
            "--work_dir=/tmp/m",
            "--quorum=1",
            "--cluster=c",
            "--allocation_interval=500ms",
            "--offer_timeout=1.5mins",
            "--weights=dev=1,prod=2.5",
            "--store=embedded:/tmp/m/store",
            "--domain={\"fault_domain\":{\"region\":{\"name\":\"r\"},\"zone\":{\"name\":\"z\"}}}",
            "--filter_gpu_resources=false",
        ])
        .expect("flags");
        let shown = flags.shown();
        let of = |name: &str| shown.get(name).map(String::as_str);
        assert_eq!((of("ip"), of("port"), of("cluster")), (Some("127.0.0.2"), Some("15050"), Some("c")));
        assert_eq!((of("offer_timeout"), of("weights")), (Some("1.5mins"), Some("dev=1,prod=2.5")));
        assert_eq!((of("allocator"), of("redirect")), (Some("HierarchicalDRF"), Some("redirect")));
        assert_eq!((of("hostname"), of("agent_reregister_timeout")), (None, Some("10mins")));
        assert_eq!((of("filter_gpu_resources"), of("allocation_interval")), (Some("false"), Some("500ms")));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        for (argument, said) in [
            ("--zk=zk://127.0.0.1:2181/mesos", "--store=etcd://"),
            ("--store=zk://x", "choose memory"),
            ("--offer_timeout=5", "15secs"),
            ("--weights=a", "role=weight"),
            ("--weights=a=0", "above 0"),
            ("--domain={}x", "JSON"),
            ("--roles=a//b", "no role"),
            ("--min_allocatable_resources=cpus", "cpus:0.01|mem:32"),
            ("--allocator=fifo", "HierarchicalDRF"),
        ] {
            let error = flags(&[argument]).expect_err(argument).to_string();
            assert!(error.contains(said), "{argument}: {error}");
        }
    }
}
