//! [`ChronosFlags`]: how this framework is started, by the names that Chronos has for it.

use std::net::IpAddr;
use std::time::Duration;

use super::core::Settings;
use super::job::Defaults;
use crate::duration::parse_duration;
use crate::store::StoreChoice;
use crate::wire::{Capability, CapabilityType, FrameworkId, FrameworkInfo};

/// Chronos: runs jobs at times, and jobs after jobs. Several processes with one etcd are one Chronos, of which one leads.
///
/// Every flag can also be given by the variable CHRONOS_ and its name in capitals.
#[derive(Clone, Debug, clap::Args)]
pub struct ChronosFlags {
    /// The masters, as host:port, separated by commas.
    #[arg(long = "master", env = "CHRONOS_MASTER", value_delimiter = ',', required = true)]
    pub master: Vec<String>,
    /// The address that it listens on.
    #[arg(long = "ip", alias = "http_address", env = "CHRONOS_IP", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// The port that it listens on.
    #[arg(long = "http_port", alias = "port", env = "CHRONOS_HTTP_PORT", default_value_t = 4400)]
    pub http_port: u16,
    /// The name that others are told; its address if none is given.
    #[arg(long = "hostname", env = "CHRONOS_HOSTNAME")]
    pub hostname: Option<String>,
    /// Where jobs and runs are kept, and where processes agree on who leads: memory, embedded:FOLDER,
    /// etcd://HOST:PORT,HOST:PORT/PREFIX. Several processes need etcd.
    #[arg(long = "store", env = "CHRONOS_STORE", default_value = "memory")]
    pub store: StoreChoice,
    /// Refused: there is no ZooKeeper here. Use --store.
    #[arg(long = "zk_hosts", env = "CHRONOS_ZK_HOSTS", value_parser = no_zookeeper, hide = true)]
    pub zk_hosts: Option<String>,
    /// How long a leading process that is not heard of is waited for.
    #[arg(long = "leader_timeout", env = "CHRONOS_LEADER_TIMEOUT", default_value = "10secs", value_parser = parse_duration)]
    pub leader_timeout: Duration,
    /// What the framework is called. Each Chronos of its own has a name of its own.
    #[arg(long = "mesos_framework_name", env = "CHRONOS_MESOS_FRAMEWORK_NAME", default_value = "chronos")]
    pub mesos_framework_name: String,
    /// In which role offers are wanted.
    #[arg(long = "mesos_role", env = "CHRONOS_MESOS_ROLE", default_value = "*")]
    pub mesos_role: String,
    /// As which user tasks run whose job says nothing; as the agent's unless given.
    #[arg(long = "user", env = "CHRONOS_USER", default_value = "")]
    pub user: String,
    /// How long the master waits for this framework if it goes away; a number is seconds.
    #[arg(long = "failover_timeout", env = "CHRONOS_FAILOVER_TIMEOUT", default_value = "604800", value_parser = seconds)]
    pub failover_timeout: Duration,
    /// After what time a run that failed is tried again; a number is milliseconds.
    #[arg(long = "failure_retry", env = "CHRONOS_FAILURE_RETRY", default_value = "60000", value_parser = milliseconds)]
    pub failure_retry: Duration,
    /// After how many failures in a row a job is disabled; never if it is 0.
    #[arg(long = "disable_after_failures", env = "CHRONOS_DISABLE_AFTER_FAILURES", default_value_t = 0)]
    pub disable_after_failures: u64,
    /// What tasks take whose job says nothing: CPUs.
    #[arg(long = "mesos_task_cpu", env = "CHRONOS_MESOS_TASK_CPU", default_value_t = 0.1, value_parser = amount)]
    pub mesos_task_cpu: f64,
    /// What tasks take whose job says nothing: memory, in MB.
    #[arg(long = "mesos_task_mem", env = "CHRONOS_MESOS_TASK_MEM", default_value_t = 128.0, value_parser = amount)]
    pub mesos_task_mem: f64,
    /// What tasks take whose job says nothing: disk, in MB.
    #[arg(long = "mesos_task_disk", env = "CHRONOS_MESOS_TASK_DISK", default_value_t = 256.0, value_parser = amount)]
    pub mesos_task_disk: f64,
    /// How late a run may begin whose job says nothing: what was missed for longer is passed over; a number is seconds.
    #[arg(long = "task_epsilon", env = "CHRONOS_TASK_EPSILON", default_value = "60", value_parser = seconds)]
    pub task_epsilon: Duration,
    /// How often the master is asked how all tasks are; a number is seconds.
    #[arg(long = "reconciliation_interval", env = "CHRONOS_RECONCILIATION_INTERVAL", default_value = "600", value_parser = seconds)]
    pub reconciliation_interval: Duration,
    /// How long what is offered and not needed is refused; a number is milliseconds.
    #[arg(long = "decline_offer_duration", env = "CHRONOS_DECLINE_OFFER_DURATION", default_value = "5000", value_parser = milliseconds)]
    pub decline_offer_duration: Duration,
    /// How long a task on an agent that is away is waited for before it counts as failed.
    #[arg(long = "unreachable_timeout", env = "CHRONOS_UNREACHABLE_TIMEOUT", default_value = "15mins", value_parser = parse_duration)]
    pub unreachable_timeout: Duration,
    /// How many tasks that ended are remembered of each job.
    #[arg(long = "job_history_limit", env = "CHRONOS_JOB_HISTORY_LIMIT", default_value_t = 20, value_parser = limit)]
    pub job_history_limit: u16,
}

impl ChronosFlags {
    /// How it decides.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            defaults: Defaults {
                cpus: self.mesos_task_cpu,
                mem: self.mesos_task_mem,
                disk: self.mesos_task_disk,
                user: self.user.clone(),
                epsilon: self.task_epsilon,
            },
            failure_retry: self.failure_retry,
            disable_after_failures: self.disable_after_failures,
            unreachable_timeout: self.unreachable_timeout,
            history_limit: usize::from(self.job_history_limit),
        }
    }

    /// The framework as the master is told, under the id that it has.
    #[must_use]
    pub fn framework(&self, id: Option<&str>, address: &str) -> FrameworkInfo {
        let can = [CapabilityType::MultiRole, CapabilityType::PartitionAware, CapabilityType::ReservationRefinement];
        FrameworkInfo {
            user: self.user.clone(),
            name: self.mesos_framework_name.clone(),
            id: id.map(FrameworkId::from),
            roles: vec![self.mesos_role.clone()],
            checkpoint: Some(true),
            failover_timeout: Some(self.failover_timeout.as_secs_f64()),
            webui_url: Some(format!("http://{address}")),
            capabilities: can.map(|can| Capability { r#type: Some(can.into()) }).into(),
            ..FrameworkInfo::default()
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    number_or_duration(text, Duration::from_secs)
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    number_or_duration(text, Duration::from_millis)
}

fn number_or_duration(text: &str, number: impl Fn(u64) -> Duration) -> Result<Duration, String> {
    match text.parse() {
        Ok(count) => Ok(number(count)),
        Err(_) => parse_duration(text).map_err(|error| error.to_string()),
    }
}

fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount > 0.0);
    amount.ok_or_else(|| format!("{text:?} is no amount: write a number above zero"))
}

fn limit(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|limit| *limit <= 1_000).ok_or_else(|| "write a number from 0 to 1000".to_owned())
}

fn no_zookeeper(_: &str) -> Result<String, String> {
    Err("there is no ZooKeeper here: use --store=etcd://HOST:PORT".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Typed {
        #[command(flatten)]
        flags: ChronosFlags,
    }

    fn flags(typed: &[&str]) -> Result<ChronosFlags, String> {
        let typed = ["chronos", "--master=127.0.0.1:5050"].into_iter().chain(typed.iter().copied());
        Typed::try_parse_from(typed).map(|typed| typed.flags).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_in_the_units_of_chronos_and_lengths_of_time_say_theirs() {
        let defaults = flags(&[]).expect("flags");
        assert_eq!(defaults.settings(), Settings::default());
        let given =
            flags(&["--failure_retry=250", "--task_epsilon=30", "--reconciliation_interval=2mins"]).expect("flags");
        assert_eq!(given.settings().failure_retry, Duration::from_millis(250));
        assert_eq!(given.settings().defaults.epsilon, Duration::from_secs(30));
        assert_eq!(given.reconciliation_interval, Duration::from_secs(120));
        for (wrong, part) in [
            ("--zk_hosts=localhost:2181", "--store=etcd://"),
            ("--failure_retry=soon", "no length of time"),
            ("--mesos_task_cpu=0", "above zero"),
            ("--job_history_limit=5000", "0 to 1000"),
            ("--store=zk://x", "choose memory"),
        ] {
            let refused = flags(&[wrong]).expect_err(wrong);
            assert!(refused.contains(part), "{refused}");
        }
    }
}
