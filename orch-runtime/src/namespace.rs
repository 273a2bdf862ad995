//! Namespaces of the kernel that outlive the thread that made them: [`make`], [`is_there`], [`inside`], [`connect`].
//!
//! A thread that entered a namespace does nothing else any more: each of these starts one of its own.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{FsType, statfs};

/// The file system that namespaces are files of.
const NSFS: FsType = FsType(0x6e73_6673);
/// How long connecting may take. Who listens on the same machine answers at once, unless its queue is full.
const CONNECT_TAKES: Duration = Duration::from_secs(10);

/// Makes new namespaces, each of the kind that its flag says, and keeps each at its path by a mount. Those of an earlier call
/// are replaced.
pub(crate) fn make(kinds: Vec<(CloneFlags, PathBuf)>) -> io::Result<()> {
    for (_, path) in &kinds {
        remove(path)?;
        File::create(path)?;
    }
    apart(move || {
        unshare(kinds.iter().map(|(kind, _)| *kind).collect())?;
        for (kind, path) in &kinds {
            let name = if *kind == CloneFlags::CLONE_NEWNET { "net" } else { "ipc" };
            let source = PathBuf::from(format!("/proc/thread-self/ns/{name}"));
            mount(Some(&source), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        }
        Ok(())
    })
}

/// Whether there is a namespace at this path.
pub(crate) fn is_there(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS)
}

/// The number of the namespace at this path, which tells it from every other that there is now.
pub(crate) fn number(path: &Path) -> Option<u64> {
    let found = fs::metadata(path).ok()?;
    is_there(path).then(|| found.ino())
}

/// Removes what is at the path of a namespace. It ends when nobody is in it any more.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    while is_there(path) {
        umount2(path, MntFlags::MNT_DETACH)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Does something in a network namespace.
pub(crate) fn inside<T: Send + 'static>(
    net: &File,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let namespace = net.try_clone()?;
    apart(move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        act()
    })
}

/// A connection to a TCP port of the loopback address in a network namespace.
pub(crate) async fn connect(net: PathBuf, port: u16) -> io::Result<tokio::net::TcpStream> {
    let connected = tokio::task::spawn_blocking(move || {
        let cannot = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot see the network namespace {}: {error}", net.display()))
        };
        let namespace = File::open(&net).map_err(cannot)?;
        inside(&namespace, move || {
            let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), CONNECT_TAKES)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        })
    });
    let stream = connected.await.unwrap_or_else(|error| Err(io::Error::other(error)))?;
    tokio::net::TcpStream::from_std(stream)
}

fn apart<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let thread = thread::Builder::new().name("orch-namespace".to_owned()).spawn(act)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread in a namespace panicked")))
}
