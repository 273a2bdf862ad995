//! Restarts of the agent on a fake node that lives on.

use std::sync::Arc;
use std::time::Duration;

use orch_core::object::RestartPolicy;
use orch_core::runtime::Runtime as _;
use orch_runtime::fake::{FakeProgram, FakeRuntime, Operation};

use crate::clock::TokioClock;
use crate::cluster::Cluster;
use crate::objects::pod;
use crate::watched_runtime::WatchedRuntime;

#[tokio::test(start_paused = true)]
async fn over_a_living_store_what_runs_is_adopted() {
    let clock = TokioClock::new();
    let runtime = WatchedRuntime::new(FakeRuntime::new(clock.clone()));
    let cluster = Cluster::new(clock, 1);
    let first = cluster.start_agent(Arc::new(runtime.clone()));
    cluster.create(pod("a", RestartPolicy::Always, &["web"])).await;
    let before = cluster.until_ready("a").await;
    drop(first);
    let listed = runtime.list().await.expect("a list");
    let _second = cluster.start_agent(Arc::new(runtime.clone()));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(runtime.list().await.expect("a list"), listed);
    assert_eq!((runtime.fake.calls(Operation::Start), runtime.fake.calls(Operation::Stop)), (1, 0));
    assert_eq!(cluster.pod("a").await.expect("the pod"), before, "not even the status changed");
}

#[tokio::test(start_paused = true)]
async fn over_an_empty_store_all_that_ran_before_ends_before_anything_is_started() {
    let clock = TokioClock::new();
    let runtime = WatchedRuntime::new(FakeRuntime::new(clock.clone()));
    runtime.fake.script("web", FakeProgram::runs().ignoring_stop());
    let before = Cluster::new(clock.clone(), 1);
    let first = before.start_agent(Arc::new(runtime.clone()));
    for name in ["a", "b"] {
        before.create(pod(name, RestartPolicy::Always, &["web"])).await;
        before.until_ready(name).await;
    }
    drop(first);
    let after = Cluster::new(clock, 2);
    after.create(pod("a", RestartPolicy::Always, &["web"])).await;
    after.create(pod("c", RestartPolicy::Always, &["web"])).await;
    let _second = after.start_agent(Arc::new(runtime.clone()));
    let looks = tokio::time::Instant::now();
    while looks.elapsed() < Duration::from_secs(5) {
        let sandboxes = runtime.list().await.expect("a list");
        let names = sandboxes.iter().map(|sandbox| sandbox.spec.name.as_str());
        let names: Vec<&str> = names.collect();
        let earlier = names.contains(&"b");
        assert!(!(earlier && names.contains(&"c")), "c was made while b was still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    after.until_ready("a").await;
    after.until_ready("c").await;
    assert_eq!(runtime.summary().await.matches("runs").count(), 2);
    runtime.twins().expect("no twins");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_on_a_node_without_pods_is_cleared() {
    let clock = TokioClock::new();
    let runtime = WatchedRuntime::new(FakeRuntime::new(clock.clone()));
    let before = Cluster::new(clock.clone(), 1);
    let first = before.start_agent(Arc::new(runtime.clone()));
    before.create(pod("a", RestartPolicy::Always, &["web"])).await;
    before.until_ready("a").await;
    drop(first);
    let _second = Cluster::new(clock, 2).start_agent(Arc::new(runtime.clone()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(runtime.list().await.expect("a list"), []);
}
