//! Commands beside a container.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use orch_core::runtime::{ExecOutput, ExecRequest, Input, Interactive, Runtime as _, RuntimeError};

use super::steps::{Heard, processes_when_steady, request, running, send};
use crate::suite::runtime::steps::{PATIENCE, container, ended, eventually, id, started};
use crate::suite::runtime::{Beside, Program, RuntimeFixture};

/// Ten megabytes that a command copies arrive to the last byte; its errors are apart, and its exit code comes last.
pub async fn what_is_sent_comes_back_whole(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let mut session = runtime.open_exec(&id, &request(&fixture, Beside::Echoes)).await.expect("a command is run");
    // Every value of a byte, in an order that repeats only after all of it.
    let bytes: Vec<u8> = (0..10_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let mut input = session.input;
    let pieces = bytes.chunks(100_000).map(Bytes::copy_from_slice);
    let sent: Vec<_> = pieces.map(Input::Bytes).chain([Input::End]).collect();
    let send = tokio::spawn(async move {
        for piece in sent {
            input.send(piece).await.expect("T1: input is taken");
        }
        input
    });
    session.input = Box::pin(futures::sink::drain().sink_map_err(|never| match never {}));
    let heard = Heard::default().rest(&mut session).await;
    assert_eq!(heard.stdout.len(), bytes.len(), "T1: as many bytes as were sent");
    assert!(heard.stdout == bytes, "T1: it arrives as it was sent");
    assert_eq!(String::from_utf8_lossy(&heard.stderr).trim_end(), "done", "T1: errors are apart");
    assert_eq!(heard.code, Some(7), "T1: the exit code is told, last");
    let mut input = send.await.expect("everything was sent");
    let late = input.send(Input::Bytes(Bytes::from_static(b"late"))).await;
    late.expect("what comes after the end is accepted and dropped");
    runtime.remove(&id.pod).await.expect("removed");
}

/// A command for which no input was asked for finds its input at its end.
pub async fn an_input_that_was_not_asked_for_is_empty(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let request = ExecRequest { stdin: false, ..request(&fixture, Beside::Echoes) };
    let mut session = runtime.open_exec(&id, &request).await.expect("a command is run");
    let heard = Heard::default().rest(&mut session).await;
    assert_eq!((heard.stdout, heard.code), (Vec::new(), Some(7)), "T1: there is nothing to copy");
    runtime.remove(&id.pod).await.expect("removed");
}

/// A command that does not exist is CommandNotFound.
pub async fn a_command_that_is_missing_is_told(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let result = runtime.open_exec(&id, &request(&fixture, Beside::IsMissing)).await;
    assert!(matches!(result, Err(RuntimeError::CommandNotFound { .. })), "CommandNotFound, not {result:?}");
    runtime.remove(&id.pod).await.expect("removed");
}

/// No command is run beside, and nobody attaches to, what does not run: NoSuchContainer.
pub async fn no_command_runs_beside_what_does_not_run(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let runtime = fixture.open().await;
    let web = id("a", "web", 0);
    started(&runtime, &fixture, &web, Program::Exits { code: 0, after: Duration::ZERO }).await;
    ended(&runtime, &web).await;
    for id in [web, id("a", "web", 1), id("b", "web", 0)] {
        let result = runtime.open_exec(&id, &request(&fixture, Beside::Echoes)).await;
        assert!(matches!(result, Err(RuntimeError::NoSuchContainer { .. })), "NoSuchContainer, not {result:?}");
        let result = runtime.attach(&id).await;
        assert!(matches!(result, Err(RuntimeError::NoSuchContainer { .. })), "NoSuchContainer, not {result:?}");
    }
}

/// While nobody reads a command that floods, other commands and the container go on.
pub async fn one_that_is_not_read_holds_up_no_other(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let mut flood = runtime.open_exec(&id, &request(&fixture, Beside::Floods)).await.expect("a command is run");
    let first = tokio::time::timeout(PATIENCE, flood.output.next()).await;
    assert!(first.is_ok_and(|first| first.is_some()), "T1: what it writes arrives");
    let before = container(&runtime, &id).await;
    for _ in 0..3 {
        let mut other = runtime.open_exec(&id, &request(&fixture, Beside::Echoes)).await.expect("another is run");
        send(&mut other, "hello").await;
        other.input.send(Input::End).await.expect("T1: the end of its input");
        let heard = Heard::default().rest(&mut other).await;
        assert_eq!((heard.text().as_str(), heard.code), ("hello", Some(7)), "T2: others go on");
    }
    let output = runtime.exec(&id, &fixture.command(Beside::Ends { code: 3 }), PATIENCE).await.expect("it is run");
    assert_eq!(output, ExecOutput { code: 3, stdout: b"out".into(), stderr: b"err".into() });
    assert_eq!(container(&runtime, &id).await, before, "T2: the container goes on");
    drop(flood);
    runtime.remove(&id.pod).await.expect("removed");
}

/// When the container ends, so do the commands beside it, and their sessions.
pub async fn the_end_of_the_container_ends_its_sessions(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let mut session = runtime.open_exec(&id, &request(&fixture, Beside::Hangs)).await.expect("a command is run");
    runtime.stop(&id, Duration::ZERO).await.expect("stopped");
    let to_the_end = async { while session.output.next().await.is_some_and(|item| item.is_ok()) {} };
    tokio::time::timeout(PATIENCE, to_the_end).await.expect("T2: its session ends with the container");
    let nobody = async || fixture.processes().await.is_empty().then_some(());
    eventually("a command must end with the container that it was beside", nobody).await;
    runtime.remove(&id.pod).await.expect("removed");
}

/// When a session is dropped, its command ends with everything that it started, and the container goes on.
pub async fn a_command_ends_when_its_session_is_dropped(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let before = (container(&runtime, &id).await, processes_when_steady(&fixture).await);
    let mut session = runtime.open_exec(&id, &request(&fixture, Beside::Forks)).await.expect("a command is run");
    Heard::default().until(&mut session, "ready").await;
    assert_ne!(fixture.processes().await, before.1, "what it started can be seen");
    drop(session);
    let as_before = async || (fixture.processes().await == before.1).then_some(());
    eventually("T3: a command must end with everything that it started when its session is dropped", as_before).await;
    assert_eq!(container(&runtime, &id).await, before.0, "T3: the container goes on");
    runtime.remove(&id.pod).await.expect("removed");
}
