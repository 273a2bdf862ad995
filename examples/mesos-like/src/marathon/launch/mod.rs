//! Instances of apps, as masters are told of them.

mod container;
mod discovery;
mod environment;
mod health;
mod port;
mod task;

pub use task::{Launch, task};
