//! Frameworks that run beside a master on this machine, each as a process of its own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::http::Client;

/// By this variable a process knows whose end is its own.
const PARENT: &str = "MESOS_LIKE_PARENT";

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// How long a process may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// A framework of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Framework {
    /// Long-running services
    Marathon,
    /// Jobs at times, and jobs after jobs
    Chronos,
}

/// A framework that runs beside this process, and is started again when it ends by itself.
#[derive(Debug)]
pub(super) struct Beside {
    framework: Framework,
    address: String,
    stop: watch::Sender<bool>,
    supervised: JoinSet<()>,
}

impl Framework {
    /// What it is called, on the command line too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Marathon => "marathon",
            Self::Chronos => "chronos",
        }
    }

    /// Where its page, or its API, is.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Marathon => "/ui/",
            Self::Chronos => "/v1/scheduler/jobs",
        }
    }
}

impl Beside {
    /// Starts a framework of a master, and returns when it answers. What it keeps and what it says is in a folder.
    pub(super) async fn start(framework: Framework, master: &str, port: u16, folder: &Path) -> Result<Self, String> {
        let (name, address) = (framework.name(), format!("127.0.0.1:{port}"));
        let log = folder.join(format!("{name}.log"));
        let start = Start {
            name,
            arguments: vec![
                name.to_owned(),
                format!("--master={master}"),
                format!("--http_port={port}"),
                format!("--store=embedded:{}", folder.join(name).display()),
                "-v".to_owned(),
            ],
            log: log.clone(),
        };
        let cannot = |error: io::Error| format!("cannot start {name}: {error}");
        let mut child = start.child().map_err(cannot)?;
        let client = Client::new(Duration::from_secs(1));
        let answers = async {
            while client.get(&address, "/ping").await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            biased;
            ended = child.wait() => {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().rev().find(|line| line.starts_with("error")).unwrap_or(&said);
                let status = ended.map_err(cannot)?;
                return Err(format!("{name} {}: {last}", in_words(status)));
            }
            answered = timeout(PATIENCE, answers) => if answered.is_err() {
                return Err(format!("{name} does not answer at {address}: see {}", log.display()));
            },
        }
        let (stop, stopping) = watch::channel(false);
        let mut supervised = JoinSet::new();
        supervised.spawn(start.supervise(child, stopping));
        Ok(Self { framework, address, stop, supervised })
    }

    /// Which.
    pub(super) fn framework(&self) -> Framework {
        self.framework
    }

    /// Where it answers, as `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Ends it. What it runs goes on.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.supervised.join_next().await.is_some() {}
    }
}

/// Makes this process end with the one that started it, if that asked for it.
pub(super) fn end_with_parent() -> io::Result<()> {
    let Some(parent) = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok()) else { return Ok(()) };
    set_pdeathsig(Signal::SIGTERM)?;
    // It may have ended before that was said.
    if getppid() == Pid::from_raw(parent) {
        Ok(())
    } else {
        Err(io::Error::other("the process that started this one has ended"))
    }
}

struct Start {
    name: &'static str,
    arguments: Vec<String>,
    log: PathBuf,
}

impl Start {
    fn child(&self) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        Command::new(std::env::current_exe()?)
            .args(&self.arguments)
            .env(PARENT, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the one that started it, which ends it in turn.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    async fn supervise(self, mut child: Child, mut stop: watch::Receiver<bool>) {
        loop {
            let ended = tokio::select! {
                biased;
                () = async { drop(stop.wait_for(|stop| *stop).await) } => None,
                ended = child.wait() => Some(ended),
            };
            let Some(ended) = ended else { return end(child).await };
            let how = ended.map_or_else(|error| error.to_string(), in_words);
            println!("{} {how}; it is started again (it says more in {})", self.name, self.log.display());
            child = loop {
                sleep(Duration::from_secs(1)).await;
                match self.child() {
                    Ok(child) => break child,
                    Err(error) => println!("{} cannot be started: {error}", self.name),
                }
            };
        }
    }
}

async fn end(mut child: Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    if timeout(GRACE, child.wait()).await.is_err() {
        // Dropped, it is killed.
        tracing::warn!("a framework did not end by itself");
    }
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
