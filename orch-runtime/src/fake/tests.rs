//! What only the fake does; the contract itself is checked by the suite.

use futures::FutureExt as _;
use futures::StreamExt as _;
use orch_core::runtime::ContainerState;

use super::*;

const POD: &str = "pod-1";

fn sandbox() -> SandboxSpec {
    let uid = POD.parse().expect("a valid uid");
    SandboxSpec {
        pod: uid,
        namespace: "default".into(),
        name: "web".into(),
        hostname: "web".into(),
        host_network: false,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    }
}

fn web(attempt: u32) -> ContainerId {
    ContainerId { pod: sandbox().pod, name: "web".parse().expect("a valid name"), attempt }
}

async fn started(runtime: &FakeRuntime) -> ContainerId {
    runtime.create_sandbox(&sandbox()).await.expect("a sandbox");
    runtime.start(&web(0), &ContainerSpec::default()).await.expect("a start");
    web(0)
}

async fn state(runtime: &FakeRuntime, id: &ContainerId) -> ContainerState {
    let pod = runtime.status(&id.pod).await.expect("a status").expect("the pod");
    pod.containers.into_iter().find(|container| container.id == *id).expect("the container").state
}

#[tokio::test(start_paused = true)]
async fn a_scripted_end_comes_after_its_time_and_is_told() {
    let runtime = FakeRuntime::default();
    runtime.script("web", FakeProgram::exits(3, Duration::from_secs(3600)));
    let mut events = runtime.events();
    let id = started(&runtime).await;
    tokio::time::advance(Duration::from_secs(3599)).await;
    assert!(state(&runtime, &id).await.is_running());
    assert_eq!(events.next().await, Some(id.pod.clone()));
    assert!(matches!(state(&runtime, &id).await, ContainerState::Exited { code: 3, reason: ExitReason::Exited, .. }));
}

#[tokio::test]
async fn a_crash_ends_a_container_that_runs_and_no_other() {
    let runtime = FakeRuntime::default();
    let id = started(&runtime).await;
    assert!(runtime.crash(&id, 139));
    assert!(matches!(
        state(&runtime, &id).await,
        ContainerState::Exited { code: 139, reason: ExitReason::Signaled, .. }
    ));
    assert!(!runtime.crash(&id, 1) && !runtime.crash(&web(1), 1));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_work_done_and_an_unavailable_runtime_does_not() {
    let runtime = FakeRuntime::default();
    runtime.create_sandbox(&sandbox()).await.expect("a sandbox");
    runtime.fail_next(Operation::Start, Fault::Unavailable { transient: true });
    runtime.fail_next(Operation::Start, Fault::AnswerLost);
    let start = async || runtime.start(&web(0), &ContainerSpec::default()).await;
    assert!(start().await.is_err_and(|error| error.is_transient()));
    assert!(runtime.list().await.expect("a list")[0].containers.is_empty());
    assert!(start().await.is_err_and(|error| error.is_transient()));
    assert_eq!(runtime.list().await.expect("a list")[0].containers.len(), 1);
    start().await.expect("the third call is told that all is well");
    assert_eq!(runtime.calls(Operation::Start), 3);
}

#[tokio::test]
async fn a_call_that_hangs_goes_on_when_it_is_healed() {
    let runtime = FakeRuntime::default();
    runtime.fail_every(Operation::List, Fault::Hang);
    let mut list = runtime.list();
    assert!((&mut list).now_or_never().is_none());
    runtime.heal(Operation::List);
    assert!(list.await.is_ok());
    assert!(runtime.list().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_takes_its_whole_time() {
    let runtime = FakeRuntime::default();
    runtime.script_exec("probe", FakeCommand::Hangs(Vec::new()));
    let id = started(&runtime).await;
    let before = tokio::time::Instant::now();
    let result = runtime.exec(&id, &["probe".to_owned()], Duration::from_secs(7)).await;
    assert!(matches!(result, Err(RuntimeError::TimedOut)));
    assert_eq!(before.elapsed(), Duration::from_secs(7));
}
