//! [`Containerd`].

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::UnixStream;
use tokio::sync::OnceCell;

use super::folder::Folder;
use super::host::{self, Host};
use super::image::Image;
use super::process::Process;
use super::{keeper, program};

/// A real containerd with files, sockets and a [`Host`] of its own, without CRI.
///
/// Dropping it kills it and all of its containers, and removes what they made, on disk, in cgroups and in the tables of
/// mounts. All methods may be called while others use it. Containers live on when it is killed.
///
/// A containerd keeps some state of containers at a place that is the same for all on the machine, by namespace and name:
/// take a namespace from [`unique_namespace`](Self::unique_namespace).
#[derive(Debug)]
pub struct Containerd {
    process: Process,
    cgroup_parent: String,
    /// Is swept before the host goes.
    folder: Arc<Folder>,
    host: Arc<Host>,
}

impl Containerd {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        Self::start_in(Arc::new(Host::new())).await
    }

    /// A new one in this host, which several may share.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start_in(host: Arc<Host>) -> Self {
        let new = Self::prepare("containerd", host);
        new.restart().await;
        new
    }

    /// The one that all tests of this process share; it ends with the process. Keep apart by
    /// [`unique_namespace`](Self::unique_namespace), and disturb it by no fault.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Containerd> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("containerd.sock")
    }

    /// Its folder: of its socket, its data, and what it mounts. Tests may put files there, to share them with containers.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The network that it runs in, and its containers that have none of their own.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// A cgroup that nobody else uses: `/orch-test-123-0`. What is in it when this is dropped, is killed and removed.
    #[must_use]
    pub fn cgroup_parent(&self) -> &str {
        &self.cgroup_parent
    }

    /// A name that nobody else got, in any process that runs: of a namespace of containerd's.
    #[must_use]
    pub fn unique_namespace(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Its process, unless it was killed.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn end_of_log(&self) -> String {
        self.process.end_of_log()
    }

    /// Ends it by SIGKILL, as a crash would; no harm if it does not run. Its containers and its data stay.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Stops it by SIGSTOP: connections stay, and nobody answers on them.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Starts it on the data that it had, killing it before if it runs, and waits until it serves.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&self) {
        self.kill();
        self.process.spawn(self.command());
        let serves = async || UnixStream::connect(self.socket()).await.is_ok();
        self.process.wait_until(serves).await.unwrap_or_else(|why| panic!("{why}"));
    }

    /// What the stock client answers, `ctr`, given these arguments: `["--namespace", "test", "images", "list"]`.
    ///
    /// It leaves pipes behind in `/run` when it runs a container with `--detach`: give it a `--fifo-dir` in
    /// [`folder`](Self::folder).
    ///
    /// # Panics
    /// When there is no client.
    pub fn ctr<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let client = program::path_of("ctr", "containerd");
        let mut command = program::with_clean_environment(Command::new(client));
        command.arg("--address").arg(self.socket()).args(arguments);
        command.output().expect("`ctr` starts")
    }

    /// Puts an image into a namespace, under a name such as `docker.io/library/busybox:test`.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn import(&self, namespace: &str, image: &Image, name: &str) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let archive = self.folder().join(format!("image-{}.tar", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&archive, image.archive(name)).expect("a file can be written");
        let arguments = ["--namespace", namespace, "images", "import"].map(OsStr::new);
        let output = self.ctr(arguments.into_iter().chain([archive.as_os_str()]));
        assert!(output.status.success(), "`{name}` is not imported: {}", String::from_utf8_lossy(&output.stderr));
        // It was read.
        let _ = fs::remove_file(archive);
    }

    /// Not started yet.
    pub(super) fn prepare(purpose: &str, host: Arc<Host>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        host::require_root();
        let cgroup_parent = format!("/orch-test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Arc::new(Folder::of_containers(purpose, &cgroup_parent));
        fs::write(folder.path().join("containerd.toml"), CONFIG).expect("a file can be written");
        let process = Process::new("containerd", folder.path().join("containerd.log"));
        Self { process, cgroup_parent, folder, host }
    }

    fn command(&self) -> Command {
        let mut command = keeper::bound_to_this_process(&host::nsenter());
        command.arg(self.host.net_argument()).arg(program::path_of("containerd", "containerd"));
        let options =
            [("config", "containerd.toml"), ("root", "root"), ("state", "state"), ("address", "containerd.sock")];
        for (option, name) in options {
            command.arg(format!("--{option}={}", self.folder.path().join(name).display()));
        }
        program::with_clean_environment(command)
    }
}

/// What starts slowly is left out, and what makes folders outside its own.
const CONFIG: &str = r#"version = 2
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.restart",
  "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
"#;
