//! R5: containers end gracefully, with everything that they started.

use std::time::Duration;

use orch_core::runtime::{ExitReason, Runtime as _, RuntimeError};
use tokio::time::Instant;

use super::steps::{container, end, ended, eventually, id, started, wrote};
use super::{Beside, Program, RuntimeFixture};

const LONG: Duration = Duration::from_secs(60);

/// A container that listens ends when asked to, long before its grace period is over.
pub async fn a_container_is_asked_to_end(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Runs).await;
    let before = Instant::now();
    runtime.stop(&id, LONG).await.expect("stopped");
    assert!(before.elapsed() < LONG / 2, "R5: it is asked to end, not killed after its grace period");
    let status = container(&runtime, &id).await;
    assert!(end(&status).is_some_and(|(_, code)| code != 137), "R5: it is asked to end, not killed: {status:?}");
}

/// A container that does not listen has its whole grace period, and is then killed.
pub async fn one_that_does_not_listen_is_killed(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::IgnoresStop).await;
    wrote(&runtime, &id, "ready").await;
    let (before, grace) = (Instant::now(), Duration::from_millis(300));
    runtime.stop(&id, grace).await.expect("R5: what does not listen is killed");
    assert!(before.elapsed() >= grace, "R5: it is killed when the grace period is over, not before");
    assert_eq!(end(&container(&runtime, &id).await), Some((ExitReason::Signaled, 137)));
}

/// When stop returns, the container is reported as ended.
pub async fn when_stop_returns_it_has_ended(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    for (name, program) in [("listens", Program::Runs), ("does-not", Program::IgnoresStop)] {
        let id = id("a", name, 0);
        started(&runtime, &fixture, &id, program).await;
        runtime.stop(&id, Duration::from_millis(200)).await.expect("stopped");
        let status = container(&runtime, &id).await;
        assert!(!status.state.is_running(), "R5: stop returns when it has ended, not before: {status:?}");
    }
    assert!(fixture.processes().await.is_empty(), "R5: when stop returns, nothing of it runs");
}

/// With a container ends everything that it started, also what left its process group.
pub async fn what_it_started_ends_with_it(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Forks).await;
    wrote(&runtime, &id, "ready").await;
    runtime.stop(&id, Duration::from_millis(500)).await.expect("stopped");
    assert_eq!(fixture.processes().await, [].into(), "R5: everything that it started is killed with it");
}

/// What a container leaves running when it is killed without being stopped ends, too.
pub async fn what_it_left_behind_ends_with_it(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    let process = started(&runtime, &fixture, &id, Program::Forks).await.process;
    wrote(&runtime, &id, "ready").await;
    // Where the program's process is known, it is killed by hand, as the kernel does when memory is short.
    match process {
        Some(process) => kill_by_hand(process),
        None => runtime.stop(&id, Duration::ZERO).await.expect("stopped"),
    }
    ended(&runtime, &id).await;
    let nobody = async || fixture.processes().await.is_empty().then_some(());
    eventually("R5: what a container started ends with it", nobody).await;
}

fn kill_by_hand(process: u32) {
    let status = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "`kill -9 {process}` works");
}

/// Stopping a container that has ended succeeds at once, and changes nothing.
pub async fn what_ended_is_stopped_at_once(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Exits { code: 3, after: Duration::ZERO }).await;
    ended(&runtime, &id).await;
    let before = (container(&runtime, &id).await, Instant::now());
    runtime.stop(&id, LONG).await.expect("R5: stopping what has ended is no error");
    assert!(before.1.elapsed() < LONG / 2, "R5: it returns at once");
    assert_eq!(container(&runtime, &id).await, before.0, "R5: how it ended stays as it was");
}

/// Stopping an attempt that is not known is NoSuchContainer.
pub async fn what_is_not_known_is_not_stopped(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    started(&runtime, &fixture, &id("a", "web", 0), Program::Exits { code: 0, after: Duration::ZERO }).await;
    for unknown in [id("a", "web", 1), id("a", "log", 0), id("b", "web", 0)] {
        let result = runtime.stop(&unknown, LONG).await;
        assert!(matches!(result, Err(RuntimeError::NoSuchContainer { .. })), "NoSuchContainer, not {result:?}");
        let result = runtime.exec(&unknown, &fixture.command(Beside::Greets), LONG).await;
        assert!(matches!(result, Err(RuntimeError::NoSuchContainer { .. })), "NoSuchContainer, not {result:?}");
    }
}
