//! What a program sees of the machine's files: given by the process itself, in a mount namespace of its own.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use orch_core::runtime::Mount;

use super::super::record::{Launch, make_folder};

/// Mounts what is asked for, where nobody else sees it.
pub(super) fn enter(launch: &Launch) -> Result<(), String> {
    if launch.mounts.is_empty() && !launch.privileges.read_only_root {
        return Ok(());
    }
    separate().map_err(|error| format!("mounts need a mount namespace, which the kernel does not give: {error}"))?;
    for mount in &launch.mounts {
        bind(mount, &launch.own_folder).map_err(|error| {
            format!("cannot mount {} at {}: {error}", mount.source.display(), mount.target.display())
        })?;
    }
    if launch.privileges.read_only_root {
        remount(Path::new("/"), MsFlags::MS_RDONLY)
            .map_err(|error| format!("the root file system cannot be made read-only: {error}"))?;
    }
    Ok(())
}

/// What is mounted from here on is seen by this process and those that it starts.
pub(in super::super) fn separate() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

fn bind(Mount { source, target, read_only }: &Mount, own_folder: &Path) -> io::Result<()> {
    if !target.exists() && target.starts_with(own_folder) {
        if source.is_dir() {
            make_folder(target)?;
        } else {
            make_folder(target.parent().unwrap_or(own_folder))?;
            fs::File::create_new(target)?;
        }
    }
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    if *read_only {
        remount(target, MsFlags::MS_RDONLY)?;
    }
    Ok(())
}

/// Changes what may be done at a place, and leaves the rest of what is mounted there.
fn remount(target: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(None::<&str>, target, None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, None::<&str>)
}
