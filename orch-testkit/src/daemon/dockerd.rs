//! [`Dockerd`].

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::OnceCell;

use super::containerd::Containerd;
use super::host::{self, Host};
use super::image::Image;
use super::process::Process;
use super::{keeper, program};

/// A real dockerd with files, sockets, a [`Host`] and a [`Containerd`] of its own.
///
/// Dropping it kills it and all of its containers, and removes what they made: on disk, in cgroups, in the tables of
/// mounts, in the network. All methods may be called while others use it. Containers live on when it is killed, since it
/// runs with `--live-restore`, and its containerd is another process.
#[derive(Debug)]
pub struct Dockerd {
    process: Process,
    /// Has the folder and the host. It goes last.
    containerd: Containerd,
}

impl Dockerd {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        Self::start_in(Arc::new(Host::new())).await
    }

    /// A new one in this host, in which no other may run: they would share one bridge.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start_in(host: Arc<Host>) -> Self {
        let containerd = Containerd::prepare("dockerd", host);
        let folder = containerd.folder();
        // Without it, it would read that of the machine's own, and make a key in /etc.
        let config = serde_json::json!({"deprecated-key-path": folder.join("key.json")});
        fs::write(folder.join("daemon.json"), config.to_string()).expect("a file can be written");
        let process = Process::new("dockerd", folder.join("dockerd.log"));
        containerd.restart().await;
        let new = Self { process, containerd };
        new.restart().await;
        new
    }

    /// The one that all tests of this process share; it ends with the process. Give containers names of their own, and
    /// disturb it by no fault.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Dockerd> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Where it serves its API.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder().join("docker.sock")
    }

    /// Its folder: of its sockets, its data, and what it mounts. Tests may put files there, to share them with containers.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.containerd.folder()
    }

    /// The network that it runs in.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.containerd.host()
    }

    /// Its containerd, to be killed, paused or restarted too.
    #[must_use]
    pub fn containerd(&self) -> &Containerd {
        &self.containerd
    }

    /// The socket of its containerd, in which its containers are in the namespace `moby`.
    #[must_use]
    pub fn containerd_socket(&self) -> PathBuf {
        self.containerd.socket()
    }

    /// The cgroup that those of its containers are in: `/orch-test-123-0`.
    #[must_use]
    pub fn cgroup_parent(&self) -> &str {
        self.containerd.cgroup_parent()
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

    /// Ends it by SIGKILL, as a crash would; no harm if it does not run. Its containers, containerd and data stay.
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
        // It refuses to start beside the process whose id is in there, which may be anybody's by now.
        let _ = fs::remove_file(self.folder().join("docker.pid"));
        self.process.spawn(self.command());
        let serves = async || self.ping().await.is_ok_and(|answer| answer.contains(" 200 OK"));
        self.process.wait_until(serves).await.unwrap_or_else(|why| panic!("{why}"));
    }

    /// What the stock client answers, `docker`, given these arguments: `["run", "--detach", "busybox:test"]`.
    ///
    /// # Panics
    /// When there is no client.
    pub fn docker<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let client = program::path_of("docker", "docker.io");
        let mut command = program::with_clean_environment(Command::new(client));
        // Not the configuration of who runs the tests, which may name another daemon.
        command.arg("--config").arg(self.folder().join("client"));
        command.arg("--host").arg(format!("unix://{}", self.socket().display())).args(arguments);
        command.output().expect("`docker` starts")
    }

    /// Gives it an image, under a name such as `busybox:test`.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn load(&self, image: &Image, name: &str) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let archive = self.folder().join(format!("image-{}.tar", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&archive, image.archive(name)).expect("a file can be written");
        let output = self.docker(["load".as_ref(), "--input".as_ref(), archive.as_os_str()]);
        assert!(output.status.success(), "`{name}` is not loaded: {}", String::from_utf8_lossy(&output.stderr));
        // It was read.
        let _ = fs::remove_file(archive);
    }

    fn command(&self) -> Command {
        let mut command = keeper::bound_to_this_process(&host::nsenter());
        command.arg(self.host().net_argument()).arg(program::path_of("dockerd", "docker.io"));
        let options = [
            ("config-file", "daemon.json"),
            ("data-root", "data"),
            ("exec-root", "exec"),
            ("pidfile", "docker.pid"),
            ("containerd", "containerd.sock"),
        ];
        for (option, name) in options {
            command.arg(format!("--{option}={}", self.folder().join(name).display()));
        }
        command.arg(format!("--host=unix://{}", self.socket().display()));
        command.arg(format!("--cgroup-parent={}", self.cgroup_parent()));
        command.args(["--live-restore", "--exec-opt=native.cgroupdriver=cgroupfs"]);
        program::with_clean_environment(command)
    }

    async fn ping(&self) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(self.socket()).await?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    }
}
