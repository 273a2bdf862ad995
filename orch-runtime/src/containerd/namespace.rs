//! Namespaces of the kernel that outlive the thread that made them: [`make`], [`is_there`], [`inside`].
//!
//! A thread that entered a namespace does nothing else any more: each of these starts one of its own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{FsType, statfs};

/// The file system that namespaces are files of.
const NSFS: FsType = FsType(0x6e73_6673);

/// Makes new namespaces and keeps each at its path by a mount. Those of an earlier call are replaced.
pub(super) fn make(net: &Path, ipc: &Path) -> io::Result<()> {
    let kinds = [("net", net.to_owned()), ("ipc", ipc.to_owned())];
    for (_, path) in &kinds {
        remove(path)?;
        File::create(path)?;
    }
    apart(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC)?;
        for (kind, path) in &kinds {
            let source = PathBuf::from(format!("/proc/thread-self/ns/{kind}"));
            mount(Some(&source), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        }
        Ok(())
    })
}

/// Whether there is a namespace at this path.
pub(super) fn is_there(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS)
}

/// Removes what is at the path of a namespace. It ends when nobody is in it any more.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    while is_there(path) {
        umount2(path, MntFlags::MNT_DETACH)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Does something in a network namespace.
pub(super) fn inside<T: Send + 'static>(
    net: &Path,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let namespace = File::open(net)?;
    apart(move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        act()
    })
}

fn apart<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let thread = thread::Builder::new().name("orch-namespace".to_owned()).spawn(act)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread in a namespace panicked")))
}
