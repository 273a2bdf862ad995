//! [`Actor`]: does what the core decides, and tells it what happens.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use orch_core::clock::{Clock as _, SystemClock};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::core::{Core, Input, Output, span};
use super::{BuiltinSetting, task};
use crate::agent::checks::{self, Target};
use crate::agent::containers::{Containers, LaunchError};
use crate::wire::TaskStatus;
use crate::wire::executor::{Call, CallType, Event, EventType, Subscribe, Update};

/// How many results of checks may wait.
const RESULTS: usize = 16;

/// How long it may take to remove what is left when all tasks have ended.
const LAST_WORK: Duration = Duration::from_secs(10);

/// Does what the core decides, and tells it what happens.
pub(super) struct Actor {
    containers: Arc<Containers>,
    setting: Arc<BuiltinSetting>,
    core: Core,
    /// What is to be said to the agent. It is not waited for: it may wait for us.
    said: VecDeque<Call>,
    inputs: mpsc::Sender<Input>,
    work: JoinSet<()>,
    checks: BTreeMap<String, JoinSet<()>>,
    /// What starts containers.
    starts: BTreeMap<String, AbortHandle>,
}

/// Runs an executor to its end.
pub(super) async fn run(
    containers: Arc<Containers>,
    setting: BuiltinSetting,
    core: Core,
    mut events: mpsc::Receiver<Event>,
    calls: mpsc::Sender<Call>,
) {
    let (inputs, mut happened) = mpsc::channel(RESULTS);
    let (work, checks, starts) = (JoinSet::new(), BTreeMap::new(), BTreeMap::new());
    let (setting, said) = (Arc::new(setting), VecDeque::new());
    let mut actor = Actor { containers, setting, core, said, inputs, work, checks, starts };
    let subscribe =
        Call { r#type: Some(CallType::Subscribe.into()), subscribe: Some(Subscribe::default()), ..actor.call() };
    actor.said.push_back(subscribe);
    actor.find_known();
    loop {
        let input = tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => input_of(event),
                // The agent is gone: containers go on, and another one will look after them.
                None => return,
            },
            permit = calls.reserve(), if !actor.said.is_empty() => match (permit, actor.said.pop_front()) {
                (Ok(permit), Some(call)) => {
                    permit.send(call);
                    None
                }
                _ => return,
            },
            Some(input) = happened.recv() => Some(input),
        };
        while actor.work.try_join_next().is_some() {}
        let Some(input) = input else { continue };
        let mut is_done = false;
        for output in actor.core.handle(SystemClock.now(), input) {
            is_done |= output == Output::Done;
            actor.perform(output);
        }
        if is_done {
            // Whoever has something more to say is not kept waiting.
            drop((events, happened));
            return actor.finish(calls).await;
        }
    }
}

impl Actor {
    /// Does one thing.
    fn perform(&mut self, output: Output) {
        match output {
            Output::Start(id) => self.start(id),
            Output::GiveUp(id) => self.give_up(id),
            Output::Tell(status) => self.tell(*status),
            Output::Watch(id) => self.watch(&id),
            Output::StopChecks(id) => drop(self.checks.remove(&id)),
            Output::End(id, grace) => self.end(&id, grace),
            Output::Remove(id) => self.remove(&id),
            Output::Done => {}
        }
    }

    /// What is left is to be gone, and everything said, before anybody is told that the executor has ended.
    async fn finish(mut self, calls: mpsc::Sender<Call>) {
        for id in self.core.ids() {
            self.remove(&id);
        }
        let Self { mut work, said, setting, .. } = self;
        let removed = async {
            let all = async { while work.join_next().await.is_some() {} };
            if tokio::time::timeout(LAST_WORK, all).await.is_err() {
                tracing::warn!(executor = %setting.executor.executor_id, "something of its tasks may be left");
            }
        };
        let told = async {
            for call in said {
                if calls.send(call).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(removed, told);
    }

    fn start(&mut self, id: String) {
        let Some(life) = self.core.life(&id) else { return };
        let (planned, link) = (task::plan(&self.setting, life), task::link(&self.setting, life));
        let (containers, inputs) = (Arc::clone(&self.containers), self.inputs.clone());
        let task = id.clone();
        let start = self.work.spawn(async move {
            if let Some((link, target)) = link
                && let Err(error) = make_link(&link, &target)
            {
                tracing::warn!(%error, "the sandbox of a task is not to be found at {}", link.display());
            }
            let launched = match planned {
                Ok(plan) => containers.launch(&plan).await,
                Err(error) => Err(error),
            };
            let input = match launched {
                Ok(launched) => Input::Launched(id, launched),
                Err(error) => Input::NotLaunched(id, error),
            };
            tell(&inputs, input).await;
        });
        self.starts.insert(task, start);
    }

    /// Stops what starts a container, and removes as much of it as is there.
    fn give_up(&mut self, id: String) {
        let Some(life) = self.core.life(&id) else { return };
        if let Some(start) = self.starts.remove(&id) {
            start.abort();
        }
        let (containers, inputs) = (Arc::clone(&self.containers), self.inputs.clone());
        let container = life.container_id.clone();
        self.work.spawn(async move {
            containers.remove(&container).await;
            let error = LaunchError::failed("The task was killed while it was launched");
            tell(&inputs, Input::NotLaunched(id, error)).await;
        });
    }

    /// Looks for the tasks of before.
    fn find_known(&mut self) {
        for id in self.core.ids() {
            let Some(life) = self.core.life(&id) else { continue };
            let planned = task::plan(&self.setting, life);
            let (containers, inputs) = (Arc::clone(&self.containers), self.inputs.clone());
            let container = life.container_id.clone();
            self.work.spawn(async move {
                let input = match (containers.find(&container).await, planned) {
                    // It is there: to launch it again is to attend to it again.
                    (Some(_), Ok(plan)) => match containers.launch(&plan).await {
                        Ok(launched) => Input::Launched(id, launched),
                        Err(error) => Input::NotLaunched(id, error),
                    },
                    _ => Input::Lost(id),
                };
                tell(&inputs, input).await;
            });
        }
    }

    fn watch(&mut self, id: &str) {
        self.starts.remove(id);
        let Some(life) = self.core.life(id) else { return };
        let (containers, inputs) = (Arc::clone(&self.containers), self.inputs.clone());
        let (container, task) = (life.container_id.clone(), id.to_owned());
        self.work.spawn(async move {
            let end = containers.ended(&container).await;
            tell(&inputs, Input::Ended(task, end)).await;
        });
        let mut checks = JoinSet::new();
        let target = Target {
            containers: Arc::clone(&self.containers),
            container_id: life.container_id.clone(),
            ip: life.launched.ip,
        };
        if let Some(check) = life.task.health_check.clone() {
            let (sender, results) = mpsc::channel(RESULTS);
            checks.spawn(checks::watch_health(check, target.clone(), sender));
            checks.spawn(pass(id.to_owned(), results, self.inputs.clone(), Input::Judged));
        }
        if let Some(check) = life.task.check.clone() {
            let (sender, results) = mpsc::channel(RESULTS);
            checks.spawn(checks::watch(check, target, sender));
            checks.spawn(pass(id.to_owned(), results, self.inputs.clone(), Input::Checked));
        }
        if let Some(time) = life.task.max_completion_time.as_ref().and_then(span) {
            let used = life.launched.started_at.map(|since| SystemClock.now().duration_since(since));
            let used = used.and_then(|used| Duration::try_from(used).ok()).unwrap_or_default();
            let (inputs, task) = (self.inputs.clone(), id.to_owned());
            checks.spawn(async move {
                sleep(time.saturating_sub(used)).await;
                tell(&inputs, Input::TimeIsUp(task)).await;
            });
        }
        self.checks.insert(id.to_owned(), checks);
    }

    fn end(&mut self, id: &str, grace: Duration) {
        let Some(life) = self.core.life(id) else { return };
        let (containers, container) = (Arc::clone(&self.containers), life.container_id.clone());
        self.work.spawn(async move { containers.kill(&container, grace).await });
    }

    fn remove(&mut self, id: &str) {
        let Some(life) = self.core.life(id) else { return };
        let (containers, container) = (Arc::clone(&self.containers), life.container_id.clone());
        self.work.spawn(async move { containers.remove(&container).await });
    }

    fn tell(&mut self, status: TaskStatus) {
        let call = Call { r#type: Some(CallType::Update.into()), update: Some(Update { status }), ..self.call() };
        self.said.push_back(call);
    }

    fn call(&self) -> Call {
        Call {
            executor_id: self.setting.executor.executor_id.clone(),
            framework_id: self.setting.framework.id.clone().unwrap_or_default(),
            ..Call::default()
        }
    }
}

/// What an event asks for, of what this executor does.
fn input_of(event: Event) -> Option<Input> {
    match event.r#type() {
        EventType::Launch => Some(Input::Launch(vec![event.launch?.task])),
        EventType::LaunchGroup => Some(Input::Launch(event.launch_group?.task_group.tasks)),
        EventType::Kill => event.kill.map(|kill| Input::Kill(kill.task_id.value, kill.kill_policy)),
        EventType::Acknowledged => event.acknowledged.map(|acknowledged| Input::Acknowledged(acknowledged.uuid)),
        EventType::Shutdown => Some(Input::Shutdown),
        // It has nothing to say to its framework, and is within its agent.
        _ => None,
    }
}

/// Hands the results of checks on.
async fn pass<T>(id: String, mut results: mpsc::Receiver<T>, inputs: mpsc::Sender<Input>, of: fn(String, T) -> Input) {
    while let Some(result) = results.recv().await {
        tell(&inputs, of(id.clone(), result)).await;
    }
}

async fn tell(inputs: &mpsc::Sender<Input>, input: Input) {
    if inputs.send(input).await.is_err() {
        tracing::debug!("an executor has ended before it heard of everything");
    }
}

fn make_link(link: &std::path::Path, target: &std::path::Path) -> io::Result<()> {
    if let Some(folder) = link.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::os::unix::fs::symlink(target, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}
