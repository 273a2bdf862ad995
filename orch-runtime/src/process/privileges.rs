//! What of a spec cannot be given to a process of this machine, as far as it can be seen without trying.

use orch_core::runtime::ContainerSpec;

use super::record::Launch;
use crate::capability;

/// What would help those who need more.
const ELSEWHERE: &str = "run the runtime as root, or use one with images, as Docker's or containerd's";

/// Why a container cannot have what it asks for, if the runtime itself runs as user `own`.
pub(super) fn obstacle(spec: &ContainerSpec, launch: &Launch, own: u32) -> Option<String> {
    let privileges = &spec.privileges;
    let (user, root) = (privileges.user.unwrap_or(own), own == 0);
    if privileges.non_root && user == 0 {
        return Some("it must not run as root, but would: name another user".to_owned());
    }
    if let Err(message) = capability::granted(0, &privileges.drop_capabilities, &privileges.add_capabilities) {
        return Some(message);
    }
    let refused = |what: String| Some(format!("{what} cannot be given by user {own}: {ELSEWHERE}"));
    if !root {
        if user != own {
            return refused(format!("user {user}"));
        }
        if let Some(group) = privileges.group.or(privileges.supplemental_groups.first().copied()) {
            return refused(format!("group {group}"));
        }
        if let Some(capability) = privileges.add_capabilities.first() {
            return refused(format!("capability {capability}"));
        }
        if privileges.read_only_root {
            return refused("a read-only root file system".to_owned());
        }
        if privileges.privileged {
            return refused("all that root may do".to_owned());
        }
        if let Some(mount) = spec.mounts.first() {
            return refused(format!("the mount at {}", mount.target.display()));
        }
    }
    spec.mounts.iter().find_map(|mount| {
        let (source, target) = (mount.source.display(), mount.target.display());
        if !mount.source.exists() {
            return Some(format!("cannot mount {source} at {target}: there is no {source} on this machine"));
        }
        let there = mount.target.exists() || mount.target.starts_with(&launch.own_folder);
        (!there).then(|| {
            format!(
                "cannot mount {source} at {target}: this machine has no {target}, and containers are processes of it: \
                 make it, mount over something that is there, or use a runtime with images"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use orch_core::runtime::{Mount, Privileges};

    use super::*;

    fn refused(spec: &ContainerSpec, own: u32) -> String {
        let launch = Launch { own_folder: "/own/work".into(), ..Launch::default() };
        obstacle(spec, &launch, own).unwrap_or_default()
    }

    fn with(privileges: Privileges) -> ContainerSpec {
        ContainerSpec { privileges, ..ContainerSpec::default() }
    }

    #[test]
    fn what_cannot_be_given_is_named() {
        let default = Privileges::default;
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mount = |source: &str, target: &str| ContainerSpec {
            mounts: vec![Mount { source: source.into(), target: PathBuf::from(target), read_only: true }],
            ..ContainerSpec::default()
        };
        for (spec, own, hint) in [
            (with(default()), 1000, ""),
            (with(Privileges { user: Some(1000), non_root: true, ..default() }), 1000, ""),
            (with(Privileges { drop_capabilities: names(&["ALL"]), ..default() }), 1000, ""),
            (with(Privileges { user: Some(7), group: Some(7), ..default() }), 0, ""),
            (mount("/", "/tmp"), 0, ""),
            (mount("/", "/own/work/a"), 0, ""),
            (with(Privileges { user: Some(7), ..default() }), 1000, "user 7"),
            (with(Privileges { group: Some(7), ..default() }), 1000, "group 7"),
            (with(Privileges { supplemental_groups: [8].into(), ..default() }), 1000, "group 8"),
            (with(Privileges { add_capabilities: names(&["SYS_TIME"]), ..default() }), 1000, "SYS_TIME"),
            (with(Privileges { add_capabilities: names(&["TIME"]), ..default() }), 0, "\"TIME\""),
            (with(Privileges { read_only_root: true, ..default() }), 1000, "read-only"),
            (with(Privileges { privileged: true, ..default() }), 1000, "root may do"),
            (with(Privileges { non_root: true, ..default() }), 0, "root"),
            (with(Privileges { user: Some(0), non_root: true, ..default() }), 0, "root"),
            (mount("/", "/tmp"), 1000, "/tmp"),
            (mount("/no/such", "/tmp"), 0, "/no/such"),
            (mount("/", "/no/such"), 0, "/no/such"),
        ] {
            let message = refused(&spec, own);
            assert!(message.contains(hint) && message.is_empty() == hint.is_empty(), "{hint:?} is in: {message:?}");
        }
    }
}
