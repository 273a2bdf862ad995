//! The runtime suite, run by `FakeRuntime`.

mod place;

orch_testkit::runtime_suite!(crate::place::Place::default());
