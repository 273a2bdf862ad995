//! R3: everything is told.

use std::time::Duration;

use futures::StreamExt as _;
use orch_core::runtime::{ContainerState, ExitReason, Runtime as _};

use super::steps::{PATIENCE, container, ended, id, pod, pod_status, sandbox, started};
use super::{Program, RuntimeFixture};

const AT_ONCE: Program = Program::Exits { code: 0, after: Duration::ZERO };

/// Every sandbox and container is listed, running or ended, ordered by pod, container and attempt.
pub async fn everything_is_listed_in_order(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    runtime.create_sandbox(&sandbox("c")).await.expect("a sandbox is made");
    started(&runtime, &fixture, &id("b", "web", 0), AT_ONCE).await;
    ended(&runtime, &id("b", "web", 0)).await;
    for (uid, name, attempt) in [("b", "web", 1), ("b", "log", 0), ("a", "web", 0)] {
        started(&runtime, &fixture, &id(uid, name, attempt), Program::Runs).await;
    }
    let list = runtime.list().await.expect("a list");
    let pods: Vec<_> = list.iter().map(|sandbox| sandbox.spec.clone()).collect();
    assert_eq!(pods, [sandbox("a"), sandbox("b"), sandbox("c")], "R3: every sandbox, ordered by uid");
    let containers: Vec<_> = list.iter().flat_map(|sandbox| &sandbox.containers).map(|each| each.id.clone()).collect();
    let expected = [id("a", "web", 0), id("b", "log", 0), id("b", "web", 0), id("b", "web", 1)];
    assert_eq!(containers, expected, "R3: every attempt, ordered by container and attempt");
    for sandbox in &list {
        assert_eq!(pod_status(&runtime, &sandbox.spec.pod).await, *sandbox, "R3: status says the same as list");
    }
    for uid in ["a", "b", "c"] {
        runtime.remove(&pod(uid)).await.expect("removed");
    }
    assert!(runtime.list().await.expect("a list").is_empty(), "R3: until it is removed");
}

/// The status of a pod that is not known is None.
pub async fn a_pod_that_is_not_known_is_none(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    assert_eq!(runtime.status(&pod("a")).await.expect("it is no error"), None);
}

/// An ended container is reported with its exit code and both times.
pub async fn an_exit_is_told_with_its_code_and_times(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    let program = Program::Exits { code: 7, after: Duration::from_millis(30) };
    let ContainerState::Running { started_at: since } = started(&runtime, &fixture, &id, program).await.state else {
        panic!("R3: a container that runs is reported as running")
    };
    assert_eq!(ended(&runtime, &id).await, (ExitReason::Exited, 7), "R3: the exit code is told");
    let ContainerState::Exited { started_at, finished_at, .. } = container(&runtime, &id).await.state else {
        panic!("R3: what has ended stays ended")
    };
    assert_eq!(started_at, since, "R3: the start time does not change");
    assert!(finished_at >= started_at, "R3: {finished_at} is not before {started_at}");
}

/// A container that a signal ended is reported as Signaled, with 128 and the signal's number.
pub async fn a_death_by_signal_is_told_as_such(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::KillsItself).await;
    assert_eq!(ended(&runtime, &id).await, (ExitReason::Signaled, 137), "R3: signal 9 is told as 128 + 9");
}

/// A container that ends by itself is told to those who listen, again after each end.
pub async fn an_end_is_an_event(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let mut events = runtime.events();
    for attempt in 0..2 {
        let id = id("a", "web", attempt);
        started(&runtime, &fixture, &id, Program::Exits { code: 1, after: Duration::from_millis(10) }).await;
        while container(&runtime, &id).await.state.is_running() {
            let event = tokio::time::timeout(PATIENCE, events.next()).await;
            assert_eq!(event.ok().flatten(), Some(pod("a")), "an end must be told to those who listen");
        }
    }
}

/// A runtime reports nothing that a runtime of another configuration made.
pub async fn what_others_made_is_not_reported(fixture: impl RuntimeFixture) {
    let (runtime, stranger) = (fixture.open().await, fixture.open_stranger().await);
    let theirs = id("b", "web", 0);
    started(&stranger, &fixture, &theirs, Program::Runs).await;
    started(&runtime, &fixture, &id("a", "web", 0), Program::Runs).await;
    let pods: Vec<_> = runtime.list().await.expect("a list").into_iter().map(|sandbox| sandbox.spec.pod).collect();
    assert_eq!(pods, [pod("a")], "R3: it reports nothing that others made");
    assert_eq!(runtime.status(&theirs.pod).await.expect("a status"), None, "R3: nor one by one");
    runtime.remove(&theirs.pod).await.expect("a pod that is not known is no error");
    assert!(container(&stranger, &theirs).await.state.is_running(), "R3: nor does it touch what others made");
    stranger.remove(&theirs.pod).await.expect("removed");
    runtime.remove(&pod("a")).await.expect("removed");
}
