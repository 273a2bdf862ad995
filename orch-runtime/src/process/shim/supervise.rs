//! [`Supervised`]: a program, and everything that it starts.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use orch_core::runtime::ExitReason;

use super::super::identity;
use super::super::record::{AttemptFolder, Launch};
use super::SHIM;
use crate::cgroup::Cgroup;

/// 128 and the number of SIGKILL.
const KILLED: i32 = 137;
/// How often it is tried to remove a group, and the time between.
const REMOVING_TAKES: u32 = 2000;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A program that was executed.
pub(super) struct Supervised(Child);

/// How it ended.
pub(super) struct Ended {
    pub(super) reason: ExitReason,
    pub(super) code: i32,
    pub(super) message: String,
}

impl Supervised {
    /// Starts a program, and returns when it runs or could not be executed. To be called by the main thread: the
    /// program is killed when the thread that started it ends.
    pub(super) fn start(
        launch: &Launch,
        folder: Option<&AttemptFolder>,
        [stdout, stderr]: [Stdio; 2],
    ) -> io::Result<Result<Self, String>> {
        let (mut socket, theirs) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0(SHIM).arg("launch").arg(std::process::id().to_string()).args(folder.map(|folder| &folder.0));
        command.stdin(OwnedFd::from(theirs)).stdout(stdout).stderr(stderr);
        let mut child = command.spawn()?;
        // Our copies of its ends of pipes and sockets, which would keep them open.
        drop(command);
        // If it was killed meanwhile, that is seen below.
        let _ = socket.write_all(&serde_json::to_vec(launch)?).and_then(|()| socket.shutdown(Shutdown::Write));
        let mut message = String::new();
        socket.read_to_string(&mut message)?;
        if message.is_empty() {
            return Ok(Ok(Self(child)));
        }
        child.wait()?;
        Ok(Err(message))
    }

    /// Waits until the program has ended, with whatever it left behind. If it had a group, that is removed.
    pub(super) fn wait_with(mut self, cgroup: Option<&Cgroup>) -> io::Result<Ended> {
        let ended = self.wait()?;
        match cgroup {
            Some(cgroup) => ended.in_group(cgroup),
            None => Ok(ended),
        }
    }

    /// Waits until the program has ended, then kills whatever it left behind and waits for that.
    fn wait(&mut self) -> io::Result<Ended> {
        let status = loop {
            // Tells that some child has ended, and leaves it to be waited for by its number: orphans are ours too.
            match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                // It is EINVAL when a real-time signal ended the child: nix has no name for it.
                Ok(_) | Err(Errno::EINTR | Errno::EINVAL) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(status) = self.0.try_wait()? {
                break status;
            }
            reap_orphans(self.0.id().cast_signed())?;
        };
        end_descendants()?;
        Ok(Ended::from(status))
    }
}

impl Ended {
    /// Asks the group whether it was memory, and removes the group with everything that is in it.
    fn in_group(mut self, cgroup: &Cgroup) -> io::Result<Self> {
        if self.code == KILLED && cgroup.oom_kills().is_some_and(|kills| kills > 0) {
            self.reason = ExitReason::OutOfMemory;
            self.message = "it used more memory than it may, and was killed".to_owned();
        }
        let mut tries = 0;
        while let Err(error) = cgroup.kill().and_then(|_| cgroup.remove()) {
            tries += 1;
            if tries == REMOVING_TAKES {
                return Err(error);
            }
            // What was killed leaves the group a moment later.
            thread::park_timeout(LOOK_AGAIN);
        }
        Ok(self)
    }
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self { reason: ExitReason::Exited, code, message: String::new() },
            (None, Some(number)) => {
                let name = Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.to_string());
                let message = format!("ended by signal {name}");
                Self { reason: ExitReason::Signaled, code: 128 + number, message }
            }
            (None, None) => Self { reason: ExitReason::Unknown, code: 137, message: status.to_string() },
        }
    }
}

/// Kills every descendant of this process that there is now.
pub(super) fn kill_descendants() -> io::Result<()> {
    for process in identity::descendants(std::process::id().cast_signed())? {
        match kill(Pid::from_raw(process.pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            // A program with another user's rights: the container cannot have started it without privileges.
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Kills descendants until there are none. What is forked meanwhile becomes our child when its parent dies, and is
/// seen in the next round.
fn end_descendants() -> io::Result<()> {
    loop {
        kill_descendants()?;
        let mut ended = waitpid(None, None);
        // A look at all processes of the machine for each that ends takes many seconds when there are hundreds.
        while ended.is_ok_and(|status| status != WaitStatus::StillAlive) {
            ended = waitpid(None, Some(WaitPidFlag::WNOHANG));
        }
        if ended == Err(Errno::ECHILD) {
            return Ok(());
        }
    }
}

/// Waits for children that have ended, other than the program itself: orphans that came to us.
fn reap_orphans(program: i32) -> io::Result<()> {
    let own = std::process::id().cast_signed();
    let ended = |stat: &identity::Stat| stat.parent == own && stat.state == 'Z' && stat.pid != program;
    for orphan in identity::processes()?.iter().filter(|stat| ended(stat)) {
        // How an orphan ended is nobody's business.
        let _ = waitpid(Pid::from_raw(orphan.pid), None);
    }
    Ok(())
}
