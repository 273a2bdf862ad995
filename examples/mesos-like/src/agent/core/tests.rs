//! An agent against a master and executors that come, go, repeat and are late, and against being killed at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orch_core::entropy::SeededEntropy;
use proptest::prelude::*;

use super::*;
use crate::framework::command;
use crate::wire::executor::{Call, CallType, EventType, Subscribe, Update};
use crate::wire::scheduler::Acknowledge;
use crate::wire::{
    AgentAcknowledge, AgentEvent, AgentEventType, ExecutorInfo, RunTasks, Source, TaskState, TaskStatus,
};

/// An agent, what it wrote down, and what was seen of its tasks.
struct World {
    core: Core,
    now: Timestamp,
    agent: AgentRecord,
    executors: BTreeMap<String, ExecutorRecord>,
    next: u64,
    starts: u64,
    /// Of each task, the updates that its executor may forget: they are the agent's now.
    taken: BTreeMap<String, Vec<Vec<u8>>>,
    /// Of each task, the updates that the master saw, each once.
    seen: BTreeMap<String, Vec<Vec<u8>>>,
    acknowledged: BTreeSet<Vec<u8>>,
    /// What the master has not acknowledged.
    open: Vec<TaskStatus>,
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Run(u8),
    Subscribe(u8),
    Update(u8, bool),
    Repeat(u8),
    Acknowledge,
    AcknowledgeAgain,
    Disconnect,
    Register,
    ContainerEnds(u8),
    Crash,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let task = 0..3_u8;
    prop_oneof![
        3 => task.clone().prop_map(Step::Run),
        3 => task.clone().prop_map(Step::Subscribe),
        8 => (task.clone(), any::<bool>()).prop_map(|(task, ends)| Step::Update(task, ends)),
        1 => task.clone().prop_map(Step::Repeat),
        6 => Just(Step::Acknowledge),
        1 => Just(Step::AcknowledgeAgain),
        1 => Just(Step::Disconnect),
        2 => Just(Step::Register),
        1 => task.prop_map(Step::ContainerEnds),
        1 => Just(Step::Crash),
        3 => (0..30_000_u16).prop_map(Step::Wait),
    ]
}

/// An agent that is started again draws other ids.
fn settings(start: u64) -> Settings {
    Settings { entropy: std::sync::Arc::new(SeededEntropy::new(start)), ..Settings::default() }
}

fn key(task: u8) -> Key {
    Key { framework: "f".to_owned(), executor: format!("e{task}") }
}

impl World {
    fn new() -> Self {
        let (now, agent) = (Timestamp::from_second(1_000_000).unwrap(), AgentRecord::default());
        let core = Core::new(settings(0), agent.clone(), Vec::new(), now);
        let (taken, seen) = (BTreeMap::new(), BTreeMap::new());
        let (acknowledged, open) = (BTreeSet::new(), Vec::new());
        Self { core, now, agent, executors: BTreeMap::new(), next: 0, starts: 0, taken, seen, acknowledged, open }
    }

    fn follow(&mut self, step: &Step) {
        self.core.advance(self.now);
        match *step {
            Step::Run(task) => self.run(task),
            Step::Subscribe(task) => {
                let call = Call {
                    r#type: Some(CallType::Subscribe.into()),
                    subscribe: Some(Subscribe::default()),
                    ..Call::default()
                };
                // One that is not there is refused.
                let _ = self.core.executor_subscribes(&key(task), call);
            }
            Step::Update(task, ends) => {
                self.next += 1;
                let uuid = [vec![0; 8], self.next.to_be_bytes().to_vec()].concat();
                self.update(task, uuid, if ends { TaskState::Finished } else { TaskState::Running });
            }
            Step::Repeat(task) => {
                let last = self.taken.get(&format!("t{task}")).and_then(|taken| taken.last()).cloned();
                if let Some(uuid) = last {
                    self.update(task, uuid, TaskState::Running);
                }
            }
            Step::Acknowledge => {
                if let Some(status) = self.open.pop() {
                    self.acknowledged.insert(status.uuid.clone().unwrap());
                    self.acknowledge(&status);
                }
            }
            Step::AcknowledgeAgain => {
                let uuid = self.acknowledged.last().cloned();
                let status = TaskStatus { task_id: "t0".into(), uuid, ..TaskStatus::default() };
                self.acknowledge(&status);
            }
            Step::Disconnect => self.core.disconnected(),
            Step::Register => self.register(),
            Step::ContainerEnds(task) => {
                let ended = crate::agent::containers::Ended { status: Some(9), reason: None, message: String::new() };
                self.core.container_ended(&key(task), &ended);
            }
            Step::Crash => {
                self.starts += 1;
                let executors = self.executors.values().cloned().collect();
                self.core = Core::new(settings(self.starts), self.agent.clone(), executors, self.now);
            }
            Step::Wait(milliseconds) => {
                self.now = self.now.checked_add(Duration::from_millis(milliseconds.into())).unwrap();
                self.core.advance(self.now);
                self.core.tick();
            }
        }
        self.hear();
    }

    fn run(&mut self, task: u8) {
        let id = format!("t{task}");
        // A framework gives an id once.
        if self.taken.contains_key(&id) || self.core.executors().contains_key(&key(task)) {
            return;
        }
        let executor = ExecutorInfo { executor_id: format!("e{task}").as_str().into(), ..ExecutorInfo::default() };
        let mut info = command(&id, "true", &"cpus:1".parse().unwrap());
        info.executor = Some(executor.clone());
        let framework = FrameworkInfo { id: Some("f".into()), checkpoint: Some(true), ..FrameworkInfo::default() };
        let run = RunTasks { framework, executor: Some(executor), tasks: vec![info], group: false };
        let kind = AgentEventType::Run.into();
        self.core.master_says(AgentEvent { r#type: kind, run: Some(run), ..AgentEvent::default() });
        self.taken.insert(id, Vec::new());
    }

    fn update(&mut self, task: u8, uuid: Vec<u8>, state: TaskState) {
        let id = format!("t{task}");
        let mut status = TaskStatus { task_id: id.as_str().into(), uuid: Some(uuid.clone()), ..TaskStatus::default() };
        status.set_state(state);
        status.set_source(Source::Executor);
        let lives = self.core.executors().get(&key(task)).and_then(|executor| executor.tasks.get(&id));
        let counts = lives.is_some_and(|life| !life.has_ended());
        let call = Call { r#type: Some(CallType::Update.into()), update: Some(Update { status }), ..Call::default() };
        let taken = self.taken.entry(id).or_default();
        if self.core.executor_says(&key(task), call).is_ok() && counts && !taken.contains(&uuid) {
            taken.push(uuid);
        }
    }

    fn acknowledge(&mut self, status: &TaskStatus) {
        let acknowledge = Acknowledge {
            task_id: status.task_id.clone(),
            uuid: status.uuid.clone().unwrap_or_default(),
            ..Acknowledge::default()
        };
        let acknowledge = AgentAcknowledge { framework_id: "f".into(), acknowledge };
        let kind = AgentEventType::Acknowledge.into();
        let event = AgentEvent { r#type: kind, acknowledge: Some(acknowledge), ..AgentEvent::default() };
        self.core.master_says(event);
    }

    fn register(&mut self) {
        let registered = crate::wire::Registered { agent_id: "a".into(), ping_seconds: 1.0 };
        let kind = AgentEventType::Registered.into();
        self.core.master_says(AgentEvent { r#type: kind, registered: Some(registered), ..AgentEvent::default() });
    }

    fn hear(&mut self) {
        let mut written = true;
        for output in self.core.take_output() {
            match output {
                Output::Save(record) => drop(self.executors.insert(record.container_id.clone(), *record)),
                Output::SaveAgent(record) => self.agent = *record,
                Output::Forget(_, container) => drop(self.executors.remove(&container)),
                Output::ToMaster(call) => {
                    if let Some(update) = call.update {
                        self.master_hears(update.status);
                    }
                }
                Output::ToExecutor(_, event) => {
                    written &= event.r#type() != EventType::Error;
                }
                _ => {}
            }
        }
        assert!(written, "no executor is refused what it may say");
    }

    fn master_hears(&mut self, status: TaskStatus) {
        let uuid = status.uuid.clone().unwrap();
        assert!(!self.acknowledged.contains(&uuid), "what was acknowledged is told again");
        let seen = self.seen.entry(status.task_id.value.clone()).or_default();
        if !seen.contains(&uuid) {
            let before = seen.iter().all(|before| self.acknowledged.contains(before));
            assert!(before, "the next update is told before that before was acknowledged");
            seen.push(uuid.clone());
        }
        self.open.retain(|open| open.uuid.as_ref() != Some(&uuid));
        self.open.push(status);
    }

    /// The master acknowledges all that it hears, until it hears nothing more.
    fn settle(&mut self) {
        self.register();
        self.hear();
        while let Some(status) = self.open.pop() {
            self.acknowledged.insert(status.uuid.clone().unwrap());
            self.acknowledge(&status);
            self.hear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn every_update_that_was_taken_is_told_in_its_order_until_it_is_acknowledged_whatever_happens(
        steps in proptest::collection::vec(step(), 1..100)
    ) {
        let mut world = World::new();
        for step in [Step::Register, Step::Run(0), Step::Subscribe(0)].iter().chain(&steps) {
            world.follow(step);
        }
        world.settle();
        for (task, taken) in &world.taken {
            let told = world.seen.get(task).cloned().unwrap_or_default();
            // The agent may add an end of its own.
            let theirs: Vec<_> = told.into_iter().filter(|uuid| taken.contains(uuid)).collect();
            prop_assert_eq!(&theirs, taken, "{}", task);
        }
    }
}
