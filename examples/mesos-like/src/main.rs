//! A Mesos-like system: see `mesos-like --help`.
#![forbid(unsafe_code)]

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use mesos_like::cli::Cli;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Containers are supervised by this same program, started anew: then this call does not return.
    orch_runtime::process::run_shim_if_asked();
    // The logs of containers are kept by it, too.
    orch_runtime::containerd::run_logger_if_asked();
    let cli = Cli::parse();
    log(cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the operating system gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(cli.run())
}

/// Warnings to standard error, or more of them.
fn log(verbose: u8) {
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
