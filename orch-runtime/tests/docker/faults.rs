//! Whatever is killed, nothing runs twice, nothing is lost, nothing of others is touched, and nothing is left behind.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use futures::{StreamExt as _, TryStreamExt as _};
use orch_core::runtime::{
    ContainerId, ContainerState, ContainerStatus, ExitReason, LogOptions, PodUid, Runtime, RuntimeError, SandboxSpec,
};
use orch_runtime::DockerRuntime;
use orch_testkit::daemon::{Dockerd, busybox_image};
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use crate::place::{IMAGE, Place, outside};

/// A daemon for one test alone.
fn daemon() -> &'static Dockerd {
    let daemon = outside(async || {
        let daemon = Dockerd::start().await;
        daemon.load(&busybox_image(), IMAGE);
        daemon
    });
    Box::leak(Box::new(daemon))
}

/// Ends a daemon that was made for one test, with what it made.
fn end(daemon: &'static Dockerd) {
    daemon.kill();
    daemon.containerd().kill();
}

fn sandbox(uid: &str) -> SandboxSpec {
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

fn web(uid: &str, attempt: u32) -> ContainerId {
    ContainerId { pod: sandbox(uid).pod, name: "web".parse().expect("a valid name"), attempt }
}

async fn started(runtime: &DockerRuntime, place: &Place, id: &ContainerId, program: Program) -> ContainerStatus {
    runtime.create_sandbox(&sandbox(id.pod.as_str())).await.expect("a sandbox");
    runtime.start(id, &place.container(program)).await.expect("a start");
    container(runtime, id).await
}

async fn container(runtime: &DockerRuntime, id: &ContainerId) -> ContainerStatus {
    let pod = runtime.status(&id.pod).await.expect("a status").expect("the pod");
    pod.containers.into_iter().find(|container| container.id == *id).expect("the container")
}

async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking).await.unwrap_or_else(|_| panic!("within a minute, {what}"))
}

#[test]
fn a_daemon_that_is_killed_and_comes_back_finds_what_runs_and_what_ended() {
    let daemon = daemon();
    let place = Place::on(daemon);
    run(async {
        let runtime = place.open().await;
        let (runs, ends) = (web("a", 0), web("b", 0));
        let before = started(&runtime, &place, &runs, Program::WritesAndRuns { lines: 1 }).await;
        let after = Duration::from_secs(2);
        started(&runtime, &place, &ends, Program::Exits { code: 5, after }).await;
        let mut events = runtime.events();
        daemon.kill();
        let error = runtime.list().await.expect_err("there is no daemon");
        assert!(error.is_transient() && error.to_string().contains("no Docker daemon answers"), "{error}");
        let error = runtime.start(&web("a", 1), &before.spec).await.expect_err("there is no daemon");
        assert!(error.is_transient(), "{error}");
        let mark = format!("{}: ", before.process.expect("it runs"));
        eventually("what ends by itself ends", async || (place.processes().await.len() == 2).then_some(())).await;
        assert!(place.processes().await.iter().any(|process| process.starts_with(&mark)), "what runs runs on");

        daemon.restart().await;
        assert_eq!(container(&runtime, &runs).await, before, "it is the same process still");
        runtime.start(&runs, &before.spec).await.expect("it was started");
        assert_eq!(container(&runtime, &runs).await, before, "it is not started again");
        let told = container(&runtime, &ends).await;
        assert!(!told.state.is_running(), "it has ended: {told:?}");
        let next = async { while events.next().await != Some(ends.pod.clone()) {} };
        tokio::time::timeout(Duration::from_secs(60), next).await.expect("what may have changed meanwhile is told");
        runtime.stop(&runs, Duration::from_secs(20)).await.expect("it is under control");
        let end = container(&runtime, &runs).await.state;
        assert!(matches!(end, ContainerState::Exited { code: 0, reason: ExitReason::Exited, .. }), "{end:?}");
        for uid in ["a", "b"] {
            runtime.remove(&sandbox(uid).pod).await.expect("removed");
        }
        assert_eq!(place.processes().await, [].into());
    });
    drop(place);
    end(daemon);
}

#[test]
fn a_daemon_that_is_missing_says_what_to_do() {
    run(async {
        let place = Place::new();
        let mut config = place.config();
        config.socket = place.config().root.join("no.sock");
        let error = DockerRuntime::open(config).await.expect_err("there is no daemon");
        assert!(error.is_transient() && error.to_string().contains("start the daemon"), "{error}");
        let version = place.open().await.version();
        let numbers = version.strip_prefix("docker://").unwrap_or_default();
        assert!(
            numbers.split('.').count() == 3 && numbers.split('.').all(|part| part.parse::<u32>().is_ok()),
            "{version}"
        );
    });
}

#[test]
fn thirty_pods_at_once_leave_nothing_behind_and_touch_nothing_of_others() {
    let daemon = daemon();
    let place = Place::on(daemon);
    run(async {
        let foreign = daemon.docker(["run", "--detach", "--name", "foreign", IMAGE, "sleep", "100000"]);
        assert!(foreign.status.success(), "{foreign:?}");
        let runtime = place.open().await;
        // The image of sandboxes is there from the first on.
        runtime.create_sandbox(&sandbox("first")).await.expect("a sandbox");
        runtime.remove(&sandbox("first").pod).await.expect("removed");
        let before = kernel(daemon);
        let uids: Vec<String> = (0..30).map(|number| format!("pod-{number}")).collect();
        let spec = place.container(Program::WritesAndRuns { lines: 1 });
        let starts = uids.iter().map(async |uid| {
            runtime.create_sandbox(&sandbox(uid)).await?;
            runtime.start(&web(uid, 0), &spec).await
        });
        try_join_all(starts).await.expect("every pod starts");
        let list = runtime.list().await.expect("a list");
        assert_eq!(list.len(), 30);
        assert!(
            list.iter().all(|pod| pod.ready && pod.containers.iter().all(|container| container.state.is_running()))
        );
        let addresses: BTreeSet<_> = list.iter().map(|pod| pod.ip.expect("an address")).collect();
        assert_eq!(addresses.len(), 30, "each has an address of its own");
        for result in join_all(list.iter().map(|pod| runtime.remove(&pod.spec.pod))).await {
            result.expect("removed");
        }
        assert!(runtime.list().await.expect("a list").is_empty());
        let left = async || kernel(daemon).is_subset(&before).then_some(());
        eventually("mounts, network namespaces and cgroups go with the pods", left).await;
        let foreign = daemon.docker(["inspect", "--format", "{{.State.Running}}", "foreign"]);
        assert_eq!(String::from_utf8_lossy(&foreign.stdout).trim(), "true", "what others made runs on");
        assert!(place.traces().await.iter().all(|trace| !trace.contains("pod-")));
    });
    drop(place);
    end(daemon);
}

/// What the kernel keeps for the containers of a daemon.
fn kernel(daemon: &Dockerd) -> BTreeSet<String> {
    let folder = daemon.folder().display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the table of mounts");
    let place = |line: &str| line.split(' ').nth(4).map(str::to_owned);
    let mut found: BTreeSet<String> = mounts.lines().filter_map(place).filter(|at| at.starts_with(&folder)).collect();
    for root in fs::read_dir("/sys/fs/cgroup").expect("cgroups").flatten() {
        let parent = root.path().join(daemon.cgroup_parent().trim_start_matches('/'));
        let groups = fs::read_dir(parent).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
        found.extend(groups.map(|group| group.path().display().to_string()));
    }
    found
}

#[test]
fn what_a_crash_left_before_its_start_is_not_told_and_completed_by_the_next() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        let id = web("a", 0);
        let spec = place.container(Program::Runs);
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let labels = [
            ("orch.scope", place.scope().to_owned()),
            ("orch.pod", "a".to_owned()),
            ("orch.sandbox", serde_json::to_string(&sandbox("a")).expect("JSON")),
            ("orch.container", "web".to_owned()),
            ("orch.attempt", "0".to_owned()),
            ("orch.spec", serde_json::to_string(&spec).expect("JSON")),
        ];
        let mut arguments = vec!["create".to_owned(), "--name".to_owned(), place.docker_name(&id)];
        arguments.extend(labels.iter().flat_map(|(name, value)| ["--label".to_owned(), format!("{name}={value}")]));
        arguments.extend([IMAGE, "false"].map(str::to_owned));
        assert!(place.daemon().docker(&arguments).status.success());
        let pod = runtime.status(&id.pod).await.expect("a status").expect("the pod");
        assert_eq!(pod.containers, [], "it never ran");
        runtime.start(&id, &spec).await.expect("a start");
        assert!(container(&runtime, &id).await.state.is_running(), "it runs what was asked for now");
        runtime.remove(&id.pod).await.expect("removed");
    });
}

#[test]
fn a_container_of_our_name_that_others_made_is_not_ours() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        let id = web("a", 0);
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let name = place.docker_name(&id);
        let made = place.daemon().docker(["run", "--detach", "--name", &name, IMAGE, "sleep", "100000"]);
        assert!(made.status.success(), "{made:?}");
        let error = runtime.start(&id, &place.container(Program::Runs)).await.expect_err("the name is taken");
        assert!(error.to_string().contains(&name), "{error}");
        assert_eq!(runtime.status(&id.pod).await.expect("a status").expect("the pod").containers, []);
        runtime.remove(&id.pod).await.expect("removed");
        let state = place.daemon().docker(["inspect", "--format", "{{.State.Running}}", &name]);
        assert_eq!(String::from_utf8_lossy(&state.stdout).trim(), "true", "it runs on");
        place.daemon().docker(["rm", "--force", &name]);
    });
}

#[test]
fn an_attempt_whose_records_were_lost_is_not_started_again() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        let id = web("a", 3);
        let before = started(&runtime, &place, &id, Program::Exits { code: 4, after: Duration::ZERO }).await.spec;
        eventually("it ends", async || (!container(&runtime, &id).await.state.is_running()).then_some(())).await;
        drop(runtime);
        fs::remove_dir_all(place.config().root).expect("its records");
        let runtime = place.open().await;
        let state = container(&runtime, &id).await.state;
        assert!(matches!(state, ContainerState::Exited { code: 4, .. }), "{state:?}");
        runtime.start(&id, &before).await.expect("it was started");
        assert_eq!(container(&runtime, &id).await.state, state, "it is not started again");
        let earlier = runtime.start(&web("a", 2), &before).await;
        assert!(matches!(earlier, Err(RuntimeError::Superseded { .. })), "{earlier:?}");
        runtime.remove(&id.pod).await.expect("removed");
    });
}

#[test]
fn a_command_that_ends_with_the_code_of_a_missing_one_is_not_taken_for_it() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        let id = web("a", 0);
        started(&runtime, &place, &id, Program::Runs).await;
        for code in [126, 127] {
            let command = ["/bin/sh", "-c", &format!("exit {code}")].map(str::to_owned);
            let output = runtime.exec(&id, &command, Duration::from_secs(30)).await.expect("there is such a command");
            assert_eq!(output.code, code);
        }
        runtime.remove(&id.pod).await.expect("removed");
    });
}

#[test]
fn files_that_are_rotated_end_no_output_that_is_followed() {
    run(async {
        let place = Place::new();
        let mut config = place.config();
        config.log_bytes = 20_000;
        let runtime = DockerRuntime::open(config).await.expect("a runtime");
        let id = web("a", 0);
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        // Twenty times what is kept, and slower than it is read.
        let script = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo \"$i $(printf %01000d 0)\"; sleep 0.01; done";
        runtime.start(&id, &place.script(script)).await.expect("a start");
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let stream = runtime.logs(&id, options).await.expect("output");
        let read = tokio::time::timeout(Duration::from_secs(120), stream.try_collect::<Vec<_>>()).await;
        let text =
            String::from_utf8(read.expect("it ends with the container").expect("output").concat()).expect("text");
        let numbers: Vec<u32> = text
            .lines()
            .map(|line| line.split(' ').next().and_then(|number| number.parse().ok()).expect("a line"))
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "each line once, in order: {numbers:?}");
        assert_eq!(numbers.last(), Some(&400), "to the end");
        assert_eq!(numbers.len(), 400, "whoever keeps up misses none");
        runtime.remove(&id.pod).await.expect("removed");
    });
}
