//! A part of a volume, which containers may have put links into.
//!
//! The path is walked by the kernel, which lets no link out of the volume. What was found is then mounted at a place of
//! the agent's own, by its descriptor: a container that replaces a folder by a link at the right moment changes nothing
//! any more. Without the privilege to mount, the real path is returned, and a container can do so until the runtime
//! mounts it.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::fstat;
use orch_core::runtime::VolumeError;

use super::folder::{Folder, Identity, is_folder, path_of};
use super::memory::{bind, unmount_all};
use super::trouble::unavailable;
use crate::volumes::checked::{SubPath, refused};

/// Finds a part of a volume, making folders that are missing if `create` says so.
pub(super) fn find(volume: &Path, part: &SubPath, create: bool) -> Result<OwnedFd, VolumeError> {
    let shown = volume.join(part.0.join("/"));
    let top = Folder::open(volume).map_err(|error| explained(&shown, error))?;
    let mut found = top.beneath(Path::new("")).map_err(|error| explained(&shown, error))?;
    for depth in 1..=part.0.len() {
        found = match top.beneath(Path::new(&part.0[..depth].join("/"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                let name = OsStr::new(&part.0[depth - 1]);
                make(&top, &Folder::of(found), name).map_err(|error| explained(&shown, error))?.into()
            }
            result => result.map_err(|error| explained(&shown, error))?,
        };
    }
    Ok(found)
}

/// Makes a folder like the volume itself is.
fn make(top: &Folder, parent: &Folder, name: &OsStr) -> io::Result<Folder> {
    let mode = top.stat()?.st_mode & 0o7777;
    parent.make_folder(name, 0o700)?;
    let folder = parent.folder(name)?;
    folder.hand_over(mode, None)?;
    Ok(folder)
}

/// Mounts what was found into a folder of the agent's own, and returns where.
pub(super) fn pin(found: &OwnedFd, part: &SubPath, parts: &Folder, path: &Path) -> Result<PathBuf, VolumeError> {
    let mut hasher = DefaultHasher::new();
    part.0.hash(&mut hasher);
    let key = format!("{:016x}", hasher.finish());
    let (name, target) = (OsStr::new(&key), path.join(&key));
    let pinned = || -> io::Result<()> {
        let stat = fstat(found)?;
        let there = parts.entry(name)?;
        if there.is_some_and(|there| Identity::of(&there) == Identity::of(&stat)) {
            return Ok(());
        }
        unmount_all(&target)?;
        super::delete::delete(parts, name)?;
        if is_folder(&stat) {
            parts.make_folder(name, 0o700)?;
        } else {
            parts.create(name, 0o600)?;
        }
        bind(&path_of(found), &target)
    };
    pinned().map(|()| target.clone()).map_err(|error| unavailable("cannot mount a part of a volume at", &target, error))
}

/// The real path of what was found.
pub(super) fn real_path(found: &OwnedFd, shown: &Path) -> Result<PathBuf, VolumeError> {
    std::fs::read_link(path_of(found)).map_err(|error| unavailable("cannot look at", shown, error))
}

fn explained(path: &Path, error: io::Error) -> VolumeError {
    let path_shown = path.display();
    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::EXDEV => {
            refused(format!("{path_shown} leads out of the volume, by a link that a container may have made"))
        }
        Errno::ELOOP => {
            refused(format!("{path_shown} leads through links in a circle, or into the kernel's own files"))
        }
        Errno::ENOTDIR => refused(format!("{path_shown} leads through what is not a folder")),
        Errno::EEXIST => refused(format!("{path_shown} leads through a link to what is not there")),
        Errno::ENOENT => refused(format!("{path_shown} is not there: the volume has no such file")),
        _ => unavailable("cannot use a part of a volume at", path, error),
    }
}
