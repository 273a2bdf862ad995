//! The suites of runtimes and of interactive ones, run by `ProcessRuntime`, and what only processes can show.
#![cfg(target_os = "linux")]

mod close;
mod faults;
mod input;
mod latency;
mod place;
mod privileges;
mod sessions;

orch_testkit::runtime_suite!(crate::place::Place::new());

/// Where root may make groups of the kernel. Without root it is the same as above.
mod with_groups {
    orch_testkit::runtime_suite!(crate::place::Place::with_groups());
}

mod interactive {
    orch_testkit::interactive_suite!(crate::place::Place::new());
}
