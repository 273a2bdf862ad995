//! Writes down what a container of a `ContainerdRuntime` writes. It is started by containerd, never by hand.
#![forbid(unsafe_code)]

fn main() {
    #[cfg(target_os = "linux")]
    orch_runtime::containerd::run_logger_if_asked();
    eprintln!("orch-logger writes the log of a container. containerd starts it; it does nothing by itself.");
    std::process::exit(2);
}
