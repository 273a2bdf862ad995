//! The suites of runtimes, of interactive ones and of images, run by `FakeRuntime`.

mod place;

orch_testkit::runtime_suite!(crate::place::Place::default());

mod interactive {
    orch_testkit::interactive_suite!(crate::place::Place::default());
}

mod images {
    orch_testkit::images_suite!(crate::place::Place::default());
}
