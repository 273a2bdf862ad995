//! Implementations that are wrong on purpose, each a class of bug that was seen in real systems. The conformance suites
//! must catch every one of them, or the check of histories those that show only when clients meet or a store crashes;
//! `orch-testkit/tests/broken_*.rs` show that they do.

pub mod allocator;
pub mod claim;
pub mod controller;
pub mod crashing_store;
pub mod images;
pub mod interactive;
pub mod omission;
pub mod proxy;
pub mod racing_store;
pub mod routes;
pub mod runtime;
pub mod scheduler;
pub mod shards;
pub mod store;
pub mod volumes;
