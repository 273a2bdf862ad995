//! What must outlive the master that knows it: agents, frameworks, and what operators decided.

mod load;
mod object;
mod plan;
mod record;
mod registrar;

use std::collections::BTreeMap;

use orch_core::store::StoreError;

pub use record::{AgentRecord, AgentStanding, CompletedRecord, FrameworkRecord, MachineRecord, RoleRecord};
pub use registrar::Registry;

use crate::fenced::WriteError;

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

/// One thing that is recorded, or no longer. Changes are made in the order in which they are given.
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

/// Why something is not recorded, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another master may lead by now: nothing more is written by this one.
    #[error("this master leads no longer")]
    Lost,
    /// The name is too long for a key.
    #[error("{name:?} is too long to be recorded: make it shorter than 70 characters")]
    Name {
        /// Of a role, a machine, a framework.
        name: String,
    },
    /// What stands in the store is no record.
    #[error("{key} in the store is no record: {reason}")]
    Corrupt {
        /// Where.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store's own error.
    #[error("{reason}")]
    Store {
        /// What it says.
        reason: String,
    },
}

impl From<WriteError> for RegistryError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Lost => Self::Lost,
            WriteError::Store { reason } => Self::Store { reason },
        }
    }
}

impl RegistryError {
    fn of(error: StoreError) -> Self {
        match error {
            StoreError::Fenced { .. } => Self::Lost,
            error => Self::Store { reason: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests;
