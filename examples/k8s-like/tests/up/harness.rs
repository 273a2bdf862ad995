//! Runs the real `k8s-like` on a manifest of its own, listens to what it says, and looks at the processes it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

/// How long anything may take before a test gives up; nothing waits that long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own for one test, with a manifest and a state folder, removed at the end.
pub(crate) struct Place {
    folder: PathBuf,
    /// Stands in the command line of every process that the test's pods run, and nowhere else.
    pub(crate) token: String,
}

impl Place {
    /// A place for the test of this name.
    pub(crate) fn new(test: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let token = format!("{test}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let folder = std::env::temp_dir().join(format!("k8s-like-test-{token}"));
            match fs::create_dir(&folder) {
                Ok(()) => return Self { folder, token },
                // It is left of an earlier process of the same number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("no folder {}: {error}", folder.display()),
            }
        }
    }

    /// Where the manifest is.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder.join("web.yaml")
    }

    /// Writes the manifest, in place, as an editor may.
    pub(crate) fn write(&self, manifest: &str) {
        fs::write(self.manifest(), manifest).expect("the manifest is written");
    }

    /// Starts `k8s-like up` here.
    pub(crate) fn up(&self) -> Up {
        self.up_with(&[])
    }

    /// Starts `k8s-like up` here, with further options.
    pub(crate) fn up_with(&self, options: &[&str]) -> Up {
        Up::start(&["up", "-f"], &self.manifest(), &self.state(), options)
    }

    /// Where the manifests of static pods are. The folder is made when it is first asked for.
    pub(crate) fn static_pods(&self) -> PathBuf {
        let folder = self.folder.join("static-pods");
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Starts `k8s-like node` here.
    pub(crate) fn node(&self) -> Up {
        Up::start(&["node", "--static-pods"], &self.folder.join("static-pods"), &self.state(), &[])
    }

    /// What another command of `k8s-like` says about the cluster here.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let (verb, rest) = command.split_first().expect("a command");
        let mut asked = Command::new(env!("CARGO_BIN_EXE_k8s-like"));
        asked.arg(verb).arg("--state-dir").arg(self.state()).args(rest).stdin(Stdio::null());
        let answer = asked.output().expect("k8s-like starts");
        let errors = String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{command:?}: {errors}");
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }

    /// The processes that this test's pods run at the moment.
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

    /// Every start of a container of [`recorded_web`] so far, in order. A restart of k8s-like forgets none.
    pub(crate) fn starts(&self) -> Vec<Start> {
        let text = fs::read_to_string(self.starts_file()).unwrap_or_default();
        let start = |line: &str| {
            let (pod, process) = line.split_once(' ').expect("pod and process");
            Start { pod: pod.to_owned(), process: process.parse().expect("a process") }
        };
        text.lines().map(start).collect()
    }

    /// Waits until this many containers were started, and returns their starts.
    pub(crate) fn wait_for_starts(&self, count: usize) -> Vec<Start> {
        wait_for(&format!("{count} starts"), || Some(self.starts()).filter(|starts| starts.len() >= count))
    }

    fn starts_file(&self) -> PathBuf {
        self.folder.join("starts")
    }

    /// [`web`], whose containers write each start down. `version` tells its pods from those of another version.
    pub(crate) fn recorded_web(&self, replicas: u32, version: &str) -> String {
        // The shell becomes the server, so the process that it names is the server's. A manifest says $$ for $.
        let script = format!(
            "echo $POD_UID $$$$ >> {}; exec k8s-like hello-web --text {} # {version}",
            self.starts_file().display(),
            self.token
        );
        let uid = "{name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}";
        let plain = format!("command: [k8s-like, hello-web, --text, {}]", self.token);
        let text = web(&self.token, replicas, "");
        assert!(text.contains(&plain) && text.contains("env: ["), "the places to change are there");
        text.replace(&plain, &format!("command: [/bin/sh, -c, '{script}']"))
            .replace("env: [", &format!("env: [{uid}, "))
    }

    /// The folder with everything of the cluster.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Fails if any process at all is left that was started from here.
    pub(crate) fn assert_nothing_runs(&self) {
        let folder = self.folder.display().to_string();
        let runs = || {
            let processes = fs::read_dir("/proc").expect("a /proc").flatten();
            let commands = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
            let commands = commands.map(|command| String::from_utf8_lossy(&command).replace('\0', " "));
            commands.filter(|command| command.contains(&folder) || command.contains(&self.token)).collect::<Vec<_>>()
        };
        let mut last = Vec::new();
        // What supervised a container ends a moment after it.
        let gone = (0..250).any(|_| {
            last = runs();
            last.is_empty() || {
                std::thread::park_timeout(Duration::from_millis(20));
                false
            }
        });
        assert!(gone, "still running: {last:#?}");
    }

    /// Fails if two processes run for the same pod.
    pub(crate) fn assert_no_twins(&self) {
        let mut pods = BTreeMap::new();
        for process in self.processes() {
            // Of one that has just ended there is nothing to read.
            let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            let uid = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"POD_UID="));
            if let Some(uid) = uid
                && let Some(twin) = pods.insert(uid.to_owned(), process)
            {
                panic!("{twin} and {process} run for the pod {}", String::from_utf8_lossy(uid));
            }
        }
    }

    /// Waits until the processes are as wanted.
    pub(crate) fn wait_for_processes(&self, what: &str, wanted: impl Fn(&BTreeSet<i32>) -> bool) -> BTreeSet<i32> {
        wait_for(what, || Some(self.processes()).filter(&wanted))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for _ in 0..50 {
            for pid in self.processes() {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            // What supervised one of them writes down how it ended, which takes it a moment.
            if fs::remove_dir_all(&self.folder).is_ok() || !self.folder.exists() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// One start of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Start {
    /// The pod's uid.
    pub(crate) pod: String,
    /// The process.
    pub(crate) process: i32,
}

/// A running `k8s-like up` or `k8s-like node`.
pub(crate) struct Up {
    child: Child,
    lines: Receiver<String>,
    /// Everything it has said so far.
    pub(crate) heard: Vec<String>,
}

impl Up {
    fn start(command: &[&str], manifest: &Path, state: &Path, options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_k8s-like"))
            .args(command)
            .arg(manifest)
            .arg("--state-dir")
            .arg(state)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("k8s-like starts");
        let (sender, lines) = channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, heard: Vec::new() }
    }

    /// Waits for a line that contains all of these, and returns it.
    pub(crate) fn hears(&mut self, parts: &[&str]) -> String {
        let [line] = self.hears_each([parts]);
        line
    }

    /// Waits until each of these was heard from now on, in any order.
    pub(crate) fn hears_each<const N: usize>(&mut self, wanted: [&[&str]; N]) -> [String; N] {
        let end = Instant::now() + PATIENCE;
        let mut found = wanted.map(|_| None);
        while found.contains(&None) {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let next = (0..N)
                        .find(|index| found[*index].is_none() && wanted[*index].iter().all(|part| line.contains(part)));
                    if let Some(index) = next {
                        found[index] = Some(line.clone());
                    }
                    self.heard.push(line);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("not all of {wanted:?} among:\n{}", self.heard.join("\n"));
                }
            }
        }
        found.map(Option::unwrap_or_default)
    }

    /// Whether a line that contains all of these was heard by now. Does not wait.
    pub(crate) fn has_heard(&mut self, parts: &[&str]) -> bool {
        self.heard.extend(self.lines.try_iter());
        self.heard.iter().any(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// Waits until the Deployment is complete and the service answers; returns its address.
    pub(crate) fn settles(&mut self) -> String {
        let [_, line] = self.hears_each([&["deployment shop/web is complete"], &["service", "answers at http://"]]);
        line.rsplit_once("http://").expect("as heard").1.to_owned()
    }

    /// Sends a signal to k8s-like itself.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// Waits for its end and returns the exit code; `None` when a signal ended it.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        wait_for("k8s-like ends", || self.child.try_wait().expect("a child")).code()
    }

    /// Ends it as a crash does; what it started runs on.
    pub(crate) fn crash(mut self) {
        self.signal(Signal::SIGKILL);
        assert_eq!(self.ended(), None, "killed by a signal");
    }

    /// Stops it as Ctrl-C does.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::SIGINT);
        let ended = self.ended();
        // What it said last may still be on its way.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(1)) {
            self.heard.push(line);
        }
        assert_eq!(ended, Some(0), "it stops in good order; it said:\n{}", self.heard.join("\n"));
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own; the body of the answer.
pub(crate) fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.trim().to_owned()) } else { Err(std::io::Error::other(answer)) }
}

/// Looks again and again until there is something to see.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    let mut look = look;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("waited in vain until {what}");
}

/// A namespace, a Deployment of the web server and a Service.
pub(crate) fn web(token: &str, replicas: u32, more_arguments: &str) -> String {
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
  progressDeadlineSeconds: 5
  selector: {{matchLabels: {{app: web}}}}
  strategy: {{rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: web
          command: [k8s-like, hello-web, --text, {token}{more_arguments}]
          env: [{{name: POD_NAME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
          ports: [{{name: http, containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /healthz, port: http}}, periodSeconds: 1}}
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
