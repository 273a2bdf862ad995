//! The suites of runtimes, run by `DockerRuntime` on a real daemon, and what only a daemon can show.
#![cfg(target_os = "linux")]

mod faults;
mod images;
mod place;

orch_testkit::runtime_suite!(crate::place::Place::new());

mod interactive {
    orch_testkit::interactive_suite!(crate::place::Place::new());
}
