//! A Mesos-like system composed from the `orch` crates: see `mesos-like --help`.
#![forbid(unsafe_code)]

pub mod duration;
pub mod http;
pub mod master;
pub mod v0;
pub mod wire;
