//! A Mesos-like system composed from the `orch` crates: see `mesos-like --help`.
#![forbid(unsafe_code)]

pub mod agent;
pub mod chronos;
pub mod cli;
pub mod duration;
pub mod fenced;
pub mod framework;
pub mod http;
pub mod key_name;
pub mod leader;
pub mod marathon;
pub mod master;
pub mod pages;
pub mod pattern;
pub mod resources;
pub mod signals;
pub mod store;
pub mod v0;
pub mod wire;

/// `docs/guides/framework.md`, whose code is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/framework.md")]
struct Guide;
