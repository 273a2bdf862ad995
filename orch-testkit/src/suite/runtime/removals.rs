//! R6: nothing is left behind.

use std::time::Duration;

use orch_core::runtime::{Runtime as _, RuntimeError};

use super::steps::{container, ended, id, pod, pod_status, started, wrote};
use super::{Beside, Program, RuntimeFixture};

const AT_ONCE: Program = Program::Exits { code: 0, after: Duration::ZERO };

/// After a pod was removed nothing of it is left: no process, file, address or record.
pub async fn nothing_is_left_of_a_removed_pod(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let before = fixture.traces().await;
    let web = id("a", "web", 0);
    for attempt in 0..3 {
        started(&runtime, &fixture, &id("a", "job", attempt), Program::WritesAndEnds { lines: 2 }).await;
        ended(&runtime, &id("a", "job", attempt)).await;
    }
    runtime.remove_container(&id("a", "job", 0)).await.expect("an ended attempt can be removed");
    started(&runtime, &fixture, &id("a", "missing", 0), Program::IsMissing).await;
    started(&runtime, &fixture, &web, Program::Runs).await;
    let greeting = runtime.exec(&web, &fixture.command(Beside::Greets), Duration::from_secs(20)).await;
    greeting.expect("a command runs beside it");
    runtime.remove(&pod("a")).await.expect("removed");
    assert_eq!(fixture.traces().await, before, "R6: after remove there is what was there before");
    assert_eq!(runtime.status(&pod("a")).await.expect("a status"), None);
    drop(runtime);
    assert!(fixture.open().await.list().await.expect("a list").is_empty(), "R6: a new runtime finds nothing of it");
}

/// Removing a pod kills what runs, whether it listens or not, with everything that it started.
pub async fn what_runs_is_killed(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    for (name, program) in [("deaf", Program::IgnoresStop), ("parent", Program::Forks)] {
        started(&runtime, &fixture, &id("a", name, 0), program).await;
        wrote(&runtime, &id("a", name, 0), "ready").await;
    }
    runtime.remove(&pod("a")).await.expect("removed");
    assert_eq!(fixture.processes().await, [].into(), "R6: no process of the pod is left");
}

/// Removing a pod or an attempt that is not known succeeds.
pub async fn what_is_not_known_is_removed(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    runtime.remove(&pod("a")).await.expect("removing a pod that is not known is no error");
    runtime.remove_container(&id("a", "web", 0)).await.expect("nor an attempt of it");
    started(&runtime, &fixture, &id("a", "web", 0), AT_ONCE).await;
    runtime.remove_container(&id("a", "web", 1)).await.expect("nor another attempt");
    for _ in 0..2 {
        runtime.remove(&pod("a")).await.expect("removing twice is no error");
    }
}

/// An ended attempt can be removed by itself; the others stay.
pub async fn an_ended_attempt_can_be_forgotten(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    started(&runtime, &fixture, &id("a", "web", 0), AT_ONCE).await;
    ended(&runtime, &id("a", "web", 0)).await;
    let stays = started(&runtime, &fixture, &id("a", "web", 1), Program::Runs).await;
    runtime.remove_container(&id("a", "web", 0)).await.expect("an ended attempt can be removed");
    assert_eq!(pod_status(&runtime, &pod("a")).await.containers, [stays], "R6: it is gone, and the other is not");
    runtime.remove(&pod("a")).await.expect("removed");
}

/// An attempt that runs is not removed by itself: the request is StillRunning.
pub async fn a_running_attempt_is_not_forgotten(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    let before = started(&runtime, &fixture, &id, Program::Runs).await;
    let result = runtime.remove_container(&id).await;
    assert!(matches!(result, Err(RuntimeError::StillRunning { .. })), "StillRunning, not {result:?}");
    assert_eq!(container(&runtime, &id).await, before, "a refused request changes nothing");
    runtime.remove(&id.pod).await.expect("removed");
}
