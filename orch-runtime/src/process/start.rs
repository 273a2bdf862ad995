//! Starting an attempt: intent, shim, and the shim's word that the program runs.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerId, ContainerSpec, ExitReason, RuntimeError};
use tokio::process::{Child, Command};

use super::attempt::{Attempt, Life, Phase};
use super::pod::{Ledger, Pod};
use super::record::{self, AttemptFolder, Durability, Exit, Launch, Request};
use super::shim::SHIM;
use super::trouble::unavailable;
use super::{Shared, Shim, names, privileges};
use crate::cgroup::Cgroup;

/// How long a shim may take until the program runs. It is a matter of milliseconds, unless the machine is in trouble.
const START_TAKES: Duration = Duration::from_secs(30);

/// Starts an attempt, unless it was started before. Runs to its end even if the caller does not wait for it.
pub(super) async fn start(
    shared: Arc<Shared>,
    pod: Arc<Pod>,
    id: ContainerId,
    spec: ContainerSpec,
) -> Result<(), RuntimeError> {
    let mut ledger = pod.ledger.lock().await;
    if !pod.admit(&ledger, &id)? {
        return Ok(());
    }
    if !shared.is_ready(&pod).await? {
        return Err(RuntimeError::NoSuchPod { pod: id.pod });
    }
    let folder = shared.root.attempt(&id.pod, &id.name, id.attempt);
    let mut request = request(&shared, &id, &folder, spec);
    request.launch.network = pod.record.own_network.then(|| shared.root.network(&id.pod));
    let obstacle = obstacle(&request);
    let result = match obstacle {
        Some(message) => refuse(&pod, &id, &folder, request, message).await,
        None => spawn(&shared, &pod, &id, &folder, request).await,
    };
    // An attempt that left no trace may be tried again.
    if pod.attempt(&id).is_some() {
        note(&mut ledger, &id);
    }
    result
}

fn note(ledger: &mut Ledger, id: &ContainerId) {
    ledger.latest.insert(id.name.clone(), id.attempt);
}

fn request(shared: &Shared, id: &ContainerId, folder: &AttemptFolder, spec: ContainerSpec) -> Request {
    let (config, cgroup) = (&shared.config, shared.cgroup(id));
    // What the container asks for comes later, and hides it.
    let mut mounts = if shared.can_mount { names::mounts(&shared.root.pod(&id.pod), &spec) } else { Vec::new() };
    mounts.extend(spec.mounts.iter().cloned());
    let launch = Launch {
        command: spec.command.iter().chain(&spec.args).cloned().collect(),
        env: spec.env.clone(),
        working_dir: spec.working_dir.clone().unwrap_or_else(|| folder.work()),
        path: config.path.clone(),
        // An allocation that fails would not be told from others.
        memory_bytes: spec.limits.memory_bytes.filter(|_| config.enforce_memory && cgroup.is_none()),
        own_folder: folder.work(),
        mounts,
        privileges: spec.privileges.clone(),
        network: None,
        cgroup,
        input: None,
        terminal: None,
    };
    Request { spec, started_at: SystemClock.now(), launch, log_bytes: config.log_bytes.max(1) }
}

/// What is wrong with a request, as far as it can be seen without trying.
pub(super) fn obstacle(request: &Request) -> Option<String> {
    let Request { spec, launch, .. } = request;
    if spec.command.is_empty() {
        let image = spec.image.as_ref().map(|image| format!(", and images, as {image}, are not used"));
        let image = image.unwrap_or_default();
        return Some(format!("no command is given: containers are processes of this machine{image}: add `command`"));
    }
    if let Some(text) = launch.command.iter().find(|text| text.contains('\0')) {
        return Some(format!("a zero byte cannot be passed to a program: remove it from the argument {text:?}"));
    }
    if let Some((name, _)) = launch.env.iter().find(|(name, _)| name.is_empty() || name.contains(['\0', '='])) {
        return Some(format!("{name:?} cannot be the name of an environment variable: use letters, digits and '_'"));
    }
    if let Some((name, _)) = launch.env.iter().find(|(_, value)| value.contains('\0')) {
        return Some(format!("a zero byte cannot be passed to a program: remove it from the variable {name}"));
    }
    let dir = &launch.working_dir;
    if !dir.is_absolute() {
        return Some(format!("working directory {dir:?} is not absolute: begin it with '/'"));
    }
    privileges::obstacle(spec, launch, geteuid().as_raw())
}

/// Records an attempt that could not be started.
async fn refuse(
    pod: &Pod,
    id: &ContainerId,
    folder: &AttemptFolder,
    request: Request,
    message: String,
) -> Result<(), RuntimeError> {
    let exit = Exit { reason: ExitReason::StartError, code: 128, finished_at: request.started_at, message };
    let (request, exit) = on_disk(folder, move |folder| {
        intend(folder, &request)?;
        record::write(&folder.exit(), &exit, Durability::Power)?;
        Ok((request, exit))
    })
    .await?;
    pod.insert(Arc::new(Attempt::new(id.clone(), folder.clone(), request, Phase::Ended(exit))));
    Ok(())
}

async fn spawn(
    shared: &Arc<Shared>,
    pod: &Pod,
    id: &ContainerId,
    folder: &AttemptFolder,
    request: Request,
) -> Result<(), RuntimeError> {
    let failed = |error| unavailable("cannot start a container in", &folder.0, error);
    let (request, lifeline) = on_disk(folder, move |folder| {
        intend(folder, &request)?;
        if let Some(cgroup) = &request.launch.cgroup {
            cgroup.make(request.spec.limits.into())?;
        }
        Ok((request, File::options().read(true).write(true).open(folder.life())?))
    })
    .await?;
    // The shim inherits the lifeline: from the fork on, whoever reads the FIFO sees that there is somebody.
    let life = Life::open(folder).map_err(failed)?;
    let shim = match shim_command(&shared.config.shim, folder, lifeline).map(|mut command| command.spawn()) {
        Ok(Ok(shim)) => shim,
        Ok(Err(error)) | Err(error) => {
            forget(shared, pod, id, folder).await?;
            let what = format!("cannot run the shim {}: {error}", program(&shared.config.shim).display());
            return Err(RuntimeError::Unavailable { message: what, transient: false, source: Some(Box::new(error)) });
        }
    };
    let attempt = Arc::new(Attempt::new(id.clone(), folder.clone(), request, Phase::Starting));
    pod.insert(Arc::clone(&attempt));
    shared.watch(Arc::clone(&attempt), life, Some(shim));
    if tokio::time::timeout(START_TAKES, attempt.settled()).await.is_err() {
        let message = format!("the shim of container {id} has not started it yet: the machine may be overloaded");
        return Err(RuntimeError::Unavailable { message, transient: true, source: None });
    }
    if attempt.phase() == Phase::NeverStarted {
        let said = last_words(folder);
        forget(shared, pod, id, folder).await?;
        let shim = program(&shared.config.shim);
        let message = format!("the shim {} ended before it began its work: {said}", shim.display());
        return Err(RuntimeError::Unavailable { message, transient: false, source: None });
    }
    Ok(())
}

/// Writes down what is to run, before anything is started.
fn intend(folder: &AttemptFolder, request: &Request) -> io::Result<()> {
    match fs::remove_dir_all(&folder.0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => record::make_folder(&folder.work())?,
    }
    mkfifo(&folder.life(), Mode::S_IRUSR | Mode::S_IWUSR)?;
    if request.spec.stdin || request.spec.tty {
        mkfifo(&folder.input(), Mode::S_IRUSR | Mode::S_IWUSR)?;
    }
    record::write(&folder.request(), request, Durability::Power)
}

/// Removes an attempt from disk and memory.
pub(super) async fn forget(
    shared: &Arc<Shared>,
    pod: &Pod,
    id: &ContainerId,
    folder: &AttemptFolder,
) -> Result<(), RuntimeError> {
    let (root, name) = (shared.root.clone(), id.to_string().replace('/', "."));
    let cgroup = shared.cgroup(id);
    let remove = move |folder: &AttemptFolder| {
        if let Some(cgroup) = cgroup.filter(Cgroup::exists) {
            cgroup.remove()?;
        }
        root.remove(&folder.0, &name)
    };
    on_disk(folder, remove).await?;
    pod.forget(id);
    Ok(())
}

/// Writes where waiting is allowed.
pub(super) async fn on_disk<T: Send + 'static>(
    folder: &AttemptFolder,
    act: impl FnOnce(&AttemptFolder) -> io::Result<T> + Send + 'static,
) -> Result<T, RuntimeError> {
    let theirs = folder.clone();
    let joined = tokio::task::spawn_blocking(move || act(&theirs)).await;
    let result = joined.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|error| unavailable("cannot write to", &folder.0, error))
}

fn shim_command(shim: &Shim, folder: &AttemptFolder, lifeline: File) -> io::Result<Command> {
    let errors = File::create(folder.shim_log())?;
    let mut command = Command::new(program(shim));
    command.arg0(SHIM).arg("run").arg(&folder.0).env_clear().current_dir("/");
    command.stdin(lifeline).stdout(Stdio::null()).stderr(errors);
    Ok(command)
}

/// Starts a shim for a command beside a container, which speaks on `socket`.
pub(super) fn spawn_exec_shim(shim: &Shim, socket: std::os::fd::OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(program(shim));
    command.arg0(SHIM).arg("exec").env_clear().current_dir("/");
    command.stdin(socket).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// The kernel's link to the running program works also after its file was replaced by a newer build.
fn program(shim: &Shim) -> PathBuf {
    match shim {
        Shim::CurrentExe => PathBuf::from("/proc/self/exe"),
        Shim::Path(path) => path.clone(),
    }
}

/// What the shim wrote before it ended.
fn last_words(folder: &AttemptFolder) -> String {
    let read = |path: &Path| {
        let mut text = String::new();
        File::open(path)?.take(1000).read_to_string(&mut text).map(|_| text)
    };
    match read(&folder.shim_log()) {
        Ok(text) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "check that its main begins with orch_runtime::process::run_shim_if_asked()".to_owned(),
    }
}
