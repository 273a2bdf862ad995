//! [`Host`].

use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};
use nix::unistd::geteuid;

use super::janitor::Janitor;
use super::program;

/// A network of its own on this machine, as if it were another host: a network namespace, in which there is nothing but
/// loopback at first. Its addresses, ports, routes and packet filters are nobody else's.
///
/// It is removed when this is dropped, with all processes that still run in it, and also when the test process is killed.
#[derive(Debug)]
pub struct Host {
    name: String,
    _janitor: Janitor,
}

/// While it lives, the thread that [`Host::enter`] was called on is in that host. Dropping it brings the thread back.
#[derive(Debug)]
#[must_use = "the thread goes back when this is dropped"]
pub struct Inside {
    before: File,
    /// It belongs to the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl Host {
    /// A new one.
    ///
    /// # Panics
    /// When this process is not root, or Linux makes no network namespace.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        require_root();
        let name = format!("orch-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        if path_of(&name).exists() {
            // A process of the same id left it behind.
            let _ = ip(&["netns", "delete", &name]);
        }
        ip(&["netns", "add", &name]).unwrap_or_else(|why| panic!("cannot make a network namespace: {why}"));
        let janitor = Janitor::hire(include_str!("host.sh"), &name, [&process::id().to_string()]);
        let host = Self { name, _janitor: janitor };
        ip(&["-netns", &host.name, "link", "set", "lo", "up"]).unwrap_or_else(|why| panic!("no loopback: {why}"));
        host
    }

    /// The namespace's name, as `ip netns` shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace's file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        path_of(&self.name)
    }

    /// A command that runs `program` in it, with nothing in its environment but where to find programs and their libraries.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = program::with_clean_environment(Command::new(nsenter()));
        command.arg(self.net_argument()).arg(program.as_ref());
        command
    }

    /// Moves the calling thread into it, until what this returns is dropped. Threads that it makes meanwhile are in it
    /// too, and stay there, so make the test's async runtime afterwards. Other threads are not moved.
    ///
    /// # Panics
    /// When Linux does not allow it.
    pub fn enter(&self) -> Inside {
        Self::enter_at(&self.path())
    }

    /// [`enter`](Self::enter), given its [`path`](Self::path).
    pub(super) fn enter_at(path: &Path) -> Inside {
        let before = File::open("/proc/thread-self/ns/net").expect("a thread is in some network namespace");
        let namespace = File::open(path).expect("the network namespace is there as long as its host is");
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a network namespace");
        Inside { before, _not_send: PhantomData }
    }

    pub(super) fn net_argument(&self) -> String {
        format!("--net={}", self.path().display())
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        setns(&self.before, CloneFlags::CLONE_NEWNET).expect("a thread may go back to where it was");
    }
}

/// # Panics
/// When this process is not root.
pub(crate) fn require_root() {
    assert!(
        geteuid().is_root(),
        "tests of containers need root: run `sudo -E env PATH=\"$PATH\" cargo xtask test`, or leave them out with `cargo \
         xtask test --without-containers`"
    );
}

pub(super) fn nsenter() -> PathBuf {
    // Not `ip netns exec`: that mounts another /sys, which has no cgroups in it.
    program::path_of("nsenter", "util-linux")
}

fn path_of(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let mut command = program::with_clean_environment(Command::new(program::path_of("ip", "iproute2")));
    let output = command.args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}
