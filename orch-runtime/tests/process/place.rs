//! [`Place`]: a folder for process runtimes, and a shell for what containers do.

use std::any::Any;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use orch_core::runtime::{ContainerId, ContainerSpec, ContainerState, ExitReason, LogOptions, PodUid, Runtime as _};
use orch_runtime::pod_network::PodNetwork;
use orch_runtime::process::{ProcessConfig, ProcessNetwork, ProcessRuntime, Shim};
use orch_testkit::suite::runtime::{Ability, Beside, Program, RuntimeFixture};

/// Every process of its containers carries its name in the environment; what is left at the end is killed.
pub(crate) struct Place {
    folder: PathBuf,
    /// Whether its containers have groups of the kernel.
    groups: bool,
    /// If its pods have networks of their own, joined to a bridge in the network of this thread: what keeps that one.
    pub(crate) network: Option<Box<dyn Any + Send + Sync>>,
}

/// Where the groups are.
const GROUPS: &str = "/orch-process-test";

/// The environment variable by which processes are found.
const MARK: &str = "PLACE";

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("orch-process-{}-{number}.place", std::process::id()));
            match fs::create_dir(&folder) {
                Ok(()) => return Self { folder, groups: false, network: None },
                // It is left of an earlier process of the same number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("no folder {}: {error}", folder.display()),
            }
        }
    }

    /// A place whose containers have groups of the kernel, if this user may make some. Root may.
    pub(crate) fn with_groups() -> Self {
        let mut place = Self::new();
        place.groups = is_root();
        place
    }

    /// Where the network of a pod is.
    pub(crate) fn net(&self, pod: &PodUid) -> PathBuf {
        self.root().join("namespaces").join(format!("net.{pod}"))
    }

    fn bridge(number: u8) -> ProcessNetwork {
        let bridge = format!("pods{number}").parse().expect("a name");
        let subnet = format!("10.77.{number}.0/24").parse().expect("a range");
        ProcessNetwork::Bridge(PodNetwork::new(bridge, subnet).expect("a network"))
    }

    /// The configuration of the runtimes that [`open`](RuntimeFixture::open) makes.
    pub(crate) fn config(&self) -> ProcessConfig {
        let mut config = ProcessConfig::new(self.folder.join("node"));
        config.shim = Shim::Path(env!("CARGO_BIN_EXE_orch-shim").into());
        config.network = ProcessNetwork::Loopback("127.77.0.0/24".parse().expect("a range"));
        if self.network.is_some() {
            config.network = Self::bridge(1);
        }
        config.log_bytes = 1 << 20;
        config.cgroup_parent = self.groups.then(|| GROUPS.into());
        config
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.config().root
    }

    /// A container that runs a shell script.
    pub(crate) fn script(&self, script: &str) -> ContainerSpec {
        let mark = (MARK.to_owned(), self.folder.display().to_string());
        ContainerSpec { env: vec![mark], ..Self::plain_script(script) }
    }

    /// The same without the mark.
    pub(crate) fn plain_script(script: &str) -> ContainerSpec {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        ContainerSpec { command, ..ContainerSpec::default() }
    }

    /// The groups of the kernel that are left of its containers.
    pub(crate) fn groups(&self) -> Vec<PathBuf> {
        let children = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let ours = |path: &PathBuf| path.to_string_lossy().ends_with(".grouped.web.0");
        group_folders().into_iter().flat_map(children).filter(ours).collect()
    }

    /// A container that runs this program once more, as the server that `serves` is.
    pub(crate) fn serving(&self, port: u16) -> ContainerSpec {
        let program = std::env::current_exe().expect("this program").display().to_string();
        let args = ["--ignored", "--exact", "--nocapture", "sessions::serves"].map(str::to_owned);
        let mut spec = self.script("");
        spec.command = [program].into_iter().chain(args).collect();
        spec.env.push(("SERVED_PORT".into(), port.to_string()));
        // A pod that has a loopback device of its own is forwarded to there.
        spec.env.extend(self.network.as_ref().map(|_| ("SERVED_AT".into(), "0.0.0.0".into())));
        spec
    }

    /// The shims of running containers.
    pub(crate) fn shims(&self) -> Vec<u32> {
        let is_shim =
            |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| contains(&line, b"\0run\0"));
        self.pids().into_iter().filter(is_shim).collect()
    }

    /// The processes of the containers, and the shims.
    fn pids(&self) -> Vec<u32> {
        let (name, mut pids) = (self.folder.display().to_string(), Vec::new());
        let mark = format!("{MARK}={name}");
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let holds = |file: &str, text: &str| {
                let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                bytes.split(|byte| *byte == 0).any(|part| part.starts_with(text.as_bytes()))
            };
            if pid != std::process::id() && (holds("environ", &mark) || holds("cmdline", &name)) {
                pids.push(pid);
            }
        }
        pids
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.pids() {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        for net in fs::read_dir(self.root().join("namespaces")).into_iter().flatten().flatten() {
            // It may be none any more.
            let _ = Command::new("umount").arg("-l").arg(net.path()).status();
        }
        // What cannot be removed is in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
        for folder in group_folders().into_iter().filter(|_| self.groups) {
            // The last one that uses it removes it.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[async_trait]
impl RuntimeFixture for Place {
    type Runtime = ProcessRuntime;

    async fn open(&self) -> ProcessRuntime {
        ProcessRuntime::open(self.config()).await.expect("a runtime")
    }

    async fn open_stranger(&self) -> ProcessRuntime {
        let mut config = self.config();
        config.root = self.folder.join("stranger");
        config.network = if self.network.is_some() { Self::bridge(2) } else { ProcessNetwork::Host };
        ProcessRuntime::open(config).await.expect("a runtime")
    }

    fn container(&self, program: Program) -> ContainerSpec {
        let script = match program {
            Program::Runs => "exec sleep 100000".to_owned(),
            Program::Exits { code, after } => format!("sleep {}; exit {code}", after.as_secs_f64()),
            Program::KillsItself => "kill -9 $$".to_owned(),
            Program::IgnoresStop => "trap '' TERM; echo ready; while :; do sleep 100000; done".to_owned(),
            Program::Forks => {
                let deaf = "trap \"\" TERM; sleep 100000; sleep 100000";
                format!("setsid sh -c '{deaf}' & (setsid sh -c '{deaf}' &) ; sleep 0.1; echo ready; exec sleep 100000")
            }
            Program::WritesAndRuns { lines } => format!("{}; exec sleep 100000", numbered(lines, ":")),
            Program::WritesAndEnds { lines } => numbered(lines, "sleep 0.02"),
            Program::PrintsEnvironment => "exec env".to_owned(),
            Program::Floods => "exec yes".to_owned(),
            Program::ForksWithoutEnd => {
                let forks = "i=0; while [ $i -lt 300 ]; do sleep 100000 & i=$((i+1)); done; wait";
                format!("sh -c '{forks}' 2>/dev/null & sleep 1; echo ready; exec sleep 100000")
            }
            Program::UsesProcessor => "while :; do :; done".to_owned(),
            Program::UsesMemory => "exec tail /dev/zero".to_owned(),
            Program::ShowsItself => SHOWS_ITSELF.to_owned(),
            Program::ShowsFile { path } => format!("cat {path} || exit 1"),
            Program::WritesFile { path } => format!("echo written > {path} || exit 1"),
            Program::Echoes => "exec cat".to_owned(),
            Program::Serves { port } => return self.serving(port),
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
            Beside::Forks => "setsid sleep 100000 & echo ready; sleep 100000; sleep 100000".to_owned(),
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
        if self.network.is_some() {
            let devices = fs::read_to_string("/proc/thread-self/net/dev").expect("devices");
            traces.extend(devices.lines().filter(|line| line.starts_with("orch")).map(|line| line[..15].to_owned()));
            let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
            let folder = self.folder.display().to_string();
            traces.extend(mounts.lines().filter(|line| line.contains(&folder)).map(str::to_owned));
        }
        traces
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            // Their targets are not on this machine; those that are, `privileges.rs` looks at.
            Ability::Mounts | Ability::Hostname => false,
            Ability::Users | Ability::Capabilities | Ability::ReadOnlyRoot => is_root(),
            Ability::Names => may_mount(),
            Ability::ProcessLimit | Ability::OutOfMemory => self.groups,
            _ => true,
        }
    }

    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        self.network.is_some()
            && Command::new("umount").arg("-l").arg(self.net(pod)).status().is_ok_and(|status| status.success())
    }

    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        let ContainerId { pod, name, attempt } = id;
        let record = self.root().join(format!("pods/{pod}/containers/{name}/{attempt}/process.json"));
        let text = fs::read_to_string(record).expect("a record");
        let pid = text.split("\"pid\":").nth(1).and_then(|rest| rest.split(',').next()).expect("a number");
        Command::new("kill").args(["-9", pid]).status().is_ok_and(|status| status.success())
    }
}

/// Where the groups are, in each hierarchy.
fn group_folders() -> Vec<PathBuf> {
    let controllers = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    controllers.chain([PathBuf::from("/sys/fs/cgroup")]).map(|mount| mount.join(&GROUPS[1..])).collect()
}

/// What a shell says of itself.
const SHOWS_ITSELF: &str = r#"
echo uid $(id -u); echo gid $(id -g); echo groups $(id -G)
while read name value rest; do
    case $name in CapEff:) echo capabilities $value;; NoNewPrivs:) echo no_new_privs $value;; esac
done </proc/self/status
echo hostname $(hostname)
if [ -t 0 ]; then echo terminal yes; else echo terminal no; fi
root=writable
while read device target kind options rest; do
    if [ $target = / ]; then case $options in ro|ro,*) root=read-only;; *) root=writable;; esac; fi
done </proc/self/mounts
echo root $root
"#;

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Whether this user may give a process mounts of its own.
pub(crate) fn may_mount() -> bool {
    let mut tried = Command::new("unshare");
    tried.args(["--mount", "--propagation", "private", "true"]).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Asks again and again, until there is an answer.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("it happens within half a minute")
}

/// How a container ended, if it has.
pub(crate) async fn ended(runtime: &ProcessRuntime, id: &ContainerId) -> Option<(ExitReason, i32)> {
    let pod = runtime.status(&id.pod).await.expect("a status").expect("the pod");
    let container = pod.containers.into_iter().find(|container| container.id == *id).expect("the container");
    match container.state {
        ContainerState::Exited { reason, code, .. } => Some((reason, code)),
        ContainerState::Running { .. } => None,
    }
}

/// What a container wrote.
pub(crate) async fn output(runtime: &ProcessRuntime, id: &ContainerId) -> String {
    let stream = runtime.logs(id, LogOptions::default()).await.expect("output");
    let pieces: Vec<_> = stream.try_collect().await.expect("output");
    String::from_utf8(pieces.concat()).expect("text")
}

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
