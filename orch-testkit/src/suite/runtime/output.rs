//! R8: output.

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::runtime::{ContainerId, ContainerState, LogOptions, Runtime, RuntimeError};

use super::steps::{PATIENCE, container, ended, id, lines, output, started, wrote};
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

/// Each line can be had with the time when it was written, in RFC 3339 with nanoseconds.
pub async fn lines_are_told_with_their_time(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::WritesAndEnds { lines: 5 }).await;
    ended(&runtime, &id).await;
    let ContainerState::Exited { started_at, finished_at, .. } = container(&runtime, &id).await.state else {
        unreachable!("it has ended")
    };
    let timed = timed_lines(&runtime, &id, LogOptions { timestamps: true, ..ALL }).await;
    let text: String = timed.iter().map(|(_, line)| format!("{line}\n")).collect();
    assert_eq!(text, lines(1..=5), "R8: with the times comes every line");
    // Whoever reads a pipe does so a moment after something was written into it.
    let about = Duration::from_secs(5);
    for (time, line) in timed {
        assert!(time >= started_at - about && time <= finished_at + about, "R8: {line:?} was not written at {time}");
    }
}

/// Of the output the lines since a time can be asked for, and of those the last.
pub async fn lines_since_a_time_can_be_asked_for(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    started(&runtime, &fixture, &id, Program::WritesAndEnds { lines: 5 }).await;
    ended(&runtime, &id).await;
    let all = timed_lines(&runtime, &id, LogOptions { timestamps: true, ..ALL }).await;
    for (since, _) in &all {
        let later: Vec<_> = all.iter().filter(|(time, _)| time >= since).map(|(_, line)| line.clone() + "\n").collect();
        let options = LogOptions { since: Some(*since), ..ALL };
        assert_eq!(output(&runtime, &id, options).await, later.concat(), "R8: what was written at {since} or later");
        let last = later.last().cloned().unwrap_or_default();
        let options = LogOptions { tail: Some(1), ..options };
        assert_eq!(output(&runtime, &id, options).await, last, "R8: of those the last line");
    }
    let future = all.iter().map(|(time, _)| *time).max().expect("there are lines") + Duration::from_secs(3600);
    for follow in [false, true] {
        let options = LogOptions { since: Some(future), follow, ..ALL };
        assert_eq!(output(&runtime, &id, options).await, "", "R8: nothing was written since {future}");
    }
}

/// Lines with the times before them, taken apart.
async fn timed_lines(runtime: &impl Runtime, id: &ContainerId, options: LogOptions) -> Vec<(Timestamp, String)> {
    let text = output(runtime, id, options).await;
    let timed = |line: &str| {
        let (time, line) = line.split_once(' ')?;
        let nanoseconds = time.strip_suffix('Z').and_then(|time| time.split_once('.'))?.1;
        (nanoseconds.len() == 9).then_some((time.parse().ok()?, line.to_owned()))
    };
    let timed = |line| timed(line).unwrap_or_else(|| panic!("R8: {line:?} begins with a time in nanoseconds"));
    text.lines().map(timed).collect()
}

/// The output of an attempt that is not known is NoSuchContainer.
pub async fn what_is_not_known_has_none(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let result = runtime.logs(&id("a", "web", 0), ALL).await;
    assert!(matches!(result, Err(RuntimeError::NoSuchContainer { .. })), "NoSuchContainer, not {result:?}");
}
