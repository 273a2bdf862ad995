//! The suites of runtimes and of interactive ones, run by `ProcessRuntime` with pods on a bridge, each test in a network of
//! its own; and what only such pods can show.
#![cfg(target_os = "linux")]

mod network;
#[path = "../process/place.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod place;
mod routed;
#[path = "../process/sessions.rs"]
mod sessions;

use orch_testkit::daemon::Host;

use self::place::Place;

/// A place in a network of its own, in which the thread is from now on.
fn bridged() -> Place {
    let host = Host::new();
    // Each test has a thread of its own, which ends with it: it need not come back.
    std::mem::forget(host.enter());
    let mut place = Place::new();
    place.network = Some(Box::new(host));
    place
}

orch_testkit::runtime_suite!(crate::bridged());

mod interactive {
    orch_testkit::interactive_suite!(crate::bridged());
}
