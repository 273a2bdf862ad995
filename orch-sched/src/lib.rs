//! Schedulers: they decide on which node a pod runs.
//!
//! [`FilterScoreScheduler`] sees the whole cluster. Its rules and preferences are plugins; those of this crate are
//! Kubernetes', and a downstream crate adds its own.
#![forbid(unsafe_code)]

pub mod filter_score;

pub use filter_score::FilterScoreScheduler;
