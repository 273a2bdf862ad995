//! [`MarathonFlags`]: how Marathon is started, by the names that it has for it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::core::Settings;
use crate::duration::parse_duration;
use crate::store::StoreChoice;
use crate::wire::{Capability, CapabilityType, FrameworkId, FrameworkInfo};

/// Marathon: long-running services, as a framework of its own.
///
/// Every flag can also be given by the variable MARATHON_ and its name in capitals.
#[derive(Clone, Debug, clap::Args)]
pub struct MarathonFlags {
    /// The masters, as host:port, separated by commas.
    #[arg(long = "master", env = "MARATHON_MASTER", value_delimiter = ',', required = true, value_parser = master)]
    pub master: Vec<String>,
    /// The address that it listens on.
    #[arg(long = "http_address", env = "MARATHON_HTTP_ADDRESS", default_value = "127.0.0.1")]
    pub http_address: IpAddr,
    /// The port that it listens on.
    #[arg(long = "http_port", env = "MARATHON_HTTP_PORT", default_value_t = 8080)]
    pub http_port: u16,
    /// What others are told instead of its address, as host:port: other processes of this Marathon pass requests on to it.
    #[arg(long = "advertise", env = "MARATHON_ADVERTISE")]
    pub advertise: Option<String>,
    /// Where apps are kept, and processes of one Marathon agree on who leads: memory, embedded:FOLDER,
    /// etcd://HOST:PORT,HOST:PORT/PREFIX. Several processes need etcd.
    #[arg(long = "store", env = "MARATHON_STORE", default_value = "memory")]
    pub store: StoreChoice,
    /// Refused: there is no ZooKeeper here. Use --store.
    #[arg(long = "zk", env = "MARATHON_ZK", value_parser = no_zookeeper, hide = true)]
    pub zk: Option<String>,
    /// What it is called at the master. Processes of one name in one store are one Marathon.
    #[arg(long = "framework_name", env = "MARATHON_FRAMEWORK_NAME", default_value = "marathon")]
    pub framework_name: String,
    /// The role in which it is offered something.
    #[arg(long = "mesos_role", env = "MARATHON_MESOS_ROLE", default_value = "*")]
    pub mesos_role: String,
    /// As whom tasks run that say nothing of it; as the agent by default.
    #[arg(long = "mesos_user", env = "MARATHON_MESOS_USER")]
    pub mesos_user: Option<String>,
    /// In which roles offers are taken by apps that say nothing of it, separated by commas; its own and * by default.
    #[arg(
        long = "default_accepted_resource_roles",
        env = "MARATHON_DEFAULT_ACCEPTED_RESOURCE_ROLES",
        value_delimiter = ','
    )]
    pub default_accepted_resource_roles: Vec<String>,
    /// How long the master keeps its tasks when it is away.
    #[arg(long = "failover_timeout", env = "MARATHON_FAILOVER_TIMEOUT", default_value = "1weeks", value_parser = parse_duration)]
    pub failover_timeout: Duration,
    /// How long a leading process that is not heard of is waited for.
    #[arg(long = "leader_timeout", env = "MARATHON_LEADER_TIMEOUT", default_value = "10secs", value_parser = parse_duration)]
    pub leader_timeout: Duration,
    /// How long offers are declined for that are of no use.
    #[arg(long = "decline_offer_duration", env = "MARATHON_DECLINE_OFFER_DURATION", default_value = "5secs", value_parser = parse_duration)]
    pub decline_offer_duration: Duration,
    /// How much time passes at least between two times that it asks for offers that it declined.
    #[arg(long = "min_revive_offers_interval", env = "MARATHON_MIN_REVIVE_OFFERS_INTERVAL", default_value = "200ms", value_parser = parse_duration)]
    pub min_revive_offers_interval: Duration,
    /// After what time a task that is not known to run is given up.
    #[arg(long = "task_launch_timeout", env = "MARATHON_TASK_LAUNCH_TIMEOUT", default_value = "5mins", value_parser = parse_duration)]
    pub task_launch_timeout: Duration,
    /// After what time it asks again for a task that does not start or does not end.
    #[arg(long = "kill_retry_timeout", env = "MARATHON_KILL_RETRY_TIMEOUT", default_value = "10secs", value_parser = parse_duration)]
    pub kill_retry_timeout: Duration,
    /// How often it asks how all its tasks are.
    #[arg(long = "reconciliation_interval", env = "MARATHON_RECONCILIATION_INTERVAL", default_value = "10mins", value_parser = parse_duration)]
    pub reconciliation_interval: Duration,
    /// For how long an app must not fail for earlier failures to be forgotten.
    #[arg(long = "minimum_viable_task_execution_duration", env = "MARATHON_MINIMUM_VIABLE_TASK_EXECUTION_DURATION", default_value = "1mins", value_parser = parse_duration)]
    pub minimum_viable_task_execution_duration: Duration,
    /// How many versions of an app are kept.
    #[arg(long = "max_versions", env = "MARATHON_MAX_VERSIONS", default_value_t = 50)]
    pub max_versions: u16,
    /// The first of the ports that are chosen for whoever balances load.
    #[arg(long = "local_port_min", env = "MARATHON_LOCAL_PORT_MIN", default_value_t = 10_000)]
    pub local_port_min: u16,
    /// The last of them.
    #[arg(long = "local_port_max", env = "MARATHON_LOCAL_PORT_MAX", default_value_t = 20_000)]
    pub local_port_max: u16,
}

fn master(text: &str) -> Result<String, String> {
    let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    match text.rsplit_once(':') {
        _ if text.starts_with("zk://") => Err("there is no ZooKeeper here: name the masters as host:port".to_owned()),
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("a master is given as host:port".to_owned()),
    }
}

fn no_zookeeper(_: &str) -> Result<String, String> {
    Err("there is no ZooKeeper here: use --store=embedded:FOLDER, or --store=etcd://HOST:PORT/PREFIX".to_owned())
}

impl MarathonFlags {
    /// What decides is told this.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let accepted = match self.default_accepted_resource_roles.is_empty() {
            true => BTreeSet::from([self.mesos_role.clone(), "*".to_owned()]),
            false => self.default_accepted_resource_roles.iter().cloned().collect(),
        };
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Settings {
            role: self.mesos_role.clone(),
            accepted_roles: accepted,
            decline_seconds: self.decline_offer_duration.as_secs_f64(),
            revive_interval: millis(self.min_revive_offers_interval),
            launch_timeout: millis(self.task_launch_timeout),
            ask_again: millis(self.kill_retry_timeout),
            reconciliation_interval: millis(self.reconciliation_interval),
            viable_seconds: self.minimum_viable_task_execution_duration.as_secs(),
            most_versions: usize::from(self.max_versions),
            service_ports: self.local_port_min..=self.local_port_max,
        }
    }

    /// What the master is told of it.
    #[must_use]
    pub fn framework(&self, id: Option<&str>, address: &str) -> FrameworkInfo {
        let capability = |kind: CapabilityType| Capability { r#type: Some(kind.into()) };
        let known = [
            CapabilityType::MultiRole,
            CapabilityType::PartitionAware,
            CapabilityType::TaskKillingState,
            CapabilityType::ReservationRefinement,
        ];
        FrameworkInfo {
            user: self.mesos_user.clone().unwrap_or_default(),
            name: self.framework_name.clone(),
            id: id.map(FrameworkId::from),
            failover_timeout: Some(self.failover_timeout.as_secs_f64()),
            checkpoint: Some(true),
            roles: vec![self.mesos_role.clone()],
            webui_url: Some(format!("http://{address}/ui/")),
            capabilities: known.map(capability).into(),
            ..FrameworkInfo::default()
        }
    }
}
