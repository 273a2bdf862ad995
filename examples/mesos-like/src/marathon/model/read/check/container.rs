//! What instances run in, and the networks that they are in.

use super::super::findings::Findings;
use super::repeated;
use crate::marathon::model::{App, Container, ContainerKind, NetworkMode, Volume};

pub(super) fn check(app: &App, findings: &mut Findings) {
    if let Some(container) = &app.container {
        image(container, findings);
        volumes(container, findings);
    }
    networks(app, findings);
}

fn image(container: &Container, findings: &mut Findings) {
    let Some(docker) = &container.docker else {
        if container.kind == ContainerKind::Docker {
            findings.add("/container/docker", "a container of type DOCKER needs an image: set `docker.image`");
        }
        return;
    };
    if docker.image.trim().is_empty() {
        findings.add("/container/docker/image", "it is empty");
    }
    if container.kind == ContainerKind::Docker {
        return;
    }
    let why = "only a container of type DOCKER can have it: leave it out, or set `container.type`";
    if docker.privileged {
        findings.add("/container/docker/privileged", why);
    }
    if !docker.parameters.is_empty() {
        findings.add("/container/docker/parameters", why);
    }
}

fn volumes(container: &Container, findings: &mut Findings) {
    for (index, volume) in container.volumes.iter().enumerate() {
        let path = format!("/container/volumes({index})");
        match (&volume.host_path, &volume.persistent) {
            (Some(_), Some(_)) => findings.add(&path, "it has `hostPath` and `persistent`: leave one of them out"),
            (None, None) => findings.add(&path, "nothing says what is mounted: set `hostPath` or `persistent`"),
            (Some(host), None) if !is_path(host) => {
                findings.add(&format!("{path}/hostPath"), "it is a path, without '..'");
            }
            (None, Some(_)) => disk(volume, &path, findings),
            (Some(_), None) => {}
        }
        if !is_path(&volume.container_path) {
            findings.add(&format!("{path}/containerPath"), "it is a path, without '..'");
        }
    }
    let paths = container.volumes.iter().map(|volume| volume.container_path.as_str()).enumerate();
    for (index, path) in repeated(paths) {
        findings.add(&format!("/container/volumes({index})/containerPath"), format!("{path:?} is there twice"));
    }
}

fn disk(volume: &Volume, path: &str, findings: &mut Findings) {
    let size = volume.persistent.as_ref().map_or(0.0, |disk| disk.size);
    if !(1.0..=1e12).contains(&size) {
        findings.add(&format!("{path}/persistent/size"), format!("{size} mebibytes: it is from 1 to 1e12"));
    }
    if volume.container_path.contains('/') {
        let message = "a disk that outlives an instance is in its sandbox: write a name without '/'";
        findings.add(&format!("{path}/containerPath"), message);
    }
}

fn is_path(path: &str) -> bool {
    !path.trim_matches('/').is_empty() && !path.contains('\0') && path.split('/').all(|part| part != "..")
}

fn networks(app: &App, findings: &mut Findings) {
    if !findings.know_networks() {
        return;
    }
    if app.networks.len() > 1 {
        findings.add("/networks", "an instance is in one network here: leave out the others");
    }
    for (index, network) in app.networks.iter().enumerate() {
        let path = format!("/networks({index})/name");
        match (network.mode, network.name.as_deref()) {
            (NetworkMode::Container, None | Some("")) => {
                findings.add(&path, "there are several networks of mode container: name one");
            }
            (NetworkMode::Host | NetworkMode::Bridge, Some(_)) => {
                findings.add(&path, "there is one network of this mode: leave it out");
            }
            _ => {}
        }
    }
    let has_image = app.container.as_ref().is_some_and(|container| container.docker.is_some());
    if !app.is_in_host_network() && !has_image {
        let message =
            "only a container with an image has a network of its own: set `container.docker.image`, or the mode host";
        findings.add("/networks", message);
    }
}
