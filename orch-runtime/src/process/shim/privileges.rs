//! As whom a program runs, and what it may do: given by the process itself, before it becomes the program.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User, geteuid, setgroups, setresgid, setresuid};
use orch_core::runtime::Privileges;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

use super::super::record::Launch;
use crate::capability;

/// Gives this process the privileges that are asked for, and no others. Only root can change what there is.
pub(super) fn assume(launch: &Launch) -> Result<(), String> {
    let privileges = &launch.privileges;
    if !privileges.privileged {
        drop_capabilities(privileges)?;
    }
    become_user(privileges, &launch.own_folder).map_err(|error| format!("the user cannot be changed: {error}"))?;
    if !privileges.may_gain && !privileges.privileged {
        prctl::set_no_new_privs().map_err(|error| format!("privileges cannot be given up for good: {error}"))?;
    }
    Ok(())
}

/// Takes away what the program is not to have: from the set of what it can ever have, as root has all of that.
fn drop_capabilities(privileges: &Privileges) -> Result<(), String> {
    let Privileges { drop_capabilities, add_capabilities, .. } = privileges;
    if drop_capabilities.is_empty() && add_capabilities.is_empty() {
        return Ok(());
    }
    let own = own().map_err(|error| format!("the capabilities of this process cannot be read: {error}"))?;
    let granted = capability::granted(own, drop_capabilities, add_capabilities)?;
    let everything = add_capabilities.contains("ALL");
    if granted & !own != 0 && !everything {
        return Err(format!(
            "the runtime does not have all of the capabilities {add_capabilities:?} itself: run it as root"
        ));
    }
    // What this process cannot give away it does not have to: it is not root.
    if !geteuid().is_root() {
        return Ok(());
    }
    for number in (0..u64::BITS).filter(|number| own & !granted & (1 << number) != 0) {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        remove_capability_from_bounding_set(capability)
            .map_err(|error| format!("capability {number} cannot be dropped: {error}"))?;
    }
    Ok(())
}

/// The effective capabilities of this process.
fn own() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.ok_or_else(|| io::Error::other("there is no CapEff in /proc/self/status"))
}

fn become_user(privileges: &Privileges, own_folder: &Path) -> io::Result<()> {
    let Privileges { user, group, supplemental_groups, .. } = privileges;
    if user.is_none() && group.is_none() && supplemental_groups.is_empty() {
        return Ok(());
    }
    let uid = user.map_or_else(geteuid, Uid::from_raw);
    let of_user = || User::from_uid(uid).ok().flatten().map(|user| user.gid);
    let gid = group.map(Gid::from_raw).or_else(of_user).unwrap_or(Gid::from_raw(0));
    if !geteuid().is_root() {
        // It was looked at before that nothing else is asked for.
        return Ok(());
    }
    // What is written into it is to be the container's.
    chown(own_folder, Some(uid.as_raw()), Some(gid.as_raw()))?;
    let groups: Vec<Gid> = supplemental_groups.iter().map(|group| Gid::from_raw(*group)).collect();
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // The kernel forgets it when the user changes. Whether the shim lives is asked afterwards, as before.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    Ok(())
}
