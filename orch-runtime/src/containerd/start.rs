//! [`start`]: starts an attempt, and writes down why it could not be started.
//!
//! The steps are a record, a snapshot, a task, the mark that it is started, and the start. Up to the mark nobody was told
//! that the attempt is there: what a crash leaves then is removed by the next start of the container, or with the pod.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerId, ContainerSpec, ExitReason, RuntimeError};

use super::accounts::Accounts;
use super::convert::{Surroundings, oci_spec};
use super::error::{Failure, Meaning};
use super::folder::{make_folder, remove_folder};
use super::lock::Lock;
use super::oci::Spec;
use super::pod::{Pod, no_such_pod};
use super::record::{AttemptRecord, ExitRecord, SandboxRecord, latest_label, started_label};
use super::remove::discard;
use super::settle::Life;
use super::wire::{CreateContainer, CreateTask, Mount, PrepareSnapshot, StartTask};
use super::{Shared, cgroup, images, logger, names, sandbox};

/// Starts an attempt, unless it was started before.
pub(super) async fn start(shared: &Arc<Shared>, id: ContainerId, spec: ContainerSpec) -> Result<(), RuntimeError> {
    // Only pods that are there have a lock.
    if shared.container(&names::sandbox_record(&id.pod)).await?.is_none() {
        return Err(no_such_pod(&id.pod));
    }
    let _lock = Lock::take(shared.root.lock(&id.pod)).await?;
    let Some(pod) = shared.pod(&id.pod).await? else { return Err(no_such_pod(&id.pod)) };
    let Some(sandbox) = admit(shared, &pod, &id).await? else { return Ok(()) };
    let begun = |(attempt, life): &&(AttemptRecord, Life)| *life == Life::NotStarted && attempt.id.name == id.name;
    let mut record = names::container_record(&id);
    for (attempt, _) in pod.attempts.iter().filter(begun) {
        if attempt.id == id {
            record = names::another_record(&id, SystemClock.now().as_nanosecond());
        }
        discard(shared, attempt).await?;
    }
    let attempt = AttemptRecord { record, id, spec, image_id: None, started_at: None, exit: None };
    run(shared, sandbox, attempt).await
}

/// Whether the attempt is to be started: `None` if it was.
async fn admit<'a>(
    shared: &Arc<Shared>,
    pod: &'a Pod,
    id: &ContainerId,
) -> Result<Option<&'a SandboxRecord>, RuntimeError> {
    let mut started = pod.attempts.iter().filter(|(_, life)| *life != Life::NotStarted);
    if started.any(|(attempt, _)| attempt.id == *id) {
        return Ok(None);
    }
    let Some(sandbox) = &pod.sandbox else { return Err(no_such_pod(&id.pod)) };
    if let Some(running) = pod.running(Some(&id.name)) {
        return Err(RuntimeError::StillRunning { id: running.id.clone() });
    }
    // The ledger may be ahead of a start that was interrupted: its record shows that nothing was started.
    let was_begun = pod.attempts.iter().any(|(attempt, _)| attempt.id == *id);
    let is_later = |latest: &u32| id.attempt < *latest || id.attempt == *latest && !was_begun;
    if let Some(attempt) = pod.latest(&id.name).filter(is_later) {
        return Err(RuntimeError::Superseded { id: ContainerId { attempt, ..id.clone() } });
    }
    if !shared.is_ready(sandbox, &shared.network.joined().await?) {
        return Err(no_such_pod(&id.pod));
    }
    Ok(Some(sandbox))
}

async fn run(shared: &Arc<Shared>, sandbox: &SandboxRecord, mut attempt: AttemptRecord) -> Result<(), RuntimeError> {
    let Some(name) = attempt.spec.image.clone() else {
        let message = "no image is given, and containers of containerd are started from one: add `image`";
        return refuse(shared, attempt, String::new(), message.to_owned()).await;
    };
    let image = images::by_name(&shared.client, &shared.cache, &name).await?;
    let Some(image) = image else { return Err(RuntimeError::NoSuchImage { image: name }) };
    attempt.image_id = Some(image.id.clone());
    let name = name.to_string();
    let oci = match prepare(shared, sandbox, &attempt, &image).await? {
        Ok(oci) => oci,
        Err(message) => return refuse(shared, attempt, name, message).await,
    };
    let json = serde_json::to_vec(&oci).map_err(|error| Failure::new(Meaning::Refused, error.to_string()))?;
    let container = attempt.container(&name, shared.config.snapshotter, json);
    shared.client.call(CreateContainer { container: Some(container) }).await?;
    let rootfs = snapshot(shared, &attempt.record, &image.root).await?;
    match create_and_start(shared, &attempt, rootfs).await {
        Err(failure) => match cannot_be_started(&failure) {
            Some(message) => fail(shared, &attempt, message).await,
            // What was begun stays, and is removed by the next start of the container, or with the pod: containerd may not
            // be done with it yet.
            None => Err(failure.into()),
        },
        Ok(()) => Ok(()),
    }
}

/// What runc is told, or why that cannot be.
async fn prepare(
    shared: &Arc<Shared>,
    sandbox: &SandboxRecord,
    attempt: &AttemptRecord,
    image: &images::Resolved,
) -> Result<Result<Spec, String>, Failure> {
    let (spec, pod) = (&attempt.spec, &attempt.id.pod);
    images::unpack(&shared.client, &shared.config, image).await?;
    let privileges = &spec.privileges;
    let asked = privileges.user.map_or_else(|| image.defaults().user.clone(), |user| user.to_string());
    // Of root nothing has to be looked up.
    let accounts = if matches!(&*asked, "" | "0" | "0:0") {
        Accounts::default()
    } else {
        images::accounts(&shared.client, &shared.cache, shared.config.snapshotter, image).await?
    };
    if let Some(missing) = spec.mounts.iter().find(|mount| !mount.source.exists()) {
        let message = format!("{} is to be mounted, and is not on this node", missing.source.display());
        return Ok(Err(message));
    }
    let around = Surroundings {
        hostname: sandbox.spec.hostname.clone(),
        host_network: sandbox.spec.host_network,
        net: shared.root.namespace("net", pod),
        ipc: shared.root.namespace("ipc", pod),
        files: sandbox::files(&shared.root, pod),
        cgroup: shared.cgroup(&attempt.record),
        limits_swap: cgroup::limits_swap(),
    };
    Ok(oci_spec(spec, image.defaults(), &accounts, &around))
}

async fn snapshot(shared: &Shared, key: &str, parent: &str) -> Result<Vec<Mount>, Failure> {
    let snapshotter = shared.config.snapshotter.as_str().to_owned();
    let (key, parent, labels) = (key.to_owned(), parent.to_owned(), BTreeMap::new());
    Ok(shared.client.call(PrepareSnapshot { snapshotter, key, parent, labels }).await?.mounts)
}

async fn create_and_start(shared: &Arc<Shared>, attempt: &AttemptRecord, rootfs: Vec<Mount>) -> Result<(), Failure> {
    let folder = shared.root.attempt(&attempt.id);
    let (made, spec) = (folder.clone(), attempt.spec.clone());
    let pipes = tokio::task::spawn_blocking(move || Pipes::make(&made, &spec)).await;
    let pipes = pipes.unwrap_or_else(|error| Err(io::Error::other(error)));
    let pipes = pipes.map_err(|error| Failure::io("cannot make", &folder, error))?;
    let (stdout, stderr) = match &pipes.output {
        Some((stdout, _, stderr, _)) => (shown(stdout), shown(stderr)),
        None => {
            let uri = logger::uri(&shared.config, &folder, attempt.spec.tty);
            (uri.clone(), if attempt.spec.tty { String::new() } else { uri })
        }
    };
    let create = CreateTask {
        container_id: attempt.record.clone(),
        rootfs,
        stdin: pipes.stdin.as_deref().map(shown).unwrap_or_default(),
        stdout,
        stderr,
        terminal: attempt.spec.tty,
    };
    shared.client.call_within(shared.config.start_timeout, create, None).await?;
    if let Some((_, stdout, _, stderr)) = pipes.output {
        logger::spawn(&shared.config, &folder, stdout, Some(stderr))
            .map_err(|error| Failure::io("cannot start the logger of", &folder, error))?;
    }
    shared.set_labels(&attempt.record, [started_label(SystemClock.now())]).await?;
    // Should somebody else remove its record, the attempt is still not started again.
    let latest = (latest_label(&attempt.id.name), attempt.id.attempt.to_string());
    shared.set_labels(&names::sandbox_record(&attempt.id.pod), [latest]).await?;
    let start = StartTask { container_id: attempt.record.clone(), exec_id: String::new() };
    shared.client.call_within(shared.config.start_timeout, start, None).await.map(drop)
}

/// The ends of a container's input and output that are not the logger's alone.
#[derive(Debug, Default)]
struct Pipes {
    stdin: Option<PathBuf>,
    /// Standard output and error, which the shim passes on through these if there is an input and no terminal: of a logger
    /// that it starts itself and an input it knows only one.
    output: Option<(PathBuf, File, PathBuf, File)>,
}

impl Pipes {
    fn make(folder: &Path, spec: &ContainerSpec) -> io::Result<Self> {
        remove_folder(folder)?;
        make_folder(folder)?;
        if !spec.stdin {
            return Ok(Self::default());
        }
        let stdin = fifo(folder, "stdin")?;
        let output = if spec.tty {
            None
        } else {
            let (stdout, stderr) = (fifo(folder, "stdout")?, fifo(folder, "stderr")?);
            let (out, err) = (open(&stdout)?, open(&stderr)?);
            Some((stdout, out, stderr, err))
        };
        Ok(Self { stdin: Some(stdin), output })
    }
}

pub(super) fn fifo(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    Ok(path)
}

/// Opens a FIFO before anyone writes to it, without waiting for that; reading waits.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(file)
}

pub(super) fn shown(path: &Path) -> String {
    // The root folder's path was checked to be text.
    path.to_string_lossy().into_owned()
}

/// Records an attempt that could not be started, without having tried.
async fn refuse(
    shared: &Arc<Shared>,
    attempt: AttemptRecord,
    image: String,
    message: String,
) -> Result<(), RuntimeError> {
    let now = SystemClock.now();
    let exit = Some(ExitRecord { reason: ExitReason::StartError, code: 128, finished_at: now, message });
    let ended = AttemptRecord { started_at: Some(now), exit, ..attempt };
    let mut container = ended.container(&image, shared.config.snapshotter, b"{}".to_vec());
    // There is none.
    container.snapshot_key = String::new();
    container.snapshotter = String::new();
    container.image = String::new();
    shared.client.call(CreateContainer { container: Some(container) }).await?;
    Ok(())
}

/// Records that an attempt could not be started.
async fn fail(shared: &Arc<Shared>, attempt: &AttemptRecord, message: String) -> Result<(), RuntimeError> {
    let now = SystemClock.now();
    let exit = ExitRecord { reason: ExitReason::StartError, code: 128, finished_at: now, message };
    shared.set_labels(&attempt.record, [started_label(now), exit.label()]).await?;
    super::remove::remove_task(shared, &attempt.record).await?;
    Ok(())
}

/// Why a container could not be started, if that is what runc says rather than that something else is wrong.
fn cannot_be_started(failure: &Failure) -> Option<String> {
    let message = &failure.message;
    let said = ["OCI runtime create failed: ", "OCI runtime start failed: "];
    let words = said.iter().find_map(|said| message.split_once(said)).map(|(_, words)| words)?;
    let words = words.trim_end_matches(": unknown").trim_start_matches("runc create failed: ");
    Some(format!("{words}{}", advice(words)))
}

/// Whether runc says that a program does not exist or cannot be executed, and what to do then.
pub(super) fn advice(words: &str) -> &'static str {
    if words.contains("executable file not found") {
        ": check its spelling, give its full path, or set PATH in the container's environment"
    } else if words.contains("exec: ") && words.contains("no such file or directory") {
        ": there is no such file in the image: check the path"
    } else if words.contains("permission denied") {
        ": is it executable, and for this user?"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runc_says_is_told_with_advice() {
        let said = "containerd: failed to create shim task: OCI runtime create failed: runc create failed: unable to start \
                    container process: exec: \"nope\": executable file not found in $PATH: unknown";
        let told = cannot_be_started(&Failure::new(Meaning::Transient, said)).expect("it is the container's");
        assert!(told.starts_with("unable to start") && told.ends_with("container's environment"), "{told}");
        assert_eq!(cannot_be_started(&Failure::new(Meaning::Transient, "no space left on device")), None);
    }
}
