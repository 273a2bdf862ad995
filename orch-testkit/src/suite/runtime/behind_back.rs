//! R3: what others do to sandboxes and containers is told, and can be repaired.

use std::time::Duration;

use orch_core::runtime::{Runtime as _, RuntimeError};

use super::steps::{container, end, eventually, id, pod_status, sandbox, started};
use super::{Program, RuntimeFixture};

/// A sandbox that others destroyed is not ready, no container starts in it, and it can be made anew.
pub async fn a_destroyed_sandbox_is_told_and_made_anew(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let web = id("a", "web", 0);
    started(&runtime, &fixture, &web, Program::Runs).await;
    let before = pod_status(&runtime, &web.pod).await;
    assert!(before.ready, "R3: a sandbox that was made is ready");
    if !fixture.destroy_sandbox(&web.pod).await {
        return runtime.remove(&web.pod).await.expect("removed");
    }
    let gone = async || (!pod_status(&runtime, &web.pod).await.ready).then_some(());
    eventually("R3: a sandbox that was destroyed must be told as not ready", gone).await;
    let start = runtime.start(&id("a", "log", 0), &fixture.container(Program::Runs)).await;
    assert!(matches!(start, Err(RuntimeError::NoSuchPod { .. })), "NoSuchPod, not {start:?}");
    if container(&runtime, &web).await.state.is_running() {
        let create = runtime.create_sandbox(&sandbox("a")).await;
        assert!(matches!(create, Err(RuntimeError::StillRunning { .. })), "StillRunning, not {create:?}");
        runtime.stop(&web, Duration::ZERO).await.expect("what runs in it can be stopped");
    }
    let made = runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made anew");
    assert!(made.ready, "what containers share is there again");
    assert_eq!(made.created_at, before.created_at, "it is told when it was made the first time");
    assert!(end(&container(&runtime, &web).await).is_some(), "R3: what ended is still known");
    let next = started(&runtime, &fixture, &id("a", "web", 1), Program::Runs).await;
    assert!(next.state.is_running(), "the next attempt starts in it");
    runtime.remove(&web.pod).await.expect("removed");
    assert_eq!(fixture.processes().await, [].into(), "R6: nothing of it runs");
}

/// A container that others killed is reported as ended, and the next attempt can be started.
pub async fn a_killed_container_is_told(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let web = id("a", "web", 0);
    started(&runtime, &fixture, &web, Program::Runs).await;
    if fixture.kill_behind_back(&web).await {
        let ended = async || end(&container(&runtime, &web).await);
        let (_, code) = eventually("R3: a container that was killed must be told as ended", ended).await;
        assert_eq!(code, 137, "R3: by signal 9");
        let next = started(&runtime, &fixture, &id("a", "web", 1), Program::Runs).await;
        assert!(next.state.is_running(), "the next attempt starts");
    }
    runtime.remove(&web.pod).await.expect("removed");
}

/// A container that others removed is reported as ended or not at all, and the next attempt can be started.
pub async fn a_removed_container_is_told(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let before = fixture.traces().await;
    let web = id("a", "web", 0);
    started(&runtime, &fixture, &web, Program::Runs).await;
    if fixture.remove_behind_back(&web).await {
        eventually("R3: a container that was removed must not be told as running", async || {
            let containers = pod_status(&runtime, &web.pod).await.containers;
            let found = containers.into_iter().find(|container| container.id == web);
            found.is_none_or(|found| !found.state.is_running()).then_some(())
        })
        .await;
        runtime.remove_container(&web).await.expect("R6: what others removed can be removed");
        let next = started(&runtime, &fixture, &id("a", "web", 1), Program::Runs).await;
        assert!(next.state.is_running(), "the next attempt starts");
    }
    runtime.remove(&web.pod).await.expect("removed");
    assert_eq!(fixture.traces().await, before, "R6: after remove there is what was there before");
}
