//! [`Output`]: what an agent does.

use std::time::Duration;

use super::state::Key;
use crate::agent::builtin::Recovered;
use crate::agent::record::{AgentRecord, ExecutorRecord};
use crate::wire::executor::Event;
use crate::wire::{AgentCall, Apply};

/// What an agent does. Things are done in this order: what is written down is written before anybody hears of it.
#[derive(Debug)]
pub enum Output {
    /// Says something to the master.
    ToMaster(Box<AgentCall>),
    /// Says something to an executor.
    ToExecutor(Key, Box<Event>),
    /// Starts an executor.
    Launch(Key),
    /// Starts the agent's own executor over containers that may still run; and watches that of one that is not its own.
    Recover(Key, Vec<Recovered>),
    /// Ends the container of an executor.
    Kill(Key, Duration),
    /// An executor is no more: its connection, its container and its record are of no use. Its sandbox stays.
    Forget(Key, String),
    /// Writes down an executor.
    Save(Box<ExecutorRecord>),
    /// Writes down who the agent is.
    SaveAgent(Box<AgentRecord>),
    /// Makes or destroys volumes.
    Volumes(Box<Apply>),
    /// Ends the agent for good: it is not to come back under its id.
    End(String),
}
