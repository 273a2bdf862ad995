//! [`Cluster`]: masters and agents of one test, on addresses of their own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mesos_like::http::Client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::time::Instant;

/// How long anything may take before a test gives up; nothing waits that long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where masters and agents listen, each on an address of its own.
const MASTER_PORT: u16 = 5050;
const AGENT_PORT: u16 = 5051;

/// Masters and agents of one test. What is left of them and of their tasks is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    /// The second and third part of all addresses here.
    net: [u8; 2],
    programs: Vec<Program>,
}

#[derive(Debug)]
struct Program {
    name: String,
    child: Child,
}

impl Cluster {
    /// A cluster of nobody yet.
    pub(crate) fn new(test: &str) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("mesos-like-{test}-{process}-{number}"));
        // What a process of the same id left behind.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let net = [u8::try_from(process % 200).expect("a byte") + 20, number];
        Self { folder, net, programs: Vec::new() }
    }

    /// A cluster of a master that keeps nothing, and so many agents of 4 CPUs each.
    pub(crate) async fn of(test: &str, agents: u8) -> Self {
        let mut cluster = Self::new(test);
        cluster.start_master(1, &[]);
        for number in 1..=agents {
            cluster.start_agent(number, &[]);
        }
        cluster.wait_for_agents(usize::from(agents)).await;
        cluster
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a master listens.
    pub(crate) fn master(&self, number: u8) -> String {
        format!("{}:{MASTER_PORT}", self.address(number))
    }

    /// Where an agent listens.
    pub(crate) fn agent(&self, number: u8) -> String {
        format!("{}:{AGENT_PORT}", self.address(100 + number))
    }

    /// An address of this cluster's own.
    pub(crate) fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.net[0], self.net[1], last)
    }

    /// Starts a master, with further flags.
    pub(crate) fn start_master(&mut self, number: u8, flags: &[&str]) {
        let ip = format!("--ip={}", self.address(number));
        let port = format!("--port={MASTER_PORT}");
        let work = format!("--work_dir={}", self.folder.join(format!("master-{number}")).display());
        let fixed = ["master", &ip, &port, &work, "--heartbeat_interval=1secs", "--allocation_interval=200ms"];
        self.start(&format!("master-{number}"), &[&fixed[..], flags].concat());
    }

    /// Starts an agent of master 1, or of another one if a flag says so.
    pub(crate) fn start_agent(&mut self, number: u8, flags: &[&str]) {
        let ip = format!("--ip={}", self.address(100 + number));
        let port = format!("--port={AGENT_PORT}");
        let hostname = format!("--hostname=agent-{number}");
        let work = format!("--work_dir={}", self.folder.join(format!("agent-{number}")).display());
        let master = format!("--master={}", self.master(1));
        let resources = "--resources=cpus:4;mem:4096;disk:4096;ports:[31000-32000]";
        let attributes = format!("--attributes=rack:r{};number:{number}", number % 2);
        let mut fixed = vec!["agent", &ip, &port, &work];
        let defaults = [
            ("--master=", &*master),
            ("--resources=", resources),
            ("--hostname=", &hostname),
            ("--attributes=", &attributes),
        ];
        for (flag, default) in defaults {
            if !flags.iter().any(|given| given.starts_with(flag)) {
                fixed.push(default);
            }
        }
        self.start(&format!("agent-{number}"), &[&fixed[..], flags].concat());
    }

    /// Starts a program of this project, under a name by which it is sent signals.
    pub(crate) fn start(&mut self, name: &str, arguments: &[&str]) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log(name)).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_mesos-like"))
            .args(arguments)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("mesos-like starts");
        self.programs.push(Program { name: name.to_owned(), child });
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// Sends a program a signal, and waits for its end if it ends by that.
    pub(crate) fn signal(&mut self, name: &str, signal: Signal) {
        let index = self.programs.iter().position(|program| program.name == name).expect("a program that runs");
        kill(self.programs[index].pid(), signal).expect("it runs");
        if matches!(signal, Signal::SIGKILL | Signal::SIGTERM | Signal::SIGINT) {
            let mut program = self.programs.remove(index);
            program.child.wait().expect("it ends");
        }
    }

    /// A JSON document of a master or agent.
    pub(crate) async fn get(&self, address: &str, path: &str) -> Value {
        let bytes = Client::new(Duration::from_secs(5)).get(address, path).await;
        bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Waits until the leading master has so many active agents.
    pub(crate) async fn wait_for_agents(&self, count: usize) {
        let active = async || {
            let slaves = self.get(&self.master(1), "/slaves").await;
            let all = slaves["slaves"].as_array()?;
            (all.iter().filter(|slave| slave["active"] == true).count() == count).then_some(())
        };
        eventually(&format!("{count} agents"), active).await;
    }
}

impl Program {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a pid"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ = kill(program.pid(), Signal::SIGKILL);
            let _ = program.child.wait();
        }
        kill_all_of(&self.folder);
        if std::thread::panicking() {
            return eprintln!("what masters and agents said is in {}", self.folder.display());
        }
        // What was just killed may write a last file meanwhile.
        for _ in 0..5 {
            if fs::remove_dir_all(&self.folder).is_ok() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        eprintln!("{} is left", self.folder.display());
    }
}

/// Kills every process that was started from a folder: its name stands in their environment or command.
fn kill_all_of(folder: &Path) {
    let needle = folder.display().to_string();
    // Two looks: a shim may start something just before it is killed.
    for _ in 0..2 {
        for entry in fs::read_dir("/proc").expect("a /proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let said = ["cmdline", "environ"].map(|file| fs::read(entry.path().join(file)).unwrap_or_default());
            if said.iter().any(|text| String::from_utf8_lossy(text).contains(&needle)) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

/// Waits until something is there.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "waited for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a process is there, and is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
