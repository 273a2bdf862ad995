//! [`Handle`]: an agent that runs: one task owns it and does what it says, in that order.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_core::clock::{Clock as _, SystemClock};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::builtin::{BuiltinExecutor, BuiltinSetting, Recovered};
use super::checkpoint::{Checkpoint, CheckpointError};
use super::containers::{ContainerPlan, Containers, Ended, persistent_volume};
use super::core::{Core, Executor, Key, Output, Settings};
use super::environment::environment;
use super::files::Collector;
use super::layout;
use crate::http::Outbox;
use crate::wire::executor::{Call, CallType, Event};
use crate::wire::scheduler::OperationType;
use crate::wire::{AgentCall, Apply};

/// How many requests may wait to be heard.
const WAITING: usize = 1024;

/// How often it is looked at what is due.
const TICK: Duration = Duration::from_millis(200);

/// An agent that runs.
#[derive(Clone, Debug)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
    ended: watch::Receiver<Option<String>>,
    _running: Arc<JoinSet<()>>,
}

type Job = Box<dyn FnOnce(&mut Actor) + Send>;

/// The agent has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent has ended")]
pub struct Gone;

/// What an agent works with.
#[derive(Debug)]
pub struct Parts {
    /// Where it keeps what it keeps.
    pub work_dir: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// The same settings that its core has.
    pub settings: Settings,
    /// Where it writes down what it is to know again.
    pub checkpoint: Checkpoint,
    /// What its executors run in.
    pub containers: Arc<Containers>,
    /// Who removes them.
    pub collector: Arc<Collector>,
}

/// An agent, and what it works with.
#[derive(Debug)]
pub struct Actor {
    /// What it decides by.
    pub core: Core,
    parts: Parts,
    links: HashMap<Key, Link>,
    to_master: Option<mpsc::UnboundedSender<AgentCall>>,
    own: mpsc::WeakSender<Job>,
    work: JoinSet<()>,
}

/// How an executor is told.
#[derive(Debug)]
enum Link {
    /// By the stream that it reads.
    Stream(Outbox),
    /// It is the agent's own.
    Own(mpsc::Sender<Event>),
}

impl Handle {
    /// Runs an agent.
    #[must_use]
    pub fn start(core: Core, parts: Parts) -> Self {
        let (jobs, asked) = mpsc::channel(WAITING);
        let (end, ended) = watch::channel(None);
        let (links, work, own) = (HashMap::new(), JoinSet::new(), jobs.downgrade());
        let actor = Actor { core, parts, links, to_master: None, own, work };
        let mut running = JoinSet::new();
        running.spawn(async move {
            let reason = actor.run(asked).await;
            // Nobody may want to know.
            let _ = end.send(Some(reason));
        });
        Self { jobs, ended, _running: Arc::new(running) }
    }

    /// Does something with the agent, after all that was asked for before, and returns what it gives.
    ///
    /// # Errors
    /// [`Gone`], and it was not done.
    pub async fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut Actor) -> T + Send + 'static) -> Result<T, Gone> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(|actor| drop(done.send(job(actor))));
        self.jobs.send(job).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Returns when the agent has ended by itself, and why.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| Gone.to_string())
    }
}

impl Actor {
    /// Why it ends.
    async fn run(mut self, mut asked: mpsc::Receiver<Job>) -> String {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(reason) = self.perform().await {
                return reason;
            }
            tokio::select! {
                biased;
                job = asked.recv() => {
                    let Some(job) = job else { return "nobody needs it any more".to_owned() };
                    self.core.advance(SystemClock.now());
                    job(&mut self);
                }
                _ = ticks.tick() => {
                    self.core.advance(SystemClock.now());
                    self.core.tick();
                }
            }
            while self.work.try_join_next().is_some() {}
        }
    }

    /// The master is told by this from now on, until the next one.
    pub fn link_master(&mut self, calls: mpsc::UnboundedSender<AgentCall>) {
        self.to_master = Some(calls);
    }

    /// What it works with.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// An executor reads this stream from now on.
    pub fn link_executor(&mut self, key: &Key, outbox: Outbox) {
        self.links.insert(key.clone(), Link::Stream(outbox));
    }

    /// Does what the core says, until there is nothing more. The error is why the agent ends.
    async fn perform(&mut self) -> Result<(), String> {
        loop {
            let output = self.core.take_output();
            if output.is_empty() {
                return Ok(());
            }
            for one in output {
                match one {
                    Output::ToMaster(call) => {
                        // If nobody takes it, the connection is broken: all is told anew when it is there again.
                        if let Some(calls) = &self.to_master {
                            let _ = calls.send(*call);
                        }
                    }
                    Output::ToExecutor(key, event) => self.tell(&key, *event),
                    Output::Launch(key) => self.launch(&key, Vec::new(), false),
                    Output::Recover(key, recovered) => self.launch(&key, recovered, true),
                    Output::Kill(key, grace) => self.kill(&key, grace),
                    Output::Forget(key, container) => self.forget(&key, container).await?,
                    Output::Save(record) => self.write(move |to| to.write_executor(&record)).await?,
                    Output::SaveAgent(record) => self.write(move |to| to.write_agent(&record)).await?,
                    Output::Volumes(apply) => self.volumes(&apply),
                    Output::End(reason) => return Err(reason),
                }
            }
        }
    }

    async fn write(
        &self,
        write: impl FnOnce(&Checkpoint) -> Result<(), CheckpointError> + Send + 'static,
    ) -> Result<(), String> {
        let checkpoint = self.parts.checkpoint.clone();
        let written = tokio::task::spawn_blocking(move || write(&checkpoint)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("the agent cannot go on without what it writes down: {error}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn tell(&mut self, key: &Key, event: Event) {
        let told = match self.links.get(key) {
            Some(Link::Stream(outbox)) => outbox.send(&event).is_ok(),
            Some(Link::Own(events)) => events.try_send(event).is_ok(),
            None => return,
        };
        if !told {
            tracing::warn!(executor = key.executor, "an executor does not hear its agent");
            self.links.remove(key);
        }
    }

    /// Starts an executor; or finds one that an earlier agent started.
    fn launch(&mut self, key: &Key, recovered: Vec<Recovered>, is_known: bool) {
        let Some(executor) = self.core.executors().get(key) else { return };
        let agent_id = self.core.info().id.clone().unwrap_or_default();
        let sandbox = layout::sandbox(&self.parts.work_dir, &agent_id.value, key, &executor.container_id);
        let Some(framework) = self.core.frameworks().get(&key.framework).cloned() else { return };
        let latest = sandbox.with_file_name("latest");
        self.parts.collector.used(&sandbox);
        let environment =
            environment(key, &framework, &agent_id.value, self.parts.address, &sandbox, &self.parts.settings);
        let user = Some(framework.user.clone()).filter(|user| !user.is_empty());
        if executor.is_builtin {
            let setting = BuiltinSetting {
                framework,
                executor: executor.info.clone(),
                agent_id,
                agent_ip: self.parts.address.ip(),
                container_id: executor.container_id.clone(),
                sandbox,
                user,
                environment,
                recovered,
            };
            self.start_own(key, setting, latest);
            return;
        }
        let plan = plan(executor, environment, sandbox, user);
        let (containers, key, jobs) = (Arc::clone(&self.parts.containers), key.clone(), self.own.clone());
        self.work.spawn(async move {
            if !is_known || containers.find(&plan.id).await.is_some() {
                match containers.launch(&plan).await {
                    Ok(launched) => {
                        link_latest(&latest, &plan.id);
                        let key = key.clone();
                        tell(&jobs, move |actor| actor.core.launched(&key, &launched)).await;
                    }
                    Err(error) => return tell(&jobs, move |actor| actor.core.not_launched(&key, &error)).await,
                }
            }
            let ended = containers.ended(&plan.id).await;
            tell(&jobs, move |actor| actor.core.container_ended(&key, &ended)).await;
        });
    }

    fn start_own(&mut self, key: &Key, setting: BuiltinSetting, latest: PathBuf) {
        let (events, hears) = mpsc::channel(WAITING);
        let (calls, mut said) = mpsc::channel::<Call>(WAITING);
        self.links.insert(key.clone(), Link::Own(events));
        link_latest(&latest, &setting.container_id);
        let running = BuiltinExecutor::start(Arc::clone(&self.parts.containers), setting, hears, calls);
        let (key, jobs) = (key.clone(), self.own.clone());
        self.work.spawn(async move {
            while let Some(call) = said.recv().await {
                let key = key.clone();
                tell(&jobs, move |actor| {
                    let heard = match call.r#type() {
                        CallType::Subscribe => actor.core.executor_subscribes(&key, call),
                        _ => actor.core.executor_says(&key, call),
                    };
                    if let Err(refused) = heard {
                        tracing::warn!(executor = key.executor, ?refused, "the agent's own executor is not heard");
                    }
                })
                .await;
            }
            let failed = running.await.is_err();
            let message = if failed { "The executor of the agent failed" } else { "Executor ended" };
            let ended = Ended { status: Some(i32::from(failed)), reason: None, message: message.to_owned() };
            tell(&jobs, move |actor| actor.core.container_ended(&key, &ended)).await;
        });
    }

    fn kill(&mut self, key: &Key, grace: Duration) {
        let Some(executor) = self.core.executors().get(key) else { return };
        let (containers, id) = (Arc::clone(&self.parts.containers), executor.container_id.clone());
        self.work.spawn(async move { containers.kill(&id, grace).await });
    }

    async fn forget(&mut self, key: &Key, container: String) -> Result<(), String> {
        self.links.remove(key);
        let agent = self.core.info().id.clone().unwrap_or_default();
        let sandbox = layout::sandbox(&self.parts.work_dir, &agent.value, key, &container);
        self.parts.collector.unused(sandbox, None);
        let (containers, id) = (Arc::clone(&self.parts.containers), container.clone());
        self.work.spawn(async move { containers.remove(&id).await });
        self.write(move |to| to.forget_executor(&container)).await
    }

    /// Makes the folders of volumes that were created, and removes those of volumes that were destroyed.
    fn volumes(&self, apply: &Apply) {
        let operation = &apply.operation;
        let folders = |volumes: &[crate::wire::Resource]| -> Vec<PathBuf> {
            volumes.iter().filter_map(|volume| persistent_volume(&self.parts.work_dir, volume)).collect()
        };
        match operation.r#type() {
            OperationType::Create => {
                for folder in folders(&operation.create.clone().unwrap_or_default().volumes) {
                    if let Err(error) = std::fs::create_dir_all(&folder) {
                        tracing::error!(%error, "the volume {} cannot be made", folder.display());
                    }
                }
            }
            OperationType::Destroy => {
                for folder in folders(&operation.destroy.clone().unwrap_or_default().volumes) {
                    if let Err(error) = std::fs::remove_dir_all(&folder) {
                        tracing::error!(%error, "the volume {} is not removed", folder.display());
                    }
                }
            }
            _ => {}
        }
    }
}

/// What the container of an executor is to be.
fn plan(
    executor: &Executor,
    environment: Vec<(String, String)>,
    sandbox: PathBuf,
    user: Option<String>,
) -> ContainerPlan {
    let of_tasks = executor.tasks.values().flat_map(|life| life.info.resources.clone());
    ContainerPlan {
        id: executor.container_id.clone(),
        name: executor.info.executor_id.value.clone(),
        sandbox,
        parent: None,
        environment,
        command: executor.info.command.clone().unwrap_or_default(),
        container: executor.info.container.clone(),
        resources: executor.info.resources.iter().cloned().chain(of_tasks).collect(),
        limits: Default::default(),
        user,
    }
}

/// Leads `latest` to the container that an executor has now.
fn link_latest(latest: &std::path::Path, container: &str) {
    let beside = latest.with_extension("new");
    let linked = || {
        if let Some(folder) = latest.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let _ = std::fs::remove_file(&beside);
        std::os::unix::fs::symlink(container, &beside)?;
        std::fs::rename(&beside, latest)
    };
    if let Err(error) = linked() {
        tracing::warn!(%error, "{} leads to another container", latest.display());
    }
}

/// Tells the agent of something; if it has ended, nobody is told.
async fn tell(jobs: &mpsc::WeakSender<Job>, job: impl FnOnce(&mut Actor) + Send + 'static) {
    if let Some(jobs) = jobs.upgrade() {
        let _ = jobs.send(Box::new(job)).await;
    }
}
