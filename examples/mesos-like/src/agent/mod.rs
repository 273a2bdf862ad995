//! The agent: runs executors and tasks on one machine, and tells its master of them.

pub mod builtin;
mod checks;
pub mod containers;
mod fetch;
pub mod files;
mod folder;
#[cfg(test)]
mod scratch;
