//! `ProcessRuntime` against bare `runc`, and against starting a process.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use orch_core::runtime::Runtime as _;

use orch_runtime::process::{ProcessConfig, ProcessRuntime};
use orch_testkit::daemon::{Host, busybox_image};
use serde_json::Value;

use super::trip::{self, Pods, Trips, Way};
use super::{COMMAND, done};
use crate::measure::in_turn;
use crate::row::{Goal, Row};

/// Of runc.
pub fn version() -> String {
    let said = done("runc --version", runc(&Host::new()).arg("--version").output().expect("runc starts"));
    said.lines().next().unwrap_or_default().to_owned()
}

pub fn rows() -> Vec<Row> {
    let folder = std::env::temp_dir().join(format!("orch-bench-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder of its own");
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let trips = Trips { executor: &executor, daemons: Vec::new(), pods: 10, at_once: 1 };
    let runtime = executor.block_on(ProcessRuntime::open(ProcessConfig::new(folder.join("runtime"))));
    let runtime = Arc::new(runtime.expect("a runtime"));
    let pods = Pods { runtime: Arc::clone(&runtime) as _, spec: trip::spec(None) };
    let (bare, recorded) = (Bare(None), Bare(Some(folder.clone())));
    let bundles = Bundles::new(Host::new(), &folder);
    let [ours, bare, recorded, bundles] = in_turn([
        trips.side("ProcessRuntime", &pods),
        trips.side("fork and exec, kill and wait", &bare),
        trips.side("fork and exec with two synced records, kill and wait with one", &recorded),
        trips.side("runc run, runc delete, of a busybox", &bundles),
    ]);
    executor.block_on(async {
        assert_eq!(runtime.list().await.expect("a list"), [], "nothing is left behind");
        ProcessRuntime::clone(&runtime).close().await;
    });
    fs::remove_dir_all(&folder).expect("a folder can be removed");
    let what = "a pod of one process";
    [
        trip::rows(what, &ours, &bare, None),
        trip::rows(what, &ours, &recorded, Some(Goal::TimesAsFast(0.5))),
        trip::rows(what, &ours, &bundles, None),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A process, with records in a folder if there is one.
struct Bare(Option<PathBuf>);

impl Bare {
    /// Something that survives a loss of power.
    fn record(&self, name: &str) {
        let Some(folder) = &self.0 else { return };
        let (beside, path) = (folder.join(format!("{name}.new")), folder.join(name));
        let mut file = File::create(&beside).expect("a file");
        file.write_all(&[b'x'; 500]).and_then(|()| file.sync_all()).expect("it is written");
        fs::rename(beside, path).and_then(|()| File::open(folder)?.sync_all()).expect("it is written");
    }
}

impl Way for Bare {
    type Running = (u32, Child);

    async fn start(&self, number: u32) -> (u32, Child) {
        self.record(&format!("sandbox-{number}"));
        self.record(&format!("container-{number}"));
        (number, Command::new(COMMAND[0]).args(&COMMAND[1..]).spawn().expect("it starts"))
    }

    async fn remove(&self, (number, mut child): (u32, Child)) {
        child.kill().and_then(|()| child.wait()).expect("it ends");
        self.record(&format!("end-{number}"));
        if let Some(folder) = &self.0 {
            for kind in ["sandbox", "container", "end"] {
                fs::remove_file(folder.join(format!("{kind}-{number}"))).expect("it is there");
            }
        }
    }
}

/// Containers of runc, which share a root file system. They have all namespaces that runc gives by default.
struct Bundles {
    host: Host,
    bundle: PathBuf,
}

impl Bundles {
    fn new(host: Host, folder: &Path) -> Self {
        let bundle = folder.join("bundle");
        let rootfs = bundle.join("rootfs");
        fs::create_dir_all(&rootfs).expect("a folder");
        let archive = folder.join("rootfs.tar");
        fs::write(&archive, busybox_image().layers().next().expect("a layer")).expect("a file");
        let tar =
            Command::new("tar").arg("--extract").arg("--file").arg(archive).arg("--directory").arg(rootfs).output();
        done("tar", tar.expect("tar starts"));
        done("runc spec", runc(&host).arg("spec").current_dir(&bundle).output().expect("runc starts"));
        let path = bundle.join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = COMMAND.to_vec().into();
        spec["process"]["env"] = vec!["PATH=/bin"].into();
        fs::write(path, spec.to_string()).expect("a file");
        Self { host, bundle }
    }

    fn runc(&self, arguments: &[&str]) {
        let mut command = runc(&self.host);
        command.arg("--root").arg(self.bundle.join("state")).args(arguments).current_dir(&self.bundle);
        // What runs in the container keeps its output.
        let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(ended.is_ok_and(|status| status.success()), "runc {arguments:?} fails");
    }
}

impl Way for Bundles {
    type Running = String;

    async fn start(&self, number: u32) -> String {
        let id = format!("orch-bench-{}-{number}", std::process::id());
        self.runc(&["run", "--detach", &id]);
        id
    }

    async fn remove(&self, id: String) {
        self.runc(&["delete", "--force", &id]);
    }
}

/// runc with what it needs to find its libraries, and without a detour by the network of a host.
fn runc(host: &Host) -> Command {
    let clean = host.command("runc");
    let variables: Vec<_> = clean.get_envs().filter_map(|(name, value)| Some((name, value?))).collect();
    let path = variables.iter().find(|(name, _)| *name == "PATH").map(|(_, path)| *path).unwrap_or_default();
    let program = std::env::split_paths(path).map(|folder| folder.join("runc")).find(|path| path.is_file());
    let mut command = Command::new(program.expect("runc is there: `cargo xtask bench` sees to that"));
    command.env_clear().envs(variables);
    command
}
