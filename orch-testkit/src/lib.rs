//! For everyone who implements one of the contracts of `orch-core`, or writes a reconcile loop: conformance suites,
//! models that are obviously right, strategies, and fault injection.
//!
//! A suite is run with one macro, in an ordinary test file: `orch_testkit::store_suite!(MyStore::new());` makes each
//! clause of the contract a test of its own.
#![forbid(unsafe_code)]

pub mod broken;
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod fault;
pub mod history;
pub mod model;
pub mod strategy;
pub mod suite;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
struct Testing;
