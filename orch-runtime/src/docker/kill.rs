//! Killing a command that runs beside a container, with everything that it started: Docker has no request for that.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orch_core::runtime::RuntimeError;

/// Between two looks at what is left.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long the kernel may take to end what was killed. It is longer only for a process that waits for a device.
const KILL_TAKES: Duration = Duration::from_secs(10);

/// The environment variable by which the processes of a command are known, also when they have left its session.
pub(super) const MARK: &str = "ORCH_EXEC";

/// A command beside a container.
#[derive(Clone, Debug)]
pub(super) struct Victim {
    /// The process namespace of the container. Nothing outside of it is ever killed, whatever becomes of numbers.
    pub(super) namespace: OsString,
    /// Its first process.
    pub(super) pid: u32,
    /// The value of [`MARK`].
    pub(super) mark: String,
}

/// The process namespace of a process.
pub(super) fn namespace(pid: u32) -> io::Result<OsString> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).map(Into::into)
}

/// Kills a command, and returns when nothing of it is left.
pub(super) async fn kill_all(victim: Victim) -> Result<(), RuntimeError> {
    let killing = async {
        loop {
            let victim = victim.clone();
            let left = tokio::task::spawn_blocking(move || strike(&victim)).await;
            match left.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(0) => return Ok(()),
                Ok(_) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    };
    let unavailable = |message, transient, source| RuntimeError::Unavailable { message, transient, source };
    match tokio::time::timeout(KILL_TAKES, killing).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let message = format!("cannot kill a command beside a container: {error}: run as root");
            Err(unavailable(message, false, Some(Box::new(error))))
        }
        Err(_) => {
            let message = "a command beside a container was killed, and does not end: it may wait for a device";
            Err(unavailable(message.to_owned(), true, None))
        }
    }
}

/// Kills what there is now. Returns how many there were.
fn strike(victim: &Victim) -> io::Result<usize> {
    let targets = targets(victim.pid, &processes(victim)?);
    for pid in &targets {
        let Ok(pid) = i32::try_from(*pid) else { continue };
        match kill(Pid::from_raw(pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(targets.len())
}

/// A process of the container.
#[derive(Clone, Copy, Debug)]
struct Process {
    parent: u32,
    session: u32,
    is_marked: bool,
}

/// The living processes of the container.
fn processes(victim: &Victim) -> io::Result<BTreeMap<u32, Process>> {
    let mark = format!("{MARK}={}", victim.mark);
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // What ends meanwhile cannot be read, and need not be.
        if !namespace(pid).is_ok_and(|namespace| namespace == victim.namespace) {
            continue;
        }
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((parent, session)) = parent_and_session(&stat) else { continue };
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let is_marked = environment.split(|byte| *byte == 0).any(|line| line == mark.as_bytes());
        processes.insert(pid, Process { parent, session, is_marked });
    }
    Ok(processes)
}

/// From `/proc/PID/stat`, unless it has ended and only waits to be noticed.
fn parent_and_session(stat: &str) -> Option<(u32, u32)> {
    // The name before it may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let (parent, _group, session) = (fields.next()?, fields.next()?, fields.next()?);
    if matches!(state, "Z" | "X") { None } else { Some((parent.parse().ok()?, session.parse().ok()?)) }
}

/// Those that belong to a command: it, its session, what carries its mark, and what descends from any of them.
fn targets(root: u32, processes: &BTreeMap<u32, Process>) -> BTreeSet<u32> {
    let belongs = |(pid, process): &(&u32, &Process)| **pid == root || process.session == root || process.is_marked;
    let mut targets: BTreeSet<u32> = processes.iter().filter(belongs).map(|(pid, _)| *pid).collect();
    loop {
        let children =
            processes.iter().filter(|(pid, process)| !targets.contains(pid) && targets.contains(&process.parent));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            return targets;
        }
        targets.extend(children);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_started_belongs_to_it_and_the_container_does_not() {
        let process = |parent, session, is_marked| Process { parent, session, is_marked };
        let processes = BTreeMap::from([
            (1, process(0, 1, false)),    // the container
            (2, process(1, 1, false)),    // its child
            (10, process(0, 10, true)),   // the command
            (11, process(10, 10, false)), // its child, that has cleared its environment
            (12, process(1, 10, false)),  // an orphan of its session
            (13, process(1, 13, true)),   // one that has left the session
            (14, process(13, 14, false)),
        ]);
        assert_eq!(targets(10, &processes), [10, 11, 12, 13, 14].into());
        assert_eq!(targets(99, &BTreeMap::from([(1, process(0, 1, false))])), [].into());
    }

    #[test]
    fn the_state_of_a_process_is_read_whatever_it_is_called() {
        assert_eq!(parent_and_session("7 (a) b) S 3 7 5 0 -1"), Some((3, 5)));
        assert_eq!(parent_and_session("7 (x) Z 3 7 5 0 -1"), None);
        assert_eq!(parent_and_session("7"), None);
    }
}
