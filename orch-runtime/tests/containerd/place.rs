//! [`Place`]: a namespace of a real containerd, a folder and a bridge; and a shell for what containers do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use orch_core::runtime::{
    ContainerId, ContainerSpec, ContainerState, Credentials, ExitReason, ImageName, Images, LogOptions, PodUid,
    Runtime as _, SandboxSpec,
};
use orch_runtime::containerd::{ContainerdConfig, ContainerdRuntime, Logger};
use orch_runtime::pod_network::PodNetwork;
use orch_testkit::daemon::{Containerd, Registry, RegistryAccess, RegistryFault, busybox_image};
use orch_testkit::suite::images::{ImagesFixture, RegistryNames};
use orch_testkit::suite::runtime::{Beside, Program, RuntimeFixture};

/// The image of the containers.
pub(crate) const IMAGE: &str = "docker.io/library/busybox:test";

/// What one test has of a containerd.
pub(crate) struct Place {
    daemon: Daemon,
    namespace: String,
    number: u8,
}

enum Daemon {
    /// That of all tests.
    Shared(&'static Containerd),
    /// One to be disturbed.
    Own(Box<Containerd>),
}

impl Place {
    /// In the containerd of all tests. The thread is in its network from now on.
    pub(crate) async fn new() -> Self {
        Self::in_daemon(Daemon::Shared(Containerd::shared().await))
    }

    /// In one of its own.
    pub(crate) async fn alone() -> Self {
        Self::in_daemon(Daemon::Own(Box::new(Containerd::start().await)))
    }

    fn in_daemon(daemon: Daemon) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut place = Self { daemon, namespace: String::new(), number: u8::try_from(number).expect("few tests") };
        // Each test has a thread of its own, which ends with it: it need not come back.
        std::mem::forget(place.containerd().host().enter());
        let namespace = place.containerd().unique_namespace();
        place.containerd().import(&namespace, &busybox_image(), IMAGE);
        place.namespace = namespace;
        place
    }

    pub(crate) fn containerd(&self) -> &Containerd {
        match &self.daemon {
            Daemon::Shared(containerd) => containerd,
            Daemon::Own(containerd) => containerd,
        }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The configuration of the runtimes that [`open`](RuntimeFixture::open) makes.
    pub(crate) fn config(&self) -> ContainerdConfig {
        self.config_of(&self.namespace, 0)
    }

    fn config_of(&self, namespace: &str, half: u8) -> ContainerdConfig {
        let mut config = ContainerdConfig::new(self.containerd().folder().join(namespace));
        config.socket = self.containerd().socket();
        config.namespace = namespace.parse().expect("a namespace");
        let bridge = format!("t{}-{half}", self.number).parse().expect("a name");
        let subnet = format!("10.{}.{}.0/25", self.number, half).parse().expect("a range");
        config.network = PodNetwork::new(bridge, subnet).expect("a network");
        config.logger = Logger::Path(env!("CARGO_BIN_EXE_orch-logger").into());
        config.log_bytes = 1 << 20;
        config.cgroup_parent = self.containerd().cgroup_parent().into();
        config
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.config().root
    }

    /// A container that runs a shell script.
    pub(crate) fn script(&self, script: &str) -> ContainerSpec {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        ContainerSpec { image: Some(IMAGE.parse().expect("a name")), command, ..ContainerSpec::default() }
    }

    /// What `ctr` answers in the namespace.
    pub(crate) fn ctr(&self, arguments: &[&str]) -> String {
        let namespace = ["--namespace", &self.namespace];
        let output = self.containerd().ctr(namespace.iter().chain(arguments));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What `ip` answers in the network that containerd is in.
    pub(crate) fn ip(&self, arguments: &[&str]) -> Output {
        self.containerd().host().command("/bin/ip").args(arguments).output().expect("the program ip")
    }

    /// The processes of its containers.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let group = format!("{}/{}/", self.containerd().cgroup_parent(), self.namespace);
        let mut pids = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let state = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let is_dead = state.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
            let groups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
            if groups.contains(&group) && !is_dead {
                pids.push(pid);
            }
        }
        pids
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What a test that failed has left would disturb the others of the same containerd.
        for id in self.ctr(&["task", "list", "--quiet"]).lines() {
            self.ctr(&["task", "delete", "--force", id]);
        }
    }
}

#[async_trait]
impl RuntimeFixture for Place {
    type Runtime = ContainerdRuntime;

    async fn open(&self) -> ContainerdRuntime {
        ContainerdRuntime::open(self.config()).await.expect("a runtime")
    }

    async fn open_stranger(&self) -> ContainerdRuntime {
        let namespace = self.containerd().unique_namespace();
        self.containerd().import(&namespace, &busybox_image(), IMAGE);
        ContainerdRuntime::open(self.config_of(&namespace, 1)).await.expect("a runtime")
    }

    fn container(&self, program: Program) -> ContainerSpec {
        // The first process of a namespace is not ended by a signal that it does not handle.
        const FOREVER: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done";
        let script = match program {
            Program::Runs => FOREVER.to_owned(),
            Program::Exits { code, after } => format!("sleep {}; exit {code}", after.as_secs_f64()),
            // Nor can it kill itself: it tells of its child what a shell tells.
            Program::KillsItself => "sh -c 'kill -9 $$'; exit $?".to_owned(),
            Program::IgnoresStop => "trap '' TERM; echo ready; while :; do sleep 1000; done".to_owned(),
            Program::Forks => {
                let deaf = "trap \"\" TERM; sleep 1000; sleep 1000";
                format!("setsid sh -c '{deaf}' & (setsid sh -c '{deaf}' &) ; sleep 0.1; echo ready; {FOREVER}")
            }
            Program::WritesAndRuns { lines } => format!("{}; {FOREVER}", numbered(lines, ":")),
            Program::WritesAndEnds { lines } => numbered(lines, "sleep 0.02"),
            Program::PrintsEnvironment => "exec env".to_owned(),
            Program::Floods => "trap 'exit 0' TERM; yes & wait $!".to_owned(),
            Program::ForksWithoutEnd => {
                // A shell that cannot fork any more ends: let it be another one, and keep one child to wait for.
                "trap 'exit 0' TERM; sleep 1000 & (for i in $(seq 300); do sleep 1000 & done) 2>/dev/null; echo ready; \
                 while :; do wait $!; done"
                    .to_owned()
            }
            Program::UsesProcessor => "trap 'exit 0' TERM; while :; do :; done".to_owned(),
            Program::UsesMemory => "exec tail /dev/zero".to_owned(),
            Program::ShowsItself => SHOWS_ITSELF.to_owned(),
            Program::ShowsFile { path } => format!("cat {path} || exit 1"),
            Program::WritesFile { path } => format!("echo written > {path} || exit 1"),
            Program::Echoes => "exec cat".to_owned(),
            Program::Serves { port } => {
                format!("trap 'exit 0' TERM; nc -ll -p {port} -e cat & while :; do wait $!; done")
            }
            Program::IsMissing => return ContainerSpec { command: vec!["no-such-program".into()], ..self.script("") },
            other => panic!("{other:?} is new: say what it is here"),
        };
        self.script(&script)
    }

    fn command(&self, command: Beside) -> Vec<String> {
        let script = match command {
            Beside::Ends { code } => format!("printf out; printf err >&2; exit {code}"),
            Beside::Greets => "printf %s \"$GREETING\"".to_owned(),
            Beside::Hangs => "trap '' TERM; sleep 1000; sleep 1000".to_owned(),
            Beside::Forks => {
                "setsid sh -c 'trap \"\" TERM; sleep 1000; :' & sleep 0.1; echo ready; sleep 1000".to_owned()
            }
            Beside::Floods => "exec yes".to_owned(),
            Beside::Echoes => "cat; printf done >&2; exit 7".to_owned(),
            Beside::TellsTerminal => "while read -r line; do stty size; done".to_owned(),
            Beside::IsMissing => return vec!["no-such-command".into()],
            other => panic!("{other:?} is new: say what it is here"),
        };
        self.script(&script).command
    }

    async fn processes(&self) -> BTreeSet<String> {
        self.pids().iter().map(|pid| format!("{pid}: {}", words(*pid))).collect()
    }

    async fn traces(&self) -> BTreeSet<String> {
        let mut traces = self.processes().await;
        for (what, arguments) in [
            ("container", &["container", "list", "--quiet"][..]),
            ("task", &["task", "list", "--quiet"]),
            ("snapshot", &["snapshot", "list"]),
            ("lease", &["lease", "list", "--quiet"]),
        ] {
            traces.extend(self.ctr(arguments).lines().map(|line| format!("{what} {line}")));
        }
        let root = self.root().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        let ours = |line: &&str| line.contains(&root) || line.contains(&format!("/{}/", self.namespace));
        traces.extend(mounts.lines().filter(ours).map(str::to_owned));
        let network = self.config().network;
        let bridge = network.bridge().as_str();
        let links = self.ip(&["-brief", "link", "show", "master", bridge]).stdout;
        let links = String::from_utf8_lossy(&links).into_owned();
        traces.extend(links.lines().map(|line| line.split_whitespace().next().unwrap_or_default().to_owned()));
        for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let group = format!("{}/{}", self.containerd().cgroup_parent().trim_start_matches('/'), self.namespace);
            let children = fs::read_dir(hierarchy.path().join(group)).into_iter().flatten().flatten();
            traces.extend(
                children
                    .filter(|child| child.path().is_dir())
                    .map(|child| format!("cgroup {}", child.path().display())),
            );
        }
        files(Path::new(&root), &mut traces);
        traces
    }

    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        let path = self.root().join("namespaces").join(format!("net.{pod}"));
        Command::new("umount").arg("-l").arg(path).status().is_ok_and(|status| status.success())
    }

    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        self.ctr(&["task", "kill", "--signal", "SIGKILL", &record(id)]);
        true
    }

    async fn remove_behind_back(&self, id: &ContainerId) -> bool {
        self.ctr(&["task", "delete", "--force", &record(id)]);
        self.ctr(&["container", "delete", &record(id)]);
        true
    }
}

#[async_trait]
impl ImagesFixture for Place {
    fn images(&self, runtime: &ContainerdRuntime) -> Arc<dyn Images> {
        Arc::new(runtime.clone())
    }

    fn archive(&self, name: &ImageName, number: u32) -> Vec<u8> {
        busybox_image().label("number", &number.to_string()).archive(&name.to_string())
    }

    async fn registry(&self) -> Option<RegistryNames> {
        let host = self.containerd().host();
        let image = |number: &str| busybox_image().label("number", number);
        let (open, damaged, secret) = (Registry::start(host), Registry::start(host), Registry::start(host));
        let name = |text: String| text.parse::<ImageName>().expect("a name");
        let there = name(open.offer(&image("pulled"), "shop/web", "1"));
        let missing = name(format!("{}/shop/web:no-such-tag", open.address()));
        damaged.fail(RegistryFault::WrongDigest);
        let spoilt = name(damaged.offer(&image("damaged"), "shop/web", "2"));
        let (user, password) = ("somebody".to_owned(), "a secret".to_owned());
        secret.require(RegistryAccess::Bearer(user.clone(), password.clone()));
        let hidden = name(secret.offer(&image("secret"), "shop/web", "3"));
        let credentials = Credentials { username: user, password };
        // They are asked as long as the test runs.
        [open, damaged, secret].into_iter().for_each(std::mem::forget);
        let down = name("127.0.0.1:1/shop/web:4".to_owned());
        Some(RegistryNames { there, missing, damaged: Some(spoilt), secret: Some((hidden, credentials)), down })
    }
}

const SHOWS_ITSELF: &str = r#"
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
echo "uid $(id -u)"; echo "gid $(id -g)"; echo "groups $(id -G)"
echo "capabilities $(status CapEff)"; echo "no_new_privs $(status NoNewPrivs)"
echo "hostname $(hostname)"
if [ -t 0 ]; then echo "terminal yes"; else echo "terminal no"; fi
while read -r _ target _ options _; do
  if [ "$target" = / ]; then case "$options" in ro,*|ro) echo "root read-only";; *) echo "root writable";; esac; fi
done < /proc/self/mounts
"#;

/// What an attempt is called in containerd.
pub(crate) fn record(id: &ContainerId) -> String {
    format!("{}.{}.{}", id.pod, id.name, id.attempt)
}

pub(crate) fn id(pod: &str, name: &str, attempt: u32) -> ContainerId {
    ContainerId { pod: pod.parse().expect("a uid"), name: name.parse().expect("a name"), attempt }
}

pub(crate) fn sandbox(pod: &str) -> SandboxSpec {
    SandboxSpec {
        pod: pod.parse().expect("a uid"),
        namespace: "default".into(),
        name: pod.into(),
        hostname: pod.into(),
        host_network: false,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    }
}

/// Asks again and again, until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(60), asking).await;
    answer.unwrap_or_else(|_| panic!("within a minute, {what}"))
}

/// How a container ended, if it has.
pub(crate) async fn ended(runtime: &ContainerdRuntime, id: &ContainerId) -> Option<(ExitReason, i32)> {
    let pod = runtime.status(&id.pod).await.ok()??;
    let container = pod.containers.into_iter().find(|container| container.id == *id)?;
    match container.state {
        ContainerState::Exited { reason, code, .. } => Some((reason, code)),
        ContainerState::Running { .. } => None,
    }
}

/// What a container wrote.
pub(crate) async fn output(runtime: &ContainerdRuntime, id: &ContainerId) -> String {
    let stream = runtime.logs(id, LogOptions::default()).await.expect("output");
    let pieces: Vec<_> = stream.try_collect().await.expect("output");
    String::from_utf8_lossy(&pieces.concat()).into_owned()
}

fn words(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

fn numbered(lines: u32, pause: &str) -> String {
    (1..=lines).map(|line| format!("echo line {line}; {pause}")).collect::<Vec<_>>().join("\n")
}

/// Every file and folder below a folder.
fn files(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        into.insert(entry.path().display().to_string());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files(&entry.path(), into);
        }
    }
}
