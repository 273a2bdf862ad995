//! The agent: runs executors and tasks on one machine, and tells its master of them.

pub mod actor;
pub mod api;
pub mod builtin;
pub mod checkpoint;
mod checks;
pub mod containers;
pub mod core;
pub mod environment;
mod fetch;
pub mod files;
pub mod flags;
mod folder;
pub mod layout;
pub mod pages;
pub mod record;
pub mod register;
pub mod run;
#[cfg(test)]
mod scratch;
