//! What a runtime is to be told so that a container is as it is planned.

use std::path::Path;

use orch_core::runtime::{ContainerId, ContainerSpec, ImageName, PodUid, Privileges, SandboxSpec};

use super::account::Account;
use super::command::{self, Within};
use super::launch::{ContainerPlan, LaunchError};
use super::limits::limits;
use super::volumes::{self, MAPPED, Seen};
use crate::wire::{ContainerInfo, DockerInfo, DockerNetwork, PortMapping};

/// The name of the container in its pod.
const NAME: &str = "task";

/// What the network of containers with ports of their own is called.
const BRIDGE: &str = "mesos-bridge";

/// What is so about an agent, whatever it runs.
#[derive(Clone, Debug)]
pub(super) struct Ground<'a> {
    /// The agent's folder.
    pub(super) work_dir: &'a Path,
    /// Whether there is a runtime that has images.
    pub(super) has_images: bool,
    /// Whether no more processor time is used than was given.
    pub(super) cfs: bool,
}

/// What a runtime is to be told, and what is to be there before.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) pod: SandboxSpec,
    pub(super) id: ContainerId,
    /// Without the mounts of `seen`.
    pub(super) spec: ContainerSpec,
    pub(super) within: Within,
    /// The image, and whether it is fetched even if it is there.
    pub(super) image: Option<(ImageName, bool)>,
    pub(super) seen: Vec<Seen>,
    pub(super) copy_output: bool,
    /// Ports of the machine that lead to ports of the container.
    pub(super) ports: Vec<PortMapping>,
}

/// What a runtime is to be told.
pub(super) fn plan(
    plan: &ContainerPlan,
    ground: &Ground<'_>,
    account: Option<&Account>,
) -> Result<Planned, LaunchError> {
    let within = volumes::within(plan);
    let image = image(plan.container.as_ref(), within)?;
    if image.is_some() && !ground.has_images {
        return Err(LaunchError::failed(
            "this agent runs containers without images only: start it with --runtime=docker or --runtime=containerd",
        ));
    }
    let sandbox = if within == Within::Host { plan.sandbox.to_string_lossy() } else { MAPPED.into() };
    let program = command::program(&plan.command, within, &sandbox)?;
    let docker = plan.container.as_ref().filter(|_| within == Within::Docker).and_then(|info| info.docker.as_ref());
    let extra = docker.map(parameters).transpose()?.unwrap_or_default();
    let mut env = vec![("PATH".to_owned(), command::PATH.to_owned())];
    env.retain(|_| within == Within::Host);
    env.extend(plan.environment.iter().cloned());
    env.push(("MESOS_SANDBOX".to_owned(), sandbox.into_owned()));
    env.extend(command::variables(&plan.command)?);
    env.extend(extra.env);
    let pod: PodUid = plan.id.parse().map_err(|error| LaunchError::failed(format!("container id: {error}")))?;
    let (host_network, ports) = network(plan.container.as_ref(), within, docker)?;
    let name = NAME.parse().map_err(|error| LaunchError::failed(format!("{NAME}: {error}")))?;
    let spec = ContainerSpec {
        image: image.as_ref().map(|(image, _)| image.clone()),
        command: program.command,
        args: program.args,
        env,
        working_dir: match within {
            Within::Host => Some(plan.sandbox.clone()),
            _ => extra.working_dir.map(Into::into),
        },
        limits: limits(&plan.resources, &plan.limits, ground.cfs),
        privileges: privileges(account, docker.is_some_and(DockerInfo::privileged)),
        ..ContainerSpec::default()
    };
    Ok(Planned {
        id: ContainerId { pod: pod.clone(), name, attempt: 0 },
        pod: sandbox_of(pod, plan, host_network),
        spec,
        within,
        image,
        seen: volumes::seen(plan, ground.work_dir, within)?,
        copy_output: program.copy_output,
        ports,
    })
}

fn sandbox_of(pod: PodUid, plan: &ContainerPlan, host_network: bool) -> SandboxSpec {
    let hostname = plan.container.as_ref().and_then(|container| container.hostname.clone());
    SandboxSpec {
        hostname: hostname.unwrap_or_else(|| pod.to_string()),
        pod,
        namespace: "mesos".to_owned(),
        name: plan.name.clone(),
        host_network,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    }
}

/// As Mesos runs tasks: what they may not do is left to their user.
fn privileges(account: Option<&Account>, privileged: bool) -> Privileges {
    Privileges {
        user: account.map(|account| account.uid),
        group: account.map(|account| account.gid),
        supplemental_groups: account.map(|account| account.groups.iter().copied().collect()).unwrap_or_default(),
        may_gain: true,
        privileged,
        ..Privileges::default()
    }
}

fn image(container: Option<&ContainerInfo>, within: Within) -> Result<Option<(ImageName, bool)>, LaunchError> {
    let missing = |what: &str| LaunchError::failed(format!("the container names no image: set `{what}`"));
    let (name, force) = match (within, container) {
        (Within::Host, _) | (_, None) => return Ok(None),
        (Within::Docker, Some(container)) => {
            let docker = container.docker.as_ref().ok_or_else(|| missing("container.docker.image"))?;
            (docker.image.as_str(), docker.force_pull_image())
        }
        (Within::Image, Some(container)) => {
            let image = container.mesos.as_ref().and_then(|mesos| mesos.image.as_ref());
            let docker = image.and_then(|image| image.docker.as_ref());
            let name = docker.ok_or_else(|| missing("container.mesos.image.docker.name"))?;
            (name.name.as_str(), image.is_some_and(|image| !image.cached()))
        }
    };
    let name =
        name.parse().map_err(|error| LaunchError::failed(format!("Failed to read the image's name: {error}")))?;
    Ok(Some((name, force)))
}

/// Whether a container has the machine's network, and the ports of the machine that lead to it if not.
fn network(
    container: Option<&ContainerInfo>,
    within: Within,
    docker: Option<&DockerInfo>,
) -> Result<(bool, Vec<PortMapping>), LaunchError> {
    let named = container.into_iter().flat_map(|container| &container.network_infos);
    let mut named = named.filter_map(|network| Some((network.name.as_deref()?, &network.port_mappings)));
    let (host_network, ports) = match (docker, named.next()) {
        (Some(docker), _) => match docker.network() {
            DockerNetwork::Host => (true, &docker.port_mappings),
            DockerNetwork::Bridge => (false, &docker.port_mappings),
            other => return Err(no_network(other.text(), "set `docker.network` to HOST or BRIDGE")),
        },
        (None, None) => return Ok((true, Vec::new())),
        (None, Some((BRIDGE, ports))) if within == Within::Image => (false, ports),
        (None, Some((name, _))) if within == Within::Image => return Err(no_network(name, "there is mesos-bridge")),
        (None, Some((name, _))) => return Err(no_network(name, "processes have the machine's own")),
    };
    if host_network && !ports.is_empty() {
        let message = "`port_mappings` need a network of the container's own: set `docker.network` to BRIDGE";
        return Err(LaunchError::failed(message));
    }
    match ports.iter().find(|mapping| mapping.protocol.as_deref().is_some_and(|name| name != "tcp")) {
        Some(mapping) => Err(LaunchError::failed(format!(
            "port {} is to be mapped for {}: this agent maps ports for tcp alone",
            mapping.container_port,
            mapping.protocol.as_deref().unwrap_or_default()
        ))),
        None => Ok((host_network, ports.clone())),
    }
}

fn no_network(name: &str, hint: &str) -> LaunchError {
    LaunchError::failed(format!("this agent has no network '{name}' for the container: {hint}"))
}

/// What the parameters for Docker's command line ask for.
#[derive(Debug, Default)]
struct Extra {
    env: Vec<(String, String)>,
    working_dir: Option<String>,
}

fn parameters(docker: &DockerInfo) -> Result<Extra, LaunchError> {
    let mut extra = Extra::default();
    for parameter in &docker.parameters {
        match (parameter.key.as_str(), parameter.value.split_once('=')) {
            ("env", Some((name, value))) => extra.env.push((name.to_owned(), value.to_owned())),
            ("workdir", _) => extra.working_dir = Some(parameter.value.clone()),
            // They are for people who look at the daemon.
            ("label" | "name", _) => {}
            (key, _) => {
                return Err(LaunchError::failed(format!(
                    "the parameter '{key}={}' cannot be given: of `docker.parameters` this agent knows env=NAME=VALUE, \
                     workdir and label",
                    parameter.value
                )));
            }
        }
    }
    Ok(extra)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CommandInfo, ContainerType, Parameter};

    const ID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

    fn wanted(container: Option<ContainerInfo>) -> ContainerPlan {
        ContainerPlan {
            id: ID.to_owned(),
            name: "web.1".to_owned(),
            sandbox: "/box".into(),
            environment: vec![("MESOS_TASK_ID".to_owned(), "web.1".to_owned())],
            command: CommandInfo { value: Some("true".to_owned()), ..CommandInfo::default() },
            container,
            ..ContainerPlan::default()
        }
    }

    fn docker(info: DockerInfo) -> ContainerInfo {
        ContainerInfo { r#type: ContainerType::Docker.into(), docker: Some(info), ..ContainerInfo::default() }
    }

    fn planned(container: Option<ContainerInfo>, has_images: bool) -> Result<Planned, LaunchError> {
        plan(&wanted(container), &Ground { work_dir: Path::new("/work"), has_images, cfs: false }, None)
    }

    #[test]
    fn a_plain_task_is_a_process_in_its_sandbox() {
        let Planned { pod, spec, image, within, .. } = planned(None, false).expect("it can be run");
        assert_eq!((pod.pod.as_str(), pod.host_network, within, image), (ID, true, Within::Host, None));
        assert_eq!(spec.working_dir, Some("/box".into()));
        let value =
            |name: &str| spec.env.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        assert_eq!((value("MESOS_SANDBOX"), value("MESOS_TASK_ID")), (Some("/box"), Some("web.1")));
        assert_eq!(value("PATH"), Some(command::PATH));
    }

    #[test]
    fn an_image_needs_a_runtime_that_has_images() {
        let busybox = || docker(DockerInfo { image: "busybox:1".to_owned(), ..DockerInfo::default() });
        let error = planned(Some(busybox()), false).expect_err("there is none");
        assert_eq!(error.reason, crate::wire::Reason::ContainerLaunchFailed);
        assert!(error.message.contains("--runtime=docker"), "{error}");
        let Planned { pod, spec, image, .. } = planned(Some(busybox()), true).expect("it can be run");
        assert!(pod.host_network && !spec.env.iter().any(|(name, _)| name == "PATH"));
        assert_eq!(
            image.map(|(name, force)| (name.to_string(), force)),
            Some(("docker.io/library/busybox:1".into(), false))
        );
        assert!(spec.env.contains(&("MESOS_SANDBOX".to_owned(), MAPPED.to_owned())));
    }

    #[test]
    fn what_cannot_be_given_is_refused_and_not_left_out() {
        let info = |change: fn(&mut DockerInfo)| {
            let mut info = DockerInfo { image: "busybox:1".to_owned(), ..DockerInfo::default() };
            change(&mut info);
            planned(Some(docker(info)), true)
        };
        let mapping = PortMapping { host_port: 31000, container_port: 80, protocol: None };
        for (result, hint) in [
            (info(|docker| docker.network = Some(DockerNetwork::None.into())), "HOST or BRIDGE"),
            (info(|docker| docker.image = "Not An Image".to_owned()), "name of an image"),
            (
                info(|docker| {
                    docker.parameters = vec![Parameter { key: "cap-add".to_owned(), value: "ALL".to_owned() }];
                }),
                "cap-add",
            ),
            (
                info(|docker| {
                    docker.port_mappings = vec![PortMapping { host_port: 1, container_port: 2, protocol: None }];
                }),
                "BRIDGE",
            ),
        ] {
            let error = result.expect_err(hint);
            assert!(error.message.contains(hint), "{hint}: {error}");
        }
        let info = DockerInfo {
            image: "busybox:1".to_owned(),
            network: Some(DockerNetwork::Bridge.into()),
            port_mappings: vec![mapping.clone()],
            ..DockerInfo::default()
        };
        let planned = planned(Some(docker(info)), true).expect("it can be run");
        assert_eq!((planned.pod.host_network, planned.ports), (false, vec![mapping]));
    }
}
