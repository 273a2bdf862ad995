//! [`Cluster`]: a k8s-like whose pods are containers of a daemon that nobody else uses.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orch_testkit::daemon::{Containerd, Dockerd, Host, busybox_image};
use serde_json::Value;
use tokio::time::Instant;

/// How long anything may take; nothing takes that long when all is well.
const PATIENCE: Duration = Duration::from_secs(120);
/// The image of every container of these tests.
pub(crate) const IMAGE: &str = "busybox:1";

/// Which daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Docker,
    Containerd,
}

/// The daemon.
pub(crate) enum Daemon {
    Docker(Box<Dockerd>),
    Containerd(Box<Containerd>),
}

/// A k8s-like whose pods are containers of a daemon of its own.
pub(crate) struct Cluster {
    pub(crate) daemon: Daemon,
    folder: PathBuf,
    nodes: u8,
    up: Option<Child>,
}

impl Cluster {
    /// One that follows this manifest.
    pub(crate) async fn start(kind: Kind, nodes: u8, manifest: &str) -> Self {
        let daemon = match kind {
            Kind::Docker => Daemon::Docker(Box::new(Dockerd::start().await)),
            Kind::Containerd => Daemon::Containerd(Box::new(Containerd::start().await)),
        };
        // Below the daemon's folder, which goes with it, however the test ends.
        let folder = daemon.folder().join("k8s-like");
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("image.tar"), busybox_image().archive(IMAGE)).expect("an archive");
        let mut cluster = Self { daemon, folder, nodes, up: None };
        cluster.write(manifest);
        cluster.up();
        cluster
    }

    /// Changes the manifest.
    pub(crate) fn write(&self, manifest: &str) {
        fs::write(self.folder.join("manifest.yaml"), manifest).expect("the manifest is written");
    }

    /// Starts k8s-like on what there is.
    pub(crate) fn up(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let mut command = self.daemon.host().command(env!("CARGO_BIN_EXE_k8s-like"));
        command.args(["up", "--nodes", &self.nodes.to_string(), "-f"]).arg(self.folder.join("manifest.yaml"));
        command.arg("--state-dir").arg(self.state()).arg("--image-archive").arg(self.folder.join("image.tar"));
        let (runtime, option) = match &self.daemon {
            Daemon::Docker(_) => ("docker", "--docker-socket"),
            Daemon::Containerd(_) => ("containerd", "--containerd-socket"),
        };
        command.args(["--runtime", runtime, option]).arg(self.daemon.socket());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        self.up = Some(command.spawn().expect("k8s-like starts"));
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Ends k8s-like by this signal, and waits for that.
    pub(crate) fn end(&mut self, signal: Signal) {
        let mut up = self.up.take().expect("it runs");
        kill(Pid::from_raw(i32::try_from(up.id()).expect("a pid")), signal).expect("it runs");
        let status = up.wait().expect("a child");
        assert!(signal == Signal::SIGKILL || status.success(), "it ends in good order:\n{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// What `k8s-like` answers to these arguments.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("k8s-like runs")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.daemon.host().command(env!("CARGO_BIN_EXE_k8s-like"));
        let (what, rest) = arguments.split_first().expect("a command");
        command.arg(what).arg("--state-dir").arg(self.state()).args(rest).stdin(Stdio::null());
        command
    }

    /// The objects of a kind.
    pub(crate) fn get(&self, kind: &str) -> Vec<Value> {
        let output = self.ask(&["get", kind, "-A", "-o", "json"]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The pods whose names begin so.
    pub(crate) fn pods(&self, begin: &str) -> Vec<Value> {
        let mut pods = self.get("pods");
        pods.retain(|pod| pod["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(begin)));
        pods
    }

    /// Waits until so many pods are ready whose names begin so, and there are no others of such names.
    pub(crate) fn ready(&self, begin: &str, count: usize) -> Vec<Value> {
        self.until(&format!("{count} pods {begin}* are ready"), || {
            let pods = self.pods(begin);
            (pods.len() == count && pods.iter().all(is_ready)).then_some(pods)
        })
    }

    /// Waits until there is something to see.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(seen) = look() {
                return seen;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        let pods: Vec<String> = self.pods("").iter().map(|pod| pod["status"].to_string()).collect();
        panic!("waited in vain until {what}; pods:\n{}\nk8s-like said:\n{}", pods.join("\n"), self.log());
    }

    /// The address at which the service `web` answers.
    pub(crate) fn service(&self) -> String {
        self.until("the service answers", || {
            let log = self.log();
            let line = log.lines().rev().find(|line| line.contains("answers at http://"))?;
            Some(line.rsplit_once("http://")?.1.trim().to_owned())
        })
    }

    /// What a web server in the cluster's network answers.
    pub(crate) fn fetch(&self, address: &str) -> Option<String> {
        let _inside = self.daemon.host().enter();
        let address = address.parse().expect("an address and a port");
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("more than nothing");
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.trim().to_owned())
    }

    /// What is left of containers: what the daemon lists, and mounts below the state folder.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let state = self.state().canonicalize().unwrap_or_else(|_| self.state()).display().to_string();
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mut left: Vec<String> =
            mounts.lines().filter(|line| line.contains(&state)).map(|line| format!("mount {line}")).collect();
        match &self.daemon {
            Daemon::Docker(docker) => {
                let listed = docker.docker(["ps", "-a", "--format", "{{.Names}}"]).stdout;
                left.extend(String::from_utf8_lossy(&listed).lines().map(|name| format!("container {name}")));
            }
            Daemon::Containerd(containerd) => {
                let spaces = containerd.ctr(["namespaces", "ls", "-q"]).stdout;
                for space in String::from_utf8_lossy(&spaces).lines() {
                    let listed = containerd.ctr(["-n", space, "containers", "ls", "-q"]).stdout;
                    left.extend(String::from_utf8_lossy(&listed).lines().map(|name| format!("container {name}")));
                }
            }
        }
        left
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(up) = &mut self.up {
            // It may have ended by itself.
            let _ = up.kill();
            let _ = up.wait();
        }
    }
}

impl Daemon {
    pub(crate) fn host(&self) -> &Host {
        match self {
            Self::Docker(docker) => docker.host(),
            Self::Containerd(containerd) => containerd.host(),
        }
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Docker(docker) => docker.folder(),
            Self::Containerd(containerd) => containerd.folder(),
        }
    }

    fn socket(&self) -> PathBuf {
        match self {
            Self::Docker(docker) => docker.socket(),
            Self::Containerd(containerd) => containerd.socket(),
        }
    }

    /// Ends it by SIGKILL and starts it again.
    pub(crate) async fn restart(&self) {
        match self {
            Self::Docker(docker) => docker.restart().await,
            Self::Containerd(containerd) => containerd.restart().await,
        }
    }
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True");
    ready && !pod["metadata"]["deletionTimestamp"].is_string()
}

pub(crate) fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// The first container's status.
pub(crate) fn container(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

/// A namespace, a Deployment of a web server and a Service.
pub(crate) fn web(replicas: u32) -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: {IMAGE}
          command: [/bin/sh, -c, 'mkdir /tmp/w; echo $(POD_NAME) > /tmp/w/index.html; echo serving; exec httpd -f -p 8080 -h /tmp/w']
          env: [{{name: POD_NAME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
          ports: [{{name: http, containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{app: web}}
  ports: [{{name: http, port: 8080, targetPort: http}}]
"
    )
}

/// Makes a test of each function for each daemon.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod docker {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::cluster::Kind::Docker).await;
            })+
        }
        mod containerd {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::cluster::Kind::Containerd).await;
            })+
        }
    };
}
pub(crate) use on_both;
