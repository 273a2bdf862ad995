//! How long a start takes, and how fast output is taken. Numbers to look at, not checks.

use std::time::Duration;

use orch_core::runtime::{ContainerId, Runtime as _};
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use crate::faults::{sandbox, web};
use crate::place::{Place, ended, eventually};

#[test]
#[ignore = "it prints a number: cargo test -p orch-runtime --test process -- --ignored --nocapture latency"]
fn start_latency() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let mut took: Vec<Duration> = Vec::new();
        for number in 0..50 {
            let id = ContainerId { name: format!("web-{number}").parse().expect("a name"), ..web(0) };
            let before = tokio::time::Instant::now();
            runtime.start(&id, &place.container(Program::Runs)).await.expect("a start");
            took.push(before.elapsed());
        }
        took.sort_unstable();
        println!("50 starts: p50 {:?}, p98 {:?}", took[25], took[49]);
        runtime.remove(&web(0).pod).await.expect("removed");
    });
}

#[test]
#[ignore = "it prints a number: cargo test -p orch-runtime --test process -- --ignored --nocapture rate"]
fn output_rate() {
    run(async {
        let place = Place::new();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        for (attempt, line) in [(0, "y"), (1, "a line of an ordinary length, as programs write them all day long")] {
            let before = tokio::time::Instant::now();
            let script = format!("yes '{line}' | head -c 50000000");
            runtime.start(&web(attempt), &place.script(&script)).await.expect("a start");
            eventually(async || ended(&runtime, &web(attempt)).await).await;
            println!("50 MB of {line:?} in {:?}", before.elapsed());
        }
        runtime.remove(&web(0).pod).await.expect("removed");
    });
}
