//! `mesos-like up`: a master and some agents in this process.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use super::beside::{Beside, Framework};
use super::submit;
use crate::agent::flags::{AgentFlags, RuntimeChoice};
use crate::agent::run::RunningAgent;
use crate::master::flags::MasterFlags;
use crate::master::run::RunningMaster;
use crate::signals::Signals;
use clap::{Args, Parser as _};
use serde_json::Value;

/// What `mesos-like up` is told.
#[derive(Args, Debug)]
pub struct UpOptions {
    /// The port of the master; the agents have the ones after it
    #[arg(long, default_value_t = 5050, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    port: u16,
    /// How many agents
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=100))]
    agents: u16,
    /// What each agent has, as it says: this machine need not have it
    #[arg(long, default_value = "cpus:4;mem:4096;disk:8192")]
    resources: String,
    /// What runs containers from images
    #[arg(long, default_value = "process")]
    runtime: RuntimeChoice,
    /// The frameworks that run beside it, each as a process of its own
    #[arg(long, value_delimiter = ',')]
    with: Vec<Framework>,
    /// The port of Marathon
    #[arg(long, default_value_t = 8080)]
    marathon_port: u16,
    /// The port of Chronos
    #[arg(long, default_value_t = 4400)]
    chronos_port: u16,
    /// An app in JSON, or a list of them, or a group: Marathon runs it
    #[arg(long, value_name = "FILE")]
    app: Option<PathBuf>,
    /// Where everything is kept; by default in the temporary folder, and removed at the end
    #[arg(long)]
    work_dir: Option<PathBuf>,
}

/// The flags of a program of this one, as they would be typed.
#[derive(Debug, clap::Parser)]
struct Typed<T: Args> {
    #[command(flatten)]
    flags: T,
}

/// A master and agents that run.
struct Up {
    master: RunningMaster,
    agents: Vec<RunningAgent>,
    beside: Vec<Beside>,
}

/// Starts a master and agents, and ends them with their tasks when a person says so.
pub(super) async fn up(options: UpOptions) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("error: cannot listen for signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (folder, is_ours) = match &options.work_dir {
        Some(folder) => (folder.clone(), false),
        None => (std::env::temp_dir().join(format!("mesos-like-{}", std::process::id())), true),
    };
    let started = async {
        let app = options.app.as_deref().map(submit::read).transpose()?;
        Ok((start(&options, &folder).await?, app))
    };
    let (up, app) = match started.await {
        Ok(started) => started,
        Err(error) => {
            let error: String = error;
            eprintln!("error: {error}");
            if is_ours {
                // There may be nothing in it yet.
                drop(std::fs::remove_dir_all(&folder));
            }
            return ExitCode::FAILURE;
        }
    };
    tell(&up, options.port);
    tokio::select! {
        biased;
        () = signals.end() => {}
        () = run(&up, app) => {}
    }
    println!("stopping");
    for framework in up.beside {
        framework.stop().await;
    }
    for agent in up.agents {
        agent.stop_with_tasks().await;
    }
    up.master.stop().await;
    if is_ours && let Err(error) = std::fs::remove_dir_all(&folder) {
        eprintln!("{} is left: {error}", folder.display());
    }
    println!("stopped");
    ExitCode::SUCCESS
}

async fn start(options: &UpOptions, folder: &std::path::Path) -> Result<Up, String> {
    let ip = format!("--ip={}", IpAddr::from(Ipv4Addr::LOCALHOST));
    let work = |name: &str| format!("--work_dir={}", folder.join(name).display());
    let mut typed = vec!["master".to_owned(), ip.clone(), format!("--port={}", options.port), work("master")];
    if options.work_dir.is_some() {
        typed.push(format!("--store=embedded:{}", folder.join("store").display()));
    }
    let master: MasterFlags = flags(typed)?;
    let master = RunningMaster::start(master).await.map_err(|error| format!("{error} (--port moves all of them)"))?;
    let mut agents = Vec::new();
    for number in 1..=options.agents {
        let (zone, disk) = (if number % 2 == 1 { "a" } else { "b" }, if number <= 2 { "ssd" } else { "hdd" });
        let first = 31_000 + u32::from(number - 1) * 300;
        let typed = vec![
            "agent".to_owned(),
            ip.clone(),
            format!("--port={}", options.port + number),
            format!("--master=127.0.0.1:{}", options.port),
            format!("--hostname=agent-{number}"),
            work(&format!("agent-{number}")),
            format!("--attributes=zone:{zone};disk:{disk};rack:r{number}"),
            format!("--resources={};ports:[{first}-{}]", options.resources, first + 299),
            "--registration_backoff_factor=200ms".to_owned(),
        ];
        let mut agent: AgentFlags = flags(typed)?;
        agent.runtime = options.runtime;
        let agent = RunningAgent::start(agent).await;
        agents.push(agent.map_err(|error| format!("agent-{number}: {error} (--port moves all of them)"))?);
    }
    let mut wanted: BTreeSet<Framework> = options.with.iter().copied().collect();
    wanted.extend(options.app.as_ref().map(|_| Framework::Marathon));
    let mut beside = Vec::new();
    for framework in wanted {
        let port = match framework {
            Framework::Marathon => options.marathon_port,
            Framework::Chronos => options.chronos_port,
        };
        let hint = |error| format!("{error} (--{}-port moves it)", framework.name());
        let master = format!("127.0.0.1:{}", options.port);
        beside.push(Beside::start(framework, &master, port, folder).await.map_err(hint)?);
    }
    Ok(Up { master, agents, beside })
}

/// Gives an app to Marathon; then there is nothing left to do, for ever.
async fn run(up: &Up, app: Option<Value>) {
    let marathon = up.beside.iter().find(|beside| beside.framework() == Framework::Marathon);
    if let (Some(marathon), Some(app)) = (marathon, app)
        && let Err(error) = submit::submit(marathon.address(), app).await
    {
        println!("error: {error}");
    }
    std::future::pending().await
}

fn flags<T: Args>(typed: Vec<String>) -> Result<T, String> {
    Typed::<T>::try_parse_from(typed).map(|typed| typed.flags).map_err(|error| error.to_string())
}

fn tell(up: &Up, port: u16) {
    println!("master   http://127.0.0.1:{port}");
    for (index, agent) in up.agents.iter().enumerate() {
        println!("agent-{}  http://{}", index + 1, agent.address());
    }
    for beside in &up.beside {
        println!("{:<8} http://{}{}", beside.framework().name(), beside.address(), beside.framework().path());
    }
    println!();
    println!("run something:  mesos-like run --master 127.0.0.1:{port} --command 'echo hello; sleep 5' --instances 8");
    println!("look at it:     http://127.0.0.1:{port} in a browser, or curl -s 127.0.0.1:{port}/state");
    println!("Ctrl-C ends all of it, and every task");
}
