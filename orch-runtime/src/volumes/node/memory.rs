//! Mounts: of memory, and of a part of a volume. Only below folders that no container can write into.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::fstatfs;

use super::folder::Folder;

/// Mounts memory on a folder: at most `limit` bytes of it, or what the kernel allows, half of the machine's.
pub(super) fn mount_memory(target: &Path, limit: Option<u64>, mode: u32, group: Option<u32>) -> io::Result<()> {
    let mut options = format!("mode={mode:o}");
    if let Some(bytes) = limit {
        // To the kernel, nothing is no limit.
        options += &format!(",size={}", bytes.max(1));
    }
    if let Some(group) = group {
        options += &format!(",gid={group}");
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options.as_str()))?)
}

/// Shows a file or folder at another place too.
pub(super) fn bind(source: &Path, target: &Path) -> io::Result<()> {
    Ok(mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Unmounts all that is mounted at a place, if anything is.
pub(super) fn unmount_all(target: &Path) -> io::Result<()> {
    loop {
        match umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) => {}
            // Nothing is mounted there, or nothing is there. Whoever may not unmount did not mount.
            Err(Errno::EINVAL | Errno::ENOENT | Errno::EPERM) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether another file system is mounted on a folder in `parent`.
pub(super) fn is_mounted(parent: &Folder, folder: &Folder) -> io::Result<bool> {
    Ok(parent.stat()?.st_dev != folder.stat()?.st_dev)
}

/// Bytes that are used in the file system that a folder is in.
pub(super) fn used(folder: &Folder) -> io::Result<u64> {
    let stat = fstatfs(folder)?;
    let block = u64::try_from(stat.block_size()).unwrap_or(0);
    Ok(stat.blocks().saturating_sub(stat.blocks_free()).saturating_mul(block))
}
