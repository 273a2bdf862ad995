//! Whatever is killed, nothing runs twice and nothing is lost.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use orch_core::runtime::{
    ContainerId, ContainerState, ContainerStatus, ExitReason, LogOptions, PodUid, Runtime as _, RuntimeError,
    SandboxSpec,
};
use orch_runtime::process::{ProcessConfig, ProcessRuntime, Shim};
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use crate::place::{Place, eventually, output};

/// How the helper is told where to work.
const ROOT: &str = "HELPER_ROOT";

pub(crate) fn sandbox(uid: &str) -> SandboxSpec {
    let pod: PodUid = uid.parse().expect("a valid uid");
    SandboxSpec {
        pod,
        namespace: "default".into(),
        name: uid.into(),
        hostname: uid.into(),
        host_network: false,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    }
}

pub(crate) fn web(attempt: u32) -> ContainerId {
    ContainerId { pod: sandbox("a").pod, name: "web".parse().expect("a valid name"), attempt }
}

/// The only container of the only pod.
async fn only(runtime: &ProcessRuntime) -> Option<ContainerStatus> {
    let mut pods = runtime.list().await.expect("a list").into_iter();
    pods.next().and_then(|pod| pod.containers.into_iter().next())
}

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("there is a program `kill`");
    assert!(status.success(), "kill -9 {pid}");
}

/// When the process was started, in ticks since the boot.
fn start_time(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    stat.rsplit(')').next().and_then(|fields| fields.split(' ').nth(20)).expect("a start time").to_owned()
}

fn helper_config(root: PathBuf) -> ProcessConfig {
    let shim = Shim::Path(env!("CARGO_BIN_EXE_orch-shim").into());
    ProcessConfig { shim, ..ProcessConfig::new(root) }
}

#[test]
#[ignore = "it is the program that a_killed_user_leaves_everything_to_the_next kills"]
fn the_user_that_is_killed() {
    let root = std::env::var_os(ROOT).expect("started by the test that kills it");
    run(async {
        let runtime = ProcessRuntime::open(helper_config(root.into())).await.expect("a runtime");
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let script = "trap 'echo bye; exit 9' TERM; echo hello; while :; do sleep 0.05; done";
        let spec = Place::plain_script(script);
        runtime.start(&web(0), &spec).await.expect("a start");
        eprintln!("started");
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_killed_user_leaves_everything_to_the_next() {
    run(async {
        let place = Place::new();
        let mut user = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "faults::the_user_that_is_killed"])
            .env(ROOT, place.root())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("this program once more");
        let mut lines = BufReader::new(user.stderr.take().expect("a pipe")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "started")), "the helper starts a container");
        let refused = ProcessRuntime::open(place.config()).await.expect_err("another process uses the folder");
        assert!(refused.to_string().contains(&format!("process {}", user.id())), "{refused}");
        let record = fs::read_to_string(place.root().join("pods/a/containers/web/0/process.json")).expect("a record");
        kill(user.id());
        user.wait().expect("it is killed");

        let runtime = place.open().await;
        let found = only(&runtime).await.expect("the container");
        let pid = found.process.expect("it runs");
        assert!(record.contains(&format!("\"pid\":{pid},\"started\":{}", start_time(pid))), "{record} is {pid}");
        runtime.start(&web(0), &found.spec).await.expect("it was started");
        assert_eq!(only(&runtime).await, Some(found), "it is not started again");
        runtime.stop(&web(0), Duration::from_secs(20)).await.expect("stopped");
        let end = only(&runtime).await.expect("the container").state;
        assert!(matches!(end, ContainerState::Exited { code: 9, reason: ExitReason::Exited, .. }), "{end:?}");
        let text = output(&runtime, &web(0)).await;
        assert!(text.starts_with("hello\n") && text.ends_with("bye\n"), "{text}");
        runtime.remove(&web(0).pod).await.expect("removed");
        assert_eq!(place.processes().await, [].into());
    });
}

#[test]
fn a_user_killed_at_any_moment_of_a_start_leaves_one_container_at_most() {
    run(async {
        for step in 0..12 {
            let place = Place::new();
            let mut user = Command::new(std::env::current_exe().expect("this program"))
                .args(["--ignored", "--exact", "--nocapture", "faults::the_user_that_is_killed"])
                .env(ROOT, place.root())
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .expect("this program once more");
            let begun = async || place.root().join("pods/a/sandbox.json").exists().then_some(());
            eventually(begun).await;
            tokio::time::sleep(Duration::from_micros(step * 700)).await;
            kill(user.id());
            user.wait().expect("it is killed");

            let runtime = place.open().await;
            runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
            let spec = Place::plain_script("echo hello; exec sleep 100000");
            runtime.start(&web(0), &spec).await.expect("started, by the one or the other");
            let wrote = async || (!output(&runtime, &web(0)).await.is_empty()).then_some(());
            eventually(wrote).await;
            assert_eq!(output(&runtime, &web(0)).await, "hello\n", "step {step}: it was run once");
            assert_eq!(place.shims().len(), 1, "step {step}: one container, one shim");
            runtime.remove(&web(0).pod).await.expect("removed");
            assert_eq!(place.processes().await, [].into(), "step {step}");
        }
    });
}

#[test]
fn when_a_shim_is_killed_its_container_is_before_another_attempt_starts() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let deaf = place.script("trap '' TERM HUP; (trap '' TERM HUP; sleep 100000; sleep 100000) & sleep 100000");
        runtime.start(&web(0), &deaf).await.expect("a start");
        let [shim] = place.shims()[..] else { panic!("there is one shim") };
        kill(shim);
        let ended = async || only(&runtime).await.filter(|container| !container.state.is_running());
        let end = eventually(ended).await.state;
        assert!(matches!(end, ContainerState::Exited { code: 137, reason: ExitReason::Unknown, .. }), "{end:?}");
        assert_eq!(place.processes().await, [].into(), "it is told when everything of it has ended");
        runtime.start(&web(1), &place.container(Program::Runs)).await.expect("the next attempt");
        runtime.remove(&web(1).pod).await.expect("removed");
    });
}

#[test]
fn a_shim_killed_while_nobody_watches_is_found_out() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        runtime.start(&web(0), &place.container(Program::Runs)).await.expect("a start");
        drop(runtime);
        let [shim] = place.shims()[..] else { panic!("there is one shim") };
        kill(shim);
        let runtime = place.open().await;
        // A signal was sent; that the process is gone takes the kernel a moment.
        let ended = async || only(&runtime).await.filter(|container| !container.state.is_running());
        let end = eventually(ended).await.state;
        assert!(matches!(end, ContainerState::Exited { code: 137, reason: ExitReason::Unknown, .. }), "{end:?}");
        drop(runtime);
        let runtime = place.open().await;
        assert_eq!(only(&runtime).await.expect("the container").state, end, "and told the same from then on");
    });
}

#[test]
fn an_intent_without_a_shim_was_never_started_and_may_be() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        runtime.start(&web(0), &place.container(Program::IsMissing)).await.expect("a start");
        drop(runtime);
        // As if its user had been killed right before the shim was started.
        let attempt = place.root().join("pods/a/containers/web/0");
        for record in ["exit.json", "shim.json", "process.json"] {
            // A shim leaves the first two; there was no process.
            let _ = fs::remove_file(attempt.join(record));
        }
        let runtime = place.open().await;
        assert_eq!(only(&runtime).await, None, "nothing of it ever ran");
        runtime.start(&web(0), &place.container(Program::Runs)).await.expect("so it is started now");
        assert!(only(&runtime).await.is_some_and(|container| container.state.is_running()));
        runtime.remove(&web(0).pod).await.expect("removed");
    });
}

#[test]
fn a_shim_that_cannot_be_run_is_told_and_leaves_nothing() {
    run(async {
        let place = Place::new();
        for (shim, hint) in [("/no/such/shim", "/no/such/shim"), ("/bin/true", "run_shim_if_asked")] {
            let mut config = place.config();
            config.shim = Shim::Path(shim.into());
            let runtime = ProcessRuntime::open(config).await.expect("a runtime");
            runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
            let error = runtime.start(&web(0), &place.container(Program::Runs)).await.expect_err("there is no shim");
            assert!(matches!(error, RuntimeError::Unavailable { transient: false, .. }), "{error:?}");
            assert!(error.to_string().contains(hint), "{error}");
            assert_eq!(only(&runtime).await, None, "it was not started, and may be tried again");
        }
        let runtime = place.open().await;
        runtime.start(&web(0), &place.container(Program::Runs)).await.expect("with a shim it starts");
        runtime.remove(&web(0).pod).await.expect("removed");
        let mut config = place.config();
        config.shim = Shim::CurrentExe;
        let error = ProcessRuntime::open(config).await.expect_err("this program's main is the test harness's");
        assert!(error.to_string().contains("run_shim_if_asked"), "{error}");
    });
}

#[test]
fn output_of_a_container_that_was_read_is_followed_across_pieces() {
    run(async {
        let place = Place::new();
        let mut config = place.config();
        config.log_bytes = 1000;
        let runtime = ProcessRuntime::open(config).await.expect("a runtime");
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done";
        runtime.start(&web(0), &place.script(script)).await.expect("a start");
        let ended = async || only(&runtime).await.filter(|container| !container.state.is_running());
        eventually(ended).await;
        let stream = runtime.logs(&web(0), LogOptions::default()).await.expect("output");
        let text = futures::TryStreamExt::try_collect::<Vec<_>>(stream).await.expect("output").concat();
        assert!(text.ends_with(b"line 1998\nline 1999\n"), "the end is kept");
        assert!(text.len() <= 2 * (1000 + (64 << 10)), "the beginning is not: {} bytes", text.len());
        runtime.remove(&web(0).pod).await.expect("removed");
    });
}

#[test]
fn hundreds_of_processes_end_as_soon_as_one() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let many = "i=0; while [ $i -lt 500 ]; do sleep 100000 & i=$((i+1)); done; echo ready; wait";
        runtime.start(&web(0), &place.script(many)).await.expect("a start");
        eventually(async || (output(&runtime, &web(0)).await == "ready\n").then_some(())).await;
        let before = tokio::time::Instant::now();
        runtime.stop(&web(0), Duration::ZERO).await.expect("a stop");
        let took = before.elapsed();
        println!("500 processes ended in {took:?}");
        // To look at all processes of the machine for each of them takes longer than a stop may.
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(place.processes().await.is_empty());
        runtime.remove(&web(0).pod).await.expect("removed");
    });
}
