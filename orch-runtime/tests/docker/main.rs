//! The runtime suites, run by `DockerRuntime` on a real daemon, and what only a daemon can show.
#![cfg(target_os = "linux")]

mod place;

orch_testkit::runtime_suite!(crate::place::Place::new());
