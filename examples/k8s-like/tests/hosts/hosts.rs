//! [`Hosts`]: networks that are connected, an etcd that all of them reach, and the `k8s-like` that is started in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orch_testkit::daemon::{Etcd, EtcdConfig, Host};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::clients::fetch;

/// How long anything may take before a test gives up; nothing waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where etcd is for every host.
const ETCD: &str = "10.99.0.1:2379";

/// Hosts on one network, each with an address, and an etcd at a place that all of them reach.
pub(crate) struct Hosts {
    /// Stands in the command line of every process that the test's pods run, and nowhere else.
    pub(crate) token: String,
    pub(crate) hosts: Vec<Arc<Host>>,
    pub(crate) etcd: Etcd,
    folder: PathBuf,
    switch: Host,
    is_routed: bool,
}

/// A running `k8s-like`.
pub(crate) struct Running {
    child: Option<Child>,
    log: PathBuf,
}

/// On which etcds are started and what is said to them is passed on, in the network of the test's process.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"))
}

impl Hosts {
    /// So many, and an etcd that everybody may use.
    pub(crate) fn new(test: &str, count: u8) -> Self {
        Self::with(test, count, EtcdConfig::default())
    }

    /// So many, and an etcd like this.
    pub(crate) fn with(test: &str, count: u8, etcd: EtcdConfig) -> Self {
        Self::linked(test, count, etcd, false)
    }

    /// So many that share no link: each has a network of its own, and a router is between them that knows nothing of pods.
    pub(crate) fn routed(test: &str, count: u8) -> Self {
        Self::linked(test, count, EtcdConfig::default(), true)
    }

    fn linked(test: &str, count: u8, etcd: EtcdConfig, is_routed: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let token = format!("{test}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("k8s-like-hosts-{token}"));
        fs::create_dir(&folder).expect("a folder");
        let switch = Host::new();
        ip(&switch, "link add br0 type bridge");
        ip(&switch, "addr add 10.99.0.1/24 dev br0");
        ip(&switch, "link set br0 up");
        let hosts: Vec<Arc<Host>> = (1..=count).map(|number| Arc::new(connected(&switch, number, is_routed))).collect();
        if is_routed {
            forward(&switch);
        }
        let etcd = runtime().block_on(Etcd::start_with(etcd));
        lead(&switch, &etcd);
        Self { token, hosts, etcd, folder, switch, is_routed }
    }

    /// The address of a host, counted from 0.
    pub(crate) fn address(&self, host: usize) -> String {
        if self.is_routed { format!("10.99.{}.2", host + 11) } else { format!("10.99.0.{}", host + 11) }
    }

    /// Pulls the plug of a host.
    pub(crate) fn cut_off(&self, host: usize) {
        ip(&self.switch, &format!("link set port{} down", host + 1));
    }

    /// Puts it back in.
    pub(crate) fn heal(&self, host: usize) {
        ip(&self.switch, &format!("link set port{} up", host + 1));
    }

    /// By which the hosts know the store.
    pub(crate) fn store(&self) -> String {
        format!("etcd://{ETCD}/shop")
    }

    /// A file or folder of this test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes the manifest.
    pub(crate) fn write(&self, manifest: &str) -> PathBuf {
        let path = self.file("manifest.yaml");
        fs::write(&path, manifest).expect("the manifest is written");
        path
    }

    /// Starts `k8s-like` on a host. What it says is found by this name.
    pub(crate) fn start(&self, host: usize, name: &str, arguments: &[&str]) -> Running {
        let log = self.file(&format!("{name}.log"));
        let file = fs::File::options().create(true).append(true).open(&log).expect("a log");
        let mut command = self.hosts[host].command(env!("CARGO_BIN_EXE_k8s-like"));
        command.args(arguments).stdin(Stdio::null());
        command.stdout(file.try_clone().expect("a file can be shared")).stderr(file);
        Running { child: Some(command.spawn().expect("k8s-like starts")), log }
    }

    /// Starts a control plane on the first host that follows the manifest.
    pub(crate) fn control_plane(&self, name: &str) -> Running {
        self.control_plane_with(name, &[])
    }

    /// The same with further options.
    pub(crate) fn control_plane_with(&self, name: &str, options: &[&str]) -> Running {
        let manifest = self.file("manifest.yaml").display().to_string();
        let store = self.store();
        self.start(0, name, &[&["control-plane", "--store", &store, "-f", &manifest], options].concat())
    }

    /// Starts a node on a host, with further options.
    pub(crate) fn node(&self, host: usize, name: &str, options: &[&str]) -> Running {
        let (store, state) = (self.store(), self.file(&format!("state-{name}")).display().to_string());
        let arguments = ["node", "--name", name, "--store", &store, "--state-dir", &state];
        self.start(host, name, &[&arguments, options].concat())
    }

    /// What `k8s-like` answers to these arguments on a host.
    pub(crate) fn ask(&self, host: usize, arguments: &[&str]) -> Output {
        let mut command = self.hosts[host].command(env!("CARGO_BIN_EXE_k8s-like"));
        command.args(arguments).stdin(Stdio::null()).output().expect("k8s-like runs")
    }

    /// The objects of a kind, read where they are kept.
    pub(crate) fn get(&self, kind: &str) -> Vec<Value> {
        let output = self.ask(0, &["get", kind, "-A", "-o", "json", "--store", &self.store()]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The pods of a cluster in one process, which runs from this state folder on a host.
    pub(crate) fn pods_here(&self, host: usize, state: &str) -> Vec<Value> {
        let state = self.file(state).display().to_string();
        let output = self.ask(host, &["get", "pods", "-A", "-o", "json", "--state-dir", &state]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The pods that are ready.
    pub(crate) fn ready(&self) -> Vec<Value> {
        let mut pods = self.get("pods");
        pods.retain(is_ready);
        pods
    }

    /// Waits until so many pods are ready, and there are no others.
    pub(crate) fn settle(&self, count: usize) -> Vec<Value> {
        self.until(&format!("{count} pods are ready"), || {
            let pods = self.get("pods");
            (pods.len() == count && pods.iter().all(is_ready)).then_some(pods)
        })
    }

    /// Waits until there is something to see.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        self.until_or(what, || look().ok_or_else(String::new))
    }

    /// The same, for who can say what is seen instead.
    pub(crate) fn until_or<T>(&self, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < end {
            match look() {
                Ok(seen) => return seen,
                Err(instead) => last = instead,
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        let pods: Vec<String> = self.get("pods").iter().map(|pod| pod["status"].to_string()).collect();
        let logs = fs::read_dir(&self.folder).expect("a folder").flatten().map(|entry| entry.path());
        let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        let logs: Vec<String> =
            logs.map(|log| format!("{}:\n{}", log.display(), fs::read_to_string(&log).unwrap_or_default())).collect();
        panic!("waited in vain until {what}: {last}; pods:\n{}\n{}", pods.join("\n"), logs.join("\n"));
    }

    /// The processes that this test's pods run at the moment, where those are processes.
    pub(crate) fn processes(&self) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir("/proc").expect("a /proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let arguments: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
            let is_web = arguments.get(1).is_some_and(|command| *command == b"hello-web");
            if is_web && arguments.contains(&self.token.as_bytes()) {
                found.insert(pid);
            }
        }
        found
    }

    /// Waits until pods of all these names have answered at an address, as a host sees it.
    pub(crate) fn all_answer(&self, host: usize, address: &str, pods: &BTreeSet<String>) {
        let mut answered = BTreeSet::new();
        self.until(&format!("{pods:?} answer at {address} for host {host}"), || {
            answered.extend(fetch(&self.hosts[host], address));
            (answered == *pods).then_some(())
        });
    }

    /// Where the service `web` answers, and its port of every node.
    pub(crate) fn service(&self) -> (String, u64) {
        self.until("the service has an address", || {
            let services = self.get("services");
            let spec = &services.iter().find(|service| service["metadata"]["name"] == "web")?["spec"];
            Some((format!("{}:8080", spec["clusterIP"].as_str()?), spec["ports"][0]["nodePort"].as_u64()?))
        })
    }

    /// What a program says in a host.
    pub(crate) fn said_by(&self, host: usize, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let output = self.hosts[host].command(words[0]).args(&words[1..]).output().expect("it runs");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What is left in a host of what leads to services and pods: rules, tables, routes and devices, in words.
    pub(crate) fn leftovers(&self, host: usize) -> Vec<String> {
        let looks = ["nft list tables", "iptables-save", "ip route show table all"];
        let text: Vec<String> = looks.into_iter().map(|look| self.said_by(host, look)).collect();
        let ours = ["ORCH", "k8s-like", "10.96.", "10.244."];
        let is_ours = |line: &&str| ours.iter().any(|word| line.contains(word));
        let devices = self.said_by(host, "ip -br link");
        let devices = devices.lines().filter(|line| !line.starts_with("lo ") && !line.starts_with("eth0@"));
        text.concat().lines().filter(is_ours).chain(devices).map(str::to_owned).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // What is left goes with the hosts; the folder may still be written to for a moment.
        for _ in 0..50 {
            if fs::remove_dir_all(&self.folder).is_ok() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Running {
    /// Everything that it, and others of its name before it, has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether a line contains all of these.
    pub(crate) fn has_said(&self, parts: &[&str]) -> bool {
        self.said().lines().any(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// Ends it as a crash does; what it started runs on.
    pub(crate) fn crash(mut self) {
        self.signal(Signal::SIGKILL);
        self.child.take().expect("it runs").wait().expect("a child");
    }

    /// Stops it as Ctrl-C does.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::SIGINT);
        assert_eq!(self.ended(), Some(0), "it stops in good order:\n{}", self.said());
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let child = self.child.as_mut().expect("it runs");
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = child.try_wait().expect("a child") {
                self.child = None;
                return status.code();
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        panic!("it does not end:\n{}", self.said());
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.as_ref().expect("it runs").id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A host that is connected to the others, and forwards packets: by a switch, or by a router.
fn connected(switch: &Host, number: u8, is_routed: bool) -> Host {
    let host = Host::new();
    ip(switch, &format!("link add port{number} type veth peer name eth0 netns {}", host.name()));
    let (address, router) = if is_routed {
        let network = format!("10.99.{}", number + 10);
        ip(switch, &format!("addr add {network}.1/24 dev port{number}"));
        ip(switch, &format!("link set port{number} up"));
        (format!("{network}.2"), format!("{network}.1"))
    } else {
        ip(switch, &format!("link set port{number} master br0 up"));
        (format!("10.99.0.{}", number + 10), "10.99.0.1".to_owned())
    };
    ip(&host, &format!("addr add {address}/24 dev eth0"));
    ip(&host, "link set eth0 up");
    ip(&host, &format!("route add default via {router}"));
    host
}

fn forward(host: &Host) {
    let _inside = host.enter();
    // What this shows depends on who looks.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("root may let a host forward");
}

/// Has the program `ip` do something in a host.
pub(crate) fn ip(host: &Host, arguments: &str) {
    let output = host.command("ip").args(arguments.split(' ')).output().expect("`ip` starts");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Leads what connects to [`ETCD`] to the etcd, which is at an address of loopback.
fn lead(switch: &Host, etcd: &Etcd) {
    let listener = {
        let _inside = switch.enter();
        std::net::TcpListener::bind(ETCD).expect("the switch's address")
    };
    listener.set_nonblocking(true).expect("a socket");
    let endpoint = etcd.endpoints().remove(0);
    let (_, to) = endpoint.split_once("://").expect("a URL");
    let to = to.to_owned();
    runtime().spawn(async move {
        let listener = TcpListener::from_std(listener).expect("a socket");
        while let Ok((mut from, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                if let Ok(mut to) = TcpStream::connect(to).await {
                    // However it ends: both ends find out.
                    let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    });
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True");
    ready && !pod["metadata"]["deletionTimestamp"].is_string()
}

/// The names of pods.
pub(crate) fn names(pods: &[Value]) -> BTreeSet<String> {
    pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).map(str::to_owned).collect()
}

/// The nodes of pods.
pub(crate) fn places(pods: &[Value]) -> BTreeSet<String> {
    pods.iter().filter_map(|pod| pod["spec"]["nodeName"].as_str()).map(str::to_owned).collect()
}
