//! [`Place`]: a scope on a private Docker daemon, and a shell for what containers do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use async_trait::async_trait;
use orch_core::runtime::{ContainerId, ContainerSpec, PodUid, Runtime as _};
use orch_runtime::docker::{DockerConfig, DockerRuntime, Scope};
use orch_runtime::pod_network::PodNetwork;
use orch_testkit::daemon::{Dockerd, busybox_image};
use orch_testkit::suite::runtime::{Beside, Program, RuntimeFixture};
use tokio::sync::OnceCell;

/// A scope of its own on a daemon that tests share.
pub(crate) struct Place {
    daemon: &'static Dockerd,
    folder: PathBuf,
    scope: String,
    /// The number of its own network, if pods have one that Docker knows nothing of.
    network: Option<u8>,
}

/// The environment variable by which processes are found.
const MARK: &str = "PLACE";

pub(crate) const IMAGE: &str = "busybox:test";

/// The daemon that the tests of this program share, with the image.
async fn shared() -> &'static Dockerd {
    static LOADED: OnceCell<()> = OnceCell::const_new();
    let daemon = Dockerd::shared().await;
    LOADED.get_or_init(async || daemon.load(&busybox_image(), IMAGE)).await;
    daemon
}

/// Waits for something where a test's own executor does not allow it.
pub(crate) fn outside<T: Send + 'static>(act: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(move || orch_testkit::suite::run(act())).join().expect("it does not panic")
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::on(outside(shared))
    }

    /// A place on another daemon.
    pub(crate) fn on(daemon: &'static Dockerd) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let scope = format!("t-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(format!("orch-docker-{scope}.place"));
        fs::create_dir(&folder).expect("a folder of its own");
        Self { daemon, folder, scope, network: None }
    }

    /// A place whose pods are joined to a bridge of the runtime's own, in the daemon's network. So is the thread from now on.
    pub(crate) fn with_bridge() -> Self {
        Self::new().bridged()
    }

    /// The same on another daemon.
    pub(crate) fn bridged(mut self) -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(0);
        // Each test has a thread of its own, which ends with it: it need not come back.
        std::mem::forget(self.daemon.host().enter());
        self.network = Some(NUMBER.fetch_add(1, Ordering::Relaxed));
        self
    }

    /// The bridge of a scope.
    pub(crate) fn network_of(&self, scope: &str) -> Option<PodNetwork> {
        let (number, half) = (self.network?, u8::from(scope != self.scope));
        let subnet = format!("10.{}.{number}.0/24", 100 + half).parse().expect("a range");
        Some(PodNetwork::new(format!("d{number}-{half}").parse().expect("a name"), subnet).expect("a network"))
    }

    /// What `ip` answers in the network that the daemon is in.
    pub(crate) fn ip(&self, arguments: &[&str]) -> String {
        let output = self.daemon.host().command("/bin/ip").args(arguments).output().expect("the program ip");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn config(&self) -> DockerConfig {
        self.config_of(&self.scope)
    }

    fn config_of(&self, scope: &str) -> DockerConfig {
        let network = self.network_of(scope);
        let scope: Scope = scope.parse().expect("a scope");
        let mut config = DockerConfig::new(self.folder.join(scope.to_string()), scope);
        config.socket = self.daemon.socket();
        config.log_bytes = 1 << 20;
        config.network = network;
        config
    }

    fn stranger(&self) -> String {
        format!("{}-stranger", self.scope)
    }

    pub(crate) fn daemon(&self) -> &'static Dockerd {
        self.daemon
    }

    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }

    /// What an attempt is called in Docker.
    pub(crate) fn docker_name(&self, id: &ContainerId) -> String {
        format!("orch.{}.{}.{}.{}", self.scope, id.pod, id.name, id.attempt)
    }

    /// A container that runs a shell script.
    pub(crate) fn script(&self, script: &str) -> ContainerSpec {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let env = vec![(MARK.to_owned(), self.scope.clone())];
        ContainerSpec { image: Some(IMAGE.parse().expect("a name")), command, env, ..ContainerSpec::default() }
    }

    /// The processes of the containers.
    fn pids(&self) -> Vec<u32> {
        let mark = format!("{MARK}={}", self.scope);
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_ours = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|line| line == mark.as_bytes())
        };
        pids.filter(is_ours).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let scopes = [self.scope.clone(), self.stranger()];
        let configs = scopes.map(|scope| self.config_of(&scope));
        let cleaned = outside(async move || {
            for config in configs.into_iter().filter(|config| config.root.exists()) {
                let runtime = DockerRuntime::open(config).await?;
                for pod in runtime.list().await? {
                    runtime.remove(&pod.spec.pod).await?;
                }
            }
            Ok::<(), orch_core::runtime::RuntimeError>(())
        });
        if let Err(error) = cleaned {
            eprintln!("something of {} is left: {error}", self.scope);
        }
        // What cannot be removed is in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[async_trait]
impl RuntimeFixture for Place {
    type Runtime = DockerRuntime;

    async fn open(&self) -> DockerRuntime {
        DockerRuntime::open(self.config()).await.expect("a runtime")
    }

    async fn open_stranger(&self) -> DockerRuntime {
        DockerRuntime::open(self.config_of(&self.stranger())).await.expect("a runtime")
    }

    fn container(&self, program: Program) -> ContainerSpec {
        // The first process of a namespace is given no signal that it does not ask for.
        let script = match program {
            Program::Runs => format!("trap 'exit 0' TERM; {SLEEP}"),
            Program::Exits { code, after } if after.is_zero() => format!("exit {code}"),
            // A while is one in which a busy daemon can be asked whether it still runs.
            Program::Exits { code, after } => format!("sleep {}; exit {code}", after.as_secs_f64() + 2.0),
            // Nor can it kill itself; the kernel does when it uses more memory than it may. Here the shell that
            // is asked for the code of its killed child passes it on.
            Program::KillsItself => "sh -c 'kill -9 $$'; exit $?".to_owned(),
            Program::IgnoresStop => format!("trap '' TERM; echo ready; {SLEEP}"),
            Program::Forks => {
                let deaf = "trap \"\" TERM; sleep 100000; sleep 100000";
                format!("setsid sh -c '{deaf}' & (setsid sh -c '{deaf}' &) ; sleep 0.1; echo ready; {SLEEP}")
            }
            Program::WritesAndRuns { lines } => format!("trap 'exit 0' TERM; {}; {SLEEP}", numbered(lines, ":")),
            Program::WritesAndEnds { lines } => numbered(lines, "sleep 0.02"),
            Program::PrintsEnvironment => "exec env".to_owned(),
            Program::ForksWithoutEnd => {
                // Whose fork fails is a shell of its own, and what is waited for was there before.
                let bomb = "i=0; while [ $i -lt 300 ]; do sleep 100000 & i=$((i+1)); done";
                format!("trap 'exit 0' TERM; sleep 100000 & ({bomb}) 2>/dev/null; echo ready; wait")
            }
            Program::UsesProcessor => "trap 'exit 0' TERM; while :; do :; done".to_owned(),
            Program::UsesMemory => "exec tail /dev/zero".to_owned(),
            Program::ShowsItself => SHOW.to_owned(),
            Program::ShowsFile { path } => format!("cat {path} || exit 1"),
            Program::WritesFile { path } => format!("echo written > {path} || exit 1"),
            Program::Echoes => "cat".to_owned(),
            Program::Serves { port } => format!("trap 'exit 0' TERM; nc -ll -p {port} -e cat & wait"),
            Program::Floods => "trap 'exit 0' TERM; yes & wait".to_owned(),
            Program::IsMissing => return ContainerSpec { command: vec!["no-such-program".into()], ..self.script("") },
            other => panic!("{other:?} is new: say what it is here"),
        };
        self.script(&script)
    }

    fn command(&self, command: Beside) -> Vec<String> {
        let script = match command {
            Beside::Ends { code } => format!("printf out; printf err >&2; exit {code}"),
            Beside::Greets => "printf %s \"$GREETING\"".to_owned(),
            Beside::Hangs => "trap '' TERM; sleep 100000; sleep 100000".to_owned(),
            Beside::Forks => {
                let deaf = "trap \"\" TERM; sleep 100000; sleep 100000";
                format!("setsid sh -c '{deaf}' & (setsid sh -c '{deaf}' &); sleep 0.1; echo ready; {SLEEP}")
            }
            Beside::Floods => "exec yes".to_owned(),
            Beside::Echoes => "cat; echo done >&2; exit 7".to_owned(),
            Beside::TellsTerminal => "while read line; do stty size; done".to_owned(),
            Beside::IsMissing => return vec!["no-such-command".into()],
            other => panic!("{other:?} is new: say what it is here"),
        };
        self.script(&script).command
    }

    async fn processes(&self) -> BTreeSet<String> {
        let words =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
        self.pids().iter().map(|pid| format!("{pid}: {}", words(pid))).collect()
    }

    async fn traces(&self) -> BTreeSet<String> {
        let mut traces = self.processes().await;
        files(&self.folder, &mut traces);
        let filter = format!("label=orch.scope={}", self.scope);
        let listed = self.daemon.docker(["ps", "--all", "--no-trunc", "--format", "{{.Names}}", "--filter", &filter]);
        traces.extend(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned));
        if let Some(network) = self.network_of(&self.scope) {
            let links = self.ip(&["-brief", "link", "show", "master", network.bridge().as_str()]);
            traces.extend(links.lines().filter_map(|line| line.split(['@', ' ']).next().map(str::to_owned)));
        }
        traces
    }

    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        self.daemon.docker(["rm", "--force", &format!("orch.{}.{pod}", self.scope)]).status.success()
    }

    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        self.daemon.docker(["kill", &self.docker_name(id)]).status.success()
    }

    async fn remove_behind_back(&self, id: &ContainerId) -> bool {
        self.daemon.docker(["rm", "--force", &self.docker_name(id)]).status.success()
    }
}

/// Waits until a signal comes.
const SLEEP: &str = "while :; do sleep 100000 & wait; done";

/// What a program is, as the suite wants to be told.
const SHOW: &str = r#"
echo "uid $(id -u)"
echo "gid $(id -g)"
echo "groups $(id -G)"
while read -r name value; do
    case $name in
        CapEff:) echo "capabilities $value";;
        NoNewPrivs:) echo "no_new_privs $value";;
    esac
done < /proc/self/status
echo "hostname $(hostname)"
if [ -t 0 ]; then echo "terminal yes"; else echo "terminal no"; fi
while read -r device place type options rest; do
    [ "$place" = / ] || continue
    case $options in
        rw*) echo "root writable";;
        *) echo "root read-only";;
    esac
done < /proc/self/mounts
"#;

fn numbered(lines: u32, pause: &str) -> String {
    (1..=lines).map(|line| format!("echo line {line}; {pause}")).collect::<Vec<_>>().join("\n")
}

/// Every file and folder below a folder.
fn files(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        into.insert(entry.path().display().to_string());
        if entry.path().is_dir() {
            files(&entry.path(), into);
        }
    }
}
