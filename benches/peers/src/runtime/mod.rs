//! Runtimes: what it takes to make a pod run and to remove it, on real daemons; and what a node agent takes in memory.

mod agent;
mod containerd;
mod docker;
mod many;
mod process;
mod raw_containerd;
mod raw_docker;
mod trip;

use std::process::Output;

pub use agent::{AGENT, agent};

use crate::row::Row;

/// What containers run, in busybox.
const COMMAND: [&str; 2] = ["sleep", "1000"];

/// What must be done before this part can be measured, if anything.
pub fn obstacle() -> Option<&'static str> {
    let is_root = nix::unistd::geteuid().is_root();
    (!is_root).then_some(
        "the part `runtime` starts dockerd, containerd and containers, and `proxy` makes networks, which takes root: run \
         them by `sudo -E env PATH=\"$PATH\" cargo xtask bench runtime proxy`, or name the other parts: `cargo xtask \
         bench store queue engine sched`",
    )
}

/// Measures all of it, and prints tables.
pub fn run() {
    println!("\nRuntimes. {}. {}.", docker::versions(), process::version());
    let subjects: [fn() -> Vec<Row>; 4] = [docker::rows, containerd::rows, process::rows, many::rows];
    Row::print_table(subjects.into_iter().map(|rows| rows()));
    agent::print();
}

/// What a program printed, which must succeed.
pub fn done(what: &str, output: Output) -> String {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
