//! Commands beside a container.

use std::time::Duration;

use orch_core::runtime::{ExecOutput, Runtime as _, RuntimeError};

use super::steps::{PATIENCE, container, ended, eventually, id, sandbox, started};
use super::{Beside, Program, RuntimeFixture};

/// A command beside a container is reported with its exit code, standard output and standard error.
pub async fn a_command_runs_and_is_told(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Runs).await;
    for code in [0, 42] {
        let output = runtime.exec(&id, &fixture.command(Beside::Ends { code }), PATIENCE).await.expect("it is run");
        assert_eq!(output, ExecOutput { code, stdout: b"out".into(), stderr: b"err".into() });
    }
    runtime.remove(&id.pod).await.expect("removed");
}

/// A command beside a container has the container's environment.
pub async fn a_command_has_the_environment_of_the_container(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    let mut spec = fixture.container(Program::Runs);
    spec.env.push(("GREETING".into(), "good morning".into()));
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    runtime.start(&id, &spec).await.expect("started");
    let output = runtime.exec(&id, &fixture.command(Beside::Greets), PATIENCE).await.expect("it is run");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), "good morning");
    runtime.remove(&id.pod).await.expect("removed");
}

/// A command that does not end within its time is killed, with TimedOut, and the container goes on.
pub async fn a_command_that_takes_too_long_is_killed(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Runs).await;
    let before = container(&runtime, &id).await;
    let result = runtime.exec(&id, &fixture.command(Beside::Hangs), Duration::from_millis(200)).await;
    assert!(matches!(result, Err(RuntimeError::TimedOut)), "TimedOut, not {result:?}");
    assert_eq!(container(&runtime, &id).await, before, "the container goes on");
    // Only when the container has ended, whatever is left must be the command's.
    runtime.stop(&id, Duration::ZERO).await.expect("stopped");
    let nobody = async || fixture.processes().await.is_empty().then_some(());
    eventually("a command that took too long must be killed", nobody).await;
    runtime.remove(&id.pod).await.expect("removed");
}

/// A command that does not exist is CommandNotFound.
pub async fn a_command_that_is_missing_is_told(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::Runs).await;
    let result = runtime.exec(&id, &fixture.command(Beside::IsMissing), PATIENCE).await;
    assert!(matches!(result, Err(RuntimeError::CommandNotFound { .. })), "CommandNotFound, not {result:?}");
    runtime.remove(&id.pod).await.expect("removed");
}

/// No command is run beside a container that has ended or is not known: NoSuchContainer.
pub async fn a_container_that_does_not_run_has_no_commands(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let web = id("a", "web", 0);
    started(&runtime, &fixture, &web, Program::Exits { code: 0, after: Duration::ZERO }).await;
    ended(&runtime, &web).await;
    for id in [web, id("a", "web", 1), id("b", "web", 0)] {
        let result = runtime.exec(&id, &fixture.command(Beside::Greets), PATIENCE).await;
        assert!(matches!(result, Err(RuntimeError::NoSuchContainer { .. })), "NoSuchContainer, not {result:?}");
    }
}
