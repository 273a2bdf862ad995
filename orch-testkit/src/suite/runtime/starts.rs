//! R1, R2 and R7: what is started, and what is not.

use std::time::Duration;

use futures::future::join_all;
use orch_core::runtime::{ContainerState, ExitReason, LogOptions, Runtime as _, RuntimeError};

use super::steps::{container, end, ended, id, output, pod_status, sandbox, started, wrote};
use super::{Program, RuntimeFixture};

const AT_ONCE: Program = Program::Exits { code: 0, after: Duration::ZERO };

/// A sandbox that exists is not made again: it keeps its address and its time.
pub async fn a_sandbox_that_exists_is_not_made_again(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let first = runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let again = runtime.create_sandbox(&sandbox("a")).await.expect("R1: asking again for a sandbox is no error");
    assert_eq!(again, first, "R1: the sandbox that exists is returned as it is");
    assert_eq!(runtime.list().await.expect("a list"), [first], "R1: there is one sandbox of the pod");
}

/// An attempt that runs is not started again, and the request succeeds.
pub async fn an_attempt_that_runs_is_not_started_again(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    let before = started(&runtime, &fixture, &id, Program::WritesAndRuns { lines: 1 }).await;
    wrote(&runtime, &id, "line 1").await;
    let again = started(&runtime, &fixture, &id, Program::WritesAndRuns { lines: 1 }).await;
    assert_eq!(again, before, "R1: starting a running attempt again changes nothing");
    assert_eq!(output(&runtime, &id, LogOptions::default()).await, "line 1\n", "R1: the program was run once");
    runtime.remove(&id.pod).await.expect("removed");
}

/// An attempt that has ended is not started again, and the request succeeds.
pub async fn an_attempt_that_ended_is_not_started_again(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, AT_ONCE).await;
    ended(&runtime, &id).await;
    let before = container(&runtime, &id).await;
    let again = started(&runtime, &fixture, &id, AT_ONCE).await;
    assert_eq!(again, before, "R1: starting an ended attempt again changes nothing");
}

/// When several callers ask for the same attempt at once, it is started once, and all are told that it runs.
pub async fn callers_that_race_start_an_attempt_once(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let spec = fixture.container(Program::WritesAndRuns { lines: 1 });
    for result in join_all((0..8).map(|_| runtime.start(&id, &spec))).await {
        result.expect("R1: a request for an attempt that someone else just started succeeds");
    }
    wrote(&runtime, &id, "line 1").await;
    assert_eq!(output(&runtime, &id, LogOptions::default()).await, "line 1\n", "R1: the program was run once");
    runtime.remove(&id.pod).await.expect("removed");
}

/// While an attempt runs no other attempt of the container is started: the request is StillRunning.
pub async fn no_attempt_starts_beside_another(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let first = id("a", "web", 0);
    started(&runtime, &fixture, &first, Program::Runs).await;
    let before = pod_status(&runtime, &first.pod).await;
    let second = runtime.start(&id("a", "web", 1), &fixture.container(Program::Runs)).await;
    assert!(
        matches!(&second, Err(RuntimeError::StillRunning { id }) if *id == first),
        "R2: the next attempt is refused with StillRunning and the id of the one that runs, not {second:?}"
    );
    assert_eq!(pod_status(&runtime, &first.pod).await, before, "R2: a refused request changes nothing");
    runtime.stop(&first, Duration::from_secs(5)).await.expect("stopped");
    runtime.start(&id("a", "web", 1), &fixture.container(Program::Runs)).await.expect("the next attempt may start now");
    runtime.remove(&first.pod).await.expect("removed");
}

/// When two attempts of a container are asked for at once, one of them at most runs.
pub async fn attempts_that_race_do_not_run_together(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let spec = fixture.container(Program::Runs);
    let ids: Vec<_> = (0..6).map(|attempt| id("a", "web", attempt)).collect();
    let results = join_all(ids.iter().map(|id| runtime.start(id, &spec))).await;
    let running =
        pod_status(&runtime, &ids[0].pod).await.containers.iter().filter(|each| each.state.is_running()).count();
    assert_eq!(running, 1, "R2: of attempts asked for at once one runs; the answers were {results:?}");
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "R2: the others are refused: {results:?}");
    runtime.remove(&ids[0].pod).await.expect("removed");
}

/// After an attempt was started no earlier one is started any more: the request is Superseded.
pub async fn no_attempt_follows_a_later_one(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let later = id("a", "web", 3);
    started(&runtime, &fixture, &later, AT_ONCE).await;
    ended(&runtime, &later).await;
    let earlier = runtime.start(&id("a", "web", 2), &fixture.container(AT_ONCE)).await;
    assert!(
        matches!(&earlier, Err(RuntimeError::Superseded { id }) if *id == later),
        "R2: an earlier attempt is refused with Superseded and the id of the latest, not {earlier:?}"
    );
    assert_eq!(pod_status(&runtime, &later.pod).await.containers.len(), 1, "R2: a refused request changes nothing");
}

/// An attempt that ended and was removed is not started again: the request is Superseded.
pub async fn an_attempt_that_was_removed_does_not_come_back(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, AT_ONCE).await;
    ended(&runtime, &id).await;
    runtime.remove_container(&id).await.expect("an ended attempt can be removed");
    let mut runtime = runtime;
    for _ in 0..2 {
        let again = runtime.start(&id, &fixture.container(AT_ONCE)).await;
        assert!(
            matches!(again, Err(RuntimeError::Superseded { .. })),
            "R2: a late request for an attempt that was removed is refused with Superseded, not {again:?}"
        );
        // It holds in a new process as well.
        drop(runtime);
        runtime = fixture.open().await;
    }
}

/// A container is not started without a sandbox: the request is NoSuchPod.
pub async fn a_container_needs_a_sandbox(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let result = runtime.start(&id("a", "web", 0), &fixture.container(AT_ONCE)).await;
    assert!(matches!(result, Err(RuntimeError::NoSuchPod { .. })), "without a sandbox: NoSuchPod, not {result:?}");
    assert!(runtime.list().await.expect("a list").is_empty(), "a refused request changes nothing");
}

/// A program that does not exist is an ended container with StartError, code 128 and a message; no error.
pub async fn a_program_that_is_missing_is_a_state(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let status = started(&runtime, &fixture, &id("a", "web", 0), Program::IsMissing).await;
    assert_eq!(end(&status), Some((ExitReason::StartError, 128)), "R7: it is ended with StartError when start returns");
    let ContainerState::Exited { message, .. } = status.state else { unreachable!("it has ended") };
    assert!(!message.is_empty(), "R7: a message tells what to do");
}

/// A program gets the environment that its spec says; of one name given twice the last counts.
pub async fn a_program_gets_its_environment(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    let mut spec = fixture.container(Program::PrintsEnvironment);
    for (name, value) in [("COLOUR", "red"), ("EMPTY", ""), ("SPACED", "a b=\u{e9}'\"$HOME"), ("COLOUR", "green")] {
        spec.env.push((name.into(), value.into()));
    }
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    runtime.start(&id, &spec).await.expect("started");
    ended(&runtime, &id).await;
    let text = output(&runtime, &id, LogOptions::default()).await;
    for line in ["COLOUR=green", "EMPTY=", "SPACED=a b=\u{e9}'\"$HOME"] {
        assert!(text.lines().any(|printed| printed == line), "the program sees {line:?}, in:\n{text}");
    }
    assert!(!text.contains("COLOUR=red"), "of a name given twice the last counts, in:\n{text}");
}
