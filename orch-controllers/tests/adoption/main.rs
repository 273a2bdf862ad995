//! Restarts of the node agent over real processes: none is started twice, none is ended without need, and no two lives
//! of a pod overlap.

#[cfg(target_os = "linux")]
#[path = "../node_agent/cluster.rs"]
mod cluster;
#[cfg(target_os = "linux")]
#[path = "../node_agent/objects.rs"]
mod objects;
#[cfg(target_os = "linux")]
mod processes;

/// The process runtime starts this very program as the shim of a container.
#[cfg(target_os = "linux")]
fn main() {
    orch_runtime::process::run_shim_if_asked();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, check) in processes::CHECKS {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            check();
            println!("test {name} ... ok");
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: processes can be found again on Linux only");
}
