//! What an instance runs in, and how it is reached there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an instance runs in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Who makes it.
    #[serde(default, rename = "type")]
    pub kind: ContainerKind,
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<Docker>,
    /// What is mounted into it.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// Its ports, in networks of its own.
    #[serde(default)]
    pub port_mappings: Vec<PortMapping>,
}

/// Who makes containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContainerKind {
    /// The agent.
    #[default]
    Mesos,
    /// The agent's docker.
    Docker,
}

/// An image, and how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Docker {
    /// The image's name.
    pub image: String,
    /// Whether it is pulled although it is there.
    #[serde(default)]
    pub force_pull_image: bool,
    /// Whether it may do what the machine may.
    #[serde(default)]
    pub privileged: bool,
    /// Further options.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
}

/// An option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// What is mounted into a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Where, in the container.
    pub container_path: String,
    /// What: a path of the agent, or of the sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_path: Option<String>,
    /// A disk that outlives the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<Persistent>,
    /// Whether it may be written to.
    #[serde(default)]
    pub mode: VolumeMode,
}

/// A disk that outlives an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Persistent {
    /// In mebibytes.
    pub size: f64,
    /// Which kind of disk; only `root` is here.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Whether a volume may be written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VolumeMode {
    /// It may.
    #[default]
    Rw,
    /// It may not.
    Ro,
}

/// A port of a container, and how it is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortMapping {
    /// In the container; the same as the agent's if 0.
    #[serde(default)]
    pub container_port: u16,
    /// On the agent; any that is free if 0, and none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<u16>,
    /// For whoever balances load; Marathon chooses one if 0.
    #[serde(default)]
    pub service_port: u16,
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

/// A network that instances are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Which kind.
    #[serde(default)]
    pub mode: NetworkMode,
    /// Which one of a kind of which there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What else is to be known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A kind of network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkMode {
    /// That of the agent.
    #[serde(rename = "host")]
    Host,
    /// One by its name.
    #[default]
    #[serde(rename = "container")]
    Container,
    /// One that the agent makes.
    #[serde(rename = "container/bridge")]
    Bridge,
}

pub(super) fn tcp() -> String {
    "tcp".to_owned()
}
