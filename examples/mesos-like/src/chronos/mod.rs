//! A Chronos-like framework: jobs at times and jobs after jobs, on a master by its HTTP API: see README.md beside this.

mod api;
pub mod core;
pub mod flags;
pub mod framework;
pub mod job;
pub mod launch;
mod placing;
pub mod run;
pub mod schedule;
