//! [`Container`]: what a job's tasks run in.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::wire::{
    ContainerInfo, ContainerType, DockerImage, DockerInfo, DockerNetwork, Image, ImageType, Label, Labels, MesosInfo,
    NetworkInfo, Parameter, PortMapping, Volume, VolumeMode,
};

/// What a job's tasks run in.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    kind: ContainerType,
    image: String,
    network: DockerNetwork,
    network_name: Option<String>,
    networks: Vec<Network>,
    volumes: Vec<Mount>,
    force_pull: bool,
    /// Further options of Docker's, by name.
    parameters: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Network {
    name: String,
    labels: Vec<(String, String)>,
    ports: Vec<PortMapping>,
}

#[derive(Clone, Debug, PartialEq)]
struct Mount {
    container_path: String,
    host_path: Option<String>,
    read_only: bool,
}

impl Container {
    /// Reads a container.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(value: &Value, path: &str) -> Result<Self, String> {
        let fields = Fields::of(value, path)?;
        let kind = match fields.text("type")?.unwrap_or_else(|| "DOCKER".to_owned()).to_uppercase().as_str() {
            "DOCKER" => ContainerType::Docker,
            "MESOS" => ContainerType::Mesos,
            other => return Err(format!("{}: {other} is none: write DOCKER or MESOS", fields.name("type"))),
        };
        let network = match fields.text("network")?.unwrap_or_else(|| "HOST".to_owned()).to_uppercase().as_str() {
            "HOST" => DockerNetwork::Host,
            "BRIDGE" => DockerNetwork::Bridge,
            "NONE" => DockerNetwork::None,
            "USER" => DockerNetwork::User,
            other => {
                return Err(format!("{}: {other} is none: write HOST, BRIDGE, USER or NONE", fields.name("network")));
            }
        };
        Ok(Self {
            kind,
            image: fields.needed("image")?,
            network,
            network_name: fields.text("networkName")?,
            networks: fields.list("networkInfos", Network::read)?,
            volumes: fields.list("volumes", Mount::read)?,
            force_pull: fields.flag("forcePullImage", false)?,
            parameters: fields.list("parameters", pair)?,
        })
    }

    /// As Chronos writes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), self.kind.text().into());
        fields.insert("image".to_owned(), self.image.clone().into());
        fields.insert("network".to_owned(), self.network.text().into());
        fields.extend(self.network_name.clone().map(|name| ("networkName".to_owned(), name.into())));
        fields.insert("networkInfos".to_owned(), self.networks.iter().map(Network::to_json).collect());
        fields.insert("volumes".to_owned(), self.volumes.iter().map(Mount::to_json).collect());
        fields.insert("forcePullImage".to_owned(), self.force_pull.into());
        fields.insert("parameters".to_owned(), pairs(&self.parameters));
        Value::Object(fields)
    }

    /// As a master is told.
    #[must_use]
    pub fn to_wire(&self) -> ContainerInfo {
        let mut wire = ContainerInfo::default();
        wire.set_type(self.kind);
        wire.volumes = self.volumes.iter().map(Mount::to_wire).collect();
        let named =
            self.network_name.iter().map(|name| NetworkInfo { name: Some(name.clone()), ..NetworkInfo::default() });
        wire.network_infos = named.chain(self.networks.iter().map(Network::to_wire)).collect();
        match self.kind {
            ContainerType::Docker => {
                let parameter = |(key, value): &(String, String)| Parameter { key: key.clone(), value: value.clone() };
                wire.docker = Some(DockerInfo {
                    image: self.image.clone(),
                    network: Some(self.network.into()),
                    parameters: self.parameters.iter().map(parameter).collect(),
                    force_pull_image: Some(self.force_pull),
                    ..DockerInfo::default()
                });
            }
            ContainerType::Mesos => {
                let docker = Some(DockerImage { name: self.image.clone() });
                let image = Image { r#type: ImageType::Docker.into(), docker, cached: Some(!self.force_pull) };
                wire.mesos = Some(MesosInfo { image: Some(image) });
            }
        }
        wire
    }
}

impl Network {
    fn read(value: &Value, path: &str) -> Result<Self, String> {
        let fields = Fields::of(value, path)?;
        let port = |value, path: &str| {
            let fields = Fields::of(value, path)?;
            let number = |name| {
                let port = u16::try_from(fields.count(name, 0)?);
                port.map(u32::from).map_err(|_| format!("{} is no port", fields.name(name)))
            };
            let (host_port, container_port) = (number("hostPort")?, number("containerPort")?);
            Ok(PortMapping { host_port, container_port, protocol: fields.text("protocol")? })
        };
        Ok(Self {
            name: fields.needed("name")?,
            labels: fields.list("labels", pair)?,
            ports: fields.list("portMappings", port)?,
        })
    }

    fn to_json(&self) -> Value {
        let port = |port: &PortMapping| json!({ "hostPort": port.host_port, "containerPort": port.container_port, "protocol": port.protocol });
        let ports: Vec<Value> = self.ports.iter().map(port).collect();
        json!({ "name": self.name, "labels": pairs(&self.labels), "portMappings": ports })
    }

    fn to_wire(&self) -> NetworkInfo {
        let label = |(key, value): &(String, String)| Label { key: key.clone(), value: Some(value.clone()) };
        NetworkInfo {
            name: Some(self.name.clone()),
            labels: Some(Labels { labels: self.labels.iter().map(label).collect() }),
            port_mappings: self.ports.clone(),
            ..NetworkInfo::default()
        }
    }
}

impl Mount {
    fn read(value: &Value, path: &str) -> Result<Self, String> {
        let fields = Fields::of(value, path)?;
        if fields.get("external").is_some() {
            return Err(format!(
                "{}: volumes of Docker's plugins are not there; give a hostPath",
                fields.name("external")
            ));
        }
        let read_only = match fields.text("mode")?.unwrap_or_else(|| "RW".to_owned()).to_uppercase().as_str() {
            "RW" => false,
            "RO" => true,
            other => return Err(format!("{}: {other} is none: write RW or RO", fields.name("mode"))),
        };
        Ok(Self { container_path: fields.needed("containerPath")?, host_path: fields.text("hostPath")?, read_only })
    }

    fn mode(&self) -> VolumeMode {
        if self.read_only { VolumeMode::Ro } else { VolumeMode::Rw }
    }

    fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.extend(self.host_path.clone().map(|path| ("hostPath".to_owned(), path.into())));
        fields.insert("containerPath".to_owned(), self.container_path.clone().into());
        fields.insert("mode".to_owned(), self.mode().text().into());
        Value::Object(fields)
    }

    fn to_wire(&self) -> Volume {
        let mut wire = Volume {
            container_path: self.container_path.clone(),
            host_path: self.host_path.clone(),
            ..Volume::default()
        };
        wire.set_mode(self.mode());
        wire
    }
}

fn pair(value: &Value, path: &str) -> Result<(String, String), String> {
    let fields = Fields::of(value, path)?;
    Ok((fields.needed("key")?, fields.text_or_empty("value")?))
}

fn pairs(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}
