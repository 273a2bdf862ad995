//! [`View`]: all that a master knows, as it is shown.

mod look;

use std::collections::BTreeMap;

pub use look::{agent_of, framework_of};

use crate::wire::operator::{
    Agent, ClusterStatus, Executor, Framework, GetAgents, GetExecutors, GetFrameworks, GetState, GetTasks,
};
use crate::wire::{AgentInfo, QuotaConfig, Schedule, Task};

/// All that a master knows at one moment. It is copied from the master, so that what is done with it holds nobody up.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Agents that are registered.
    pub agents: Vec<Agent>,
    /// Agents that an earlier master knew, and that are waited for.
    pub recovered_agents: Vec<AgentInfo>,
    /// How many agents are unreachable.
    pub unreachable_agents: usize,
    /// Frameworks that have not ended.
    pub frameworks: Vec<Framework>,
    /// Frameworks that have ended, as far as they are remembered.
    pub completed_frameworks: Vec<Framework>,
    /// Tasks that have not ended, of frameworks that have not.
    pub tasks: Vec<Task>,
    /// Tasks whose agents are unreachable.
    pub unreachable_tasks: Vec<Task>,
    /// Tasks that have ended, as far as they are remembered.
    pub completed_tasks: Vec<Task>,
    /// Executors that run.
    pub executors: Vec<Executor>,
    /// Weights that are not one, by role.
    pub weights: BTreeMap<String, f64>,
    /// Quotas, by role.
    pub quotas: BTreeMap<String, QuotaConfig>,
    /// When machines are out of use.
    pub schedule: Schedule,
    /// Which machines are out of use, or will be.
    pub maintenance: ClusterStatus,
}

/// Which parts of a view are wanted: what is large is copied only for who looks at it. What is small is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Agents.
    pub agents: bool,
    /// Frameworks, and how their executors are.
    pub frameworks: bool,
    /// Tasks.
    pub tasks: bool,
}

impl Parts {
    /// Everything.
    pub const ALL: Self = Self { agents: true, frameworks: true, tasks: true };
    /// Only what is small.
    pub const NONE: Self = Self { agents: false, frameworks: false, tasks: false };
    /// Agents.
    pub const AGENTS: Self = Self { agents: true, ..Self::NONE };
    /// Tasks.
    pub const TASKS: Self = Self { tasks: true, ..Self::NONE };
    /// Frameworks, and what agents keep for roles.
    pub const ROLES: Self = Self { tasks: false, ..Self::ALL };
    /// Frameworks with their tasks.
    pub const FRAMEWORKS: Self = Self { agents: false, ..Self::ALL };
}

impl View {
    /// As the operator API shows it.
    #[must_use]
    pub fn into_state(self) -> GetState {
        GetState {
            get_tasks: Some(GetTasks {
                tasks: self.tasks,
                unreachable_tasks: self.unreachable_tasks,
                completed_tasks: self.completed_tasks,
            }),
            get_executors: Some(GetExecutors { executors: self.executors }),
            get_frameworks: Some(GetFrameworks {
                frameworks: self.frameworks,
                completed_frameworks: self.completed_frameworks,
            }),
            get_agents: Some(GetAgents { agents: self.agents, recovered_agents: self.recovered_agents }),
        }
    }
}
