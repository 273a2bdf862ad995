//! A master against whatever frameworks and agents may do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orch_core::allocator::Resources;
use orch_core::clock::Timestamp;
use orch_sched::offer::{AllocatorOptions, DrfAllocator};
use proptest::prelude::*;

use super::*;
use crate::framework::command;
use crate::wire::scheduler::{
    Accept, Acknowledge, Call, CallType, Decline, Kill, Launch, Operation, OperationType, Subscribe,
};
use crate::wire::{
    AgentCall, AgentCallType, AgentInfo, AgentUpdate, FrameworkInfo, Register, RunTasks, Task, TaskState, TaskStatus,
};

/// Frameworks and agents that obey the protocol, and a master between them.
struct World {
    master: Master,
    now: Timestamp,
    streams: u32,
    frameworks: Vec<Client>,
    agents: Vec<Node>,
    seen: Seen,
}

/// What was seen by anybody.
#[derive(Default)]
struct Seen {
    /// Ids of offers and agents.
    ids: BTreeSet<String>,
    /// Updates of which an agent heard that they were acknowledged.
    acknowledged: BTreeSet<Vec<u8>>,
}

/// A framework.
#[derive(Default)]
struct Client {
    id: Option<String>,
    stream: String,
    is_subscribed: bool,
    offers: Vec<crate::wire::Offer>,
    launched: u32,
    /// The last state that it was told of each task.
    told: BTreeMap<String, TaskState>,
    unacknowledged: Vec<TaskStatus>,
}

/// An agent, which tells each update until it is acknowledged.
#[derive(Default)]
struct Node {
    id: Option<String>,
    stream: String,
    tasks: BTreeMap<(String, String), (Task, Vec<TaskStatus>)>,
    updates: u64,
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Subscribe(usize),
    Leave(usize),
    Launch(usize, u8),
    LaunchTooMuch(usize),
    Decline(usize),
    Kill(usize),
    Acknowledge(usize),
    Join(usize),
    Break(usize),
    Progress(usize),
    Repeat(usize),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..3_usize;
    prop_oneof![
        2 => who.clone().prop_map(Step::Subscribe),
        1 => who.clone().prop_map(Step::Leave),
        6 => (who.clone(), 1..4_u8).prop_map(|(who, count)| Step::Launch(who, count)),
        1 => who.clone().prop_map(Step::LaunchTooMuch),
        2 => who.clone().prop_map(Step::Decline),
        2 => who.clone().prop_map(Step::Kill),
        6 => who.clone().prop_map(Step::Acknowledge),
        2 => who.clone().prop_map(Step::Join),
        1 => who.clone().prop_map(Step::Break),
        6 => who.clone().prop_map(Step::Progress),
        3 => who.prop_map(Step::Repeat),
        3 => (0..4000_u16).prop_map(Step::Wait),
    ]
}

impl World {
    fn new() -> Self {
        let info = MasterInfo { id: "M".to_owned(), ..MasterInfo::default() };
        let settings = Settings {
            ping: Duration::from_secs(3),
            missed_pings: 2,
            reregister: Duration::from_secs(20),
            ..Settings::default()
        };
        let allocator = Box::new(DrfAllocator::new(AllocatorOptions::default()));
        let now = Timestamp::from_second(1_000_000).unwrap();
        Self {
            master: Master::new(info, settings, allocator, Registered::default(), now),
            now,
            streams: 0,
            frameworks: (0..3).map(|_| Client::default()).collect(),
            agents: (0..3).map(|_| Node::default()).collect(),
            seen: Seen::default(),
        }
    }

    fn stream(&mut self) -> String {
        self.streams += 1;
        format!("s{}", self.streams)
    }

    fn call(&mut self, who: usize, kind: CallType, mut call: Call) {
        let client = &self.frameworks[who];
        call.framework_id = client.id.as_deref().map(Into::into);
        call.set_type(kind);
        let stream = client.stream.clone();
        // A framework that is not connected is refused, as it should be.
        let _ = self.master.call(call, Some(&stream));
    }

    fn follow(&mut self, step: &Step) {
        self.master.advance(self.now);
        match *step {
            Step::Subscribe(who) => self.subscribe(who),
            Step::Leave(who) => self.master.stream_ended(&self.frameworks[who].stream.clone()),
            Step::Launch(who, count) => self.launch(who, count, "cpus:0.5;mem:64"),
            Step::LaunchTooMuch(who) => self.launch(who, 1, "cpus:5;mem:64"),
            Step::Decline(who) => {
                if let Some(offer) = self.frameworks[who].offers.pop() {
                    let decline = Decline { offer_ids: vec![offer.id], filters: None };
                    self.call(who, CallType::Decline, Call { decline: Some(decline), ..Call::default() });
                }
            }
            Step::Kill(who) => {
                let live = self.frameworks[who].told.iter().find(|(_, state)| !state.is_terminal());
                if let Some(task_id) = live.map(|(task, _)| task.as_str().into()) {
                    let kill = Some(Kill { task_id, ..Kill::default() });
                    self.call(who, CallType::Kill, Call { kill, ..Call::default() });
                }
            }
            Step::Acknowledge(who) => self.acknowledge(who),
            Step::Join(who) => self.join(who),
            Step::Break(who) => self.master.stream_ended(&self.agents[who].stream.clone()),
            Step::Progress(who) => self.progress(who),
            Step::Repeat(who) => self.repeat(who),
            Step::Wait(milliseconds) => {
                self.now = self.now.checked_add(Duration::from_millis(milliseconds.into())).unwrap();
                self.master.advance(self.now);
                self.master.tick();
            }
        }
        self.hear();
        self.check();
    }

    fn subscribe(&mut self, who: usize) {
        let stream = self.stream();
        let client = &mut self.frameworks[who];
        (client.stream, client.is_subscribed) = (stream.clone(), false);
        client.offers.clear();
        let id = client.id.as_deref().map(Into::into);
        let framework_info = FrameworkInfo {
            id,
            name: format!("f{who}"),
            checkpoint: Some(who != 0),
            failover_timeout: Some(5.0),
            ..FrameworkInfo::default()
        };
        self.master.subscribe(Subscribe { framework_info, suppressed_roles: Vec::new() }, &stream);
    }

    fn launch(&mut self, who: usize, count: u8, amounts: &str) {
        let resources: Resources = amounts.parse().unwrap();
        let client = &mut self.frameworks[who];
        let Some(offer) = client.offers.pop() else { return };
        let task_infos = (0..count).map(|_| {
            client.launched += 1;
            let mut task = command(&format!("t{who}-{}", client.launched), "true", &resources);
            task.agent_id = offer.agent_id.clone();
            task
        });
        let mut launch =
            Operation { launch: Some(Launch { task_infos: task_infos.collect() }), ..Operation::default() };
        launch.set_type(OperationType::Launch);
        let accept = Accept { offer_ids: vec![offer.id], operations: vec![launch], filters: None };
        self.call(who, CallType::Accept, Call { accept: Some(accept), ..Call::default() });
    }

    fn acknowledge(&mut self, who: usize) {
        let Some(status) = self.frameworks[who].unacknowledged.pop() else { return };
        let (agent_id, uuid) = (status.agent_id.unwrap(), status.uuid.unwrap());
        let acknowledge = Some(Acknowledge { agent_id, task_id: status.task_id, uuid });
        self.call(who, CallType::Acknowledge, Call { acknowledge, ..Call::default() });
    }

    fn join(&mut self, who: usize) {
        let stream = self.stream();
        let node = &mut self.agents[who];
        node.stream = stream.clone();
        let told = |(task, pending): &(Task, Vec<TaskStatus>)| {
            let mut task = task.clone();
            if let Some(head) = pending.first() {
                (task.status_update_state, task.status_update_uuid) = (Some(head.state), head.uuid.clone());
            }
            task
        };
        let resources = crate::framework::amounts(&"cpus:2;mem:1024".parse().unwrap());
        let register = Register {
            agent: AgentInfo { hostname: format!("a{who}"), resources: resources.clone(), ..AgentInfo::default() },
            version: "1.11.0".to_owned(),
            resources,
            tasks: node.tasks.values().map(told).collect(),
            ..Register::default()
        };
        let id = node.id.clone();
        self.master.register(id.as_deref(), register, &stream, "127.0.0.1");
    }

    /// A task goes on by one state.
    fn progress(&mut self, who: usize) {
        let node = &mut self.agents[who];
        node.updates += 1;
        let uuid = [vec![0; 7], vec![u8::try_from(who).unwrap()], node.updates.to_be_bytes().to_vec()].concat();
        let live = node.tasks.values_mut().find(|(task, _)| !task.state().is_terminal());
        let Some((task, pending)) = live else { return };
        task.set_state(match task.state() {
            TaskState::Staging => TaskState::Running,
            _ => TaskState::Finished,
        });
        let mut status = TaskStatus {
            task_id: task.task_id.clone(),
            agent_id: Some(task.agent_id.clone()),
            uuid: Some(uuid),
            ..TaskStatus::default()
        };
        status.state = task.state;
        pending.push(status);
        self.repeat(who);
    }

    /// An agent tells what was not acknowledged: of each task the oldest.
    fn repeat(&mut self, who: usize) {
        let node = &self.agents[who];
        let heads = node.tasks.iter().filter_map(|((framework, _), (task, pending))| {
            let status = pending.first()?.clone();
            Some(AgentUpdate { framework_id: framework.as_str().into(), status, latest_state: task.state })
        });
        let heads: Vec<AgentUpdate> = heads.collect();
        let (id, stream) = (node.id.as_deref().map(Into::into), node.stream.clone());
        for update in heads {
            let kind = AgentCallType::Update.into();
            let call = AgentCall { r#type: kind, agent_id: id.clone(), update: Some(update), ..AgentCall::default() };
            self.master.agent_call(call, &stream);
        }
    }

    /// Everybody hears what the master says.
    fn hear(&mut self) {
        for output in self.master.take_output() {
            match output {
                Output::ToFramework(stream, event) => {
                    let client = self.frameworks.iter_mut().find(|client| client.stream == stream);
                    if let Some(client) = client {
                        client.hear(*event, &mut self.seen);
                    }
                }
                Output::ToAgent(stream, event) => {
                    let node = self.agents.iter_mut().find(|node| node.stream == stream);
                    if let Some(node) = node {
                        node.hear(*event, &mut self.seen);
                    }
                }
                _ => {}
            }
        }
    }

    /// In the end, what nobody uses is offered to a framework that wants all.
    fn finish(&mut self) {
        // The first time it may be told that it was removed.
        self.follow(&Step::Subscribe(2));
        self.follow(&Step::Subscribe(2));
        self.call(2, CallType::Revive, Call::default());
        self.follow(&Step::Wait(0));
        let state = self.master.state();
        for (id, agent) in state.agents.iter().filter(|(_, agent)| agent.is_active()) {
            let free = agent.total.saturating_minus(&taken(state, id));
            let is_little = free.scalar("cpus").as_f64() < 0.01 && free.scalar("mem").as_f64() < 32.0;
            assert!(is_little, "{free} of {id} is nobody's, and is not offered");
        }
    }

    /// What always holds.
    fn check(&self) {
        let state = self.master.state();
        for (id, agent) in &state.agents {
            for (framework, task) in &agent.tasks {
                assert!(state.frameworks[framework].tasks.contains_key(task), "an agent has no task that nobody has");
            }
            let taken = taken(state, id);
            assert!(agent.total.contains(&taken), "{id} has {}, of which {taken} is used and offered", agent.total);
        }
        for offer in state.offers.values() {
            assert!(state.frameworks.get(&offer.framework).is_some_and(Framework::is_connected));
            assert!(state.agents.get(&offer.agent).is_some_and(Agent::is_active));
        }
        for (id, framework) in &state.frameworks {
            for (task, entry) in &framework.tasks {
                let agent = state.agents.get(&entry.task.agent_id.value).expect("a task is on an agent");
                assert!(agent.tasks.contains(&(id.clone(), task.clone())), "its agent knows of it");
                assert!(!framework.unreachable_tasks.contains_key(task), "a task is in one place");
                assert!(entry.has_ended() == entry.used.is_empty(), "{task} uses what it uses until it has ended");
            }
        }
    }
}

/// What is used and offered of an agent, those of frameworks that have ended among them.
fn taken(state: &State, agent: &str) -> Resources {
    let tasks = state.frameworks.values().flat_map(|framework| framework.tasks.values());
    let of_tasks = tasks.filter(|entry| entry.task.agent_id.value == agent).map(|entry| &entry.used);
    let remains = state.agents.get(agent).into_iter().flat_map(|agent| &agent.remains).map(|remains| &remains.used);
    let offers = state.offers.values().filter(|offer| offer.agent == agent).map(|offer| &offer.resources);
    of_tasks.chain(remains).chain(offers).fold(Resources::new(), |sum, one| sum.plus(one))
}

impl Client {
    fn hear(&mut self, event: Event, seen: &mut Seen) {
        let begins = matches!(event.r#type(), EventType::Subscribed | EventType::Error);
        assert!(self.is_subscribed || begins, "a stream begins with SUBSCRIBED, not with {event:?}");
        self.is_subscribed = true;
        match event.r#type() {
            EventType::Subscribed => self.id = Some(event.subscribed.unwrap().framework_id.value),
            EventType::Offers => {
                for offer in event.offers.unwrap().offers {
                    assert!(seen.ids.insert(offer.id.value.clone()), "no offer has the id of another");
                    self.offers.push(offer);
                }
            }
            EventType::Rescind => {
                let id = event.rescind.unwrap().offer_id;
                self.offers.retain(|offer| offer.id != id);
            }
            EventType::Update => {
                let status = event.update.unwrap().status;
                self.told.insert(status.task_id.value.clone(), status.state());
                if let Some(uuid) = &status.uuid {
                    let again = seen.acknowledged.contains(uuid);
                    assert!(!again, "{uuid:?} was acknowledged, and the agent was told so");
                    self.unacknowledged.retain(|other| other.uuid.as_ref() != Some(uuid));
                    self.unacknowledged.push(status);
                }
            }
            EventType::Error => {
                // It comes back as another one.
                (self.id, self.stream) = (None, String::new());
                self.unacknowledged.clear();
            }
            _ => {}
        }
    }
}

impl Node {
    fn hear(&mut self, event: AgentEvent, seen: &mut Seen) {
        match event.r#type() {
            AgentEventType::Registered => {
                let id = event.registered.unwrap().agent_id.value;
                assert!(self.id.as_ref().is_none_or(|mine| *mine == id), "an agent keeps its id");
                if self.id.is_none() {
                    assert!(seen.ids.insert(id.clone()), "no agent has the id of another");
                }
                self.id = Some(id);
            }
            AgentEventType::Run => {
                let RunTasks { framework, tasks, .. } = event.run.unwrap();
                let framework_id = framework.id.unwrap();
                for info in tasks {
                    let mut task = Task {
                        task_id: info.task_id.clone(),
                        framework_id: framework_id.clone(),
                        agent_id: info.agent_id,
                        resources: info.resources,
                        ..Task::default()
                    };
                    task.set_state(TaskState::Staging);
                    let key = (framework_id.value.clone(), info.task_id.value);
                    assert!(self.tasks.insert(key, (task, Vec::new())).is_none(), "no task runs twice");
                }
            }
            AgentEventType::Acknowledge => {
                let acknowledged = event.acknowledge.unwrap();
                seen.acknowledged.insert(acknowledged.acknowledge.uuid.clone());
                let key = (acknowledged.framework_id.value, acknowledged.acknowledge.task_id.value);
                let Some((task, pending)) = self.tasks.get_mut(&key) else { return };
                pending.retain(|status| status.uuid.as_ref() != Some(&acknowledged.acknowledge.uuid));
                if pending.is_empty() && task.state().is_terminal() {
                    self.tasks.remove(&key);
                }
            }
            AgentEventType::ShutdownFramework => {
                let id = event.shutdown_framework.unwrap().value;
                self.tasks.retain(|(framework, _), _| *framework != id);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_happens_no_agent_is_overcommitted_nothing_is_left_over_no_task_runs_twice_and_no_id_is_another_s(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        for step in [Step::Join(0), Step::Subscribe(0), Step::Subscribe(1)].iter().chain(&steps) {
            world.follow(step);
        }
        world.finish();
    }
}
