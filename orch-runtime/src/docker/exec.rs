//! Commands beside a container.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerId, ExecOutput, RuntimeError};
use tokio::io::AsyncReadExt as _;

use super::client::{Call, Client, Conversation};
use super::convert::Found;
use super::error::Failure;
use super::kill::{self, MARK, Victim};
use super::stream::{Channel, Frames};
use super::{Shared, wire};

/// What is kept of each of standard output and error.
const OUTPUT: usize = 1 << 20;
/// How much is read at once.
const CHUNK: usize = 32 << 10;
/// Between two looks at a command that is about to begin or has just ended: at first, and at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));
/// The keys by which a terminal is left are a sequence that nobody types: there is always one.
pub(super) const DETACH_KEYS: &str = "ctrl-^,ctrl-^,ctrl-_,ctrl-_,ctrl-^,ctrl-_,ctrl-^,ctrl-_";

/// What is to be run, and how it is connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) command: &'a [String],
    pub(super) stdin: bool,
    /// Rows and columns of a terminal.
    pub(super) terminal: Option<[u16; 2]>,
}

/// A command that was started. Dropping it kills the command, with everything that it started, unless it has ended.
#[derive(Debug)]
pub(super) struct Running {
    client: Client,
    container: ContainerId,
    command: String,
    exec: String,
    namespace: Option<std::ffi::OsString>,
    mark: String,
    ended: bool,
}

/// Gives a terminal another size.
#[derive(Clone, Debug)]
pub(super) struct Resizer {
    client: Client,
    path: String,
}

/// How a command ended, if it ever began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    With(i32),
    NeverBegan,
}

impl Shared {
    pub(super) async fn exec(
        &self,
        id: &ContainerId,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, RuntimeError> {
        let found = self.running(id).await?;
        let wanted = Wanted { command, stdin: false, terminal: None };
        let (mut running, conversation) = self.begin(id, &found, wanted).await?;
        let outcome = {
            let run = run(&mut running, conversation);
            tokio::select! {
                biased;
                result = run => Some(result),
                () = tokio::time::sleep(timeout) => None,
            }
        };
        match outcome {
            Some(result) => result,
            None => {
                running.kill().await?;
                Err(RuntimeError::TimedOut)
            }
        }
    }

    /// Starts a command. Whether there is such a program is not known yet.
    pub(super) async fn begin(
        &self,
        id: &ContainerId,
        found: &Found,
        wanted: Wanted<'_>,
    ) -> Result<(Running, Conversation), RuntimeError> {
        let name = wanted.command.first().cloned().unwrap_or_default();
        let not_found = |message: String| RuntimeError::CommandNotFound { command: name.clone(), message };
        if name.is_empty() {
            return Err(not_found("no program is given: name one".to_owned()));
        }
        if wanted.command.iter().any(|text| text.contains('\0')) {
            return Err(not_found("a zero byte cannot be passed to a program: remove it".to_owned()));
        }
        let no_such_container = || RuntimeError::NoSuchContainer { id: id.clone() };
        let mark = mark();
        let tty = wanted.terminal.is_some();
        let exec = wire::NewExec {
            attach_stdin: wanted.stdin,
            attach_stdout: true,
            attach_stderr: !tty,
            tty,
            detach_keys: DETACH_KEYS,
            env: vec![format!("{MARK}={mark}")],
            cmd: wanted.command.to_vec(),
            console_size: wanted.terminal.filter(|_| self.client.knows_console_size()),
        };
        let call = Call::post(format!("/containers/{}/exec", found.docker_id)).json(&exec)?;
        let created: wire::Created = match self.client.ask(call).await {
            Err(failure) if failure.is_not_found() || failure.is_conflict() => return Err(no_such_container()),
            result => result?,
        };
        let running = Running {
            client: self.client.clone(),
            container: id.clone(),
            command: name.clone(),
            exec: created.id,
            namespace: found.pid.and_then(|pid| kill::namespace(pid).ok()),
            mark,
            ended: false,
        };
        let call = Call::post(format!("/exec/{}/start", running.exec)).json(&wire::StartExec { detach: false, tty })?;
        match self.client.converse(call).await {
            Ok(conversation) => Ok((running, conversation)),
            Err(failure) if failure.is_not_found() || failure.is_conflict() => Err(no_such_container()),
            Err(failure) if failure.is_of_the_program() => Err(running.not_found(&failure.message)),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Tells the processes of one command from all others. It need not be secret, only unlike any other.
fn mark() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{number}", std::process::id(), SystemClock.now().as_nanosecond())
}

impl Running {
    /// Looks at it until it has begun, or cannot.
    pub(super) async fn began(&mut self) -> Result<bool, RuntimeError> {
        let began = self.until(|exec| exec.pid > 0 || exec.exit_code.is_some()).await?;
        self.ended = began.pid == 0;
        Ok(!self.ended)
    }

    /// Looks at it until it has ended.
    pub(super) async fn end(&mut self) -> Result<Ended, RuntimeError> {
        let exec = self.until(|exec| !exec.running && exec.exit_code.is_some()).await?;
        self.ended = true;
        Ok(match exec.exit_code {
            Some(code) if exec.pid > 0 => Ended::With(code),
            _ => Ended::NeverBegan,
        })
    }

    async fn until(&mut self, holds: impl Fn(&wire::Exec) -> bool) -> Result<wire::Exec, RuntimeError> {
        let mut wait = LOOK_AGAIN.0;
        loop {
            let exec = self.look().await?;
            if holds(&exec) {
                return Ok(exec);
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LOOK_AGAIN.1);
        }
    }

    async fn look(&mut self) -> Result<wire::Exec, RuntimeError> {
        match self.client.ask(Call::get(format!("/exec/{}/json", self.exec))).await {
            // With its container it has ended, too.
            Err(failure) if failure.is_not_found() || failure.is_conflict() => {
                self.ended = true;
                Err(RuntimeError::NoSuchContainer { id: self.container.clone() })
            }
            result => result.map_err(Into::into),
        }
    }

    pub(super) fn resizer(&self) -> Resizer {
        Resizer { client: self.client.clone(), path: format!("/exec/{}/resize", self.exec) }
    }

    /// Kills it, with everything that it started.
    pub(super) async fn kill(mut self) -> Result<(), RuntimeError> {
        self.ended = true;
        kill_exec(self.client.clone(), self.exec.clone(), self.namespace.take(), self.mark.clone()).await
    }

    pub(super) fn not_found(&self, docker_says: &str) -> RuntimeError {
        let message = format!("{}: check its name, and that the image has it", docker_says.trim());
        RuntimeError::CommandNotFound { command: self.command.clone(), message }
    }
}

impl Resizer {
    pub(super) fn of_container(client: Client, docker_id: &str) -> Self {
        Self { client, path: format!("/containers/{docker_id}/resize") }
    }

    pub(super) async fn resize(&self, rows: u16, columns: u16) -> Result<(), Failure> {
        let call = Call::post(self.path.clone()).query("h", rows.to_string()).query("w", columns.to_string());
        self.client.tell(call).await.map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let killing = kill_exec(self.client.clone(), self.exec.clone(), self.namespace.take(), self.mark.clone());
        // Without an executor the process is about to end.
        if let Ok(executor) = tokio::runtime::Handle::try_current() {
            executor.spawn(async move {
                if let Err(error) = killing.await {
                    tracing::warn!(%error, "a command beside a container goes on");
                }
            });
        }
    }
}

async fn kill_exec(
    client: Client,
    exec: String,
    namespace: Option<std::ffi::OsString>,
    mark: String,
) -> Result<(), RuntimeError> {
    // It may be about to begin.
    let mut wait = LOOK_AGAIN.0;
    let pid = loop {
        let found: Option<wire::Exec> = match client.find(Call::get(format!("/exec/{exec}/json"))).await {
            Err(failure) if failure.is_conflict() => None,
            result => result?,
        };
        match found {
            None => return Ok(()),
            Some(wire::Exec { pid: 0, exit_code: None, .. }) => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LOOK_AGAIN.1);
            }
            Some(exec) => break exec.pid,
        }
    };
    let Some(namespace) = namespace else {
        let message = "cannot see the processes of the container, and so not kill a command beside it: run as root, \
                       in the process namespace of the machine";
        return Err(RuntimeError::Unavailable { message: message.to_owned(), transient: false, source: None });
    };
    kill::kill_all(Victim { namespace, pid, mark }).await
}

/// Collects what it writes until it has ended.
async fn run(running: &mut Running, mut conversation: Conversation) -> Result<ExecOutput, RuntimeError> {
    let (mut frames, mut stdout, mut stderr) = (Frames::default(), Vec::new(), Vec::new());
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = conversation.read(&mut buffer).await;
        let length = read.map_err(|error| Failure::of_connection("a command", error))?;
        if length == 0 {
            break;
        }
        frames.push(&buffer[..length]);
        while let Some(piece) = frames.next().map_err(|why| Failure::of_answer("a command", why))? {
            let kept = match piece.channel {
                Channel::Stdout => &mut stdout,
                Channel::Stderr => &mut stderr,
            };
            // Read to the end, and kept from the beginning: it must not hang because nobody reads on.
            let room = OUTPUT - kept.len();
            kept.extend_from_slice(&piece.bytes[..piece.bytes.len().min(room)]);
        }
    }
    match running.end().await? {
        Ended::With(code) => Ok(ExecOutput { code, stdout, stderr }),
        Ended::NeverBegan => Err(running.not_found(&String::from_utf8_lossy(&[stdout, stderr].concat()))),
    }
}
