//! What a master knows. Everybody here reads it; only the core changes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use orch_core::allocator::{OfferId, Quota, Resources, Role, Unavailability};
use orch_core::clock::Timestamp;

use crate::resources::Form;
use crate::wire::operator::InverseOfferStatus;
use crate::wire::{
    AgentInfo, CapabilityType, DrainInfo, ExecutorInfo, FrameworkInfo, InverseOffer, MachineId, MasterInfo, Task,
    TaskState, TimeInfo,
};

/// What a master goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// Between two pings of an agent, and how many may go without an answer.
    pub ping: Duration,
    /// How many pings may go without an answer.
    pub missed_pings: u32,
    /// How long an agent may take to come back, after its connection broke or after this master began.
    pub reregister: Duration,
    /// How many frameworks that ended are remembered.
    pub completed_frameworks: usize,
    /// How many tasks that ended are remembered of each framework.
    pub completed_tasks: usize,
    /// How long it is remembered who is away or has ended.
    pub records: Records,
    /// The only roles that frameworks may be in, if not all.
    pub roles: Option<BTreeSet<Role>>,
}

/// How long agents that are gone or unreachable, and frameworks that ended, are remembered.
#[derive(Clone, Copy, Debug)]
pub struct Records {
    /// Between two looks at them.
    pub interval: Duration,
    /// How old they may become.
    pub age: Duration,
    /// How many of each kind there may be.
    pub most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            ping: Duration::from_secs(15),
            missed_pings: 5,
            reregister: Duration::from_secs(600),
            completed_frameworks: 50,
            completed_tasks: 1000,
            records: Records {
                interval: Duration::from_secs(900),
                age: Duration::from_secs(14 * 24 * 3600),
                most: 102_400,
            },
            roles: None,
        }
    }
}

/// What a master knows.
#[derive(Debug)]
pub struct State {
    /// Who this master is.
    pub master: MasterInfo,
    /// Since when it leads.
    pub elected: Timestamp,
    /// Frameworks that have not ended, by their ids.
    pub frameworks: BTreeMap<String, Framework>,
    /// Frameworks that have ended, the oldest first.
    pub completed: VecDeque<Framework>,
    /// The ids of all frameworks that have ended, and since when.
    pub completed_ids: BTreeMap<String, TimeInfo>,
    /// Agents that are registered, connected or not, by their ids.
    pub agents: BTreeMap<String, Agent>,
    /// Agents that are recorded and have not come back to this master.
    pub recovered: BTreeMap<String, AgentInfo>,
    /// Agents that have been away for too long, and since when.
    pub unreachable: BTreeMap<String, (AgentInfo, TimeInfo)>,
    /// Agents that were said to be gone for ever, and since when.
    pub gone: BTreeMap<String, TimeInfo>,
    /// Offers that are not answered, by their numbers.
    pub offers: BTreeMap<OfferId, Offer>,
    /// Inverse offers that are not answered, by their ids.
    pub inverse_offers: BTreeMap<String, InverseOffer>,
    /// Weights that are not 1.
    pub weights: BTreeMap<Role, f64>,
    /// Quotas that say something.
    pub quotas: BTreeMap<Role, Quota>,
    /// Machines that are, or will be, out of use.
    pub machines: Vec<Machine>,
    /// What frameworks say to inverse offers, by agent and framework: the last word of each.
    pub inverse_answers: BTreeMap<(String, String), InverseOfferStatus>,
    /// How agents that are not here are emptied, and whether operators want no tasks on them.
    pub decided: BTreeMap<String, (Option<DrainInfo>, bool)>,
}

/// A framework.
#[derive(Clone, Debug)]
pub struct Framework {
    /// Who it is.
    pub info: FrameworkInfo,
    /// The roles that it is in.
    pub roles: BTreeSet<Role>,
    /// Those in which it wants no offers.
    pub suppressed: BTreeSet<Role>,
    /// The stream that it reads; none if it is not connected.
    pub stream: Option<String>,
    /// When it first subscribed to this master; none if it is only known from agents or records.
    pub registered: Option<Timestamp>,
    /// When it last came back.
    pub reregistered: Option<Timestamp>,
    /// When it ended, or was disconnected.
    pub unregistered: Option<Timestamp>,
    /// When the time is over in which it may come back.
    pub expires: Option<Timestamp>,
    /// Tasks whose end it has not acknowledged, by their ids.
    pub tasks: BTreeMap<String, TaskEntry>,
    /// Tasks that have ended, the oldest first.
    pub completed_tasks: VecDeque<Task>,
    /// Tasks of agents that are unreachable, by their ids.
    pub unreachable_tasks: BTreeMap<String, Task>,
    /// Executors that run, by agent and id.
    pub executors: BTreeMap<(String, String), ExecutorEntry>,
}

/// A task, and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEntry {
    /// As it is told of: in `state` the latest, in `status_update_state` the last that was passed on.
    pub task: Task,
    /// In which role its resources were offered.
    pub role: Role,
    /// What it takes, until it has ended.
    pub used: Resources,
    /// Whether it has been ordered to end.
    pub is_killed: bool,
}

/// An executor, and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorEntry {
    /// As its framework wants it.
    pub info: ExecutorInfo,
    /// In which role its resources were offered.
    pub role: Role,
    /// What it takes, until it has ended.
    pub used: Resources,
}

/// An agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Who it is; its id is in it.
    pub info: AgentInfo,
    /// The version that it says.
    pub version: String,
    /// Where it can be asked: `ip:port`.
    pub ip: String,
    /// All that it has.
    pub total: Resources,
    /// The stream that it reads; none if it is not connected.
    pub stream: Option<String>,
    /// When it first came to this master.
    pub registered: Timestamp,
    /// When it last came back.
    pub reregistered: Option<Timestamp>,
    /// Pings that it has not answered.
    pub missed_pings: u32,
    /// When it is pinged next.
    pub next_ping: Timestamp,
    /// When it has been disconnected for too long.
    pub expires: Option<Timestamp>,
    /// How it is emptied.
    pub drain: Option<DrainInfo>,
    /// Whether an operator wants no tasks on it.
    pub is_deactivated: bool,
    /// Tasks to end when it is back.
    pub kills: BTreeSet<(String, String)>,
    /// What is still used there by frameworks that have ended.
    pub remains: Vec<Remains>,
    /// The tasks of frameworks that are on it, by framework and id.
    pub tasks: BTreeSet<(String, String)>,
    /// The executors of frameworks that are on it, by framework and id.
    pub executors: BTreeSet<(String, String)>,
}

/// What a framework that has ended still uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Remains {
    /// Which framework.
    pub framework: String,
    /// Of which task; or of which executor.
    pub of: Remaining,
    /// In which role.
    pub role: Role,
    /// What.
    pub used: Resources,
}

/// A task or an executor of a framework that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// A task, by its id.
    Task(String),
    /// An executor, by its id.
    Executor(String),
}

/// An offer that is not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Who may use it.
    pub framework: String,
    /// On which agent.
    pub agent: String,
    /// In which role.
    pub role: Role,
    /// What.
    pub resources: Resources,
    /// When the agent will be out of use.
    pub unavailability: Option<Unavailability>,
}

/// A machine that is, or will be, out of use.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Which.
    pub id: MachineId,
    /// When.
    pub unavailability: crate::wire::Unavailability,
    /// Whether its agents were shut down and may not come back.
    pub is_down: bool,
    /// Which window of the schedule it is in.
    pub window: u32,
}

impl State {
    /// A master that knows of nobody.
    #[must_use]
    pub fn new(master: MasterInfo, elected: Timestamp) -> Self {
        Self {
            master,
            elected,
            frameworks: BTreeMap::new(),
            completed: VecDeque::new(),
            completed_ids: BTreeMap::new(),
            agents: BTreeMap::new(),
            recovered: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            gone: BTreeMap::new(),
            offers: BTreeMap::new(),
            inverse_offers: BTreeMap::new(),
            weights: BTreeMap::new(),
            quotas: BTreeMap::new(),
            machines: Vec::new(),
            inverse_answers: BTreeMap::new(),
            decided: BTreeMap::new(),
        }
    }

    /// A framework has a task.
    pub(super) fn put_task(&mut self, framework: &str, entry: TaskEntry) {
        let id = entry.task.task_id.value.clone();
        if let Some(agent) = self.agents.get_mut(&entry.task.agent_id.value) {
            agent.tasks.insert((framework.to_owned(), id.clone()));
        }
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.tasks.insert(id, entry);
        }
    }

    /// A framework has a task no more.
    pub(super) fn take_task(&mut self, framework: &str, task: &str) -> Option<TaskEntry> {
        let entry = self.frameworks.get_mut(framework)?.tasks.remove(task)?;
        if let Some(agent) = self.agents.get_mut(&entry.task.agent_id.value) {
            agent.tasks.remove(&(framework.to_owned(), task.to_owned()));
        }
        Some(entry)
    }

    /// A framework has an executor on an agent, if it did not have it before.
    pub(super) fn put_executor(&mut self, framework: &str, agent: &str, entry: ExecutorEntry) {
        let id = entry.info.executor_id.value.clone();
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.executors.insert((framework.to_owned(), id.clone()));
        }
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.executors.entry((agent.to_owned(), id)).or_insert(entry);
        }
    }

    /// A framework has an executor on an agent no more.
    pub(super) fn take_executor(&mut self, framework: &str, agent: &str, executor: &str) -> Option<ExecutorEntry> {
        let key = (agent.to_owned(), executor.to_owned());
        let entry = self.frameworks.get_mut(framework)?.executors.remove(&key)?;
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.executors.remove(&(framework.to_owned(), key.1));
        }
        Some(entry)
    }
}

impl Framework {
    /// Whether it can deal with something.
    #[must_use]
    pub fn can(&self, capability: CapabilityType) -> bool {
        self.info.can(capability)
    }

    /// Whether it is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// How it sees resources that are its own in a role.
    #[must_use]
    pub fn form(&self, role: &Role) -> Form {
        Form {
            allocated_to: self.can(CapabilityType::MultiRole).then(|| role.clone()),
            stacked: self.can(CapabilityType::ReservationRefinement),
        }
    }

    /// What its tasks and executors use, of all agents.
    #[must_use]
    pub fn used(&self) -> Resources {
        let all = self.tasks.values().map(|entry| &entry.used).chain(self.executors.values().map(|entry| &entry.used));
        all.fold(Resources::new(), |sum, one| sum.plus(one))
    }
}

impl TaskEntry {
    /// Whether it has ended, told or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.task.state().is_terminal()
    }

    /// The state that its framework was last told.
    #[must_use]
    pub fn told(&self) -> TaskState {
        match self.task.status_update_state {
            Some(_) => self.task.status_update_state(),
            None => self.task.state(),
        }
    }
}

impl Agent {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.info.id.as_ref().map_or("", |id| id.value.as_str())
    }

    /// Whether it gets tasks.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.stream.is_some() && !self.is_deactivated && self.drain.is_none()
    }
}
