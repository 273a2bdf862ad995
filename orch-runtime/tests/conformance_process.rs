//! The runtime suite, run by `ProcessRuntime`.
#![cfg(target_os = "linux")]

mod place;

orch_testkit::runtime_suite!(place::Place::new());
