//! R4: containers survive the process that uses the runtime.

use std::time::Duration;

use orch_core::runtime::{ExitReason, LogOptions, Runtime as _, RuntimeError};

use super::steps::{container, end, ended, eventually, id, lines, output, pod_status, started, wrote};
use super::{Program, RuntimeFixture};

/// A container goes on when its runtime ends; a new runtime reports it with its id, process and start time.
pub async fn what_runs_goes_on(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Runs).await;
    let before = pod_status(&runtime, &id.pod).await;
    drop(runtime);
    let runtime = fixture.open().await;
    assert_eq!(pod_status(&runtime, &id.pod).await, before, "R4: a new runtime reports what the earlier one did");
    runtime.remove(&id.pod).await.expect("removed");
}

/// A container that a new runtime found is not started again, beside it or in its place.
pub async fn what_runs_is_not_started_again(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let first = id("a", "web", 0);
    let before = started(&runtime, &fixture, &first, Program::WritesAndRuns { lines: 1 }).await;
    wrote(&runtime, &first, "line 1").await;
    drop(runtime);
    let runtime = fixture.open().await;
    let again = started(&runtime, &fixture, &first, Program::WritesAndRuns { lines: 1 }).await;
    assert_eq!(again, before, "R1, R4: it is the same process still");
    let next = runtime.start(&id("a", "web", 1), &fixture.container(Program::Runs)).await;
    assert!(matches!(next, Err(RuntimeError::StillRunning { .. })), "R2, R4: StillRunning, not {next:?}");
    assert_eq!(output(&runtime, &first, LogOptions::default()).await, "line 1\n", "R4: the program was run once");
    runtime.remove(&first.pod).await.expect("removed");
}

/// A container that ends while there is no runtime is reported by the next one with its exit code.
pub async fn an_end_while_nobody_watched_is_known(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Exits { code: 5, after: Duration::from_millis(100) }).await;
    drop(runtime);
    let nobody = async || fixture.processes().await.is_empty().then_some(());
    eventually("the program must end by itself", nobody).await;
    let runtime = fixture.open().await;
    assert_eq!(ended(&runtime, &id).await, (ExitReason::Exited, 5), "R4: the exit code is known all the same");
}

/// Ended containers and their output are reported by a new runtime as they were.
pub async fn what_ended_before_is_still_known(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let (wrote, missing) = (id("a", "web", 0), id("a", "missing", 4));
    started(&runtime, &fixture, &wrote, Program::WritesAndEnds { lines: 2 }).await;
    started(&runtime, &fixture, &missing, Program::IsMissing).await;
    ended(&runtime, &wrote).await;
    let before = pod_status(&runtime, &wrote.pod).await;
    drop(runtime);
    let runtime = fixture.open().await;
    assert_eq!(pod_status(&runtime, &wrote.pod).await, before, "R3, R4: ended containers are not forgotten");
    assert_eq!(output(&runtime, &wrote, LogOptions::default()).await, lines(1..=2), "R8, R4: nor is their output");
}

/// A new runtime stops what it found, tells how it ended, and reads what it wrote before and after.
pub async fn a_container_that_was_found_is_under_control(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::WritesAndRuns { lines: 3 }).await;
    drop(runtime);
    let runtime = fixture.open().await;
    wrote(&runtime, &id, "line 3").await;
    runtime.stop(&id, Duration::from_secs(20)).await.expect("R4, R5: what was found can be stopped");
    let status = container(&runtime, &id).await;
    assert!(end(&status).is_some_and(|(reason, _)| reason != ExitReason::Unknown), "R4: its end is known: {status:?}");
    assert_eq!(output(&runtime, &id, LogOptions::default()).await, lines(1..=3));
    runtime.remove(&id.pod).await.expect("removed");
    assert!(fixture.processes().await.is_empty(), "R6: nothing of it runs");
}
