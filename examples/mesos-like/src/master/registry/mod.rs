//! What must outlive the master that knows it: agents, frameworks, and what operators decided.

mod record;

use std::collections::BTreeMap;

pub use record::{AgentRecord, AgentStanding, CompletedRecord, FrameworkRecord, MachineRecord, RoleRecord};

/// All that is recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registered {
    /// By the agent's id.
    pub agents: BTreeMap<String, AgentRecord>,
    /// By the framework's id.
    pub frameworks: BTreeMap<String, FrameworkRecord>,
    /// By the framework's id.
    pub completed: BTreeMap<String, CompletedRecord>,
    /// By the role's name.
    pub roles: BTreeMap<String, RoleRecord>,
    /// By `hostname/ip`, either of which may be empty.
    pub machines: BTreeMap<String, MachineRecord>,
}

/// One thing that is recorded, or no longer. Changes are made in the order in which they are given, those that are
/// given together all at once or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistryChange {
    /// This is so of the agent: admitted, unreachable, gone, emptied.
    Agent(Box<AgentRecord>),
    /// The agent is forgotten.
    AgentForgotten(String),
    /// This is so of the framework: put when it subscribes and when it disconnects.
    Framework(Box<FrameworkRecord>),
    /// The framework has ended: it is taken from the frameworks, and its id is kept among those that ended.
    FrameworkCompleted(CompletedRecord),
    /// The framework, also as one that ended, is forgotten.
    FrameworkForgotten(String),
    /// This was decided about the role; forgotten if it has neither weight nor quota.
    Role(RoleRecord),
    /// All machines that are, or will be, out of use.
    Machines(Vec<MachineRecord>),
}
