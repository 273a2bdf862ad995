//! What a person types.

mod agent;
mod beside;
mod run;
mod submit;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use run::RunOptions;
pub use up::UpOptions;

use crate::agent::flags::AgentFlags;
use crate::chronos::flags::ChronosFlags;
use crate::chronos::run::chronos;
use crate::marathon::flags::MarathonFlags;
use crate::marathon::run::marathon;
use crate::master::flags::MasterFlags;
use crate::master::run::master;

/// A Mesos-like system: masters, agents, and a framework of its own
#[derive(Debug, Parser)]
#[command(name = "mesos-like", version, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more, twice for even more (or set RUST_LOG)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a master and four agents on this machine, to try things
    Up(UpOptions),
    /// Run a master
    Master(Box<MasterFlags>),
    /// Run an agent
    Agent(Box<AgentFlags>),
    /// Run Marathon: long-running services, as a framework of its own
    Marathon(Box<MarathonFlags>),
    /// Run instances of a command, as a framework of its own
    Run(RunOptions),
    /// Run jobs at times, and jobs after jobs
    Chronos(Box<ChronosFlags>),
}

impl Cli {
    /// Does what is asked for, until it is done or a person ends it.
    pub async fn run(self) -> ExitCode {
        if let Err(error) = beside::end_with_parent() {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
        match self.command {
            Command::Up(options) => up::up(options).await,
            Command::Master(flags) => master(*flags).await,
            Command::Agent(flags) => agent::agent(*flags).await,
            Command::Marathon(flags) => marathon(*flags).await,
            Command::Run(options) => run::run(options).await,
            Command::Chronos(flags) => chronos(*flags).await,
        }
    }
}
