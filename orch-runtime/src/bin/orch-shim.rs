//! Supervises one container of a `ProcessRuntime`. It is started by the runtime, never by hand.
#![forbid(unsafe_code)]

fn main() {
    #[cfg(target_os = "linux")]
    orch_runtime::process::run_shim_if_asked();
    eprintln!("orch-shim supervises a container. A ProcessRuntime starts it; it does nothing by itself.");
    std::process::exit(2);
}
