//! The control group of a container: [`path`], and whether it ran [`out_of_memory`]; and when all are gone, [`close`].

use std::io::ErrorKind::{NotADirectory, NotFound, ResourceBusy};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use super::config::ContainerdNamespace;
use crate::cgroup::Cgroup;

/// Where the kernel shows control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// The control group of a container, below the root of each hierarchy.
pub(super) fn path(parent: &Path, namespace: &ContainerdNamespace, record: &str) -> String {
    parent.join(namespace.as_str()).join(record).to_string_lossy().into_owned()
}

/// Removes the control group that those of containers were made in, unless there are any still.
pub(super) fn close(parent: &Path, namespace: &ContainerdNamespace) -> io::Result<()> {
    let group = parent.join(namespace.as_str());
    let below = group.strip_prefix("/").unwrap_or(&group);
    // Of the first version there is a folder for each hierarchy, and runc made the group in all of them.
    let mut hierarchies = vec![PathBuf::from(ROOT)];
    for entry in fs::read_dir(ROOT)? {
        hierarchies.push(entry?.path());
    }
    for hierarchy in hierarchies {
        match fs::remove_dir(hierarchy.join(below)) {
            Err(error) if ![NotFound, NotADirectory, ResourceBusy].contains(&error.kind()) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a path can be the parent of control groups.
pub(super) fn is_parent(path: &Path) -> bool {
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.to_str().is_some() && path.components().all(is_plain)
}

/// Whether the kernel killed something in it for want of memory.
pub(super) fn out_of_memory(group: &str) -> bool {
    let kills = Cgroup::at(Path::new(group)).ok().and_then(|group| group.oom_kills());
    kills.is_some_and(|kills| kills > 0)
}

/// Whether the kernel can limit swapping.
pub(super) fn limits_swap() -> bool {
    let v1 = Path::new(ROOT).join("memory");
    if v1.is_dir() { v1.join("memory.memsw.limit_in_bytes").exists() } else { true }
}
