//! A Kubernetes-like system in one process: see `k8s-like --help`.
#![forbid(unsafe_code)]

mod apply;
mod causes;
mod cli;
mod cluster;
mod layout;
mod machine;
mod manifest;
mod pulse;
mod retire;
mod runtimes;
mod show;
mod store;
mod tenancy;
mod up;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    // Containers are supervised by this same program, started anew: then this call does not return.
    orch_runtime::process::run_shim_if_asked();
    // The logs of containers are kept by it, too.
    orch_runtime::containerd::run_logger_if_asked();
    let Command::Up(options) = Cli::parse().command;
    log(options.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the operating system gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(up::up(options))
}

/// Logs go to standard error, apart from what is shown; `RUST_LOG` overrides how much.
fn log(verbose: u8) {
    let level = ["error", "debug", "trace"][usize::from(verbose.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}
