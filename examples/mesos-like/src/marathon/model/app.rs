//! [`App`]: what is to run, and how often.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::container::tcp;
use super::{
    AppId, Backoff, Container, HealthCheck, KillSelection, Network, NetworkMode, ReadinessCheck, Residency,
    Unreachable, UpgradeStrategy, Version,
};

/// What is to run, and how often. Its JSON is that of Marathon's API, with all that is not said; older ways to say things
/// are translated before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct App {
    /// Where it is.
    pub id: AppId,
    /// What runs, by a shell.
    #[serde(default)]
    pub cmd: Option<String>,
    /// What runs, without one.
    #[serde(default)]
    pub args: Option<Vec<String>>,
    /// As whom it runs.
    #[serde(default)]
    pub user: Option<String>,
    /// Its environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How often it runs.
    #[serde(default = "one")]
    pub instances: u32,
    /// How many processors each instance has.
    #[serde(default = "one_cpu")]
    pub cpus: f64,
    /// How much memory, in mebibytes.
    #[serde(default = "memory")]
    pub mem: f64,
    /// How much disk, in mebibytes.
    #[serde(default)]
    pub disk: f64,
    /// How many graphics processors.
    #[serde(default)]
    pub gpus: u32,
    /// Who runs it: the agent's own executor if this is empty, and only that is here.
    #[serde(default)]
    pub executor: String,
    /// Where instances may run.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// What is fetched into the sandbox before.
    #[serde(default)]
    pub fetch: Vec<Fetch>,
    /// How long an app that fails is left alone at first, in seconds.
    #[serde(default = "backoff_seconds")]
    pub backoff_seconds: f64,
    /// How much longer each time.
    #[serde(default = "backoff_factor")]
    pub backoff_factor: f64,
    /// And at most, in seconds.
    #[serde(default = "max_launch_delay")]
    pub max_launch_delay_seconds: f64,
    /// What it runs in.
    #[serde(default)]
    pub container: Option<Container>,
    /// How it is known whether an instance works.
    #[serde(default)]
    pub health_checks: Vec<HealthCheck>,
    /// How it is known whether an instance is ready.
    #[serde(default)]
    pub readiness_checks: Vec<ReadinessCheck>,
    /// The apps and groups that are deployed before it.
    #[serde(default)]
    pub dependencies: BTreeSet<AppId>,
    /// How instances are replaced.
    #[serde(default)]
    pub upgrade_strategy: UpgradeStrategy,
    /// What else is to be known of it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// In which roles offers are accepted; in all if there are none.
    #[serde(default)]
    pub accepted_resource_roles: Option<BTreeSet<String>>,
    /// In which role it runs, if not in the framework's.
    #[serde(default)]
    pub role: Option<String>,
    /// The networks that instances are in.
    #[serde(default = "host_network")]
    pub networks: Vec<Network>,
    /// Its ports, in the agent's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_definitions: Option<Vec<PortDefinition>>,
    /// Whether the ports are exactly those that are named.
    #[serde(default)]
    pub require_ports: bool,
    /// How many seconds an instance has to end by itself.
    #[serde(default = "kill_grace")]
    pub task_kill_grace_period_seconds: u64,
    /// Which instance goes first.
    #[serde(default)]
    pub kill_selection: KillSelection,
    /// What becomes of instances that cannot be reached.
    #[serde(default)]
    pub unreachable_strategy: Unreachable,
    /// What becomes of instances with volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// When it became what it is.
    #[serde(default)]
    pub version: Version,
    /// When it was last scaled, and last changed otherwise.
    #[serde(default)]
    pub version_info: VersionInfo,
}

/// When an app was last scaled, and last changed otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionInfo {
    /// When its instances last became more or fewer, or it was last changed otherwise.
    pub last_scaling_at: Version,
    /// When it was last changed otherwise: instances of an earlier version are replaced.
    pub last_config_change_at: Version,
}

/// Where instances may run. In JSON it is a list of two or three texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct Constraint {
    /// What is looked at: `hostname`, `@hostname`, `@region`, `@zone`, or an attribute of the agent.
    pub field: String,
    /// How.
    pub operator: Operator,
    /// What it is held against.
    pub value: Option<String>,
}

/// How a constraint looks at an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operator {
    /// No two instances have the same.
    Unique,
    /// All instances have the same, or this.
    Cluster,
    /// Instances are spread evenly.
    GroupBy,
    /// It matches a regular expression.
    Like,
    /// It does not.
    Unlike,
    /// At most so many instances have the same.
    MaxPer,
    /// It is this.
    Is,
}

/// What is fetched into the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fetch {
    /// From where.
    pub uri: String,
    /// Whether an archive is unpacked.
    #[serde(default = "yes")]
    pub extract: bool,
    /// Whether it may be run.
    #[serde(default)]
    pub executable: bool,
    /// Whether it is kept for others.
    #[serde(default)]
    pub cache: bool,
    /// What it is called in the sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_path: Option<String>,
}

/// A port in the agent's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortDefinition {
    /// Its number, for whoever balances load, and on the agent too if the app requires it; Marathon chooses one if 0.
    #[serde(default)]
    pub port: u16,
    /// `tcp`, `udp` or `udp,tcp`.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What else is to be known of it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl App {
    /// How long it is left alone when it fails.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        let (seconds, factor) = (self.backoff_seconds, self.backoff_factor);
        Backoff { seconds, factor, most: self.max_launch_delay_seconds }
    }

    /// Whether instances are in the agent's network.
    #[must_use]
    pub fn is_in_host_network(&self) -> bool {
        self.networks.iter().all(|network| network.mode == NetworkMode::Host)
    }

    /// Whether instances have disks that outlive them.
    #[must_use]
    pub fn is_resident(&self) -> bool {
        let volumes = self.container.iter().flat_map(|container| &container.volumes);
        volumes.into_iter().any(|volume| volume.persistent.is_some())
    }

    /// The ports by which whoever balances load knows it, in the order of its ports.
    #[must_use]
    pub fn service_ports(&self) -> Vec<u16> {
        if self.is_in_host_network() {
            return self.port_definitions.iter().flatten().map(|port| port.port).collect();
        }
        let mappings = self.container.iter().flat_map(|container| &container.port_mappings);
        mappings.map(|mapping| mapping.service_port).collect()
    }

    /// The same, to be chosen where they are 0.
    pub fn service_ports_mut(&mut self) -> impl Iterator<Item = &mut u16> {
        let is_in_host_network = self.is_in_host_network();
        let definitions = self.port_definitions.iter_mut().flatten().filter(move |_| is_in_host_network);
        let mappings = self.container.iter_mut().flat_map(|container| &mut container.port_mappings);
        let mappings = mappings.filter(move |_| !is_in_host_network);
        definitions.map(|definition| &mut definition.port).chain(mappings.map(|mapping| &mut mapping.service_port))
    }

    /// How many instances must be healthy while they are replaced.
    #[must_use]
    pub fn least_healthy(&self) -> u32 {
        part_of(self.instances, self.upgrade_strategy.minimum_health_capacity, f64::ceil)
    }

    /// How many instances may run while they are replaced.
    #[must_use]
    pub fn most_running(&self) -> u32 {
        self.instances.saturating_add(part_of(self.instances, self.upgrade_strategy.maximum_over_capacity, f64::floor))
    }

    /// The same app but for how often it runs, when it became so, and what else changes no instance.
    #[must_use]
    pub fn runs_the_same_as(&self, other: &Self) -> bool {
        let settled = |app: &Self| Self {
            instances: 0,
            version: Version::default(),
            version_info: VersionInfo::default(),
            ..app.clone()
        };
        settled(self) == settled(other)
    }
}

fn part_of(instances: u32, part: f64, round: fn(f64) -> f64) -> u32 {
    // Parts are from 0 to 1, and were held to that when the app was read.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to `instances`")]
    let rounded = round(f64::from(instances) * part.clamp(0.0, 1.0)) as u32;
    rounded
}

impl From<Constraint> for Vec<String> {
    fn from(constraint: Constraint) -> Self {
        let operator = constraint.operator.text().to_owned();
        [constraint.field, operator].into_iter().chain(constraint.value).collect()
    }
}

impl TryFrom<Vec<String>> for Constraint {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let (field, operator, value) = match texts.as_slice() {
            [field, operator] => (field, operator, None),
            [field, operator, value] => (field, operator, Some(value.clone())),
            _ => return Err("a constraint is a list of a field, an operator and perhaps a value".to_owned()),
        };
        Ok(Self { field: field.clone(), operator: operator.parse()?, value })
    }
}

impl Operator {
    const ALL: [Self; 7] =
        [Self::Unique, Self::Cluster, Self::GroupBy, Self::Like, Self::Unlike, Self::MaxPer, Self::Is];

    /// As it is written.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Unique => "UNIQUE",
            Self::Cluster => "CLUSTER",
            Self::GroupBy => "GROUP_BY",
            Self::Like => "LIKE",
            Self::Unlike => "UNLIKE",
            Self::MaxPer => "MAX_PER",
            Self::Is => "IS",
        }
    }
}

impl std::str::FromStr for Operator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|operator| operator.text() == text);
        found.ok_or_else(|| {
            let all = Self::ALL.map(Self::text).join(", ");
            format!("{text:?} is no operator of constraints: there are {all}")
        })
    }
}

fn one() -> u32 {
    1
}

fn one_cpu() -> f64 {
    1.0
}

fn memory() -> f64 {
    128.0
}

fn backoff_seconds() -> f64 {
    1.0
}

fn backoff_factor() -> f64 {
    1.15
}

fn max_launch_delay() -> f64 {
    300.0
}

fn kill_grace() -> u64 {
    3
}

fn host_network() -> Vec<Network> {
    vec![Network { mode: NetworkMode::Host, name: None, labels: BTreeMap::new() }]
}

fn yes() -> bool {
    true
}
