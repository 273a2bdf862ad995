//! [`Namespace`]: a network of its own that no name leads to.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::process::{self, Command, Stdio};
use std::thread::{self, ThreadId};

use nix::sched::{CloneFlags, setns, unshare};

use crate::daemon::program;

/// A network namespace that is there as long as something has it open: this, a socket, a thread in it. So nothing of it
/// is left behind, however the process ends.
#[derive(Debug)]
pub(in crate::suite) struct Namespace(File);

/// The calling thread's stay in a namespace. It goes back when this is dropped on the same thread.
#[derive(Debug)]
pub(in crate::suite) struct Stay {
    before: File,
    thread: ThreadId,
}

impl Namespace {
    /// A new one, in which there is nothing but loopback.
    ///
    /// # Panics
    /// When Linux refuses.
    pub(in crate::suite) fn new() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("root may make a network namespace");
            own()
        };
        // A thread of its own, which ends there.
        Self(thread::spawn(make).join().expect("a network namespace was made"))
    }

    /// A path that leads to it as long as this process runs, as `ip link set DEVICE netns PATH` takes.
    pub(in crate::suite) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }

    /// Does something in it. Sockets that are opened there stay there.
    pub(in crate::suite) fn inside<T>(&self, act: impl FnOnce() -> T) -> T {
        let _back_after = self.enter();
        act()
    }

    /// Moves the calling thread into it.
    pub(in crate::suite) fn enter(&self) -> Stay {
        let before = own();
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("root may enter a network namespace");
        Stay { before, thread: thread::current().id() }
    }

    /// Has the program `ip` obey these lines in it, about addresses of this family where they do not say.
    pub(in crate::suite) fn ip(&self, family: &str, lines: &str) {
        let mut command = program::with_clean_environment(Command::new(program::path_of("ip", "iproute2")));
        command.args([family, "-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = self.inside(|| command.spawn()).expect("`ip` starts");
        let written = child.stdin.take().expect("an input").write_all(lines.as_bytes());
        let output = child.wait_with_output().expect("the end of `ip`");
        assert!(
            written.is_ok() && output.status.success(),
            "`ip` cannot make the test's network: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// What the program `ip` answers in it.
    pub(in crate::suite) fn asked(&self, arguments: &[&str]) -> String {
        let mut command = program::with_clean_environment(Command::new(program::path_of("ip", "iproute2")));
        let output = self.inside(|| command.args(arguments).output()).expect("`ip` starts");
        assert!(output.status.success(), "`ip {arguments:?}`: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Sets a variable of the kernel's network, if this kernel has it.
    pub(in crate::suite) fn set(&self, variable: &str, value: u8) {
        // What `/proc/sys/net` shows depends on who looks.
        self.inside(|| {
            let path = format!("/proc/sys/net/{variable}");
            if fs::exists(&path).unwrap_or_default() {
                fs::write(&path, value.to_string()).unwrap_or_else(|error| panic!("cannot write {path}: {error}"));
            }
        });
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if thread::current().id() == self.thread {
            setns(&self.before, CloneFlags::CLONE_NEWNET).expect("a thread may go back to where it was");
        }
    }
}

/// The namespace that the calling thread is in.
fn own() -> File {
    File::open("/proc/thread-self/ns/net").expect("a thread is in some network namespace")
}
