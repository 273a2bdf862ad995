//! `mesos-like run`: instances of a command, as a framework of its own.

use std::process::ExitCode;

use clap::Args;
use orch_core::allocator::Resources;
use orch_sched::FilterScoreScheduler;

use crate::framework::{Connection, ConnectionError, Instances, Progress, acknowledge, command, place};
use crate::wire::scheduler::{Call, CallType, Event, EventType};
use crate::wire::{
    Capability, CapabilityType, ContainerInfo, ContainerType, DockerImage, Environment, Filters, FrameworkInfo, Image,
    ImageType, MesosInfo, TaskInfo, TaskState, Variable,
};

/// What `mesos-like run` is told.
#[derive(Args, Debug)]
pub struct RunOptions {
    /// The masters, as host:port, separated by commas
    #[arg(long, env = "MESOS_MASTER", value_delimiter = ',', required = true)]
    master: Vec<String>,
    /// What each instance runs, by a shell
    #[arg(long)]
    command: String,
    /// How many instances
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    instances: u32,
    /// What the framework and its tasks are called
    #[arg(long, default_value = "run")]
    name: String,
    /// What each instance needs
    #[arg(long, default_value = "cpus:0.1;mem:32", value_parser = |text: &str| text.parse::<Resources>())]
    resources: Resources,
    /// In which role offers are wanted
    #[arg(long, default_value = "*")]
    role: String,
    /// As which user the tasks run; as the agent's by default
    #[arg(long)]
    user: Option<String>,
    /// A variable of the tasks' environment, as NAME=VALUE
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    environment: Vec<Variable>,
    /// The image that the tasks run in; none runs them on the machine itself
    #[arg(long, value_name = "IMAGE")]
    docker_image: Option<String>,
    /// How often an instance may fail and is run again
    #[arg(long, default_value_t = 0)]
    retries: u32,
    /// How many seconds the master waits for this framework if it goes away
    #[arg(long, default_value_t = 60.0)]
    failover_timeout: f64,
}

fn variable(text: &str) -> Result<Variable, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Variable { name: name.to_owned(), value: Some(value.to_owned()), ..Variable::default() })
        }
        _ => Err("a variable is given as NAME=VALUE".to_owned()),
    }
}

impl RunOptions {
    fn framework(&self) -> FrameworkInfo {
        let multi_role = Capability { r#type: Some(CapabilityType::MultiRole.into()) };
        let partitions = Capability { r#type: Some(CapabilityType::PartitionAware.into()) };
        FrameworkInfo {
            user: self.user.clone().unwrap_or_default(),
            name: self.name.clone(),
            roles: vec![self.role.clone()],
            checkpoint: Some(true),
            failover_timeout: Some(self.failover_timeout),
            capabilities: vec![multi_role, partitions],
            ..FrameworkInfo::default()
        }
    }

    fn task(&self) -> TaskInfo {
        let mut task = command(&self.name, &self.command, &self.resources);
        if let Some(command) = &mut task.command {
            command.user.clone_from(&self.user);
            command.environment = Some(Environment { variables: self.environment.clone() });
        }
        task.container = self.docker_image.clone().map(|name| {
            let docker = Some(DockerImage { name });
            let image = Image { r#type: ImageType::Docker.into(), docker, cached: None };
            let mesos = Some(MesosInfo { image: Some(image) });
            ContainerInfo { r#type: ContainerType::Mesos.into(), mesos, ..ContainerInfo::default() }
        });
        task
    }
}

/// Runs the instances until all have ended, or a person ends them.
pub(super) async fn run(options: RunOptions) -> ExitCode {
    let mut instances = Instances::new(options.task(), options.instances as usize, options.retries);
    let mut master = match Connection::new(options.master.clone(), options.framework()) {
        Ok(master) => master,
        Err(error) => return failed(&error),
    };
    println!("waiting for offers of {}", options.master.join(", "));
    let driven = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {
            println!("stopping: the master is told to end the {} tasks that run", instances.live().count());
            None
        }
        driven = drive(&mut master, &mut instances) => Some(driven),
    };
    if let Some(Err(error)) = driven {
        return failed(&error);
    }
    if let Err(error) = master.call(CallType::Teardown, Call::default()).await {
        return failed(&error);
    }
    let progress = instances.progress();
    println!("{}", in_words(&progress));
    match (driven, progress.failed) {
        (None, _) => ExitCode::from(130),
        (_, 0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

async fn drive(master: &mut Connection, instances: &mut Instances) -> Result<(), ConnectionError> {
    let (mut told, mut refused) = (Progress::default(), String::new());
    while !instances.progress().is_over() {
        let event = master.next().await?;
        follow(event, master, instances, &mut refused).await?;
        let progress = instances.progress();
        if progress != told && !progress.is_over() {
            println!("{}", in_words(&progress));
            told = progress;
        }
    }
    Ok(())
}

/// Takes in an event; `refused` is what was last said of instances that found no place.
async fn follow(
    event: Event,
    master: &mut Connection,
    instances: &mut Instances,
    refused: &mut String,
) -> Result<(), ConnectionError> {
    match event.r#type() {
        EventType::Subscribed => {
            println!("subscribed as {}", master.id().map_or("", |id| id.value.as_str()));
            // An empty list would ask for all tasks that the master knows of.
            if instances.live().next().is_some() {
                master.call(CallType::Reconcile, instances.reconcile()).await?;
            }
        }
        EventType::Offers => {
            let offers = event.offers.unwrap_or_default().offers;
            let mut scheduler = FilterScoreScheduler::default();
            let placement = place(&mut scheduler, &offers, instances.waiting(), &Filters::default());
            instances.launched(&placement.launched);
            for call in placement.calls {
                master.call(CallType::Accept, call).await?;
            }
            if let Some((_, refusal)) = placement.refused.first() {
                let why = refusal.to_string().replace("nodes are available", "offers will do");
                if why != *refused {
                    println!("not placed yet: {why}");
                    *refused = why;
                }
            }
            if instances.progress().waiting == 0 {
                master.call(CallType::Suppress, Call::default()).await?;
            }
        }
        EventType::Update => {
            let Some(status) = event.update.map(|update| update.status) else { return Ok(()) };
            let waited = instances.progress().waiting;
            instances.update(&status);
            if matches!(status.state(), TaskState::Failed | TaskState::Error | TaskState::Lost | TaskState::Dropped) {
                let why = [status.message.clone(), Some(status.reason().text().to_owned())];
                let why: Vec<String> = why.into_iter().flatten().collect();
                println!("{} is {}: {}", status.task_id, status.state().text(), why.join(", "));
            }
            if let Some(call) = acknowledge(&status) {
                master.call(CallType::Acknowledge, call).await?;
            }
            if waited == 0 && instances.progress().waiting > 0 {
                master.call(CallType::Revive, Call::default()).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn in_words(progress: &Progress) -> String {
    let Progress { waiting, launched, running, finished, failed } = progress;
    format!("{waiting} waiting, {launched} launched, {running} running, {finished} finished, {failed} failed")
}

fn failed(error: &ConnectionError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
