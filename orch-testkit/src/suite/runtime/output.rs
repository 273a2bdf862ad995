//! R8: output.

use orch_core::runtime::{LogOptions, Runtime as _, RuntimeError};

use super::steps::{PATIENCE, ended, id, lines, output, started, wrote};
use super::{Program, RuntimeFixture};

const ALL: LogOptions = LogOptions { tail: None, follow: false, since: None, timestamps: false };

/// What a container wrote can be read while it runs.
pub async fn it_is_read_while_the_container_runs(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::WritesAndRuns { lines: 3 }).await;
    wrote(&runtime, &id, "line 3").await;
    assert_eq!(output(&runtime, &id, ALL).await, lines(1..=3));
    runtime.remove(&id.pod).await.expect("removed");
}

/// What a container wrote can be read after it ended, to the last byte.
pub async fn it_is_read_after_the_end(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::WritesAndEnds { lines: 5 }).await;
    ended(&runtime, &id).await;
    assert_eq!(output(&runtime, &id, ALL).await, lines(1..=5), "R8: when its end is told, all of it can be read");
}

/// Each attempt has its own output.
pub async fn each_attempt_has_its_own(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    for attempt in 0..3 {
        let id = id("a", "web", attempt);
        started(&runtime, &fixture, &id, Program::WritesAndEnds { lines: attempt + 1 }).await;
        ended(&runtime, &id).await;
    }
    for attempt in 0..3 {
        assert_eq!(output(&runtime, &id("a", "web", attempt), ALL).await, lines(1..=attempt + 1));
    }
}

/// Of the output the last lines can be asked for.
pub async fn the_last_lines_can_be_asked_for(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::WritesAndEnds { lines: 5 }).await;
    ended(&runtime, &id).await;
    for (tail, expected) in [(0, String::new()), (2, lines(4..=5)), (5, lines(1..=5)), (100, lines(1..=5))] {
        let options = LogOptions { tail: Some(tail), ..ALL };
        assert_eq!(output(&runtime, &id, options).await, expected, "R8: the last {tail} lines");
    }
}

/// Output can be followed; the stream ends when the container has ended and all was read.
pub async fn it_can_be_followed_to_the_end(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::WritesAndEnds { lines: 5 }).await;
    let followed = output(&runtime, &id, LogOptions { follow: true, ..ALL });
    let followed = tokio::time::timeout(PATIENCE, followed).await;
    assert_eq!(followed.as_deref(), Ok(&lines(1..=5)[..]), "R8: followed to the end, and no further");
}

/// The output of an attempt that is not known is NoSuchContainer.
pub async fn what_is_not_known_has_none(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let result = runtime.logs(&id("a", "web", 0), ALL).await;
    assert!(matches!(result, Err(RuntimeError::NoSuchContainer { .. })), "NoSuchContainer, not {result:?}");
}
