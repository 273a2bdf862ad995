//! What pods use.

use std::time::Duration;

use orch_core::runtime::{ContainerStats, NetworkStats, Runtime};

use super::steps::{ended, eventually, id, pod, started};
use super::{Ability, Program, RuntimeFixture};

/// Stats name every container that runs and no other, in order; those of a pod that is not known are None.
pub async fn they_name_what_runs_and_nothing_else(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let ended_one = id("a", "job", 0);
    started(&runtime, &fixture, &ended_one, Program::Exits { code: 0, after: Duration::ZERO }).await;
    ended(&runtime, &ended_one).await;
    for name in ["web", "log"] {
        started(&runtime, &fixture, &id("a", name, 2), Program::Runs).await;
    }
    let stats = runtime.stats(&pod("a")).await.expect("stats").expect("the pod is known");
    let named: Vec<_> = stats.containers.iter().map(|container| container.id.clone()).collect();
    assert_eq!((stats.pod, named), (pod("a"), vec![id("a", "log", 2), id("a", "web", 2)]), "what runs, in order");
    assert_eq!(runtime.stats(&pod("b")).await.expect("stats"), None, "a pod that is not known has none");
    runtime.remove(&pod("a")).await.expect("removed");
}

/// What is measured of a busy container grows and is plausible; what cannot be measured is None, never 0.
pub async fn what_a_busy_container_uses_grows(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let id = id("a", "busy", 0);
    started(&runtime, &fixture, &id, Program::UsesProcessor).await;
    let measure = async || {
        let stats = runtime.stats(&id.pod).await.expect("stats").expect("the pod is known");
        let container = stats.containers.into_iter().find(|container| container.id == id).expect("it runs");
        (stats.network, container)
    };
    if !fixture.can(Ability::Stats) {
        assert_eq!(measure().await, (None::<NetworkStats>, ContainerStats::unmeasured(id.clone())), "None, never 0");
    } else {
        let first = measure().await.1.cpu_nanos.expect("processor time is measured");
        eventually("processor time that is used must be told", async || {
            let now = measure().await.1.cpu_nanos.expect("processor time is measured");
            (now >= first + 10_000_000).then_some(())
        })
        .await;
        let (_, container) = measure().await;
        let memory = container.memory_bytes.expect("memory is measured");
        assert!(memory > 0, "a program that runs has some memory");
        assert!(container.working_set_bytes.is_none_or(|bytes| bytes <= memory), "a part of it: {container:?}");
        assert!(container.processes.is_none_or(|processes| processes > 0), "it has a process: {container:?}");
    }
    runtime.remove(&id.pod).await.expect("removed");
}
