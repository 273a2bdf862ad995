//! The root folder is given back when `close` returns, whatever else holds the runtime.

use std::time::Duration;

use futures::StreamExt as _;
use orch_core::runtime::{LogOptions, Runtime as _, RuntimeError};
use orch_runtime::process::ProcessRuntime;
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use crate::faults::{sandbox, web};
use crate::place::{Place, eventually, output};

async fn refused(runtime: &ProcessRuntime) {
    let error = runtime.list().await.expect_err("it was closed");
    assert!(matches!(&error, RuntimeError::Unavailable { transient: false, .. }), "{error:?}");
    assert!(error.to_string().contains("open another one"), "{error}");
    runtime.create_sandbox(&sandbox("b")).await.expect_err("it was closed");
    runtime.remove(&web(0).pod).await.expect_err("it was closed");
}

#[test]
fn a_closed_runtime_is_opened_again_at_once_whoever_has_clones_of_it() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        runtime.start(&web(0), &place.container(Program::IgnoresStop)).await.expect("a start");
        eventually(async || (!output(&runtime, &web(0)).await.is_empty()).then_some(())).await;
        let before = runtime.list().await.expect("a list");
        let changes = runtime.events();
        let follow = LogOptions { follow: true, ..LogOptions::default() };
        let followed = runtime.logs(&web(0), follow).await.expect("output");
        let (left, stopping, beside) = (runtime.clone(), runtime.clone(), runtime.clone());
        let stopping = tokio::spawn(async move { stopping.stop(&web(0), Duration::from_secs(1000)).await });
        let hangs = place.command(orch_testkit::suite::runtime::Beside::Hangs);
        let beside = tokio::spawn(async move { beside.exec(&web(0), &hangs, Duration::from_secs(1000)).await });
        tokio::task::yield_now().await;

        runtime.close().await;
        let opened = place.open().await;
        assert_eq!(opened.list().await.expect("a list"), before, "containers go on");
        refused(&left).await;
        stopping.await.expect("no panic").expect_err("a stop is not waited for");
        beside.await.expect("no panic").expect_err("a command is not waited for");
        assert_eq!(changes.collect::<Vec<_>>().await, [], "streams end");
        followed.collect::<Vec<_>>().await;
        left.close().await;
        opened.remove(&web(0).pod).await.expect("closing again does not touch who came after");
    });
}

#[test]
fn what_is_being_started_is_started_when_the_runtime_is_closed() {
    run(async {
        for step in 0..8 {
            let place = Place::new();
            let runtime = place.open().await;
            runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
            let starting = runtime.clone();
            let program = place.container(Program::Runs);
            let start = tokio::spawn(async move { starting.start(&web(0), &program).await });
            tokio::time::sleep(Duration::from_millis(step)).await;
            start.abort();
            runtime.close().await;
            let runtime = place.open().await;
            let pods = runtime.list().await.expect("a list");
            assert_eq!(pods[0].containers.len(), place.shims().len(), "step {step}: wholly or not at all");
            runtime.remove(&web(0).pod).await.expect("removed");
        }
    });
}
