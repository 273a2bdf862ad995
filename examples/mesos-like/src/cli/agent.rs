//! `mesos-like agent`: an agent, until it is ended.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::agent::flags::AgentFlags;
use crate::agent::run::RunningAgent;

/// Runs an agent: SIGTERM and Ctrl-C end it and leave its tasks running, SIGUSR1 ends them, too.
pub(super) async fn agent(flags: AgentFlags) -> ExitCode {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::user_defined1()];
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut leave)] = kinds.map(signal) else {
        eprintln!("error: cannot listen for signals");
        return ExitCode::FAILURE;
    };
    let running = match RunningAgent::start(flags).await {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("the agent listens on {}", running.address());
    tokio::select! {
        biased;
        _ = terminate.recv() => running.stop().await,
        _ = interrupt.recv() => {
            println!("the agent ends; its tasks go on, and it finds them when it is started again");
            running.stop().await;
        }
        _ = leave.recv() => running.stop_with_tasks().await,
        reason = running.ended() => {
            eprintln!("error: {reason}");
            running.stop().await;
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
