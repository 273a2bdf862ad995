//! Implementations that are wrong on purpose, each a class of bug that was seen in real systems. The conformance suites
//! must catch every one of them; `orch-testkit/tests/broken_*.rs` show that they do.

pub mod claim;
pub mod controller;
pub mod proxy;
pub mod runtime;
pub mod scheduler;
pub mod shards;
pub mod store;
