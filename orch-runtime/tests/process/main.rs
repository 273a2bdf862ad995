//! The runtime suite, run by `ProcessRuntime`, and what only processes can show.
#![cfg(target_os = "linux")]

mod close;
mod faults;
mod input;
mod latency;
mod place;

orch_testkit::runtime_suite!(crate::place::Place::new());
