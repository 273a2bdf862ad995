//! A Kubernetes-like system, in one process or on several hosts: see `k8s-like --help`.
#![forbid(unsafe_code)]

mod api;
mod apply;
mod causes;
mod charter;
mod cli;
mod commands;
mod control_plane;
mod follow;
mod hello_web;
mod layout;
mod lifetime;
mod local_range;
mod machine;
mod manifest;
mod names;
mod node;
mod nodes;
mod proxy;
mod pulse;
mod retire;
mod routes;
mod runtimes;
mod show;
mod start_error;
mod store;
mod tenancy;
mod up;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;

use api::ApiError;
use cli::{Cli, Command};

fn main() -> ExitCode {
    // Containers are supervised by this same program, started anew: then this call does not return.
    orch_runtime::process::run_shim_if_asked();
    // The logs of containers are kept by it, too.
    orch_runtime::containerd::run_logger_if_asked();
    let command = Cli::parse().command;
    log(match &command {
        Command::Up(options) => options.pods.verbose,
        Command::Node(options) => options.pods.verbose,
        Command::ControlPlane(options) => options.verbose,
        _ => 0,
    });
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the operating system gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(command));
    // A read of standard input that nobody waits for any more would be waited for otherwise.
    runtime.shutdown_background();
    code
}

async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Up(options) => return up::up(options).await,
        Command::Node(options) => return node::node(options).await,
        Command::ControlPlane(options) => return control_plane::control_plane(options).await,
        Command::HelloWeb(options) => {
            let served = hello_web::hello_web(options).await;
            served.map(|()| ExitCode::SUCCESS).map_err(|error| ApiError(error.to_string()))
        }
        Command::Logs(options) => commands::logs(options).await,
        Command::Exec(options) => commands::exec(options).await,
        Command::Attach(options) => commands::attach(options).await,
        Command::PortForward(options) => commands::port_forward(options).await,
        Command::Get(options) => commands::get(options).await,
        Command::Top(options) => commands::top(options).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

/// Logs go to standard error, apart from what is shown; `RUST_LOG` overrides how much.
fn log(verbose: u8) {
    let level = ["error", "debug", "trace"][usize::from(verbose.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}
