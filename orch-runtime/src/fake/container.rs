//! What a container of the fake has, as its spec asks for, and what it shows of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use orch_core::clock::Timestamp;
use orch_core::runtime::{ContainerSpec, Privileges, SandboxDns, SandboxSpec};

use super::output::Output;
use super::program::{FakeProgram, Print};
use crate::capability;

/// Why a container cannot be started as its spec asks for.
pub(super) fn obstacle(spec: &ContainerSpec) -> Option<String> {
    if let Some(mount) = spec.mounts.iter().find(|mount| !mount.source.exists()) {
        return Some(format!("cannot mount {}: the node does not have it", mount.source.display()));
    }
    if spec.privileges.non_root && uid(&spec.privileges) == 0 {
        return Some("it must not run as root, but no other user is given: set one".to_owned());
    }
    capabilities(&spec.privileges).err()
}

/// Does what a program does at its start. Returns the exit code if it ends over it.
pub(super) fn begin(
    program: &FakeProgram,
    spec: &ContainerSpec,
    pod: &SandboxSpec,
    output: &mut Output,
    now: Timestamp,
) -> Option<i32> {
    for print in &program.prints {
        let bytes = match print {
            Print::Bytes(bytes) => Some(bytes.clone()),
            Print::Environment => Some(environment(spec)),
            Print::Itself => Some(itself(spec, &pod.hostname)),
            Print::File(path) => match behind(spec, path) {
                Some((path, _)) => fs::read(path).ok(),
                None => of_pod(pod, path).map(String::into_bytes),
            },
            Print::IntoFile(path, content) => {
                let writable = behind(spec, path).filter(|(_, read_only)| !read_only);
                writable.and_then(|(path, _)| fs::write(path, content).ok()).map(|()| Vec::new())
            }
        };
        match bytes {
            Some(bytes) => output.write(now, &bytes),
            None => return Some(1),
        }
    }
    None
}

/// What the containers of a pod see at a path without a mount.
fn of_pod(pod: &SandboxSpec, path: &Path) -> Option<String> {
    match path.to_str()? {
        "/etc/resolv.conf" => pod.dns.as_ref().map(SandboxDns::resolv_conf),
        "/etc/hosts" => Some(pod.host_entries.iter().map(|entry| format!("{entry}\n")).collect()),
        _ => None,
    }
}

fn environment(spec: &ContainerSpec) -> Vec<u8> {
    let env: BTreeMap<_, _> = spec.env.iter().map(|(name, value)| (name, value)).collect();
    env.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>().into_bytes()
}

fn itself(spec: &ContainerSpec, hostname: &str) -> Vec<u8> {
    let privileges = &spec.privileges;
    let gid = privileges.group.unwrap_or_default();
    let groups: Vec<_> = [gid].iter().chain(&privileges.supplemental_groups).map(u32::to_string).collect();
    let capabilities = capabilities(privileges).unwrap_or_default();
    let no_new_privs = u8::from(!privileges.may_gain);
    let terminal = if spec.tty { "yes" } else { "no" };
    let root = if privileges.read_only_root { "read-only" } else { "writable" };
    let (uid, groups) = (uid(privileges), groups.join(" "));
    format!(
        "uid {uid}\ngid {gid}\ngroups {groups}\ncapabilities {capabilities:016x}\nno_new_privs {no_new_privs}\n\
         hostname {hostname}\nterminal {terminal}\nroot {root}\n"
    )
    .into_bytes()
}

fn uid(privileges: &Privileges) -> u32 {
    privileges.user.unwrap_or_default()
}

fn capabilities(privileges: &Privileges) -> Result<u64, String> {
    let Privileges { drop_capabilities, add_capabilities, .. } = privileges;
    let granted = capability::granted(capability::DEFAULT, drop_capabilities, add_capabilities)?;
    Ok(if uid(privileges) == 0 { granted } else { 0 })
}

/// Where a path leads that the container sees, and whether it can only be read.
fn behind(spec: &ContainerSpec, path: &Path) -> Option<(PathBuf, bool)> {
    let mounts = spec.mounts.iter().filter_map(|mount| Some((path.strip_prefix(&mount.target).ok()?, mount)));
    let (rest, mount) = mounts.min_by_key(|(rest, _)| rest.components().count())?;
    let path = if rest.as_os_str().is_empty() { mount.source.clone() } else { mount.source.join(rest) };
    Some((path, mount.read_only))
}
