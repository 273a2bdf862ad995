//! What happens behind the runtime's back: to containerd, to containers, to sandboxes, and to the runtime itself.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use orch_core::runtime::{ContainerId, ContainerState, ExitReason, Runtime as _, RuntimeError};
use orch_runtime::containerd::ContainerdRuntime;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use super::place::{Place, ended, eventually, id, output, record, sandbox};

async fn started(runtime: &ContainerdRuntime, place: &Place, id: &ContainerId, program: Program) -> u32 {
    runtime.create_sandbox(&sandbox(id.pod.as_str())).await.expect("a sandbox");
    runtime.start(id, &place.container(program)).await.expect("started");
    process(runtime, id).await.expect("it runs")
}

async fn process(runtime: &ContainerdRuntime, id: &ContainerId) -> Option<u32> {
    let pod = runtime.status(&id.pod).await.ok()??;
    pod.containers.into_iter().find(|container| container.id == *id)?.process
}

#[tokio::test]
async fn containers_do_not_notice_that_containerd_is_killed() {
    let place = Place::alone().await;
    let runtime = place.open().await;
    let (web, job) = (id("a", "web", 0), id("b", "job", 0));
    let before = started(&runtime, &place, &web, Program::Runs).await;
    started(&runtime, &place, &job, Program::Exits { code: 6, after: Duration::from_millis(300) }).await;
    place.containerd().kill();
    let error = runtime.list().await.expect_err("nobody answers");
    assert!(error.is_transient() && error.to_string().contains("containerd"), "{error}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    place.containerd().restart().await;
    let back = eventually("the same runtime goes on", async || process(&runtime, &web).await).await;
    assert_eq!(back, before, "it is the same process still");
    let end = eventually("an end meanwhile is known", async || ended(&runtime, &job).await).await;
    assert_eq!(end, (ExitReason::Exited, 6));
    runtime.stop(&web, Duration::from_secs(20)).await.expect("it is under control");
    for pod in ["a", "b"] {
        runtime.remove(&pod.parse().expect("a uid")).await.expect("removed");
    }
    assert!(place.pids().is_empty());
}

#[tokio::test]
async fn an_end_is_told_after_containerd_was_restarted() {
    let place = Place::alone().await;
    let runtime = place.open().await;
    let (web, job) = (id("a", "web", 0), id("a", "job", 0));
    let web_pid = started(&runtime, &place, &web, Program::Runs).await;
    let job_pid = started(&runtime, &place, &job, Program::Runs).await;
    let mut events = runtime.events();
    let mut told = async |id: &ContainerId| {
        let told = async {
            while ended(&runtime, id).await.is_none() {
                futures::StreamExt::next(&mut events).await.expect("events go on");
            }
        };
        // Less than the time that a request may take: nothing has to fail first.
        tokio::time::timeout(Duration::from_secs(8), told).await.expect("it is told");
        assert_eq!(ended(&runtime, id).await, Some((ExitReason::Signaled, 137)));
    };
    place.containerd().kill();
    kill(web_pid);
    place.containerd().restart().await;
    told(&web).await;
    kill(job_pid);
    told(&job).await;
    runtime.remove(&web.pod).await.expect("removed");
}

#[tokio::test]
async fn a_container_whose_shim_is_killed_is_unknown_and_gone() {
    let place = Place::new().await;
    let runtime = place.open().await;
    let web = id("a", "web", 0);
    let pid = started(&runtime, &place, &web, Program::Runs).await;
    kill(parent(pid));
    let end = eventually("its end is told", async || ended(&runtime, &web).await).await;
    assert_eq!(end.1, 137, "{end:?}");
    runtime.start(&id("a", "web", 1), &place.container(Program::Runs)).await.expect("the next attempt");
    runtime.remove(&web.pod).await.expect("removed");
    assert!(place.pids().is_empty(), "nothing of it is left: {:?}", place.pids());
}

#[tokio::test]
async fn a_record_that_was_removed_by_others_takes_its_attempt_with_it() {
    let place = Place::new().await;
    let runtime = place.open().await;
    let before = place.traces().await;
    let web = id("a", "web", 0);
    started(&runtime, &place, &web, Program::Runs).await;
    place.ctr(&["task", "delete", "--force", &record(&web)]);
    place.ctr(&["container", "delete", &record(&web)]);
    let pod = runtime.status(&web.pod).await.expect("a status").expect("the pod");
    assert!(pod.ready && pod.containers.is_empty(), "what is gone is not reported: {pod:?}");
    let again = runtime.start(&web, &place.container(Program::Runs)).await;
    assert!(matches!(again, Err(RuntimeError::Superseded { .. })), "it was started before: {again:?}");
    runtime.start(&id("a", "web", 1), &place.container(Program::Runs)).await.expect("the next attempt");
    runtime.remove(&web.pod).await.expect("removed");
    assert_eq!(place.traces().await, before, "nothing is left");
}

#[tokio::test]
async fn a_sandbox_that_was_removed_by_others_is_made_again_or_cleared() {
    let place = Place::new().await;
    let runtime = place.open().await;
    let before = place.traces().await;
    let web = id("a", "web", 0);
    started(&runtime, &place, &web, Program::Runs).await;
    place.ctr(&["container", "delete", "a"]);
    let error = runtime.start(&id("a", "log", 0), &place.container(Program::Runs)).await;
    assert!(matches!(error, Err(RuntimeError::NoSuchPod { .. })), "{error:?}");
    drop(runtime);
    let runtime = place.open().await;
    assert!(runtime.list().await.expect("a list").is_empty(), "what has no pod is cleared");
    assert!(place.pids().is_empty());
    assert_eq!(place.traces().await, before, "nothing is left");
}

#[tokio::test]
async fn fifty_pods_at_once_have_addresses_of_their_own_and_leave_nothing() {
    let place = Place::new().await;
    let runtime = place.open().await;
    let before = place.traces().await;
    let ids: Vec<ContainerId> = (0..50).map(|number| id(&format!("pod-{number}"), "web", 0)).collect();
    let program = place.container(Program::Runs);
    let run = async |id: &ContainerId| {
        let pod = runtime.create_sandbox(&sandbox(id.pod.as_str())).await.expect("a sandbox");
        runtime.start(id, &program).await.expect("started");
        pod.ip.expect("an address")
    };
    let since = tokio::time::Instant::now();
    let addresses: BTreeSet<_> = join_all(ids.iter().map(run)).await.into_iter().collect();
    println!("50 pods started in {:?}", since.elapsed());
    assert_eq!(addresses.len(), 50, "no address is given twice");
    let list = runtime.list().await.expect("a list");
    assert!(list.len() == 50 && list.iter().all(|pod| pod.ready && pod.containers[0].state.is_running()));
    let since = tokio::time::Instant::now();
    for result in join_all(ids.iter().map(|id| runtime.remove(&id.pod))).await {
        result.expect("removed");
    }
    println!("50 pods removed in {:?}", since.elapsed());
    assert_eq!(place.traces().await, before, "nothing is left");
}

/// The runtime is given up at one moment after another, with all its tasks, as if its process were killed.
#[test]
fn whenever_the_runtime_is_killed_the_next_one_finishes_or_undoes_it() {
    let place = in_new_runtime(Place::new());
    in_new_runtime(async { drop(place.open().await) });
    let before = in_new_runtime(place.traces());
    let web = id("a", "web", 0);
    for step in 0..30 {
        let moment = Duration::from_millis(step * 5);
        in_new_runtime(async {
            let runtime = place.open().await;
            let act = async {
                runtime.create_sandbox(&sandbox("a")).await?;
                runtime.start(&web, &place.container(Program::WritesAndRuns { lines: 1 })).await
            };
            let _ = tokio::time::timeout(moment, act).await;
        });
        in_new_runtime(async {
            let runtime = place.open().await;
            runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
            let program = place.container(Program::WritesAndRuns { lines: 1 });
            let started = async || match runtime.start(&web, &program).await {
                // What was begun by one that was killed may be in the way, until containerd is done with it.
                Err(error) if error.is_transient() => None,
                Err(error) => panic!("{error}"),
                Ok(()) => Some(()),
            };
            eventually("it is started", started).await;
            let written = async || output(&runtime, &web).await.contains("line 1\n").then_some(());
            eventually("it writes", written).await;
            assert_eq!(output(&runtime, &web).await, "line 1\n", "after {moment:?}: it was run once");
            let pod = runtime.status(&web.pod).await.expect("a status").expect("the pod");
            assert!(pod.ready && pod.containers.len() == 1 && pod.containers[0].state.is_running(), "{pod:?}");
        });
        in_new_runtime(async {
            let runtime = place.open().await;
            let _ = tokio::time::timeout(moment, runtime.remove(&web.pod)).await;
        });
        in_new_runtime(async {
            let runtime = place.open().await;
            runtime.remove(&web.pod).await.expect("removed");
            assert!(runtime.list().await.expect("a list").is_empty());
            // What containerd had begun for the one that was killed may be done only now; it is removed then.
            let nothing = async || (place.traces().await == before).then_some(());
            eventually("nothing is left", nothing).await;
        });
    }
}

#[tokio::test]
async fn nothing_of_another_namespace_is_touched() {
    let place = Place::new().await;
    let (runtime, stranger) = (place.open().await, place.open_stranger().await);
    let theirs = id("a", "web", 0);
    started(&stranger, &place, &theirs, Program::Runs).await;
    started(&runtime, &place, &theirs, Program::Runs).await;
    runtime.remove(&theirs.pod).await.expect("removed");
    let pod = stranger.status(&theirs.pod).await.expect("a status").expect("the pod");
    assert!(pod.ready && matches!(pod.containers[0].state, ContainerState::Running { .. }), "{pod:?}");
    stranger.remove(&theirs.pod).await.expect("removed");
}

/// What is still under way when the future is ready is given up.
fn in_new_runtime<T>(act: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(act)
}

fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "`kill -9 {pid}` works");
}

fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit_once(')').expect("a name").1;
    fields.split_ascii_whitespace().nth(1).and_then(|parent| parent.parse().ok()).expect("a parent")
}
