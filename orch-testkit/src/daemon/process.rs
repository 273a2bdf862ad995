//! [`Process`].

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::keeper;

/// How long a daemon may take until it answers. Generous, since a machine that tests is busy.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A daemon's process, which can be killed, paused and started again. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    /// For messages: "the etcd `a`".
    what: String,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Not started yet. What it prints is appended to the file `log`.
    pub(super) fn new(what: impl Into<String>, log: PathBuf) -> Self {
        Self { what: what.into(), log, child: Mutex::new(None) }
    }

    /// Its id, unless it was killed.
    pub(super) fn id(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    pub(super) fn spawn(&self, mut command: Command) {
        let log = File::options().append(true).create(true).open(&self.log).expect("a log can be opened");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let started = keeper::spawn(command).unwrap_or_else(|error| panic!("{} does not start: {error}", self.what));
        *self.child() = Some(started);
    }

    /// By SIGKILL; no harm if it does not run.
    pub(super) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(super) fn pause(&self) {
        let child = self.child();
        let id = signal(self.running(&child, "paused"), Signal::SIGSTOP, &self.what);
        waitpid(id, Some(WaitPidFlag::WUNTRACED)).expect("a child that was sent SIGSTOP stops");
    }

    pub(super) fn resume(&self) {
        let child = self.child();
        signal(self.running(&child, "resumed"), Signal::SIGCONT, &self.what);
    }

    /// The error has the end of its log.
    pub(super) async fn wait_until(&self, serves: impl AsyncFn() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            if let Some(status) = self.ended() {
                return Err(format!("{} ended ({status}):\n{}", self.what, self.end_of_log()));
            }
            if serves().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not serve within a minute:\n{}", self.what, self.end_of_log()));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn end_of_log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    fn running<'a>(&self, child: &'a Option<Child>, wanted: &str) -> &'a Child {
        child.as_ref().unwrap_or_else(|| panic!("{} is to be {wanted}, and was killed", self.what))
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(child: &Child, signal: Signal, what: &str) -> Pid {
    let id = Pid::from_raw(child.id().try_into().expect("a process id fits"));
    kill(id, signal).unwrap_or_else(|error| panic!("{signal} for {what}: {error}"));
    id
}
