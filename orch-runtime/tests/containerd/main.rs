//! `ContainerdRuntime` on a real containerd, in a network of its own.

mod closing;
mod faults;
mod input;
mod network;
mod place;

use self::place::Place;

mod conformance {
    use super::Place;

    orch_testkit::runtime_suite!(Place::new().await);

    mod interactive {
        use super::Place;

        orch_testkit::interactive_suite!(Place::new().await);
    }

    mod images {
        use super::Place;

        orch_testkit::images_suite!(Place::new().await);
    }
}
