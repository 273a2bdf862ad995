//! The suite of volumes, run by `FakeVolumes` and `NodeVolumes`, and what only a real node can show.

mod fake_place;
#[cfg(target_os = "linux")]
mod files_as_modelled;
#[cfg(target_os = "linux")]
mod node;
#[cfg(target_os = "linux")]
mod node_place;

mod fake_volumes {
    orch_testkit::volumes_suite!(crate::fake_place::FakePlace::new());
}

#[cfg(target_os = "linux")]
mod node_volumes {
    orch_testkit::volumes_suite!(crate::node_place::NodePlace::new(true));
}

#[cfg(target_os = "linux")]
mod node_volumes_on_the_disk {
    orch_testkit::volumes_suite!(crate::node_place::NodePlace::new(false));
}
