//! A Chronos-like framework: jobs at times and jobs after jobs, on a master by its HTTP API: see README.md beside this.

pub mod core;
pub mod job;
pub mod launch;
mod placing;
pub mod schedule;
