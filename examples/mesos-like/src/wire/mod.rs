//! What is said between frameworks, executors, agents and masters: messages, in JSON and in protobuf, as records.

mod agent;
pub mod agent_operator;
mod base;
mod decisions;
pub(crate) mod describe;
mod error;
pub mod executor;
mod from_json;
mod media;
pub mod operator;
mod recordio;
mod required;
pub mod scheduler;
mod task;
mod to_json;

pub use agent::*;
pub use base::*;
pub use decisions::*;
pub use describe::{Described, Field, Kind, Names, Presence};
pub use error::WireError;
pub use media::{MediaType, Message};
pub use recordio::{RecordReader, record};
pub use task::*;

#[cfg(test)]
mod tests;
