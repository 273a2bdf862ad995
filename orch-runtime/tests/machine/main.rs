//! Every machine tells what the trait says, in the same shape.

use std::collections::BTreeSet;

use orch_core::runtime::{Machine, MachineStats, Supply};
use orch_runtime::machine::FakeMachine;

/// What holds of every machine.
fn is_plausible(stats: &MachineStats) {
    let within = |supply: Supply| supply.capacity > 0 && supply.available <= supply.capacity;
    assert!(stats.cpu_millis > 0);
    assert!(within(stats.memory), "{:?}", stats.memory);
    assert!([stats.disk, stats.inodes, stats.processes].into_iter().flatten().all(within), "{stats:?}");
    let system = &stats.system;
    let told =
        [&system.operating_system, &system.architecture, &system.kernel_version, &system.os_image, &system.boot_id];
    assert!(told.iter().all(|text| !text.is_empty() && text.trim() == **text), "{system:?}");
    let go_names = BTreeSet::from(["386", "amd64", "arm", "arm64", "loong64", "ppc64le", "riscv64", "s390x"]);
    assert!(go_names.contains(system.architecture.as_str()), "{}", system.architecture);
    let versions = [&system.container_runtime_version, &system.kubelet_version, &system.kube_proxy_version];
    assert!(versions.iter().all(|version| version.is_empty()), "they are others' to tell");
}

async fn measure(machine: &dyn Machine) -> MachineStats {
    let stats = machine.measure().await.expect("it can be measured");
    is_plausible(&stats);
    stats
}

#[tokio::test]
async fn a_fake_machine_is_what_it_is_told_to_be() {
    let machine = FakeMachine::default();
    measure(&machine).await;
    let clone = machine.clone();
    clone.change(|stats| stats.memory.available = 1);
    assert_eq!(measure(&machine).await.memory.available, 1);
    clone.fail(Some("no power"));
    assert_eq!(machine.measure().await.expect_err("it cannot").to_string(), "no power");
    clone.fail(None);
    measure(&machine).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn this_machine_is_measured() {
    use orch_runtime::machine::{LinuxMachine, LinuxMachineConfig};

    let machine = LinuxMachine::new(LinuxMachineConfig::new(std::env::temp_dir()));
    let first = measure(&machine).await;
    assert!(first.disk.is_some() && first.processes.is_some());
    let processors = std::thread::available_parallelism().expect("it is told").get() as u64;
    assert!(first.cpu_millis <= processors * 1000 && first.cpu_millis > (processors - 1) * 1000, "{first:?}");
    // Until the time that this very loop uses is seen.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while measure(&machine).await.cpu_used_nanos <= first.cpu_used_nanos {
        assert!(tokio::time::Instant::now() < deadline, "processor time stands still");
    }
    let second = measure(&machine).await;
    assert_eq!((second.memory.capacity, second.system), (first.memory.capacity, first.system));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_not_there_is_left_out() {
    use orch_runtime::machine::{LinuxMachine, LinuxMachineConfig};

    let machine = LinuxMachine::new(LinuxMachineConfig::new("/there/is/no/such/folder"));
    let stats = measure(&machine).await;
    assert_eq!((stats.disk, stats.inodes), (None, None));
}
