//! The master: takes in agents, offers what they have to frameworks, and passes on what these want to run.

pub mod actor;
pub mod api;
pub mod core;
pub mod flags;
pub mod leader;
pub mod registry;
pub mod store;
