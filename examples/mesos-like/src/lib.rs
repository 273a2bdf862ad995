//! A Mesos-like system composed from the `orch` crates: see `mesos-like --help`.
#![forbid(unsafe_code)]

pub mod agent;
pub mod http;
pub mod wire;
