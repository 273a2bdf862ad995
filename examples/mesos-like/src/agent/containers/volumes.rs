//! What a container sees besides its sandbox and its image.

use std::path::{Component, Path, PathBuf};

use super::command::Within;
use super::launch::{ContainerPlan, LaunchError};
use crate::wire::{ContainerType, DiskSourceType, Resource, SandboxPathType, Volume, VolumeMode, VolumeSourceType};

/// Where a container that has an image sees its sandbox.
pub(super) const MAPPED: &str = "/mnt/mesos/sandbox";

/// Something that a container sees at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Where it is on the machine.
    pub(super) source: Source,
    /// Where it is seen.
    pub(super) at: At,
    /// Whether it can only be read.
    pub(super) read_only: bool,
}

/// Where something is on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What has to be there.
    Path(PathBuf),
    /// A folder that is made if it is not there, as root made it.
    Made(PathBuf),
    /// A folder within a sandbox, made if it is not there. Who runs there may have put links in its way.
    Within(PathBuf, PathBuf),
    /// A folder of the agent's own, made if it is not there, for the container's user.
    Own(PathBuf),
}

/// Where something is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Below the sandbox.
    Sandbox(PathBuf),
    /// A path of the container.
    Container(PathBuf),
}

/// All that a container sees.
pub(super) fn seen(plan: &ContainerPlan, work_dir: &Path, within: Within) -> Result<Vec<Seen>, LaunchError> {
    let volumes = plan.container.iter().flat_map(|container| &container.volumes);
    let mut seen = volumes.map(|volume| seen_volume(volume, plan, within)).collect::<Result<Vec<_>, _>>()?;
    for resource in &plan.resources {
        let disk = resource.disk.as_ref();
        let Some(volume) = disk.and_then(|disk| disk.volume.as_ref()) else { continue };
        let Some(source) = persistent_volume(work_dir, resource) else { continue };
        seen.push(Seen {
            source: Source::Own(source),
            at: at(&volume.container_path)?,
            read_only: volume.mode() == VolumeMode::Ro,
        });
    }
    Ok(seen)
}

/// Where the data of a persistent volume is on the machine; none if the resource is none, or its names are no names.
#[must_use]
pub fn persistent_volume(work_dir: &Path, resource: &Resource) -> Option<PathBuf> {
    let disk = resource.disk.as_ref()?;
    let id = &disk.persistence.as_ref()?.id;
    let last = resource.reservations.last().and_then(|reservation| reservation.role.clone());
    // A folder cannot have a slash in its name, and a role no space.
    let role = last.or_else(|| resource.role.clone()).unwrap_or_else(|| "*".to_owned()).replace('/', " ");
    let is_name = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if !is_name(id) || !is_name(&role) {
        return None;
    }
    let root = |root: Option<&crate::wire::DiskRoot>| root.and_then(|root| root.root.clone()).map(PathBuf::from);
    let within = |folder: PathBuf| folder.join("volumes/roles").join(&role).join(id);
    let root = disk.source.as_ref().and_then(|source| match source.r#type() {
        DiskSourceType::Path => Some(within(work_dir.join(root(source.path.as_ref())?))),
        DiskSourceType::Mount => root(source.mount.as_ref()),
        _ => None,
    });
    Some(root.unwrap_or_else(|| within(work_dir.to_owned())))
}

fn seen_volume(volume: &Volume, plan: &ContainerPlan, within: Within) -> Result<Seen, LaunchError> {
    let path = &volume.container_path;
    let wrong = |what: &str| LaunchError::failed(format!("the volume at '{path}' {what}"));
    let source = match &volume.source {
        Some(source) => match source.r#type() {
            VolumeSourceType::HostPath => {
                let host = source.host_path.as_ref().ok_or_else(|| wrong("has no `host_path`"))?;
                if !Path::new(&host.path).is_absolute() {
                    return Err(wrong("is of a path of the machine that does not begin with '/'"));
                }
                Source::Path(PathBuf::from(&host.path))
            }
            VolumeSourceType::SandboxPath => {
                let inner = source.sandbox_path.as_ref().ok_or_else(|| wrong("has no `sandbox_path`"))?;
                let root = match inner.r#type() {
                    SandboxPathType::Parent => plan.parent.as_ref(),
                    _ => Some(&plan.sandbox),
                };
                let root = root.ok_or_else(|| wrong("is of the sandbox of a parent, and there is none"))?;
                Source::Within(root.clone(), relative(&inner.path).map_err(|what| wrong(&what))?)
            }
            other => return Err(wrong(&format!("is of the kind {}, which this agent does not have", other.text()))),
        },
        None => match volume.host_path.as_deref() {
            None => return Err(wrong("has neither `source` nor `host_path`")),
            Some(host) if Path::new(host).is_absolute() => match within {
                Within::Docker => Source::Made(host.into()),
                _ => Source::Path(host.into()),
            },
            Some(inner) => Source::Within(plan.sandbox.clone(), relative(inner).map_err(|what| wrong(&what))?),
        },
    };
    Ok(Seen { source, at: at(path)?, read_only: volume.mode() == VolumeMode::Ro })
}

fn at(path: &str) -> Result<At, LaunchError> {
    let wrong = |what: String| LaunchError::failed(format!("the volume at '{path}' {what}"));
    match Path::new(path).strip_prefix("/") {
        Ok(inner) => {
            relative(&inner.to_string_lossy()).map_err(wrong).map(|inner| At::Container(Path::new("/").join(inner)))
        }
        Err(_) => relative(path).map_err(wrong).map(At::Sandbox),
    }
}

/// A path that leads down, and nowhere else.
pub(super) fn relative(path: &str) -> Result<PathBuf, String> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.contains('\0') || !Path::new(path).components().all(is_plain) {
        return Err(format!("has '{path}' as a path: use one that is relative and without '..'"));
    }
    let plain: PathBuf = Path::new(path).components().filter(|part| *part != Component::CurDir).collect();
    if plain.as_os_str().is_empty() { Err("has an empty path".to_owned()) } else { Ok(plain) }
}

/// In what a container is run.
pub(super) fn within(plan: &ContainerPlan) -> Within {
    match plan.container.as_ref() {
        Some(container) if container.r#type() == ContainerType::Docker => Within::Docker,
        Some(container) if container.mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()) => Within::Image,
        _ => Within::Host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ContainerInfo, DiskInfo, HostPath, Persistence, ReservationInfo, SandboxPath, VolumeSource};

    fn plan(volumes: Vec<Volume>) -> ContainerPlan {
        let container = ContainerInfo { r#type: ContainerType::Mesos.into(), volumes, ..ContainerInfo::default() };
        ContainerPlan { sandbox: "/box".into(), container: Some(container), ..ContainerPlan::default() }
    }

    fn volume(path: &str, host_path: Option<&str>, source: Option<VolumeSource>) -> Volume {
        Volume {
            mode: VolumeMode::Rw.into(),
            container_path: path.to_owned(),
            host_path: host_path.map(str::to_owned),
            source,
        }
    }

    fn sandbox_path(path: &str, kind: SandboxPathType) -> VolumeSource {
        VolumeSource {
            r#type: Some(VolumeSourceType::SandboxPath.into()),
            sandbox_path: Some(SandboxPath { r#type: Some(kind.into()), path: path.to_owned() }),
            ..VolumeSource::default()
        }
    }

    #[test]
    fn a_volume_is_found_where_it_is_said_to_be() {
        let host = VolumeSource {
            r#type: Some(VolumeSourceType::HostPath.into()),
            host_path: Some(HostPath { path: "/srv".to_owned() }),
            ..VolumeSource::default()
        };
        let mut plan = plan(vec![
            volume("a/b", Some("/srv"), None),
            volume("/a", Some("inner"), None),
            volume("c", None, Some(host)),
            volume("d", None, Some(sandbox_path("x", SandboxPathType::Own))),
            volume("e", None, Some(sandbox_path("y", SandboxPathType::Parent))),
        ]);
        plan.parent = Some("/parent".into());
        let seen = seen(&plan, Path::new("/work"), Within::Host).expect("they are right");
        let sources: Vec<_> = seen.iter().map(|seen| seen.source.clone()).collect();
        assert_eq!(
            sources,
            [
                Source::Path("/srv".into()),
                Source::Within("/box".into(), "inner".into()),
                Source::Path("/srv".into()),
                Source::Within("/box".into(), "x".into()),
                Source::Within("/parent".into(), "y".into()),
            ]
        );
        assert_eq!((&seen[0].at, &seen[1].at), (&At::Sandbox("a/b".into()), &At::Container("/a".into())));
    }

    #[test]
    fn no_volume_leads_out_of_where_it_should_be() {
        for wrong in [
            volume("../a", Some("/srv"), None),
            volume("/a/../b", Some("/srv"), None),
            volume("a", Some("../srv"), None),
            volume("a", None, Some(sandbox_path("../../x", SandboxPathType::Own))),
            volume("a", None, Some(sandbox_path("/etc", SandboxPathType::Own))),
            volume("a", None, Some(sandbox_path("x", SandboxPathType::Parent))),
            volume("", Some("/srv"), None),
            volume("a", None, None),
        ] {
            let result = seen(&plan(vec![wrong.clone()]), Path::new("/work"), Within::Host);
            assert!(result.is_err(), "{wrong:?}: {result:?}");
        }
    }

    #[test]
    fn a_persistent_volume_is_found_by_its_role_and_id() {
        let resource = |role: &str, id: &str| Resource {
            name: "disk".to_owned(),
            reservations: vec![ReservationInfo { role: Some(role.to_owned()), ..ReservationInfo::default() }],
            disk: Some(DiskInfo {
                persistence: Some(Persistence { id: id.to_owned(), principal: None }),
                ..DiskInfo::default()
            }),
            ..Resource::default()
        };
        let work = Path::new("/work");
        let found = persistent_volume(work, &resource("a/b", "data"));
        assert_eq!(found, Some("/work/volumes/roles/a b/data".into()));
        for (role, id) in [("a", ".."), ("..", "data"), ("a", "x/y"), ("a", "")] {
            assert_eq!(persistent_volume(work, &resource(role, id)), None, "{role} {id}");
        }
    }
}
