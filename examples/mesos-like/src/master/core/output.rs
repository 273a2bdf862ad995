//! [`Output`]: what a master does.

use crate::master::registry::RegistryChange;
use crate::wire::scheduler::Event;
use crate::wire::{AgentEvent, FrameworkInfo, Task, TaskStatus};

/// What a master does. Things are done in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Says something to whoever reads this stream.
    ToFramework(String, Box<Event>),
    /// Says something to the agent that reads this stream.
    ToAgent(String, Box<AgentEvent>),
    /// Ends a stream.
    Close(String),
    /// Records something.
    Record(RegistryChange),
    /// Tells operators of something.
    Notice(Notice),
}

/// What operators are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A task was launched.
    TaskAdded(Box<Task>),
    /// A task is in another state.
    TaskUpdated {
        /// Whose it is.
        framework: String,
        /// How it is.
        status: Box<TaskStatus>,
        /// The state after all updates that have not been told yet.
        latest: i32,
    },
    /// A framework came.
    FrameworkAdded(String),
    /// A framework came back, or is other than before.
    FrameworkUpdated(String),
    /// A framework has ended.
    FrameworkRemoved(Box<FrameworkInfo>),
    /// An agent came.
    AgentAdded(String),
    /// An agent went.
    AgentRemoved(String),
}
