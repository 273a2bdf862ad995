//! [`Place`]: a scope on a private Docker daemon, and a shell for what containers do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use orch_core::runtime::{ContainerSpec, Runtime as _};
use orch_runtime::docker::{DockerConfig, DockerRuntime, Scope};
use orch_testkit::suite::runtime::{Beside, Program, RuntimeFixture};

/// A scope of its own on a daemon that the tests of this program share.
pub(crate) struct Place {
    folder: PathBuf,
    scope: String,
}

/// The environment variable by which processes are found.
const MARK: &str = "PLACE";

const IMAGE: &str = "busybox:test";

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let scope = format!("t-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(format!("orch-docker-{scope}.place"));
        fs::create_dir(&folder).expect("a folder of its own");
        Self { folder, scope }
    }

    pub(crate) fn config(&self) -> DockerConfig {
        self.config_of(&self.scope)
    }

    fn config_of(&self, scope: &str) -> DockerConfig {
        let scope: Scope = scope.parse().expect("a scope");
        let mut config = DockerConfig::new(self.folder.join(scope.to_string()), scope);
        config.socket = PathBuf::from("/tmp/docker/docker.sock");
        config.log_bytes = 1 << 20;
        config
    }

    fn stranger(&self) -> String {
        format!("{}-stranger", self.scope)
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
        // Within the runtime of a test nothing can be waited for.
        let cleaned = std::thread::spawn(move || {
            orch_testkit::suite::run(async {
                for config in configs.into_iter().filter(|config| config.root.exists()) {
                    let runtime = DockerRuntime::open(config).await?;
                    for pod in runtime.list().await? {
                        runtime.remove(&pod.spec.pod).await?;
                    }
                }
                Ok::<(), orch_core::runtime::RuntimeError>(())
            })
        });
        if let Ok(Err(error)) = cleaned.join() {
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
            Program::Exits { code, after } => format!("sleep {}; exit {code}", after.as_secs_f64()),
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
        traces
    }
}

/// Waits until a signal comes.
const SLEEP: &str = "while :; do sleep 100000 & wait; done";

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
