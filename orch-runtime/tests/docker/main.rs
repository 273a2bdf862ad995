//! The suites of runtimes, run by `DockerRuntime` on a real daemon, and what only a daemon can show.
#![cfg(target_os = "linux")]

mod faults;
mod images;
mod network;
mod place;

orch_testkit::runtime_suite!(crate::place::Place::new());

mod interactive {
    orch_testkit::interactive_suite!(crate::place::Place::new());
}

/// With pods on a bridge that Docker knows nothing of.
mod with_bridge {
    orch_testkit::runtime_suite!(crate::place::Place::with_bridge());

    mod interactive {
        orch_testkit::interactive_suite!(crate::place::Place::with_bridge());
    }
}
