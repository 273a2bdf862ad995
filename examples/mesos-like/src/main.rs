//! A Mesos-like system: see `mesos-like --help`.
#![forbid(unsafe_code)]

fn main() {
    // Containers are supervised by this same program, started anew: then this call does not return.
    orch_runtime::process::run_shim_if_asked();
    // The logs of containers are kept by it, too.
    orch_runtime::containerd::run_logger_if_asked();
}
