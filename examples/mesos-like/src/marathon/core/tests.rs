//! Marathon in a world of its own: a master that does what it is told, late, twice or not at all; people who change their
//! minds; and crashes between what is recorded and what is done.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::scheduler::{Offers, Subscribed, Update};
use crate::wire::{Range, Ranges, Resource, Scalar, TaskInfo, TaskState, TaskStatus, ValueType};

const AGENTS: usize = 3;

/// A task, as the master knows it.
#[derive(Clone, Debug)]
struct Task {
    agent: String,
    state: TaskState,
    app: String,
    ports: Vec<u64>,
    cmd: String,
}

#[derive(Debug)]
struct World {
    marathon: Marathon,
    records: BTreeMap<String, Value>,
    tasks: BTreeMap<String, Task>,
    /// All ids that were ever launched.
    launched: BTreeSet<String>,
    updates: Vec<TaskStatus>,
    is_suppressed: bool,
    now: i64,
    /// What instances of this command do when they are started: they fail.
    failing: &'static str,
}

pub(crate) fn settings() -> Settings {
    Settings {
        role: "*".to_owned(),
        accepted_roles: BTreeSet::from(["*".to_owned()]),
        decline_seconds: 5.0,
        revive_interval: 200,
        launch_timeout: 60_000,
        ask_again: 5_000,
        reconciliation_interval: 600_000,
        viable_seconds: 60,
        most_versions: 5,
        service_ports: 10_000..=10_050,
    }
}

fn event(kind: EventType) -> Event {
    let mut event = Event::default();
    event.set_type(kind);
    event
}

impl World {
    fn new(seed: u64) -> Self {
        let marathon = Marathon::new(settings(), SeededEntropy::new(seed));
        let mut world = Self {
            marathon,
            records: BTreeMap::new(),
            tasks: BTreeMap::new(),
            launched: BTreeSet::new(),
            updates: Vec::new(),
            is_suppressed: false,
            now: 1_000_000,
            failing: "bad",
        };
        world.subscribe();
        world.turn(None);
        world
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now).expect("a time")
    }

    fn subscribe(&mut self) {
        self.is_suppressed = false;
        let subscribed = Subscribed { framework_id: "F".into(), ..Subscribed::default() };
        let event = Event { subscribed: Some(subscribed), ..event(EventType::Subscribed) };
        let now = self.time();
        self.marathon.event(event, now);
    }

    /// Marathon decides; what it decides is recorded, and done: all of it, or so much of it before the process ends.
    fn turn(&mut self, crash_after: Option<usize>) {
        self.now += 10;
        let turn = self.marathon.turn(self.time());
        for (name, value) in turn.changes {
            match value {
                Some(value) => drop(self.records.insert(name, value)),
                None => drop(self.records.remove(&name)),
            }
        }
        let calls = turn.calls.len().min(crash_after.unwrap_or(usize::MAX));
        for (kind, call) in turn.calls.into_iter().take(calls) {
            self.perform(kind, call);
        }
        if crash_after.is_some() {
            let seed = u64::try_from(self.now).expect("a time");
            let recovered = Marathon::recover(settings(), SeededEntropy::new(seed), &self.records);
            self.marathon = recovered.expect("its own records");
            self.subscribe();
        }
    }

    fn perform(&mut self, kind: CallType, call: Call) {
        match kind {
            CallType::Accept => {
                for operation in call.accept.expect("an acceptance").operations {
                    let tasks = operation.launch.expect("a launch").task_infos;
                    tasks.into_iter().for_each(|task| self.launch(task));
                }
            }
            CallType::Kill => {
                let id = call.kill.expect("a kill").task_id.value;
                if let Some(task) = self.tasks.remove(&id) {
                    self.update(&id, &task.agent, TaskState::Killed);
                }
            }
            CallType::Reconcile => {
                let asked = call.reconcile.expect("a question").tasks;
                for task in &asked {
                    let id = &task.task_id.value;
                    let agent = task.agent_id.as_ref().map(|agent| agent.value.clone()).unwrap_or_default();
                    let state = self.tasks.get(id).map_or(TaskState::Gone, |task| task.state);
                    self.update(id, &agent, state);
                }
                if asked.is_empty() {
                    let all: Vec<(String, Task)> = self.tasks.clone().into_iter().collect();
                    all.iter().for_each(|(id, task)| self.update(id, &task.agent, task.state));
                }
            }
            CallType::Suppress => self.is_suppressed = true,
            CallType::Revive => self.is_suppressed = false,
            _ => {}
        }
    }

    fn launch(&mut self, info: TaskInfo) {
        let id = info.task_id.value;
        assert!(self.launched.insert(id.clone()), "{id} is launched twice");
        let ports: Vec<u64> = info
            .resources
            .iter()
            .filter(|resource| resource.name == "ports")
            .flat_map(|resource| resource.ranges.as_ref().expect("ranges").range.iter().flat_map(|r| r.begin..=r.end))
            .collect();
        let agent = info.agent_id.value;
        for port in &ports {
            let taken = self.tasks.values().any(|task| task.agent == agent && task.ports.contains(port));
            assert!(!taken, "port {port} of {agent} is given twice");
        }
        let cmd = info.command.and_then(|command| command.value).unwrap_or_default();
        let app = id.split(".instance-").next().unwrap_or_default().to_owned();
        if cmd == self.failing {
            self.update(&id, &agent, TaskState::Failed);
        } else {
            self.update(&id, &agent, TaskState::Running);
            self.tasks.insert(id, Task { agent, state: TaskState::Running, app, ports, cmd });
        }
    }

    fn update(&mut self, id: &str, agent: &str, state: TaskState) {
        let mut status = TaskStatus { task_id: id.into(), agent_id: Some(agent.into()), ..TaskStatus::default() };
        status.set_state(state);
        self.updates.push(status);
    }

    /// The master tells something of what there is to tell: some of it again, some of it now.
    fn hear(&mut self, some: usize, again: bool) {
        for _ in 0..some.min(self.updates.len()) {
            let status = self.updates.remove(0);
            // An agent that is gone repeats nothing.
            if again && (self.tasks.contains_key(&status.task_id.value) || status.state().is_terminal()) {
                self.updates.push(status.clone());
            }
            let event = Event { update: Some(Update { status }), ..event(EventType::Update) };
            let now = self.time();
            self.marathon.event(event, now);
        }
    }

    fn offer(&mut self) {
        if self.is_suppressed {
            return;
        }
        let scalar = |name: &str, value: f64| {
            let mut resource =
                Resource { name: name.to_owned(), scalar: Some(Scalar { value }), ..Resource::default() };
            resource.set_type(ValueType::Scalar);
            resource
        };
        let offer = |number: usize| {
            let agent = format!("agent-{number}");
            let here: Vec<&Task> = self.tasks.values().filter(|task| task.agent == agent).collect();
            let taken: BTreeSet<u64> = here.iter().flat_map(|task| task.ports.iter().copied()).collect();
            let free = (31_000..31_040).filter(|port| !taken.contains(port));
            let range = free.map(|port| Range { begin: port, end: port }).collect();
            let mut ports =
                Resource { name: "ports".to_owned(), ranges: Some(Ranges { range }), ..Resource::default() };
            ports.set_type(ValueType::Ranges);
            Offer {
                id: format!("{agent}-{}", self.now).as_str().into(),
                agent_id: agent.as_str().into(),
                hostname: agent,
                resources: vec![scalar("cpus", 30.0), scalar("mem", 9e4), ports],
                ..Offer::default()
            }
        };
        let offers = Offers { offers: (0..AGENTS).map(offer).collect() };
        let event = Event { offers: Some(offers), ..event(EventType::Offers) };
        let now = self.time();
        self.marathon.event(event, now);
    }

    /// All goes well for a while.
    fn settle(&mut self) {
        for _ in 0..400 {
            self.hear(usize::MAX, false);
            self.turn(None);
            self.offer();
            self.turn(None);
            self.now += 1_000;
        }
    }

    fn put(&mut self, id: &str, body: Value, force: bool) -> Result<Deployed, Refused> {
        let now = self.time().into();
        let id = id.parse().expect("an id");
        self.marathon.put(vec![(Some(id), body)], true, force, now).map(|(_, deployed)| deployed)
    }

    fn running(&self, app: &str) -> Vec<&Task> {
        self.tasks.values().filter(|task| task.app == app).collect()
    }
}

#[derive(Clone, Debug)]
enum Happens {
    Put { app: u8, cmd: u8, instances: u8, force: bool },
    Restart(u8),
    Delete(u8),
    Undo { force: bool },
    KillTask { number: u8, scale: bool },
    Hear { some: usize, again: bool },
    Offer,
    Fails(u8),
    AgentLost { agent: u8, back: bool },
    Time(u16),
    Crash(u8),
    Turn,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8, 0..6_u8, any::<bool>())
            .prop_map(|(app, cmd, instances, force)| Happens::Put { app, cmd, instances, force }),
        1 => (0..3_u8).prop_map(Happens::Restart),
        1 => (0..3_u8).prop_map(Happens::Delete),
        1 => any::<bool>().prop_map(|force| Happens::Undo { force }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(number, scale)| Happens::KillTask { number, scale }),
        6 => (1..6_usize, prop::bool::weighted(0.2)).prop_map(|(some, again)| Happens::Hear { some, again }),
        6 => Just(Happens::Offer),
        1 => any::<u8>().prop_map(Happens::Fails),
        1 => (0..3_u8, any::<bool>()).prop_map(|(agent, back)| Happens::AgentLost { agent, back }),
        2 => (0..20_000_u16).prop_map(Happens::Time),
        2 => (0..6_u8).prop_map(Happens::Crash),
        6 => Just(Happens::Turn),
    ]
}

impl World {
    fn happen(&mut self, what: Happens) {
        let name = |number: u8| format!("/app-{number}");
        let now: Version = self.time().into();
        match what {
            Happens::Put { app, cmd, instances, force } => {
                let cmd = ["good", "better", "bad"][usize::from(cmd)];
                let body = json!({ "cmd": cmd, "instances": instances, "cpus": 0.1,
                    "upgradeStrategy": { "minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5 } });
                // That it is locked is no fault.
                let _ = self.put(&name(app), body, force);
            }
            Happens::Restart(app) => drop(self.marathon.restart(&name(app).parse().expect("an id"), false, now)),
            Happens::Delete(app) => drop(self.marathon.remove_app(&name(app).parse().expect("an id"), true, now)),
            Happens::Undo { force } => {
                if let Some(id) = self.marathon.deployments().keys().next().cloned() {
                    drop(self.marathon.end_deployment(&id, force, now));
                }
            }
            Happens::KillTask { number, scale } => {
                let ids: Vec<String> = self.tasks.keys().cloned().collect();
                if let Some(id) = ids.get(usize::from(number) % ids.len().max(1)) {
                    drop(self.marathon.kill_tasks(&BTreeSet::from([id.clone()]), scale, false, true, now));
                }
            }
            Happens::Hear { some, again } => self.hear(some, again),
            Happens::Offer => self.offer(),
            Happens::Fails(number) => {
                let ids: Vec<String> = self.tasks.keys().cloned().collect();
                if let Some(id) = ids.get(usize::from(number) % ids.len().max(1)) {
                    let task = self.tasks.remove(id).expect("it is there");
                    self.update(id, &task.agent, TaskState::Failed);
                }
            }
            Happens::AgentLost { agent, back } => {
                let agent = format!("agent-{agent}");
                let there: Vec<String> =
                    self.tasks.iter().filter(|(_, task)| task.agent == agent).map(|(id, _)| id.clone()).collect();
                for id in there {
                    self.update(&id, &agent, TaskState::Unreachable);
                    match back {
                        true => self.update(&id, &agent, TaskState::Running),
                        false => drop(self.tasks.remove(&id)),
                    }
                }
            }
            Happens::Time(millis) => self.now += i64::from(millis),
            Happens::Crash(calls) => return self.turn(Some(usize::from(calls))),
            Happens::Turn => {}
        }
        self.turn(None);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (id, app) in &self.marathon.root().apps {
            let running = self.running(&id.joined("_"));
            let cmd = app.cmd.clone().unwrap_or_default();
            if cmd == self.failing {
                prop_assert!(running.len() <= app.instances as usize, "{id}: {running:?}");
                continue;
            }
            prop_assert_eq!(running.len(), app.instances as usize, "{}: {:?}", id, self.marathon);
            let is_deployed = self.marathon.deployments().values().any(|deployment| deployment.apps.contains_key(id));
            prop_assert!(!is_deployed, "{} is still being deployed: {:?}", id, self.marathon);
        }
        let apps: BTreeSet<String> = self.marathon.root().apps.keys().map(|id| id.joined("_")).collect();
        let strays: Vec<&Task> = self.tasks.values().filter(|task| !apps.contains(&task.app)).collect();
        prop_assert!(strays.is_empty(), "nobody wants {strays:?}");
        prop_assert_eq!(self.marathon.by_task.len(), self.marathon.instances.len());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_the_end_each_app_runs_as_often_as_it_shall_and_nothing_else_does(
        seed in any::<u64>(), all in prop::collection::vec(happens(), 1..80),
    ) {
        let mut world = World::new(seed);
        all.into_iter().for_each(|what| world.happen(what));
        world.settle();
        world.check()?;
        // What is recorded says the same.
        world.turn(Some(0));
        let before = world.launched.len();
        world.settle();
        world.check()?;
        let failing = world.marathon.root().apps.values().any(|app| app.cmd.as_deref() == Some("bad") && app.instances > 0);
        prop_assert!(failing || world.launched.len() == before, "nothing is started anew because a process was");
    }
}

#[test]
fn going_back_keeps_what_still_runs() {
    let mut world = World::new(1);
    let strategy = json!({ "minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5 });
    let first = json!({ "cmd": "good", "instances": 4, "cpus": 0.1, "upgradeStrategy": strategy });
    world.put("/web", first, false).expect("deployed");
    world.settle();
    let before: BTreeSet<String> = world.tasks.keys().cloned().collect();
    let deployed = world.put("/web", json!({ "cmd": "bad" }), false).expect("deployed");
    world.settle();
    let kept: BTreeSet<String> = world.tasks.keys().cloned().collect();
    assert!(kept.len() >= 2 && kept.is_subset(&before));
    let locked = world.put("/web", json!({ "instances": 5 }), false).expect_err("locked");
    assert_eq!(locked, Refused::Locked(vec![deployed.id.clone()]));
    let now = world.time().into();
    world.marathon.end_deployment(&deployed.id, false, now).expect("it is there").expect("another one");
    world.settle();
    let after: BTreeSet<String> = world.tasks.keys().cloned().collect();
    assert!(after.is_superset(&kept) && after.len() == 4 && world.tasks.values().all(|task| task.cmd == "good"));
}

#[test]
fn an_app_that_fails_is_left_alone_for_longer_and_longer() {
    let mut world = World::new(2);
    world.put("/web", json!({ "cmd": "bad", "backoffSeconds": 10, "backoffFactor": 2 }), false).expect("deployed");
    let mut starts = Vec::new();
    for _ in 0..200_000 / 10 {
        let before = world.launched.len();
        world.hear(usize::MAX, false);
        world.offer();
        world.turn(None);
        if world.launched.len() > before {
            starts.push(world.now / 1_000);
        }
    }
    let pauses: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[..4], [10, 20, 40, 80]);
}

#[test]
fn after_it_has_subscribed_it_asks_soon_how_all_tasks_are_and_then_less_and_less_often() {
    let mut world = World::new(3);
    let (mut asked, begun) = (vec![0], world.now);
    for _ in 0..2_000 {
        world.now += 1_000;
        let turn = world.marathon.turn(world.time());
        if turn.calls.iter().any(|(kind, _)| *kind == CallType::Reconcile) {
            asked.push((world.now - begun) / 1_000);
        }
    }
    let pauses: Vec<i64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
}

#[test]
fn before_a_master_has_answered_it_waits_for_nothing_else() {
    let mut marathon = Marathon::new(settings(), SeededEntropy::new(4));
    assert_eq!(marathon.turn(Timestamp::from_millisecond(1_000_000).expect("a time")).next, None);
}
