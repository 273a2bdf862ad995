//! What an instance runs in, as an agent is told.

use super::port::{Port, own_network};
use crate::marathon::model::{App, Container, ContainerKind, Docker, NetworkMode, Volume, VolumeMode};
use crate::wire::{
    self, ContainerInfo, ContainerType, DockerImage, DockerInfo, DockerNetwork, Image, ImageType, MesosInfo,
    NetworkInfo, PortMapping,
};

/// What agents call the network that they make.
const BRIDGE: &str = "mesos-bridge";

/// What an instance runs in; none if it is a process like others.
pub(super) fn container(app: &App, ports: &[Port<'_>]) -> Option<ContainerInfo> {
    let container = app.container.as_ref()?;
    let mut info = ContainerInfo { volumes: volumes(container), ..ContainerInfo::default() };
    let network = own_network(app);
    match (container.kind, &container.docker) {
        (ContainerKind::Docker, docker) => {
            info.set_type(ContainerType::Docker);
            info.docker = docker.as_ref().map(|docker| by_docker(docker, network.map(|(mode, _)| mode), ports));
            if let Some((NetworkMode::Container, name)) = network {
                info.network_infos = vec![NetworkInfo { name: name.map(str::to_owned), ..NetworkInfo::default() }];
            }
        }
        (ContainerKind::Mesos, docker) => {
            info.set_type(ContainerType::Mesos);
            info.mesos = docker.as_ref().map(|docker| MesosInfo { image: Some(image(docker)) });
            if let Some((mode, name)) = network {
                let name = if mode == NetworkMode::Bridge { Some(BRIDGE) } else { name };
                let name = name.map(str::to_owned);
                info.network_infos =
                    vec![NetworkInfo { name, port_mappings: mappings(ports), ..NetworkInfo::default() }];
            }
        }
    }
    Some(info)
}

fn by_docker(docker: &Docker, network: Option<NetworkMode>, ports: &[Port<'_>]) -> DockerInfo {
    let parameters = docker.parameters.iter();
    let mut info = DockerInfo {
        image: docker.image.clone(),
        port_mappings: if network.is_some() { mappings(ports) } else { Vec::new() },
        privileged: Some(docker.privileged),
        parameters: parameters.map(|one| wire::Parameter { key: one.key.clone(), value: one.value.clone() }).collect(),
        force_pull_image: Some(docker.force_pull_image),
        ..DockerInfo::default()
    };
    info.set_network(match network {
        None | Some(NetworkMode::Host) => DockerNetwork::Host,
        Some(NetworkMode::Bridge) => DockerNetwork::Bridge,
        Some(NetworkMode::Container) => DockerNetwork::User,
    });
    info
}

fn image(docker: &Docker) -> Image {
    let mut image = Image {
        docker: Some(DockerImage { name: docker.image.clone() }),
        cached: Some(!docker.force_pull_image),
        ..Image::default()
    };
    image.set_type(ImageType::Docker);
    image
}

/// One for each port that the agent leads there, and each protocol.
fn mappings(ports: &[Port<'_>]) -> Vec<PortMapping> {
    let mapping = |port: &Port<'_>, host: u16, protocol: &str| PortMapping {
        host_port: host.into(),
        container_port: port.inner.into(),
        protocol: Some(protocol.to_owned()),
    };
    let led = ports.iter().filter_map(|port| Some((port, port.host?)));
    led.flat_map(|(port, host)| port.protocol.split(',').map(move |protocol| mapping(port, host, protocol))).collect()
}

/// Disks that outlive the instance are among its resources.
fn volumes(container: &Container) -> Vec<wire::Volume> {
    let wire = |volume: &Volume| {
        let mut wire = wire::Volume {
            container_path: volume.container_path.clone(),
            host_path: Some(volume.host_path.clone()?),
            ..wire::Volume::default()
        };
        wire.set_mode(match volume.mode {
            VolumeMode::Rw => wire::VolumeMode::Rw,
            VolumeMode::Ro => wire::VolumeMode::Ro,
        });
        Some(wire)
    };
    container.volumes.iter().filter_map(wire).collect()
}
