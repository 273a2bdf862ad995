//! A Mesos-like system composed from the `orch` crates: see `mesos-like --help`.
#![forbid(unsafe_code)]

pub mod cli;
pub mod framework;
pub mod http;
pub mod wire;
