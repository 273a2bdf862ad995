//! R9: one container does not disturb the others.

use std::time::Duration;

use futures::FutureExt as _;
use orch_core::runtime::{ExitReason, LogOptions, Runtime as _};

use super::steps::{container, end, ended, eventually, id, lines, output, pod, sandbox, started, wrote};
use super::{Ability, Program, RuntimeFixture};

const AT_ONCE: Program = Program::Exits { code: 0, after: Duration::ZERO };

/// A container that floods its output does not keep others from being started, read and stopped.
pub async fn a_flood_does_not_disturb_others(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let (flood, other) = (id("a", "flood", 0), id("b", "web", 0));
    started(&runtime, &fixture, &flood, Program::Floods).await;
    let tail = LogOptions { tail: Some(1), ..LogOptions::default() };
    let flowing = async || (!output(&runtime, &flood, tail).await.is_empty()).then_some(());
    eventually("R8: what a container writes can be read", flowing).await;
    started(&runtime, &fixture, &other, Program::WritesAndEnds { lines: 3 }).await;
    assert_eq!(ended(&runtime, &other).await, (ExitReason::Exited, 0));
    assert_eq!(output(&runtime, &other, LogOptions::default()).await, lines(1..=3));
    runtime.stop(&flood, Duration::from_secs(20)).await.expect("R9: a container that floods can be stopped");
    assert!(end(&container(&runtime, &flood).await).is_some());
}

/// While a container uses up its grace period, others of the same pod are started and end.
pub async fn a_long_stop_does_not_hold_up_others(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let (deaf, other) = (id("a", "deaf", 0), id("a", "web", 0));
    started(&runtime, &fixture, &deaf, Program::IgnoresStop).await;
    wrote(&runtime, &deaf, "ready").await;
    let mut stop = runtime.stop(&deaf, Duration::from_secs(8)).fuse();
    let others = async {
        started(&runtime, &fixture, &other, Program::Exits { code: 0, after: Duration::ZERO }).await;
        ended(&runtime, &other).await
    };
    tokio::select! {
        biased;
        stopped = &mut stop => panic!("R9: others wait until stop has returned: {stopped:?}"),
        end = others => assert_eq!(end, (ExitReason::Exited, 0), "R9: others go on meanwhile"),
    }
    runtime.remove(&pod("a")).await.expect("R6: a pod is removed at once, whoever waits for a grace period");
    stop.await.ok();
}

/// A container that cannot be started does not keep the next ones from being started.
pub async fn one_that_cannot_start_does_not_hold_up_others(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    for attempt in 0..3 {
        started(&runtime, &fixture, &id("a", "missing", attempt), Program::IsMissing).await;
    }
    let web = started(&runtime, &fixture, &id("a", "web", 0), Program::Runs).await;
    assert!(web.state.is_running(), "R9: one that cannot start does not disturb the others");
    runtime.remove(&pod("a")).await.expect("removed");
}

/// A container that forks without end is limited; others go on, it can be stopped, and nothing is left of it.
pub async fn a_fork_bomb_does_not_disturb_others(fixture: impl RuntimeFixture) {
    const MOST: u64 = 40;
    let runtime = fixture.open().await;
    let (bomb, other) = (id("a", "bomb", 0), id("b", "web", 0));
    let mut spec = fixture.container(Program::ForksWithoutEnd);
    spec.limits.processes = Some(MOST);
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    runtime.start(&bomb, &spec).await.expect("started");
    wrote(&runtime, &bomb, "ready").await;
    if fixture.can(Ability::ProcessLimit) {
        let stats = runtime.stats(&bomb.pod).await.expect("stats").expect("the pod is known");
        let told = stats.containers.into_iter().find(|container| container.id == bomb).and_then(|it| it.processes);
        let seen = fixture.processes().await.len() as u64;
        // Whoever supervises it is seen, too.
        let most = told.unwrap_or(seen.saturating_sub(2));
        assert!(most <= MOST, "R9: of {MOST} processes that it may have it has {most}");
    }
    started(&runtime, &fixture, &other, AT_ONCE).await;
    assert_eq!(ended(&runtime, &other).await, (ExitReason::Exited, 0), "R9: others go on");
    runtime.stop(&bomb, Duration::ZERO).await.expect("R9: it can be stopped");
    assert_eq!(fixture.processes().await, [].into(), "R5: nothing is left of it");
}

/// A container that uses more memory than it may is ended, with OutOfMemory, and others go on.
pub async fn memory_without_end_is_told(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let (hungry, other) = (id("a", "hungry", 0), id("a", "web", 0));
    let before = started(&runtime, &fixture, &other, Program::Runs).await;
    let mut spec = fixture.container(Program::UsesMemory);
    spec.limits.memory_bytes = Some(48 << 20);
    runtime.start(&hungry, &spec).await.expect("started");
    let end = ended(&runtime, &hungry).await;
    if fixture.can(Ability::OutOfMemory) {
        assert_eq!(end, (ExitReason::OutOfMemory, 137), "R9: that memory was too small is told");
    } else {
        assert_ne!(end, (ExitReason::Exited, 0), "R9: it does not get what it wants");
    }
    assert_eq!(container(&runtime, &other).await, before, "R9: others go on");
    runtime.remove(&hungry.pod).await.expect("removed");
}
