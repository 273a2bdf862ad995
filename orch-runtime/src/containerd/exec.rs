//! [`Beside`]: a command that runs beside a container.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerId, ExecOutput, ExecRequest, RuntimeError};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

use super::Shared;
use super::error::{Failure, Meaning, Unless as _};
use super::family::Family;
use super::folder::{make_folder, remove_folder};
use super::settle::{Life, look};
use super::start::{advice, fifo, shown};
use super::wire::{Any, CloseIo, DeleteProcess, ExecTask, ResizePty, StartTask, WaitTask};

/// The specification of a process, as containerd calls its type.
const PROCESS_TYPE: &str = "types.containerd.io/opencontainers/runtime-spec/1/Process";
/// The most that is kept of each stream.
const OUTPUT_LIMIT: usize = 1 << 20;
/// How long output may still come when the command has ended: something that it started holds its pipe then.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs a command beside a container, and waits for its end.
pub(super) async fn exec(
    shared: &Arc<Shared>,
    id: &ContainerId,
    command: &[String],
    timeout: Duration,
) -> Result<ExecOutput, RuntimeError> {
    let request = ExecRequest { command: command.to_vec(), stdin: false, terminal: None };
    let mut beside = Beside::start(shared, id, &request).await?;
    let (mut stdout, mut stderr) = (beside.stdout.take(), beside.stderr.take());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outputs = async {
        tokio::join!(collect(stdout.as_mut(), &mut out), collect(stderr.as_mut(), &mut err));
    };
    let ended = async {
        tokio::pin!(outputs);
        let mut is_read = false;
        let ended = beside.ended();
        tokio::pin!(ended);
        let code = loop {
            tokio::select! {
                biased;
                code = &mut ended => break code?,
                () = &mut outputs, if !is_read => is_read = true,
            }
        };
        if !is_read {
            // What is left open by others is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, outputs).await;
        }
        Ok(code)
    };
    let ended = tokio::time::timeout(timeout, ended).await;
    beside.finish().await;
    let code: Result<i32, Failure> = ended.map_err(|_| RuntimeError::TimedOut)?;
    Ok(ExecOutput { code: code?, stdout: out, stderr: err })
}

/// Reads to the end, and keeps the beginning.
async fn collect(pipe: Option<&mut Receiver>, kept: &mut Vec<u8>) {
    let Some(pipe) = pipe else { return };
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..length.min(OUTPUT_LIMIT - kept.len())]);
    }
}

/// A command that runs beside a container. Dropped, it is killed, with everything that it started.
#[derive(Debug)]
pub(super) struct Beside {
    shared: Arc<Shared>,
    record: String,
    name: String,
    folder: PathBuf,
    family: Option<Family>,
    pub(super) stdin: Option<Sender>,
    pub(super) stdout: Option<Receiver>,
    pub(super) stderr: Option<Receiver>,
}

impl Beside {
    pub(super) async fn start(
        shared: &Arc<Shared>,
        id: &ContainerId,
        request: &ExecRequest,
    ) -> Result<Self, RuntimeError> {
        let unknown = || RuntimeError::NoSuchContainer { id: id.clone() };
        let attempt = shared.attempt(id).await?.ok_or_else(unknown)?;
        let record = attempt.record.clone();
        let (_, Life::Running(_)) = look(shared, attempt).await? else { return Err(unknown()) };
        if request.command.is_empty() {
            let message = "no command is given".to_owned();
            return Err(RuntimeError::CommandNotFound { command: String::new(), message });
        }
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("exec-{}-{}-{number}", std::process::id(), SystemClock.now().as_nanosecond());
        let folder = shared.root.exec(&id.pod).join(&name);
        let (shared, family) = (Arc::clone(shared), None);
        let mut beside = Self { shared, record, name, folder, family, stdin: None, stdout: None, stderr: None };
        match beside.begin(request).await {
            Ok(()) => Ok(beside),
            Err(failure) if failure.is_not_found() => {
                beside.finish().await;
                Err(unknown())
            }
            Err(failure) => {
                beside.finish().await;
                Err(not_started(request, failure))
            }
        }
    }

    async fn begin(&mut self, request: &ExecRequest) -> Result<(), Failure> {
        let failed = |folder: &Path, error| Failure::io("cannot make", folder, error);
        make_folder(&self.folder).map_err(|error| failed(&self.folder, error))?;
        let terminal = request.terminal.is_some();
        let make = |name: &str| fifo(&self.folder, name).map_err(|error| failed(&self.folder, error));
        let stdin = request.stdin.then(|| make("stdin")).transpose()?;
        let stdout = make("stdout")?;
        let stderr = (!terminal).then(|| make("stderr")).transpose()?;
        let open = |path: &Path| OpenOptions::new().open_receiver(path).map_err(|error| failed(path, error));
        self.stdout = Some(open(&stdout)?);
        self.stderr = stderr.as_deref().map(open).transpose()?;
        let text = |path: Option<&Path>| path.map(shown).unwrap_or_default();
        let exec = ExecTask {
            container_id: self.record.clone(),
            exec_id: self.name.clone(),
            stdin: text(stdin.as_deref()),
            stdout: text(Some(&stdout)),
            stderr: text(stderr.as_deref()),
            terminal,
            spec: Some(self.process(request).await?),
        };
        let timeout = self.shared.config.start_timeout;
        self.shared.client.call_within(timeout, exec, None).await?;
        let start = StartTask { container_id: self.record.clone(), exec_id: self.name.clone() };
        let started = self.shared.client.call_within(timeout, start, None).await?;
        self.family = Some(Family::of(started.pid));
        if let Some(stdin) = &stdin {
            // Opened for both, it needs nobody at the other end yet.
            let opened = OpenOptions::new().read_write(true).open_sender(stdin);
            self.stdin = Some(opened.map_err(|error| failed(stdin, error))?);
        }
        if let Some(size) = request.terminal {
            self.resize(size.columns, size.rows).await?;
        }
        Ok(())
    }

    /// The container's process, with another command.
    async fn process(&self, request: &ExecRequest) -> Result<Any, Failure> {
        let unreadable = || Failure::new(Meaning::Refused, format!("the specification of {} is not ours", self.record));
        let container = self.shared.container(&self.record).await?;
        let container = container.ok_or_else(|| Failure::new(Meaning::NotFound, "it was removed"))?;
        let spec: serde_json::Value =
            container.spec.and_then(|spec| serde_json::from_slice(&spec.value).ok()).ok_or_else(unreadable)?;
        let mut process = spec.get("process").filter(|process| process.is_object()).cloned().ok_or_else(unreadable)?;
        process["args"] = request.command.clone().into();
        process["terminal"] = request.terminal.is_some().into();
        Ok(Any { type_url: PROCESS_TYPE.to_owned(), value: process.to_string().into() })
    }

    /// Returns its exit code when it has ended, also if containerd is restarted meanwhile.
    pub(super) fn ended(&self) -> impl Future<Output = Result<i32, Failure>> + Send + 'static {
        let (shared, container_id, exec_id) = (Arc::clone(&self.shared), self.record.clone(), self.name.clone());
        async move {
            let waited = shared.client.wait_for(WaitTask { container_id, exec_id }).await.unless_missing()?;
            // It ended with its container.
            Ok(waited.map_or(137, |waited| i32::try_from(waited.exit_status).unwrap_or(137)))
        }
    }

    pub(super) fn control(&self) -> Control {
        Control { shared: Arc::clone(&self.shared), record: self.record.clone(), name: self.name.clone() }
    }

    async fn resize(&self, columns: u16, rows: u16) -> Result<(), Failure> {
        self.control().resize(columns, rows).await
    }

    /// Removes what is left of it. Whatever it started and still runs is killed.
    pub(super) async fn finish(mut self) {
        finish(&self.shared, &self.record, &self.name, &self.folder, self.family.take()).await;
        self.name.clear();
    }
}

/// What changes a command's or a container's terminal and input.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) shared: Arc<Shared>,
    pub(super) record: String,
    /// Of the command; empty for the container itself.
    pub(super) name: String,
}

impl Control {
    pub(super) async fn resize(&self, columns: u16, rows: u16) -> Result<(), Failure> {
        let (container_id, exec_id) = (self.record.clone(), self.name.clone());
        let request = ResizePty { container_id, exec_id, width: columns.into(), height: rows.into() };
        self.shared.client.call(request).await.unless_missing().map(drop)
    }

    /// There is no more input. The shim holds it open, too, so that it does not end with whoever was attached.
    pub(super) async fn end_input(&self) -> Result<(), Failure> {
        let (container_id, exec_id) = (self.record.clone(), self.name.clone());
        self.shared.client.call(CloseIo { container_id, exec_id, stdin: true }).await.unless_missing().map(drop)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let (shared, record, name) = (Arc::clone(&self.shared), self.record.clone(), self.name.clone());
        let (folder, family) = (self.folder.clone(), self.family.take());
        if let Some(family) = &family {
            family.kill();
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { finish(&shared, &record, &name, &folder, family).await });
        }
    }
}

async fn finish(shared: &Shared, record: &str, name: &str, folder: &Path, family: Option<Family>) {
    if let Some(family) = family {
        let killed = tokio::task::spawn_blocking(move || family.kill()).await;
        if let Err(error) = killed {
            tracing::warn!(%record, %error, "cannot kill what a command started");
        }
        let request = WaitTask { container_id: record.to_owned(), exec_id: name.to_owned() };
        let _ = tokio::time::timeout(shared.config.timeout, shared.client.wait_for(request)).await;
    }
    let request = DeleteProcess { container_id: record.to_owned(), exec_id: name.to_owned() };
    if let Err(failure) = shared.client.call(request).await.unless_missing() {
        tracing::debug!(%record, error = %failure.message, "a command is left with its container");
    }
    if let Err(error) = remove_folder(folder) {
        tracing::warn!(%record, %error, "cannot remove {}", folder.display());
    }
}

fn not_started(request: &ExecRequest, failure: Failure) -> RuntimeError {
    let words = &failure.message;
    let is_command =
        ["executable file not found", "no such file or directory", "permission denied", "exec format error"];
    if words.contains("OCI runtime exec failed") && is_command.iter().any(|is| words.contains(is)) {
        let said = words.rsplit_once("OCI runtime exec failed: ").map_or(&**words, |(_, said)| said);
        let message = format!("{}{}", said.trim_end_matches(": unknown"), advice(words));
        return RuntimeError::CommandNotFound { command: request.command[0].clone(), message };
    }
    failure.into()
}

/// A problem with a pipe.
pub(super) fn broken(error: io::Error) -> RuntimeError {
    let message = format!("the connection to a program broke: {error}");
    RuntimeError::Unavailable { message, transient: true, source: Some(Box::new(error)) }
}
